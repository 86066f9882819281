/*
 * The runtime in memory. One state for the program: a test opens one at a time.
 */
#include "tests/unit/fake_runtime.h"

#include "core/buffer.h"
#include "core/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct runtime_process {
    int id;
    pid_t pid;
    void *owner;
    bool frozen, term_pending, ending;
};

enum message_kind { MESSAGE_READY, MESSAGE_EXIT, MESSAGE_SWEPT };

struct message {
    struct message *next;
    enum message_kind kind;
    int id;
    pid_t pid; /* a message for a process that is gone is dropped */
    struct runtime_exit exit;
};

struct runtime {
    uv_loop_t *loop;
    struct runtime_events events;
    uv_timer_t timer;
    struct message *messages;
    void (*swept)(void *data);
    void *swept_data;
};

static struct {
    struct runtime *runtime;
    struct fake_behaviour behaviours[FAKE_MAX_ID + 1];
    struct runtime_process *processes[FAKE_MAX_ID + 1];
    struct {
        pid_t pid;
        bool frozen;
    } left[FAKE_MAX_ID + 1]; /* by an earlier run */
    bool sweep_waits;
    unsigned starts[FAKE_MAX_ID + 1];
    struct runtime_sample samples[FAKE_MAX_ID + 1];
    struct runtime_limits_in_force limits[FAKE_MAX_ID + 1];
    struct counters *counters[FAKE_MAX_ID + 1];
    char **environments[FAKE_MAX_ID + 1];
    pid_t next_pid;
    unsigned alive, most_alive;
    struct buffer log;
    bool holder_is_late;
    void (*tell_holder)(const char *holder, void *data);
    void *holder_data;
} fake;

struct fake_behaviour *fake_of(int id)
{
    return &fake.behaviours[id];
}

static void free_environment(int id)
{
    for (size_t i = 0; fake.environments[id] && fake.environments[id][i]; i++)
        free(fake.environments[id][i]);
    free(fake.environments[id]);
    fake.environments[id] = NULL;
}

void fake_reset(void)
{
    for (int id = 0; id <= FAKE_MAX_ID; id++) {
        free_environment(id);
        counters_unmap(fake.counters[id]);
    }
    buffer_done(&fake.log);
    memset(&fake, 0, sizeof(fake));
    fake.next_pid = 100000;
}

static void note(const char *what, int id)
{
    buffer_printf(&fake.log, "%s %d; ", what, id);
}

const char *fake_log(void)
{
    return fake.log.data ? fake.log.data : "";
}

void fake_log_clear(void)
{
    buffer_clear(&fake.log);
}

bool fake_runs(int id)
{
    return fake.processes[id] != NULL;
}

unsigned fake_starts(int id)
{
    return fake.starts[id];
}

unsigned fake_alive(void)
{
    return fake.alive;
}

unsigned fake_most_alive(void)
{
    return fake.most_alive;
}

struct runtime_sample *fake_sample(int id)
{
    return &fake.samples[id];
}

struct runtime_limits_in_force *fake_limits(int id)
{
    return &fake.limits[id];
}

struct counters *fake_counters(int id)
{
    if (!fake.counters[id])
        fake.counters[id] = counters_map_private();
    return fake.counters[id];
}

const char *fake_environment(int id, const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 0; fake.environments[id] && fake.environments[id][i]; i++) {
        const char *entry = fake.environments[id][i];
        if (strncmp(entry, key, length) == 0 && entry[length] == '=')
            return entry + length + 1;
    }
    return NULL;
}

/* --- telling --- */

static void deliver(struct message *message)
{
    if (message->kind == MESSAGE_SWEPT) {
        fake.runtime->swept(fake.runtime->swept_data);
        return;
    }
    struct runtime_process *process = fake.processes[message->id];
    if (!process || process->pid != message->pid)
        return;
    if (message->kind == MESSAGE_READY) {
        fake.runtime->events.on_ready(process->owner);
        return;
    }
    fake.processes[message->id] = NULL; /* a new one may be started from within on_exit */
    fake.alive--;
    fake.runtime->events.on_exit(process->owner, &message->exit);
    free(process);
}

static void on_timer(uv_timer_t *timer)
{
    struct runtime *runtime = timer->data;
    struct message *messages = runtime->messages;
    runtime->messages = NULL;
    while (messages) {
        struct message *message = messages;
        messages = message->next;
        deliver(message);
        free(message);
    }
}

static void post(const struct runtime_process *process, enum message_kind kind, const struct runtime_exit *exit)
{
    struct message *message = xcalloc(1, sizeof(*message));
    message->kind = kind;
    message->id = process ? process->id : 0;
    message->pid = process ? process->pid : 0;
    if (exit)
        message->exit = *exit;
    struct message **link = &fake.runtime->messages;
    while (*link)
        link = &(*link)->next;
    *link = message;
    uv_timer_start(&fake.runtime->timer, on_timer, 0, 0);
}

