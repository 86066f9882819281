/*
 * From one farmd to the next: what is written down, and what is made of it. Servers come back under their ids with what
 * was kept of them; those whose process still runs are adopted; what does not fit the settings any more is then changed as by
 * a reload; and everything of earlier runs that nobody adopted is swept away before the first start.
 */
#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "supervisor/farm/farm_private.h"
#include "supervisor/farm/server_private.h"
#include "supervisor/farm/statefile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- writing down --- */

void farm_compose_state(struct buffer *out, void *data)
{
    const struct farm *farm = data;
    const char *places[RUNTIME_MAX_PLACES];
    size_t place_count = farm->ops->places(farm->runtime, places);
    state_begin(out, farm->started_at_us, farm->stopping, farm_enforcement(farm));
    for (size_t i = 0; i < place_count; i++)
        state_add_place(out, places[i]);
    for (size_t g = 0; g < farm->settings->group_count; g++) {
        const struct group_settings *group = &farm->settings->groups[g];
        struct state_group was = {.count = group->count, .scaled_from = group->scaled_from};
        snprintf(was.name, sizeof(was.name), "%s", group->name);
        if (group->scaled_from)
            state_add_group(out, &was);
    }
    for (size_t i = 0; i < farm->server_count; i++) {
        struct state_server was;
        server_record(farm->servers[i], &was);
        state_add_server(out, &was);
    }
    state_end(out);
}

/* --- what an earlier farmd left --- */

/* Of a farm that was being stopped only the end is made. */
static bool goes_on(const struct state *earlier)
{
    return earlier && !earlier->stopping;
}

static void keep_scaled(struct farm *farm, const struct state_group *was)
{
    struct group_settings *group = farm_find_group(farm->settings, was->name);
    struct error err;
    if (!group || group->count != was->scaled_from)
        return;
    if (farm_keep_scaled(farm->settings, group, (unsigned)was->count, &err) < 0)
        log_warning("group %s has %u servers again: %s", group->name, group->count, err.message);
}

void farm_load_state(struct farm *farm)
{
    struct error why;
    if (statefile_load(farm->paths.state, &farm->earlier, &why) < 0) {
        log_warning("%s", why.message);
        events_add(farm->events, REASON_STATE_SET_ASIDE, 0, "%s", why.message);
    }
    if (!goes_on(farm->earlier))
        return;
    farm->started_at_us = farm->earlier->farm_started_at_us;
    for (size_t i = 0; i < farm->earlier->group_count; i++)
        keep_scaled(farm, &farm->earlier->groups[i]);
}

static void add_all(struct farm *farm)
{
    for (size_t g = 0; g < farm->settings->group_count; g++) {
        const struct group_settings *group = &farm->settings->groups[g];
        for (unsigned i = 0; i < group->count; i++)
            farm_add_server(farm, group, (uint16_t)(group->base_port + i));
    }
}

/* Those of a group that is no more are not taken up: there are no settings to end them by. */
void farm_add_servers(struct farm *farm)
{
    const struct state *earlier = farm->earlier;
    for (size_t i = 0; goes_on(earlier) && i < earlier->server_count; i++) {
        const struct state_server *was = &earlier->servers[i];
        const struct group_settings *group = farm_find_group(farm->settings, was->group);
        if (group)
            server_restore(farm_add_server_as(farm, (int)was->id, group, (uint16_t)was->port), was);
    }
    if (farm->server_count == 0)
        add_all(farm);
}

/* NULL for a new one: all ids are new ones when no group is what it was. */
static const struct state_server *find_record(const struct state *earlier, const struct server *server)
{
    if (!goes_on(earlier))
        return NULL;
    size_t low = 0, high = earlier->server_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (earlier->servers[middle].id < server->id)
            low = middle + 1;
        else
            high = middle;
    }
    const struct state_server *found = low < earlier->server_count ? &earlier->servers[low] : NULL;
    return found && found->id == server->id && strcmp(found->group, server->group->name) == 0 ? found : NULL;
}

/* --- the sweep --- */

static void on_swept(void *data)
{
    farm_swept(data);
}

static bool is_starting(void *data, int id)
{
    const struct server *server = farm_server(data, id);
    return server && server->lifecycle.state == SERVER_STARTING;
}

/* Until it is over the state file stays as it was: it names what is to be ended. */
static void sweep(struct farm *farm)
{
    size_t most = farm->earlier ? farm->earlier->server_count : 0, count = 0;
    struct runtime_leftover *leftovers = xcalloc(most, sizeof(*leftovers));
    for (size_t i = 0; i < most; i++) {
        const struct state_server *was = &farm->earlier->servers[i];
        if (was->pid < 0)
            continue;
        leftovers[count++] = (struct runtime_leftover){
            .pid = (pid_t)was->pid,
            .start_time = (uint64_t)was->start_time,
            .name = xasprintf("server-%d", (int)was->id),
            .log_path = server_log_path(farm, (int)was->id),
        };
    }
    statefile_touch(farm->statefile);
    struct runtime_sweep what = {
        .leftovers = leftovers,
        .leftover_count = count,
        .places = farm->earlier ? farm->earlier->places : NULL,
        .place_count = farm->earlier ? farm->earlier->place_count : 0,
        .is_starting = is_starting,
        .done = on_swept,
        .data = farm,
    };
    farm->ops->sweep(farm->runtime, &what);
    for (size_t i = 0; i < count; i++) {
        free((char *)leftovers[i].name);
        free((char *)leftovers[i].log_path);
    }
    free(leftovers);
}

/* --- adopting --- */

struct taking_up {
    struct farm *farm;
    struct farm_change *change; /* for what does not fit; NULL while all does */
    bool by_same_means;         /* limits were in force as they are now */
    unsigned adopted, settled, ready, replaced;
    struct error why; /* the first of the replaced ones is not adopted */
};

