/*
 * A runtime in memory for tests of the farm: nothing is started, and a test says when a process is ready or ends. What
 * the runtime tells, it tells from the loop, never from inside a call, as a real one does.
 */
#ifndef TESTS_UNIT_FAKE_RUNTIME_H
#define TESTS_UNIT_FAKE_RUNTIME_H

#include "supervisor/runtime/runtime.h"

#define FAKE_MAX_ID 1200

/* How the processes of one server behave; may be changed at any time. */
struct fake_behaviour {
    bool stays_unready; /* until fake_ready */
    bool ignores_sigterm;
    bool pause_fails;
    unsigned kills_survived;
    int start_code;          /* positive errno: starting fails with it */
    unsigned start_failures; /* that many times; 0: always */
    bool exits_at_start;     /* with exit_code, before it is ready */
    int exit_code;
    const char *exit_detail;
};

struct fake_behaviour *fake_of(int id);
void fake_reset(void); /* behaviours, counts and the log */

/* For the process of server `id`; it must run. */
void fake_ready(int id);
void fake_exit(int id, int exit_code);
void fake_signal_exit(int id, int signal, bool oom_killed);

/* A process of an earlier run, with a start time of ten times its pid. Gone when it is swept; another's when adopted. */
void fake_leave(int id, pid_t pid, bool frozen);
bool fake_is_left(int id);
/* The sweep is not over before fake_swept. */
void fake_sweep_waits(void);
void fake_swept(void);

bool fake_runs(int id);
unsigned fake_starts(int id); /* successful ones */
unsigned fake_alive(void);
unsigned fake_most_alive(void);

/* The holder of a port is told at once, or from now on when a test says so: true when somebody had asked. */
void fake_hold_back_holder(void);
bool fake_tell_holder(void);

/* What was asked, in order: "start 1; term 1; kill 1; pause 1; resume 1; limits 1; ". */
const char *fake_log(void);
void fake_log_clear(void);

/* What sampling sees of server `id` and, with counters, its requests. */
struct runtime_sample *fake_sample(int id);
struct counters *fake_counters(int id);              /* from then on it has some */
struct runtime_limits_in_force *fake_limits(int id); /* as set; a test may say that they are not in force */

/* As given to the last start of server `id`; NULL when the variable is not in its environment. */
const char *fake_environment(int id, const char *key);

extern const struct runtime_ops fake_runtime_ops;

#endif
