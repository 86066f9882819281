/*
 * The life of one run: a task of the server's service is waited for and watched, until it is no longer wanted. Everything
 * that is known of tasks comes from the listings of watch.c.
 */
#include "supervisor/runtime/swarm/swarm.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "supervisor/runtime/process/port.h"
#include "supervisor/runtime/process/procfs.h"
#include "supervisor/runtime/process/slice_watch.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STUCK_LISTINGS 4 /* in a row in which no node would have it: then that is told */

const struct node_state *swarm_node(const struct runtime *runtime, const char *id)
{
    for (size_t i = 0; i < runtime->node_count; i++) {
        if (strcmp(runtime->nodes[i].id, id) == 0)
            return &runtime->nodes[i];
    }
    return NULL;
}

bool swarm_run_is_here(const struct runtime_process *run)
{
    return strcmp(run->task.node, run->runtime->self) == 0;
}

void swarm_run_retire(struct runtime_process *run)
{
    swarm_figures_end(run);
    relay_retire(run->relay);
    watched_leaf_free(steal(&run->leaf));
}

void swarm_run_let_go(struct runtime_process *run)
{
    swarm_run_retire(run);
    relay_close(steal(&run->relay));
    swarm_log_linger(steal(&run->log));
}

void swarm_run_free(struct runtime_process *run)
{
    swarm_run_let_go(run);
    if (run->service && run->service->run == run)
        run->service->run = NULL;
    free(run->log_path);
    free(run);
}

/* --- calls --- */

static void on_answer(void *data, const struct engine_answer *answer)
{
    struct runtime_process *run = data;

    run->asking = false;
    run->asked(run, answer);
}

void swarm_ask(struct runtime_process *run, const char *path,
               void (*done)(struct runtime_process *run, const struct engine_answer *answer))
{
    const struct engine_call what = {
        .method = "GET", .path = path, .timeout_ms = SWARM_TIMEOUT_MS, .done = on_answer, .data = run};

    run->asking = true;
    run->asked = done;
    engine_send(run->runtime->engine, &what);
}

/* --- while it runs --- */

void swarm_run_open_way(struct runtime_process *run)
{
    const struct node_state *node = swarm_node(run->runtime, run->task.node);
    struct error err;

    if (swarm_run_is_here(run)) {
        if (watched_leaf_open(run->task.pid, run->task.container, &run->leaf, &err) < 0)
            log_debug("%s has no statistics: %s", run->name, err.message);
        else
            run->leaf->asked = run->task.limits;
    } else if (node && relay_open(run->runtime->loop, node->address, run->port, &run->relay, &err) < 0) {
        log_warning("%s runs on %s and cannot be reached from here: %s", run->name, node->name, err.message);
    }
}

static void begin_running(struct runtime_process *run, int64_t log_since_ns)
{
    run->state = RUN_RUNNING;
    run->started_ns = engine_time_ns(run->task.changed_at);
    swarm_run_open_way(run);
    run->log = swarm_log_open(run->runtime, run->task.id, run->log_path, log_since_ns);
}

/* The first word on why no node has taken it, as often as Swarm says so. */
static void look_whether_stuck(struct runtime_process *run)
{
    struct runtime_exit exit = {
        .kind = RUNTIME_EXIT_CODE, .exit_code = 127, .not_started = true, .follow_up = RUNTIME_RESTARTS_IT};

    if (strcmp(run->task.state, "pending") != 0 || run->task.error[0] == '\0') {
        run->stuck = 0;
    } else if (++run->stuck >= STUCK_LISTINGS) {
        snprintf(exit.detail, sizeof(exit.detail), "%s", run->task.error);
        exit.restart_in_ms = service_delay_ms(run->service->spec);
        if (exit.restart_in_ms == 0)
            exit.restart_in_ms = 1000;
        swarm_end_tell(run, &exit);
    }
}

static void listed_while_waiting(struct runtime_process *run)
{
    const struct task_state *live = &run->service->live;

    if (run->task.id[0] == '\0') {
        if (live->id[0] != '\0' && strcmp(live->id, run->not_task) != 0)
            run->task = *live;
        else if (run->stopping && !run->service->submitting && !run->service->owed)
            swarm_end_unseen(run);
    } else if (strcmp(live->id, run->task.id) == 0) {
        run->task = *live;
        if (strcmp(live->state, "running") == 0 && (live->pid > 0 || !swarm_run_is_here(run))) {
            begin_running(run, engine_time_ns(live->created_at));
            if (!run->adopted)
                run->runtime->events.on_begun(run->owner);
        } else {
            look_whether_stuck(run);
        }
    } else {
        swarm_end(run);
    }
}

void swarm_run_listed(struct runtime_process *run)
{
    const struct task_state *live = &run->service->live;

    switch (run->state) {
    case RUN_WAITING:
        listed_while_waiting(run);
        break;
    case RUN_RUNNING:
        if (strcmp(live->id, run->task.id) != 0 || task_is_over(live))
            swarm_end(run);
        else if (run->log)
            swarm_log_keep(run->log);
        break;
    case RUN_ENDING:
    case RUN_ENDED:
        swarm_end(run);
        break;
    }
}

/* --- the beginning --- */

