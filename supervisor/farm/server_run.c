/*
 * One run of a server: what it is started with, the calls to the runtime, and what comes back from it.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/farm/farm_private.h"
#include "supervisor/farm/logfile.h"
#include "supervisor/farm/probe.h"
#include "supervisor/farm/sampler.h"
#include "supervisor/farm/server_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- environment --- */

struct environment {
    char **entries;
    size_t count;
};

static bool is_key(const char *entry, const char *key)
{
    size_t length = strlen(key);
    return strncmp(entry, key, length) == 0 && entry[length] == '=';
}

/* The later value of a key takes the place of the earlier one. */
static void set_variable(struct environment *env, const char *key, const char *value)
{
    size_t i = 0;
    while (i < env->count && !is_key(env->entries[i], key))
        i++;
    if (i == env->count) {
        env->entries = xrealloc(env->entries, (env->count + 2) * sizeof(char *));
        env->entries[++env->count] = NULL;
    } else {
        free(env->entries[i]);
    }
    env->entries[i] = xasprintf("%s=%s", key, value);
}

static void set_number(struct environment *env, const char *key, unsigned value)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", value);
    set_variable(env, key, text);
}

static const char *or_default(const char *value, const char *fallback)
{
    return value && value[0] ? value : fallback;
}

/* Nothing of farmd's own environment goes on but PATH, and HOME where farmd runs as the user himself: the rest may hold
 * secrets. What tells a server its place comes last, so that no group can take it over by mistake. */
char **server_environment(const struct server *server)
{
    const struct group_settings *group = server->group;
    struct environment env = {0};
    set_variable(&env, "PATH", or_default(getenv("PATH"), RUNTIME_DEFAULT_PATH));
    set_variable(&env, "HOME", geteuid() == 0 ? "/" : or_default(getenv("HOME"), "/"));
    set_variable(&env, "LANG", "C.UTF-8");
    for (size_t i = 0; i < group->environment_count; i++)
        set_variable(&env, group->environment[i].key, group->environment[i].value);
    set_number(&env, "PORT", server->port);
    set_number(&env, "SERVER_PORT", server->port);
    set_number(&env, "SERVER_ID", (unsigned)server->id);
    set_number(&env, "SERVER_COUNT", (unsigned)farm_server_count(server->farm));
    set_number(&env, "SERVER_BASE_PORT", farm_settings(server->farm)->groups[0].base_port);
    if (group->access_log)
        set_variable(&env, "ACCESS_LOG", "1");
    return env.entries;
}

void server_environment_free(char **env)
{
    for (size_t i = 0; env && env[i]; i++)
        free(env[i]);
    free(env);
}

/* --- starting --- */

static int start_process(struct server *server, struct error *err)
{
    char **env = server_environment(server);
    struct runtime_spec spec = {
        .id = server->id,
        .name = server->name,
        .port = server->port,
        .argv = server->group->command,
        .image = server->group->image,
        .envp = env,
        .user = server->group->user,
        .log_path = server->log_path,
        .limits = server->limits,
        .stop_grace_ms = server->group->stop_grace_ms,
        .restart = server->group->restart,
        .restart_profile = server->group->restart_profile,
        .fingerprint = group_settings_fingerprint(server->group),
    };
    log_marks_add(&server->log_marks, logfile_mark(server->log_path)); /* what is there is of earlier runs */
    int code = farm_runtime_ops(server->farm)->start(farm_runtime(server->farm), &spec, server, &server->process, err);
    server_environment_free(env);
    return code;
}