static struct farm_change *change_of(struct taking_up *taking)
{
    if (!taking->change)
        taking->change = farm_change_at_start(taking->farm);
    return taking->change;
}

/* It goes on with what it was started with; what the settings say now may be something else. */
static void fit(struct taking_up *taking, struct server *server, uint16_t port)
{
    const struct group_settings *group = server->group;
    struct error err;
    if (!server->limits_overridden && !limits_equal(&server->limits, &group->limits)) {
        int code = server_set_limits(server, &group->limits, &err);
        if (code < 0 && code != -EINPROGRESS)
            farm_change_failed(change_of(taking), &err);
    }
    if (server->port != port || server->own->fingerprint != group_settings_fingerprint(group)) {
        farm_change_plan(change_of(taking), server, port);
    } else if (server->lifecycle.state == SERVER_STARTING) {
        farm_start_server(taking->farm, server);
    } else if (server->lifecycle.state == SERVER_RUNNING) {
        taking->settled++;
        taking->ready++;
    }
}

/* 0 when its process goes on; -ESRCH when that has ended meanwhile; else there is none, or one that is left to the sweep. */
static int adopt(struct taking_up *taking, struct server *server, const struct state_server *was)
{
    struct farm *farm = taking->farm;
    struct error err;
    int code;
    if (was->pid < 0 || (was->wanted != STATE_RUNNING && was->wanted != STATE_STARTING && was->wanted != STATE_PAUSED))
        return -ENOENT;
    if (taking->by_same_means)
        code = server_adopt(server, was, &err);
    else
        code = error_set(&err, ESTALE, "limits are in force by other means now (%s)", farm_enforcement(farm));
    if (code < 0 && code != -ESRCH) {
        if (taking->replaced++ == 0)
            taking->why = err;
        events_add(farm->events, REASON_STOPPED, server->id, "%s is replaced: %s", server->name, err.message);
    }
    return code;
}

/* The runtime knows what runs, with or without a record of it. */
static bool find_running(struct taking_up *taking, struct server *server, const struct state_server *was, bool *is_down)
{
    struct error err;
    *is_down = was && (was->wanted == STATE_STOPPED || was->wanted == STATE_FAILED);
    int code = *is_down ? -ENOENT : server_find(server, was, &err);
    *is_down = *is_down || code == -ECANCELED;
    taking->adopted += code == 0;
    return code == 0;
}

static void take_up_found(struct taking_up *taking, struct server *server, const struct state_server *was,
                          uint16_t port)
{
    bool is_down;
    if (find_running(taking, server, was, &is_down)) {
        fit(taking, server, port);
        return;
    }
    server_set_port(server, port);
    if (!is_down)
        farm_start_server(taking->farm, server);
}

static void take_up(struct taking_up *taking, struct server *server, uint16_t port)
{
    const struct state_server *was = find_record(taking->farm->earlier, server);
    if (taking->farm->ops->finds_servers) {
        take_up_found(taking, server, was, port);
        return;
    }
    if (!was) {
        farm_start_server(taking->farm, server);
        return;
    }
    int code = adopt(taking, server, was);
    if (code == 0) {
        taking->adopted++;
        fit(taking, server, port);
        return;
    }
    server_set_port(server, port);
    if (code != -ESRCH && was->wanted != STATE_STOPPED && was->wanted != STATE_FAILED)
        server_start_again(server);
    if (server->lifecycle.state == SERVER_STARTING)
        farm_start_server(taking->farm, server);
}

/* It is ended in order when its process still runs, as by a scale. */
static void take_up_surplus(struct taking_up *taking, struct server *server)
{
    const struct state_server *was = find_record(taking->farm->earlier, server);
    change_of(taking);
    bool is_down;
    if (taking->farm->ops->finds_servers)
        find_running(taking, server, was, &is_down);
    else if (was && adopt(taking, server, was) == 0)
        taking->adopted++;
}

static void take_up_group(struct taking_up *taking, const struct group_settings *group)
{
    struct farm *farm = taking->farm;
    unsigned index = 0;
    for (size_t i = 0; i < farm->server_count; i++) {
        struct server *server = farm->servers[i];
        if (server->group != group)
            continue;
        if (index < group->count)
            take_up(taking, server, (uint16_t)(group->base_port + index));
        else
            take_up_surplus(taking, server);
        index++;
    }
    if (index < group->count)
        change_of(taking);
}

void farm_adopt(struct farm *farm)
{
    struct taking_up taking = {.farm = farm};
    taking.by_same_means = farm->earlier && strcmp(farm->earlier->enforcement, farm_enforcement(farm)) == 0;
    farm->sweeping = true;
    statefile_hold(farm->statefile);
    for (size_t g = 0; g < farm->settings->group_count; g++)
        take_up_group(&taking, &farm->settings->groups[g]);
    if (taking.adopted > 0) {
        farm->progress.adopted = taking.adopted;
        farm->progress.adopted_ms = clock_monotonic_ms() - farm->start_began_ms;
        events_add(farm->events, REASON_ADOPTED, 0, "adopted %u server%s in %lld ms", taking.adopted,
                   taking.adopted == 1 ? "" : "s", (long long)farm->progress.adopted_ms);
    }
    if (taking.replaced > 0)
        log_warning("%u of the servers that an earlier farmd left are replaced: %s", taking.replaced,
                    taking.why.message);
    sweep(farm);
    state_free(steal(&farm->earlier));
    farm->progress.total += taking.settled;
    if (taking.change)
        farm_change_begin(taking.change);
    farm_note_progress(farm, taking.settled, taking.ready);
}
