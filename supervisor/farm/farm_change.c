/*
 * Scale and reload: another number of servers, other settings for them. One change at a time, in two phases: first those
 * that leave or move to another port are stopped, so that their ports are free, then new and moved ones start and changed
 * ones restart.
 */
#include "core/buffer.h"
#include "core/memory.h"
#include "supervisor/farm/farm_private.h"
#include "supervisor/farm/server_private.h"
#include "supervisor/farm/statefile.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A server that stays and cannot go on as it is. */
struct planned {
    struct farm_change *change;
    struct server *server; /* a reference */
    uint16_t port;         /* to move to */
    bool moves, starts;
};

struct farm_change {
    struct farm *farm;
    const char *reloads;  /* what to call it; NULL: a scale */
    struct settings *old; /* of a reload, until nobody reads it any more */
    unsigned awaited;     /* starts that the farm's own start waits for */
    unsigned pending;     /* servers that are still being stopped or started */
    unsigned removed, added, restarted, failed;
    struct planned *plan;
    size_t plan_count;
    struct error first_error;
    struct buffer notes; /* of a reload: what it could not do now; "; …" */
    unsigned was;        /* servers before */
    farm_done_fn done;
    void *data;
};

static unsigned members_of(const struct farm *farm, const struct group_settings *group)
{
    unsigned count = 0;
    for (size_t i = 0; i < farm->server_count; i++)
        count += farm->servers[i]->group == group;
    return count;
}

/* --- the second phase --- */

static void finish_change(struct farm_change *change)
{
    struct farm *farm = change->farm;
    const struct error *err = change->first_error.code ? &change->first_error : NULL;
    if (change->reloads) {
        events_add(farm->events, err ? REASON_RELOAD_FAILED : REASON_RELOADED, 0,
                   "%s: %u servers added, %u removed, %u restarted, %zu in all%s%s%s", change->reloads, change->added,
                   change->removed, change->restarted, farm->server_count, change->notes.data ? change->notes.data : "",
                   err ? "; " : "", err ? err->message : "");
        settings_free(change->old);
    } else if (change->added + change->removed > 0) {
        events_add(farm->events, REASON_SCALED, 0, "scaled from %u to %zu servers", change->was, farm->server_count);
    }
    farm->change = NULL;
    statefile_touch(farm->statefile);
    if (change->awaited > 0) /* what could not even be tried */
        farm_note_progress(farm, change->awaited, 0);
    if (change->done)
        change->done(err, change->data);
    buffer_done(&change->notes);
    for (size_t i = 0; i < change->plan_count; i++)
        server_unref(change->plan[i].server);
    free(change->plan);
    free(change);
}

void farm_change_failed(struct farm_change *change, const struct error *err)
{
    if (!change->first_error.code)
        change->first_error = *err;
}

static void one_less(struct farm_change *change, void (*then)(struct farm_change *change))
{
    if (--change->pending == 0)
        then(change);
}

static void on_started(struct server *server, const struct error *err, void *data)
{
    (void)server;
    struct farm_change *change = data;
    change->failed += err != NULL;
    if (err)
        farm_change_failed(change, err);
    if (change->awaited > 0) {
        change->awaited--;
        farm_note_progress(change->farm, 1, err == NULL);
    }
    one_less(change, finish_change);
}

static void add_missing(struct farm_change *change)
{
    struct farm *farm = change->farm;
    for (size_t g = 0; g < farm->settings->group_count; g++) {
        const struct group_settings *group = &farm->settings->groups[g];
        for (unsigned i = members_of(farm, group); i < group->count; i++) {
            struct server *server = farm_add_server(farm, group, (uint16_t)(group->base_port + i));
            change->pending++;
            change->added++;
            server_act(server, SERVER_ACTION_START, on_started, change);
        }
    }
}

