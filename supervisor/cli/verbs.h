/*
 * The rows of the table of verbs; verbs.c puts them in order.
 */
#ifndef SUPERVISOR_CLI_VERBS_H
#define SUPERVISOR_CLI_VERBS_H

#include "supervisor/cli/cli.h"

extern const struct cli_verb verb_broadcast;
extern const struct cli_verb verb_check;
extern const struct cli_verb verb_complete;
extern const struct cli_verb verb_completion;
extern const struct cli_verb verb_doctor;
extern const struct cli_verb verb_down;
extern const struct cli_verb verb_events;
extern const struct cli_verb verb_export;
extern const struct cli_verb verb_health;
extern const struct cli_verb verb_help;
extern const struct cli_verb verb_inspect;
extern const struct cli_verb verb_kill;
extern const struct cli_verb verb_load;
extern const struct cli_verb verb_load_cancel;
extern const struct cli_verb verb_load_compare;
extern const struct cli_verb verb_load_list;
extern const struct cli_verb verb_load_show;
extern const struct cli_verb verb_logs;
extern const struct cli_verb verb_metrics;
extern const struct cli_verb verb_pause;
extern const struct cli_verb verb_ps;
extern const struct cli_verb verb_restart;
extern const struct cli_verb verb_resume;
extern const struct cli_verb verb_rolling_restart;
extern const struct cli_verb verb_scale;
extern const struct cli_verb verb_set;
extern const struct cli_verb verb_simulate_load;
extern const struct cli_verb verb_start;
extern const struct cli_verb verb_stop;
extern const struct cli_verb verb_top;
extern const struct cli_verb verb_up;
extern const struct cli_verb verb_upgrade;
extern const struct cli_verb verb_version;
extern const struct cli_verb verb_wait;

#endif