static void end_process(struct runtime_process *process, const struct runtime_exit *exit)
{
    if (process->ending)
        return;
    process->ending = true;
    post(process, MESSAGE_EXIT, exit);
}

void fake_ready(int id)
{
    post(fake.processes[id], MESSAGE_READY, NULL);
}

void fake_exit(int id, int exit_code)
{
    struct runtime_exit exit = {.kind = RUNTIME_EXIT_CODE, .exit_code = exit_code};
    if (fake.behaviours[id].exit_detail)
        snprintf(exit.detail, sizeof(exit.detail), "%s", fake.behaviours[id].exit_detail);
    end_process(fake.processes[id], &exit);
}

void fake_signal_exit(int id, int signal, bool oom_killed)
{
    end_process(fake.processes[id],
                &(struct runtime_exit){.kind = RUNTIME_EXIT_SIGNAL, .signal = signal, .oom_killed = oom_killed});
}

/* --- the vtable --- */

static int fake_open(struct runtime **out, const struct runtime_options *options, struct error *err)
{
    (void)err;
    struct runtime *runtime = xcalloc(1, sizeof(*runtime));
    runtime->loop = options->loop;
    runtime->events = options->events;
    uv_timer_init(options->loop, &runtime->timer);
    runtime->timer.data = runtime;
    fake.runtime = runtime;
    *out = runtime;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void fake_close(struct runtime *runtime)
{
    uv_close((uv_handle_t *)&runtime->timer, on_closed);
    fake.runtime = NULL;
}

static const char *fake_enforcement(const struct runtime *runtime)
{
    (void)runtime;
    return "none";
}

static struct runtime_enforced fake_enforced(const struct runtime *runtime)
{
    (void)runtime;
    return (struct runtime_enforced){0};
}

static const char *fake_warning(const struct runtime *runtime)
{
    (void)runtime;
    return "limits are not in force: nothing is started";
}

static void keep_environment(const struct runtime_spec *spec)
{
    free_environment(spec->id);
    size_t count = 0;
    while (spec->envp[count])
        count++;
    fake.environments[spec->id] = xcalloc(count + 1, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        fake.environments[spec->id][i] = xstrdup(spec->envp[i]);
}

static void set_in_force(int id, const struct limits *limits)
{
    fake.limits[id] =
        (struct runtime_limits_in_force){.cpu = limits->cpu, .memory = limits->memory, .pids = limits->pids};
}

static void fake_port_holder_known(uint16_t port, char *out, size_t size)
{
    (void)port;
    snprintf(out, size, "nginx (pid 812)");
}

static void fake_port_holder(struct runtime *runtime, uint16_t port, void (*tell)(const char *holder, void *data),
                             void *data)
{
    (void)runtime;
    (void)port;
    fake.tell_holder = tell;
    fake.holder_data = data;
    if (!fake.holder_is_late)
        fake_tell_holder();
}

void fake_hold_back_holder(void)
{
    fake.holder_is_late = true;
}

bool fake_tell_holder(void)
{
    void (*tell)(const char *, void *) = steal(&fake.tell_holder);
    if (tell)
        tell("nginx (pid 812)", fake.holder_data);
    return tell != NULL;
}

static int fake_start(struct runtime *runtime, const struct runtime_spec *spec, void *owner,
                      struct runtime_process **out, struct error *err)
{
    (void)runtime;
    struct fake_behaviour *behaviour = &fake.behaviours[spec->id];
    if (behaviour->start_code) {
        int code = behaviour->start_code;
        if (behaviour->start_failures > 0 && --behaviour->start_failures == 0)
            behaviour->start_code = 0;
        note("refuse", spec->id);
        return error_set(err, code, "port %u is taken", spec->port);
    }
    struct runtime_process *process = xcalloc(1, sizeof(*process));
    process->id = spec->id;
    process->pid = ++fake.next_pid;
    process->owner = owner;
    fake.processes[spec->id] = process;
    fake.starts[spec->id]++;
    fake.most_alive = ++fake.alive > fake.most_alive ? fake.alive : fake.most_alive;
    keep_environment(spec);
    set_in_force(spec->id, &spec->limits);
    note("start", spec->id);
    *out = process;
    if (behaviour->exits_at_start)
        fake_exit(spec->id, behaviour->exit_code);
    else if (!behaviour->stays_unready)
        post(process, MESSAGE_READY, NULL);
    return 0;
}

void fake_leave(int id, pid_t pid, bool frozen)
{
    fake.left[id].pid = pid;
    fake.left[id].frozen = frozen;
}

bool fake_is_left(int id)
{
    return fake.left[id].pid != 0;
}

static int fake_adopt(struct runtime *runtime, const struct runtime_adoption *adoption, void *owner,
                      struct runtime_adopted *adopted, struct runtime_process **out, struct error *err)
{
    (void)runtime;
    int id = (int)strtol(adoption->leftover.name + strlen("server-"), NULL, 10);
    pid_t pid = adoption->leftover.pid;
    if (fake.left[id].pid != pid || adoption->leftover.start_time != (uint64_t)pid * 10)
        return error_set(err, ESRCH, "%s (pid %d) is gone", adoption->leftover.name, (int)pid);
    struct runtime_process *process = xcalloc(1, sizeof(*process));
    process->id = id;
    process->pid = pid;
    process->owner = owner;
    process->frozen = adopted->paused = fake.left[id].frozen;
    fake.left[id].pid = 0;
    fake.processes[id] = process;
    fake.alive++;
    set_in_force(id, &adoption->limits);
    note("adopt", id);
    *out = process;
    return 0;
}

static void fake_sweep(struct runtime *runtime, const struct runtime_sweep *what)
{
    runtime->swept = what->done;
    runtime->swept_data = what->data;
    for (int id = 0; id <= FAKE_MAX_ID; id++) {
        if (fake.left[id].pid != 0)
            note("sweep", id);
        fake.left[id].pid = 0;
    }
    if (!fake.sweep_waits)
        post(NULL, MESSAGE_SWEPT, NULL);
}

void fake_sweep_waits(void)
{
    fake.sweep_waits = true;
}

void fake_swept(void)
{
    post(NULL, MESSAGE_SWEPT, NULL);
}

static bool fake_ending(const struct runtime *runtime)
{
    const struct message *message = runtime->messages;
    while (message && message->kind != MESSAGE_EXIT)
        message = message->next;
    return message != NULL;
}

static size_t fake_places(const struct runtime *runtime, const char *places[RUNTIME_MAX_PLACES])
{
    (void)runtime;
    places[0] = "/fake/farmd";
    return 1;
}

static pid_t fake_pid(const struct runtime_process *process)
{
    return process->pid;
}

static void take_sigterm(struct runtime_process *process)
{
    if (!fake.behaviours[process->id].ignores_sigterm)
        end_process(process, &(struct runtime_exit){.kind = RUNTIME_EXIT_CODE});
}

static int fake_signal(struct runtime_process *process, int signal, struct error *err)
{
    (void)err;
    note(signal == SIGTERM ? "term" : "signal", process->id);
    if (signal == SIGTERM && process->frozen)
        process->term_pending = true;
    else if (signal == SIGTERM)
        take_sigterm(process);
    return 0;
}

static int fake_kill(struct runtime_process *process, struct error *err)
{
    (void)err;
    note("kill", process->id);
    if (fake.behaviours[process->id].kills_survived > 0) {
        fake.behaviours[process->id].kills_survived--;
        return 0;
    }
    end_process(process, &(struct runtime_exit){.kind = RUNTIME_EXIT_SIGNAL, .signal = SIGKILL});
    return 0;
}

static int fake_pause(struct runtime_process *process, struct error *err)
{
    note("pause", process->id);
    if (fake.behaviours[process->id].pause_fails)
        return error_set(err, ENOTSUP, "nothing freezes here");
    process->frozen = true;
    return 0;
}

static int fake_resume(struct runtime_process *process, struct error *err)
{
    (void)err;
    note("resume", process->id);
    process->frozen = false;
    if (process->term_pending)
        take_sigterm(process);
    process->term_pending = false;
    return 0;
}

static int fake_set_limits(struct runtime_process *process, const struct limits *limits, struct error *err)
{
    (void)err;
    note("limits", process->id);
    set_in_force(process->id, limits);
    return 0;
}

static bool fake_limits_in_force(const struct runtime_process *process, struct runtime_limits_in_force *limits)
{
    *limits = fake.limits[process->id];
    return true;
}

static void fake_take_sample(struct runtime_process *process, struct runtime_sample *sample)
{
    *sample = fake.samples[process->id];
}

static void fake_pressure(const struct runtime_process *process,
                          struct runtime_pressure pressure[RUNTIME_RESOURCE_COUNT])
{
    (void)process;
    memset(pressure, 0, RUNTIME_RESOURCE_COUNT * sizeof(*pressure));
}

static const struct counters *fake_get_counters(const struct runtime_process *process)
{
    return fake.counters[process->id];
}

static uint64_t fake_start_time(const struct runtime_process *process)
{
    return (uint64_t)process->pid * 10;
}

const struct runtime_ops fake_runtime_ops = {
    .kind = "fake",
    .tells_ready = true,
    .open = fake_open,
    .close = fake_close,
    .enforcement = fake_enforcement,
    .enforced = fake_enforced,
    .warning = fake_warning,
    .adopt = fake_adopt,
    .sweep = fake_sweep,
    .places = fake_places,
    .start = fake_start,
    .ending = fake_ending,
    .pid = fake_pid,
    .signal = fake_signal,
    .kill = fake_kill,
    .pause = fake_pause,
    .resume = fake_resume,
    .set_limits = fake_set_limits,
    .limits_in_force = fake_limits_in_force,
    .port_holder = fake_port_holder,
    .port_holder_known = fake_port_holder_known,
    .sample = fake_take_sample,
    .pressure = fake_pressure,
    .counters = fake_get_counters,
    .start_time = fake_start_time,
};