static void restart_changed(struct farm_change *change)
{
    for (size_t i = 0; i < change->plan_count; i++) {
        const struct planned *planned = &change->plan[i];
        planned->server->own->starts_later = false;
        if (!planned->starts)
            continue;
        change->pending++;
        change->restarted++;
        server_act(planned->server, planned->moves ? SERVER_ACTION_START : SERVER_ACTION_RESTART, on_started, change);
    }
}

static void begin_second_phase(struct farm_change *change)
{
    change->pending = 1; /* this function */
    if (!change->farm->stopping) {
        add_missing(change);
        restart_changed(change);
    }
    one_less(change, finish_change);
}

/* --- the first phase --- */

static void on_left(struct server *server, const struct error *err, void *data)
{
    (void)err;
    struct farm_change *change = data;
    farm_remove_server(change->farm, server);
    change->removed++;
    one_less(change, begin_second_phase);
}

/* Its port is free now, or it never will be. Whoever starts it by hand meanwhile has to wait for the change. */
static void on_vacated(struct server *server, const struct error *err, void *data)
{
    struct planned *planned = data;
    struct farm_change *change = planned->change;
    if (err && err->code == ECANCELED && server_is_up(server)) {
        server_act(server, SERVER_ACTION_STOP, on_vacated, planned);
        return;
    }
    if (!err) {
        server_set_port(server, planned->port);
    } else {
        planned->starts = false;
        farm_change_failed(change, err);
    }
    one_less(change, begin_second_phase);
}

static void vacate_ports(struct farm_change *change)
{
    for (size_t i = 0; i < change->plan_count; i++) {
        struct planned *planned = &change->plan[i];
        if (!planned->moves)
            continue;
        if (!planned->server->process && !server_is_up(planned->server)) {
            server_set_port(planned->server, planned->port);
            continue;
        }
        change->pending++;
        planned->server->own->starts_later = planned->starts;
        server_act(planned->server, SERVER_ACTION_STOP, on_vacated, planned);
    }
}

/* Those beyond the count of their group, or of none that is in the settings now; a group's servers are in the order of
 * their places. */
static size_t find_surplus(const struct farm *farm, struct server **leaving)
{
    const struct settings *settings = farm->settings;
    cleanup_free unsigned *seen = xcalloc(settings->group_count, sizeof(unsigned));
    size_t count = 0;
    for (size_t i = 0; i < farm->server_count; i++) {
        size_t g = 0;
        while (g < settings->group_count && farm->servers[i]->group != &settings->groups[g])
            g++;
        if (g == settings->group_count || seen[g]++ >= settings->groups[g].count)
            leaving[count++] = farm->servers[i];
    }
    return count;
}

static void begin_first_phase(struct farm_change *change)
{
    struct farm *farm = change->farm;
    cleanup_free struct server **leaving = xcalloc(farm->server_count, sizeof(struct server *));
    size_t leaving_count = find_surplus(farm, leaving);
    change->pending = (unsigned)leaving_count + 1;
    for (size_t i = 0; i < leaving_count; i++) {
        server_retire(leaving[i]);
        server_act(leaving[i], SERVER_ACTION_STOP, on_left, change);
    }
    vacate_ports(change);
    one_less(change, begin_second_phase);
}

static struct farm_change *change_new(struct farm *farm, farm_done_fn done, void *data)
{
    struct farm_change *change = xcalloc(1, sizeof(*change));
    change->farm = farm;
    change->done = done;
    change->data = data;
    change->was = (unsigned)farm->server_count;
    farm->change = change;
    return change;
}

/* --- at the start --- */

struct farm_change *farm_change_at_start(struct farm *farm)
{
    struct farm_change *change = change_new(farm, NULL, NULL);
    change->reloads = "the settings had changed";
    return change;
}

void farm_change_begin(struct farm_change *change)
{
    const struct settings *settings = change->farm->settings;
    for (size_t g = 0; g < settings->group_count; g++) {
        unsigned members = members_of(change->farm, &settings->groups[g]);
        change->awaited += members < settings->groups[g].count ? settings->groups[g].count - members : 0;
    }
    for (size_t i = 0; i < change->plan_count; i++)
        change->awaited += change->plan[i].starts;
    change->farm->progress.total += change->awaited;
    begin_first_phase(change);
}

