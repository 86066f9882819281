/*
 * Whether values that are each all right go together: ports, limits and reservations, names, who may reach farmd. Each
 * fault is told where the value that gives rise to it was written, the one of the higher layer when two disagree.
 */
#include "supervisor/config/loading.h"

#include "core/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- limits ---------------------------------------------------------------------------------------------------- */

static const enum setting_id limit_ids[] = {SETTING_CPU, SETTING_MEMORY, SETTING_CPU_RESERVATION,
                                            SETTING_MEMORY_RESERVATION, SETTING_PIDS};

/* The reservation that is more than its limit, or SETTING_IDS. */
static enum setting_id excessive_reservation(const struct limits *limits)
{
    if (limits->cpu_reservation > limits->cpu)
        return SETTING_CPU_RESERVATION;
    return limits->memory_reservation > limits->memory ? SETTING_MEMORY_RESERVATION : SETTING_IDS;
}

static enum setting_id limit_of(enum setting_id reservation)
{
    return reservation == SETTING_CPU_RESERVATION ? SETTING_CPU : SETTING_MEMORY;
}

static void print_value(const struct group_settings *group, enum setting_id id, struct buffer *out)
{
    const struct setting *row = &settings_table[id];
    row->type->print(row, setting_field_const(row, group), out);
}

static int refuse_reservation(const struct group_settings *group, enum setting_id reservation, const char *where,
                              struct error *err)
{
    struct buffer value = BUFFER_EMPTY, limit = BUFFER_EMPTY;
    print_value(group, reservation, &value);
    print_value(group, limit_of(reservation), &limit);
    int r =
        error_set(err, EINVAL, "%s: %s of %s is more than %s of %s; allowed 0 to the limit", where,
                  settings_table[reservation].path, value.data, settings_table[limit_of(reservation)].path, limit.data);
    buffer_done(&value);
    buffer_done(&limit);
    return r;
}

int limits_check(const struct limits *limits, const char *field_prefix, struct error *err)
{
    struct group_settings group = {.limits = *limits}, scratch = {0};
    char where[ORIGIN_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(limit_ids); i++) {
        /* A figure is in order when the row would take it from a person: one set of bounds, one set of sentences. */
        const struct setting *row = &settings_table[limit_ids[i]];
        struct buffer text = BUFFER_EMPTY;
        print_value(&group, limit_ids[i], &text);
        snprintf(where, sizeof(where), "%s%s", field_prefix, row->path);
        int r = setting_parse(row, row->type, text.data, &scratch, where, err);
        buffer_done(&text);
        if (r < 0)
            return -EINVAL;
    }
    enum setting_id reservation = excessive_reservation(limits);
    if (reservation == SETTING_IDS)
        return 0;
    snprintf(where, sizeof(where), "%s%s", field_prefix, settings_table[reservation].path);
    return refuse_reservation(&group, reservation, where, err);
}

/* ---- whom to blame --------------------------------------------------------------------------------------------- */

static enum layer layer_of(const struct loading *loading, int group, enum setting_id id)
{
    return settings_table[id].scope == SCOPE_FARM ? loading->origins[id].layer
                                                  : loading->group_origins[group][id].layer;
}

/* The origin of `first`, or of `second` when that was set in a higher layer. */
static void blame(const struct loading *loading, int group, enum setting_id first, enum setting_id second,
                  char out[ORIGIN_MAX])
{
    bool second_higher = layer_of(loading, group, second) > layer_of(loading, group, first);
    loading_origin(loading, group, second_higher ? second : first, out);
}

/* ---- groups ---------------------------------------------------------------------------------------------------- */

static int check_limits(const struct loading *loading, int index, struct error *err)
{
    const struct group_settings *group = &loading->settings->groups[index];
    enum setting_id reservation = excessive_reservation(&group->limits);
    if (reservation == SETTING_IDS)
        return 0;
    char where[ORIGIN_MAX];
    blame(loading, index, reservation, limit_of(reservation), where);
    return refuse_reservation(group, reservation, where, err);
}

