/*
 * Flags of the command line, as the table of settings names them.
 */
#ifndef SUPERVISOR_CONFIG_FLAGS_H
#define SUPERVISOR_CONFIG_FLAGS_H

#include "core/error.h"
#include "supervisor/config/settings_table.h"

/* Finds each setting's text in argv (which it points into; "true" for a switch), NULL where there is no flag; of a flag
 * given twice the last one. -EINVAL with the nearest flag for an unknown one. */
int flags_parse(int argc, char **argv, const char *values[SETTING_IDS], struct error *err);

#endif
