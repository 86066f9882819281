/*
 * A temporary directory to load settings in, with nothing of the caller's environment in the way.
 */
#ifndef TESTS_UNIT_SETTINGS_FIXTURE_H
#define TESTS_UNIT_SETTINGS_FIXTURE_H

#include "supervisor/config/settings.h"

/* cmocka's set-up and tear-down of a group of tests, and the one that empties the directory behind each test. */
int settings_fixture_enter(void **state);
int settings_fixture_leave(void **state);
int settings_fixture_clear(void **state);

const char *settings_fixture_top(void); /* the top of the source tree */

/* Writes a file in the directory. */
void settings_fixture_write(const char *name, const char *text);
void settings_fixture_write_bytes(const char *name, const void *data, size_t length);

/* Loads with flags that are words of one string, parted by blanks. */
int settings_fixture_try(const char *flags, struct settings **settings, struct error *err);
struct settings *settings_fixture_load(const char *flags);            /* must succeed */
void settings_fixture_refuse(const char *flags, const char *message); /* must fail with exactly this */

#endif