static int check_name(const struct loading *loading, int index, struct error *err)
{
    const struct settings *settings = loading->settings;
    const char *name = settings->groups[index].name;
    char where[ORIGIN_MAX];
    loading_origin(loading, index, SETTING_NAME, where);
    if (!name)
        return error_set(err, EINVAL, "%s: is missing; give the group a name, such as `name: web`", where);
    for (int i = 0; i < index; i++) {
        if (strcmp(settings->groups[i].name, name) == 0)
            return error_set(err, EINVAL, "%s: \"%s\" is the name of two groups; give each its own", where, name);
    }
    return 0;
}

/* farmd tells a program its place by these; a value of the file would be lost. */
static int check_environment(const struct loading *loading, int index, struct error *err)
{
    static const char *const ours[] = {"PORT", "SERVER_PORT", "SERVER_ID", "SERVER_COUNT", "SERVER_BASE_PORT"};
    const struct group_settings *group = &loading->settings->groups[index];
    for (size_t i = 0; i < group->environment_count; i++) {
        for (size_t j = 0; j < ARRAY_SIZE(ours); j++) {
            if (strcmp(group->environment[i].key, ours[j]) != 0)
                continue;
            char where[ORIGIN_MAX];
            loading_origin(loading, index, SETTING_ENVIRONMENT, where);
            return error_set(err, EINVAL, "%s: %s is set by farmd for each server; leave it out", where, ours[j]);
        }
    }
    return 0;
}

/* ---- ports ----------------------------------------------------------------------------------------------------- */

static unsigned last_port(const struct group_settings *group)
{
    return group->base_port + group->count - 1;
}

static int check_image(const struct loading *loading, int index, struct error *err)
{
    const struct group_settings *group = &loading->settings->groups[index];
    bool containers = loading->settings->runtime != RUNTIME_PROCESS;
    char where[ORIGIN_MAX];
    if (group->image && !group->command && !containers) {
        loading_origin(loading, index, SETTING_IMAGE, where);
        return error_set(err, EINVAL,
                         "%s: only containers have one; set `runtime: docker` or swarm, or name the program "
                         "with `command:`",
                         where);
    }
    if (group->command && !group->image && containers) {
        loading_origin(loading, index, SETTING_COMMAND, where);
        return error_set(err, EINVAL, "%s: a container has its program from an image; name it with `image:`", where);
    }
    return 0;
}

static int check_port_range(const struct loading *loading, int index, struct error *err)
{
    const struct group_settings *group = &loading->settings->groups[index];
    char where[ORIGIN_MAX];
    if (group->base_port == 0) {
        loading_origin(loading, index, SETTING_BASE_PORT, where);
        return error_set(err, ERANGE, "%s: no port is left after the group before it; give it a lower base_port",
                         where);
    }
    blame(loading, index, SETTING_BASE_PORT, SETTING_COUNT, where);
    if (last_port(group) > 65535)
        return error_set(err, ERANGE, "%s: %u servers from port %u on need ports up to %u; allowed up to 65535", where,
                         group->count, group->base_port, last_port(group));
    return 0;
}

static int check_ports_apart(const struct loading *loading, int index, struct error *err)
{
    const struct group_settings *groups = loading->settings->groups, *group = &groups[index];
    for (int i = 0; i < index; i++) {
        if (groups[i].base_port > last_port(group) || group->base_port > last_port(&groups[i]))
            continue;
        char where[ORIGIN_MAX];
        blame(loading, index, SETTING_BASE_PORT, SETTING_COUNT, where);
        return error_set(err, EINVAL, "%s: ports %u to %u of group \"%s\" overlap with %u to %u of group \"%s\"", where,
                         group->base_port, last_port(group), group->name, groups[i].base_port, last_port(&groups[i]),
                         groups[i].name);
    }
    return 0;
}

static int check_own_port(const struct loading *loading, int index, enum setting_id own, const char *whose,
                          struct error *err)
{
    const struct group_settings *group = &loading->settings->groups[index];
    unsigned port = *(const uint16_t *)setting_field_const(&settings_table[own], loading->settings);
    if (port < group->base_port || port > last_port(group))
        return 0;
    char where[ORIGIN_MAX];
    enum setting_id of_group = layer_of(loading, index, SETTING_COUNT) > layer_of(loading, index, SETTING_BASE_PORT)
                                   ? SETTING_COUNT
                                   : SETTING_BASE_PORT;
    blame(loading, index, of_group, own, where);
    return error_set(err, EINVAL, "%s: the servers' ports %u to %u include %u, which is %s; choose others", where,
                     group->base_port, last_port(group), port, whose);
}