void server_address(const struct server *server, struct sockaddr_in *address)
{
    const struct runtime_ops *ops = farm_runtime_ops(server->farm);
    *address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(server->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (ops->address && server->process)
        ops->address(server->process, address);
}

static bool tells_ready(const struct server *server)
{
    return farm_runtime_ops(server->farm)->tells_ready && !server->group->command;
}

bool server_is_asked(const struct server *server)
{
    return tells_ready(server) || server->group->probes[PROBE_STARTUP].enabled;
}

/* It has a pid. Of a runtime that begins later this is when its time to become ready begins, however long others that
 * were asked for before it took. */
static void run_begun(struct server *server)
{
    const struct runtime_ops *ops = farm_runtime_ops(server->farm);
    pid_t pid = ops->pid(server->process);
    if (pid > 0)
        events_add(farm_events(server->farm), REASON_STARTED, server->id, "%s is started (pid %d)", server->name,
                   (int)pid);
    else
        events_add(farm_events(server->farm), REASON_STARTED, server->id, "%s is started", server->name);
    sampler_run_began(server);
    prober_start(server->prober, tells_ready(server));
    /* Neither it nor a probe would ever say so. */
    if (!server_is_asked(server))
        server_event(server, EVENT_READY);
}

static void note_run(struct server *server)
{
    struct server_private *own = server->own;
    own->is_restart = own->start_from != SERVER_STOPPED && own->ever_started;
    server->restarts += own->is_restart;
    own->ever_started = true;
    own->fingerprint = group_settings_fingerprint(server->group);
    own->started_at_ms = clock_monotonic_ms();
    own->has_cause = own->killed = false;
    server->started_at_us = farm_now_us(server->farm);
    server->health_error[0] = '\0';
}

/* Its failure is told a moment later, when it is known by whom: until then it is starting. */
static void on_port_holder(const char *holder, void *data)
{
    struct server *server = data;
    error_set(&server->own->spawn_error, EADDRINUSE, "port %u is taken by %s", server->port, holder);
    server_event(server, EVENT_SPAWN_FAILED);
    server_unref(server);
}

void server_spawn(struct server *server)
{
    struct server_private *own = server->own;
    const struct runtime_ops *ops = farm_runtime_ops(server->farm);
    own->spawn_error = (struct error){0};
    own->exit = (struct runtime_exit){0};
    int code = start_process(server, &own->spawn_error);
    if (code < 0) {
        server->process = NULL;
        own->has_cause = false;
        own->started_at_ms = clock_monotonic_ms();
    }
    if (code == -EADDRINUSE) {
        ops->port_holder(farm_runtime(server->farm), server->port, on_port_holder, server_ref(server));
        return;
    }
    if (code < 0) {
        server_event(server, EVENT_SPAWN_FAILED);
        return;
    }
    farm_trouble(server->farm, TROUBLE_STARTS, NULL);
    note_run(server);
    if (!ops->begins_later)
        run_begun(server);
}

/* --- ending, freezing --- */

void server_kill(struct server *server)
{
    if (server->process) /* repeated by the timer until on_exit comes, so a failure is not the end */
        farm_runtime_ops(server->farm)->kill(server->process, NULL);
}

void server_terminate(struct server *server)
{
    if (server->process && farm_runtime_ops(server->farm)->signal(server->process, SIGTERM, NULL) < 0)
        server_kill(server);
}

int server_freeze(struct server *server, struct error *err)
{
    return farm_runtime_ops(server->farm)->pause(server->process, err);
}

int server_thaw(struct server *server, struct error *err)
{
    return farm_runtime_ops(server->farm)->resume(server->process, err);
}

/* --- from the runtime --- */

static void on_ready(void *owner)
{
    server_event(owner, EVENT_READY);
}

static void on_exit_(void *owner, const struct runtime_exit *result)
{
    struct server *server = owner;
    server->own->exit = *result;
    server_event(server, EVENT_EXITED);
}

static void on_oom(void *owner)
{
    struct server *server = owner;
    char limit[24];
    units_format_size(limit, server->limits.memory);
    events_add(farm_events(server->farm), REASON_OOM_KILLED, server->id,
               "a process of %s was OOM-killed at the limit of %s; the server itself goes on", server->name, limit);
    farm_server_changed(server->farm, server); /* the next farmd need not tell it again */
}

static void on_begun(void *owner)
{
    struct server *server = owner;
    if (server->lifecycle.state != SERVER_STARTING)
        return;
    server->own->started_at_ms = clock_monotonic_ms();
    server->started_at_us = farm_now_us(server->farm);
    server_arm(server, server->group->start_timeout_ms);
    run_begun(server);
    farm_server_changed(server->farm, server);
}

static void on_changed(void *owner, enum runtime_change change, const struct error *err)
{
    switch (change) {
    case RUNTIME_CHANGE_FROZEN:
        server_frozen_answered(owner, err);
        break;
    case RUNTIME_CHANGE_LIMITS:
        server_limits_answered(owner, err);
        break;
    }
}

static void on_frozen(void *owner, bool frozen, const char *why)
{
    server_event_because(owner, frozen ? EVENT_PAUSE : EVENT_RESUME, why);
}

static void on_put_right(void *owner, const char *text)
{
    struct server *server = owner;
    events_add(farm_events(server->farm), REASON_PUT_RIGHT, server->id, "%s %s", server->name, text);
}

static void on_farm_put_right(void *data, const char *text)
{
    struct farm *farm = data;
    events_add(farm->events, REASON_PUT_RIGHT, 0, "%s", text);
}

static void on_wanted(void *data, int id, const char *why)
{
    struct farm *farm = data;
    struct server *server = farm_server(farm, id);
    if (!server || farm->stopping)
        return;
    events_add(farm->events, REASON_PUT_RIGHT, id, "%s %s", server->name, why);
    server_act(server, SERVER_ACTION_START, NULL, NULL);
}

/* Those that could not be started for want of what runs them need not wait for their turn. */
static void on_available(void *data)
{
    struct farm *farm = data;
    for (size_t i = 0; i < farm->server_count; i++) {
        struct server *server = farm->servers[i];
        if (server->lifecycle.state == SERVER_BACKOFF && server_was_unavailable(server))
            server_event(server, EVENT_BACKOFF_ELAPSED);
    }
}

static void on_trouble(void *farm, enum runtime_trouble trouble, const struct error *err)
{
    static const enum trouble troubles[] = {
        [RUNTIME_TROUBLE_STATISTICS] = TROUBLE_STATISTICS,
        [RUNTIME_TROUBLE_LIMITS] = TROUBLE_LIMITS,
        [RUNTIME_TROUBLE_CGROUPS] = TROUBLE_CGROUPS,
    };
    farm_trouble(farm, troubles[trouble], err);
}

const struct runtime_events server_runtime_events = {
    .on_ready = on_ready,
    .on_exit = on_exit_,
    .on_oom = on_oom,
    .on_begun = on_begun,
    .on_changed = on_changed,
    .on_frozen = on_frozen,
    .on_put_right = on_put_right,
    .on_farm_put_right = on_farm_put_right,
    .on_wanted = on_wanted,
    .on_available = on_available,
    .on_trouble = on_trouble,
};

/* --- while it runs --- */

void server_set_health(struct server *server, enum server_health health, const char *error)
{
    struct server_private *own = server->own;
    enum server_health before = server->health;
    int64_t now_ms = clock_monotonic_ms();
    server->health = health;
    snprintf(server->health_error, sizeof(server->health_error), "%s", error);

    if (health == HEALTH_UNHEALTHY && before != HEALTH_UNHEALTHY) {
        own->healthy_best_ms = server_healthy_ms(server, now_ms);
        own->healthy_since_ms = 0;
        events_add(farm_events(server->farm), REASON_UNHEALTHY, server->id, "%s fails its health probe: %s",
                   server->name, error);
    } else if (health != HEALTH_UNHEALTHY && before == HEALTH_UNHEALTHY) {
        own->healthy_since_ms = now_ms;
        events_add(farm_events(server->farm), REASON_HEALTHY, server->id, "%s passes its health probe again",
                   server->name);
    }
    if (health != before)
        farm_server_changed(server->farm, server);
}

void server_set_ready(struct server *server, bool ready)
{
    if (server->ready == ready)
        return;
    server->ready = ready;
    farm_server_changed(server->farm, server);
}

void server_probes_changed(struct server *server)
{
    struct server_private *own = server->own;
    bool lives = server->group->probes[PROBE_LIVENESS].enabled,
         readies = server->group->probes[PROBE_READINESS].enabled;
    if (!readies)
        server_set_ready(server, true);
    if (lives || readies || server->health == HEALTH_UNKNOWN)
        return;
    if (server->health == HEALTH_UNHEALTHY)
        own->healthy_since_ms = clock_monotonic_ms();
    server->health = HEALTH_UNKNOWN;
    server->health_error[0] = '\0';
    farm_server_changed(server->farm, server);
}
