/*
 * The table of verbs, in the order of help. Each row is in the file of its verb.
 */
#include "supervisor/cli/verbs.h"

#include <stddef.h>

/* clang-format off */
const struct cli_verb *const cli_verbs[] = {
    &verb_up,
    &verb_down,
    &verb_upgrade,
    &verb_check,
    &verb_doctor,
    &verb_ps,
    &verb_inspect,
    &verb_health,
    &verb_metrics,
    &verb_logs,
    &verb_events,
    &verb_top,
    &verb_wait,
    &verb_start,
    &verb_stop,
    &verb_restart,
    &verb_kill,
    &verb_pause,
    &verb_resume,
    &verb_scale,
    &verb_rolling_restart,
    &verb_set,
    &verb_load,
    &verb_load_list,
    &verb_load_show,
    &verb_load_cancel,
    &verb_load_compare,
    &verb_simulate_load,
    &verb_broadcast,
    &verb_export,
    &verb_completion,
    &verb_help,
    &verb_version,
    &verb_complete,
    NULL,
};
/* clang-format on */
