/*
 * A process runtime with a loop of its own and servers made of shell scripts, for tests of real processes. Waiting is for
 * a condition with a deadline; whatever a failed test leaves is ended by tear down.
 */
#ifndef TESTS_UNIT_RUNTIME_FIXTURE_H
#define TESTS_UNIT_RUNTIME_FIXTURE_H

#include "supervisor/runtime/runtime.h"

#include <stdbool.h>

#define FIXTURE_SERVERS 20

struct runtime_fixture_server {
    struct runtime_process *process; /* NULL when none runs */
    unsigned ready, ooms, exits;
    struct runtime_exit exit;
    struct runtime_sample last; /* as sampled in on_exit */
};

struct fixture {
    uv_loop_t loop;
    uv_timer_t tick; /* wakes the loop, so that conditions are looked at */
    struct runtime *runtime;
    char folder[64];
    char instance[32];
    struct runtime_fixture_server servers[FIXTURE_SERVERS];
};

int runtime_fixture_set_up(void **state);      /* with what the machine can enforce */
int runtime_fixture_set_up_none(void **state); /* without enforcement */
int runtime_fixture_tear_down(void **state);

/* Whether limits are in force; prints why not. Tests of limits begin with `if (!runtime_fixture_enforces(f)) skip();`. */
bool runtime_fixture_enforces(const struct fixture *fixture);

struct limits runtime_fixture_limits(void); /* 0.5 CPU, 64 MiB, … */

/* Starts `sh -c script` as server `index` (id 7 + index). */
int runtime_fixture_start(struct fixture *fixture, int index, const char *script, const struct limits *limits,
                          struct error *err);
void runtime_fixture_spec(struct fixture *fixture, int index, char *const *argv, struct runtime_spec *spec);
int runtime_fixture_start_spec(struct fixture *fixture, int index, const struct runtime_spec *spec, struct error *err);

/* Runs the loop until the condition holds; false after 10 s. */
typedef bool runtime_fixture_condition(struct fixture *fixture, void *argument);
bool runtime_fixture_wait(struct fixture *fixture, runtime_fixture_condition *condition, void *argument);
bool runtime_fixture_wait_ready(struct fixture *fixture, int index);
bool runtime_fixture_wait_exit(struct fixture *fixture, int index);

/* The log of all servers, and a file that a script wrote, as text; the caller frees. "" when there is none. */
char *runtime_fixture_log(const struct fixture *fixture);
char *runtime_fixture_file(const struct fixture *fixture, const char *name);

bool runtime_fixture_is_gone(pid_t pid); /* ended, reaped or not */

/* How many cgroup directories of this instance's slice there are, leaves included. */
unsigned runtime_fixture_cgroups(const struct fixture *fixture);

#endif
