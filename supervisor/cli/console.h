/*
 * What a person at the terminal sees of a running farm: the start's progress, the addresses, then only what one would
 * want to be told. With --log-format json the same facts are log lines.
 */
#ifndef SUPERVISOR_CLI_CONSOLE_H
#define SUPERVISOR_CLI_CONSOLE_H

#include "supervisor/farm/farm.h"

/* The first line: what is started, and how its limits are enforced. */
void console_opening(const struct farm *farm);

/* Of limits that this machine cannot reach; a warning each. */
void console_settings_warnings(const struct settings *settings);

/* The `ready` line: counts up in place on a terminal, printed once elsewhere. */
void console_adopted(const struct farm_progress *progress); /* what an earlier farmd started goes on */
void console_progress(const struct farm *farm, const struct farm_progress *progress);

/* What to do next with a farm of these settings and so many servers; ends the line. */
void console_next_steps(const struct settings *settings, size_t servers);

/* Behind the ready line: the addresses and what to do next. */
void console_addresses(const struct farm *farm);

/* Tells of an event if a person would want to know; at most CONSOLE_LINES_PER_SECOND, the rest is counted. */
#define CONSOLE_LINES_PER_SECOND 20
void console_event(const struct farm *farm, const struct event *event);

void console_stopping(const struct farm *farm, bool forced);
void console_stopped(int64_t elapsed_ms);

#endif