/* --- scale --- */

struct group_settings *farm_find_group(const struct settings *settings, const char *name)
{
    if (!name)
        return &settings->groups[settings->group_count - 1];
    for (size_t g = 0; g < settings->group_count; g++) {
        if (strcmp(settings->groups[g].name, name) == 0)
            return &settings->groups[g];
    }
    return NULL;
}

static unsigned last_port(const struct group_settings *group)
{
    return group->base_port + group->count - 1u;
}

static bool holds_port(const struct listen_settings *listen, unsigned first, unsigned last)
{
    return listen->port && listen->port >= first && listen->port <= last;
}

/* The ports that `group` takes with `count` servers must be nobody else's. */
static int check_ports(const struct settings *settings, const struct group_settings *group, unsigned count,
                       struct error *err)
{
    unsigned first = group->base_port, last = first + count - 1;
    if (count == 0)
        return 0;
    if (last > UINT16_MAX)
        return error_set(err, EINVAL, "servers: %u servers from port %u on would end at %u; the last port is 65535",
                         count, first, last);
    for (size_t g = 0; g < settings->group_count; g++) {
        const struct group_settings *other = &settings->groups[g];
        if (other != group && other->count > 0 && other->base_port <= last && last_port(other) >= first)
            return error_set(err, EINVAL, "servers: ports %u to %u would clash with group %s (%u to %u)", first, last,
                             other->name, other->base_port, last_port(other));
    }
    if (holds_port(&settings->api, first, last) || holds_port(&settings->dashboard, first, last))
        return error_set(err, EINVAL, "servers: ports %u to %u would clash with farmd's own (%u, %u)", first, last,
                         settings->api.port, settings->dashboard.port);
    return 0;
}

/* How many of its own `group` gets. */
static int group_share(const struct settings *settings, const struct group_settings *group, bool in_all, unsigned count,
                       unsigned *share, struct error *err)
{
    unsigned others = settings_total_servers(settings) - group->count;
    if (in_all && count < others)
        return error_set(err, EINVAL, "servers: the other groups have %u servers; scale them by their name", others);
    *share = in_all ? count - others : count;
    if (*share > SETTINGS_MAX_SERVERS || others + *share < 1 || others + *share > SETTINGS_MAX_SERVERS)
        return error_set(err, EINVAL, "servers: must be from 1 to %d in all", SETTINGS_MAX_SERVERS);
    return 0;
}

/* The count that was set is kept beside the one in force: a reload undoes a scale only when somebody changed it. */
static void set_count(struct group_settings *group, unsigned count)
{
    unsigned was_set = group->scaled_from ? group->scaled_from : group->count;
    group->count = count;
    group->scaled_from = count != was_set ? was_set : 0;
}

int farm_keep_scaled(struct settings *settings, struct group_settings *group, unsigned count, struct error *err)
{
    unsigned share = 0;
    int code = group_share(settings, group, false, count, &share, err);
    if (code == 0)
        code = check_ports(settings, group, share, err);
    if (code == 0)
        set_count(group, share);
    return code;
}

int farm_scale(struct farm *farm, const char *group_name, unsigned count, farm_done_fn done, void *data,
               struct error *err)
{
    if (farm->stopping)
        return error_set(err, EBUSY, "the farm is being stopped");
    if (farm->change)
        return error_set(err, EBUSY, "another scale or reload is under way; wait for its end");
    struct group_settings *group = farm_find_group(farm->settings, group_name);
    if (!group)
        return error_set(err, EINVAL, "group: there is no group \"%s\"", group_name);
    unsigned share = 0;
    int code = group_share(farm->settings, group, group_name == NULL, count, &share, err);
    if (code == 0)
        code = check_ports(farm->settings, group, share, err);
    if (code < 0)
        return code;
    set_count(group, share);
    begin_first_phase(change_new(farm, done, data));
    return 0;
}