static int check_ports(const struct loading *loading, int index, struct error *err)
{
    int r = check_port_range(loading, index, err);
    if (r == 0)
        r = check_ports_apart(loading, index, err);
    if (r == 0)
        r = check_own_port(loading, index, SETTING_API_PORT, "the API's", err);
    if (r == 0)
        r = check_own_port(loading, index, SETTING_DASHBOARD_PORT, "the dashboard's", err);
    return r;
}

/* ---- the farm -------------------------------------------------------------------------------------------------- */

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(host, "localhost") == 0;
}

static int check_reach(const struct loading *loading, enum setting_id id, const struct listen_settings *listener,
                       struct error *err)
{
    const struct settings *settings = loading->settings;
    if (listener->port == 0 || is_loopback(listener->host) || settings->token || settings->allow_unauthenticated)
        return 0;
    char where[ORIGIN_MAX];
    loading_origin(loading, FARM_FILE_SERVERS, id, where);
    return error_set(err, EINVAL,
                     "%s: \"%s\" can be reached from other machines; set a token (FARMD_TOKEN) or allow everybody with "
                     "--allow-unauthenticated",
                     where, listener->host);
}

static int check_listeners(const struct loading *loading, struct error *err)
{
    const struct settings *settings = loading->settings;
    if (settings->api.port == settings->dashboard.port) {
        char where[ORIGIN_MAX];
        blame(loading, FARM_FILE_SERVERS, SETTING_DASHBOARD_PORT, SETTING_API_PORT, where);
        return error_set(err, EINVAL, "%s: port %u is both the API's and the dashboard's; choose another", where,
                         settings->api.port);
    }
    int r = check_reach(loading, SETTING_API_HOST, &settings->api, err);
    return r < 0 ? r : check_reach(loading, SETTING_DASHBOARD_HOST, &settings->dashboard, err);
}

/* A flag that would change nothing is a mistake of whoever typed it; a variable may stand for other farms too. */
static int check_flags_count(const struct loading *loading, struct error *err)
{
    if (!loading->file || farm_file_group_count(loading->file) == 0)
        return 0;
    if (loading->flags[SETTING_COUNT])
        return error_set(err, EINVAL,
                         "--servers: %s has groups, each with a count of its own; change groups[].count there",
                         loading->settings->config_path);
    for (size_t id = 0; id < SETTING_IDS; id++) {
        if (!loading->flags[id] || settings_table[id].scope != SCOPE_GROUP)
            continue;
        bool used = false;
        for (size_t i = 0; i < loading->settings->group_count; i++)
            used = used || loading->group_origins[i][id].layer == LAYER_FLAG;
        if (!used)
            return error_set(err, EINVAL, "%s: changes nothing, since in %s every group has its own %s",
                             settings_table[id].flag, loading->settings->config_path, settings_table[id].path);
    }
    return 0;
}

static int check_total(const struct loading *loading, struct error *err)
{
    unsigned total = settings_total_servers(loading->settings);
    if (total <= SETTINGS_MAX_SERVERS)
        return 0;
    return error_set(err, ERANGE, "%s: groups: have %u servers together; allowed up to %d",
                     loading->settings->config_path, total, SETTINGS_MAX_SERVERS);
}

int loading_check(const struct loading *loading, struct error *err)
{
    int (*const checks[])(const struct loading *, int, struct error *) = {
        check_name, check_limits, check_environment, check_image, check_ports,
    };
    int r = check_flags_count(loading, err);
    for (size_t i = 0; r == 0 && i < loading->settings->group_count; i++) {
        for (size_t j = 0; r == 0 && j < ARRAY_SIZE(checks); j++)
            r = checks[j](loading, (int)i, err);
    }
    if (r == 0)
        r = check_total(loading, err);
    return r < 0 ? r : check_listeners(loading, err);
}