static struct runtime_process *run_new(struct swarm_service *service, const char *name, uint16_t port,
                                       const char *log_path, void *owner)
{
    struct runtime *runtime = service->runtime;
    struct runtime_process *run = xcalloc(1, sizeof(*run));

    run->runtime = runtime;
    run->service = service;
    run->owner = owner;
    service->rests = false;
    run->port = port;
    run->log_path = xstrdup(log_path);
    snprintf(run->name, sizeof(run->name), "%s", name);
    service->run = run;
    LIST_INSERT_HEAD(&runtime->runs, run, link);
    return run;
}

/* The task that a start takes up, which Swarm has made or is about to make just as it is wanted; NULL: there is none. The
 * one that was promised is it even when it has failed meanwhile: its end is to be told, and whether another one follows is
 * Swarm's to say. */
static const struct task_state *goes_on(const struct swarm_service *service, const cJSON *wanted,
                                        const struct limits *limits)
{
    const struct task_state *next = service->promised.id[0] != '\0' ? &service->promised : &service->live;
    struct limits has;

    service_limits(service->spec, &has);
    bool same = !service->unsure && service->id[0] != '\0' && service_replicas(service->spec) == 1 &&
                limits_equal(&has, limits) && service_noted_hash(service->spec) == service_noted_hash(wanted);
    return same && next->id[0] != '\0' ? next : NULL;
}

/* Takes the place of the old specification; its forced updates go on being counted, as a smaller number is no update. */
static void renew(struct swarm_service *service, cJSON *wanted)
{
    service_force_after(wanted, service->spec);
    cJSON_Delete(service->spec);
    service->spec = wanted;
}

int swarm_start(struct runtime *runtime, const struct runtime_spec *spec, void *owner, struct runtime_process **process,
                struct error *err)
{
    struct swarm_service *service = swarm_service_of(runtime, spec->id);
    struct swarm_policy policy;
    int code = swarm_policy_of(spec->restart, spec->restart_profile, &policy, err);

    if (code < 0)
        return code;
    if (!swarm_watch_is_live(runtime->watch))
        return error_set(err, ENOTCONN, "the Docker Engine at %s does not answer", runtime->address.socket);
    cJSON *wanted = service_compose(spec, &policy, runtime->instance, spec->image ? spec->image : runtime->image.name);
    const struct task_state *next = service ? goes_on(service, wanted, &spec->limits) : NULL;
    bool may_have_it = service && service->unsure; /* a task of its own, from a start of which nothing was heard */
    if (!next && !may_have_it && (code = port_check(spec->port, err)) < 0) {
        cJSON_Delete(wanted);
        return code;
    }
    if (!service)
        service = swarm_service_new(runtime, spec->id, wanted);
    else if (next)
        cJSON_Delete(wanted);
    else
        renew(service, wanted);
    struct runtime_process *run = run_new(service, spec->name, spec->port, spec->log_path, owner);
    if (next) {
        run->task = *next;
    } else {
        snprintf(run->not_task, sizeof(run->not_task), "%s", service->live.id);
        swarm_submit(service);
    }
    service->promised = (struct task_state){0};
    swarm_watch_soon(runtime->watch);
    *process = run;
    return 0;
}

/* --- of an earlier farmd --- */

/* What it wrote since the log was last written to. */
static int64_t log_end_ns(const char *path, int64_t fallback_ns)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return fallback_ns;
    int64_t at_ns = (int64_t)status.st_mtim.tv_sec * NS_PER_SECOND + status.st_mtim.tv_nsec + 1;
    return at_ns > fallback_ns ? at_ns : fallback_ns;
}

static struct swarm_service *find_by_name(struct runtime *runtime, const char *name)
{
    struct swarm_service *service;

    LIST_FOREACH(service, &runtime->services, link)
    {
        const cJSON *own = cJSON_GetObjectItemCaseSensitive(service->spec, "Name");
        if (cJSON_IsString(own) && strcmp(own->valuestring, name) == 0)
            return service;
    }
    return NULL;
}

int swarm_adopt(struct runtime *runtime, const struct runtime_adoption *adoption, void *owner,
                struct runtime_adopted *adopted, struct runtime_process **process, struct error *err)
{
    const struct runtime_leftover *leftover = &adoption->leftover;
    struct swarm_service *service = find_by_name(runtime, leftover->name);

    *adopted = (struct runtime_adopted){0};
    if (service && service_replicas(service->spec) == 0)
        adopted->stopped = service->rests = true;
    if (!service || adopted->stopped || service->live.id[0] == '\0')
        return error_set(err, ESRCH, "no task of %s runs", leftover->name);
    struct runtime_process *run =
        run_new(service, leftover->name, service_published_port(service->spec), leftover->log_path, owner);
    run->task = service->live;
    run->adopted = true;
    if (strcmp(run->task.state, "running") == 0)
        begin_running(run, log_end_ns(run->log_path, engine_time_ns(run->task.changed_at)));
    adopted->starting = run->state != RUN_RUNNING;
    adopted->started_at_us = run->started_ns / (NS_PER_SECOND / US_PER_SECOND);
    adopted->fingerprint = service_fingerprint(service->spec);
    adopted->port = run->port;
    service_limits(service->spec, &adopted->limits);
    *process = run;
    return 0;
}