/* --- reload --- */

void farm_change_plan(struct farm_change *change, struct server *server, uint16_t port)
{
    change->plan = xrealloc(change->plan, (change->plan_count + 1) * sizeof(*change->plan));
    change->plan[change->plan_count++] = (struct planned){
        .change = change,
        .server = server_ref(server),
        .port = port,
        .moves = port != server->port,
        .starts = server_is_up(server),
    };
}

/* One server that stays goes over to its group's new settings. */
static void carry_over(struct farm_change *change, struct server *server, const struct group_settings *new_group,
                       unsigned index)
{
    const struct group_settings *old_group = server->group;
    uint16_t port = (uint16_t)(new_group->base_port + index);
    bool same = group_settings_same_process(old_group, new_group) && port == server->port;
    bool new_limits = !server->limits_overridden && !limits_equal(&server->limits, &new_group->limits);
    server_adopt_settings(server, new_group);
    struct error err;
    int code = new_limits ? server_set_limits(server, &new_group->limits, &err) : 0;
    if (code < 0 && code != -EINPROGRESS)
        farm_change_failed(change, &err);
    if (!same)
        farm_change_plan(change, server, port);
}

/* Groups are the same when their names are. A server keeps its place in its group; one beyond the new count keeps its
 * old settings, and belonging to no group of the new ones tells that it is to go. */
static void carry_over_group(struct farm_change *change, const struct group_settings *old_group)
{
    struct farm *farm = change->farm;
    const struct group_settings *new_group = farm_find_group(farm->settings, old_group->name);
    unsigned index = 0;
    for (size_t i = 0; i < farm->server_count && new_group; i++) {
        struct server *server = farm->servers[i];
        if (server->group == old_group && index++ < new_group->count)
            carry_over(change, server, new_group, index - 1);
    }
}

/* A group that was scaled keeps its count as long as what is set is the same, unless its ports are others' now. */
static void keep_scaled(struct farm_change *change, const struct settings *old, struct settings *new)
{
    for (size_t g = 0; g < old->group_count; g++) {
        const struct group_settings *before = &old->groups[g];
        struct group_settings *now = farm_find_group(new, before->name);
        if (!before->scaled_from || !now || now->count != before->scaled_from)
            continue;
        if (farm_keep_scaled(new, now, before->count, NULL) < 0)
            buffer_printf(&change->notes, "; group %s has %u servers again, since %u have no place", now->name,
                          now->count, before->count);
    }
}

/* What farmd is bound to stays as it is. */
static void keep_bound(struct farm_change *change, const struct settings *old, struct settings *new)
{
    struct buffer names = BUFFER_EMPTY;
    settings_keep_bound(new, old, &names);
    if (names.length > 0)
        buffer_printf(&change->notes, "; %s take%s effect at the next start", names.data,
                      strchr(names.data, ',') ? "" : "s");
    /* Going without a token was checked for the new addresses; the old ones still listen. */
    if (names.length > 0 && strstr(names.data, ".host") && !new->token && !new->allow_unauthenticated)
        new->token = xstrdup(old->token);
    buffer_done(&names);
}

void farm_reload(struct farm *farm, struct settings *settings, farm_done_fn done, void *data)
{
    struct error err;
    if (farm->stopping || farm->change) {
        error_set(&err, EBUSY, "%s",
                  farm->stopping ? "the farm is being stopped" : "another scale or reload is under way");
        events_add(farm->events, REASON_RELOAD_FAILED, 0, "not reloaded: %s", err.message);
        settings_free(settings);
        if (done)
            done(&err, data);
        return;
    }
    struct farm_change *change = change_new(farm, done, data);
    change->reloads = "reloaded";
    change->old = farm->settings;
    keep_bound(change, change->old, settings);
    keep_scaled(change, change->old, settings);
    farm->settings = settings;
    for (size_t g = 0; g < change->old->group_count; g++)
        carry_over_group(change, &change->old->groups[g]);
    begin_first_phase(change);
}
