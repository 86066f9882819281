/*
 * Loading the settings: the layers from the lowest to the highest, the groups out of `servers`, and the defaults that
 * depend on the machine or on other settings.
 */
#include "supervisor/config/settings.h"

#include "core/memory.h"
#include "supervisor/config/flags.h"
#include "supervisor/config/loading.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DOTENV_PATH ".env"
#define DEFAULT_CONFIG "farm.yaml"

/* ---- where values come from ------------------------------------------------------------------------------------ */

static const struct origin *origin_of(const struct loading *loading, int group, enum setting_id id)
{
    bool of_farm = settings_table[id].scope == SCOPE_FARM || settings_table[id].scope == SCOPE_PROGRAM;
    if (of_farm || group == FARM_FILE_SERVERS || !loading->group_origins)
        return &loading->origins[id];
    return &loading->group_origins[group][id];
}

void loading_origin(const struct loading *loading, int group, enum setting_id id, char out[ORIGIN_MAX])
{
    const struct setting *row = &settings_table[id];
    const struct origin *origin = origin_of(loading, group, id);
    bool has_groups = loading->file && farm_file_group_count(loading->file) > 0;
    switch (origin->layer) {
    case LAYER_FLAG:
        snprintf(out, ORIGIN_MAX, "%s", row->flag);
        break;
    case LAYER_ENVIRONMENT:
        snprintf(out, ORIGIN_MAX, "%s", row->variable);
        break;
    case LAYER_DOTENV:
        snprintf(out, ORIGIN_MAX, DOTENV_PATH ":%u: %s", origin->line, row->variable);
        break;
    case LAYER_FILE:
        farm_file_origin(loading->file, origin->group, row, out, ORIGIN_MAX);
        break;
    case LAYER_PRESET:
        if (has_groups && row->scope != SCOPE_FARM)
            farm_file_origin(loading->file, group, row, out, ORIGIN_MAX);
        else
            snprintf(out, ORIGIN_MAX, "%s%s", row->scope == SCOPE_GROUP ? "servers." : "", row->path);
        break;
    }
}

/* ---- layers ---------------------------------------------------------------------------------------------------- */

static void *base_of(struct loading *loading, const struct setting *row)
{
    return row->scope == SCOPE_FARM || row->scope == SCOPE_PROGRAM ? (void *)loading->settings : &loading->base;
}

static int apply_presets(struct loading *loading, struct error *err)
{
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        int r = row->preset ? setting_parse(row, row->type, row->preset, base_of(loading, row), row->path, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int apply_file(struct loading *loading, struct error *err)
{
    for (size_t i = 0; loading->file && i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        bool here = row->scope == SCOPE_FARM || row->scope == SCOPE_GROUP;
        if (!here || !farm_file_has(loading->file, FARM_FILE_SERVERS, row))
            continue;
        int r = farm_file_apply(loading->file, FARM_FILE_SERVERS, row, base_of(loading, row), err);
        if (r < 0)
            return r;
        loading->origins[i] = (struct origin){.layer = LAYER_FILE, .group = FARM_FILE_SERVERS};
    }
    return 0;
}

/* One text of .env, of the environment or of a flag. */
static int apply_text(struct loading *loading, enum setting_id id, struct origin origin, const char *text,
                      struct error *err)
{
    const struct setting *row = &settings_table[id];
    const struct setting_type *type = row->type;
    if (origin.layer != LAYER_FLAG && row->variable_type)
        type = row->variable_type;
    char where[ORIGIN_MAX];
    loading->origins[id] = origin;
    loading_origin(loading, FARM_FILE_SERVERS, id, where);
    return setting_parse(row, type, text, base_of(loading, row), where, err);
}

/* What the variable says, an empty one being none: "VAR=" is how compose files and shells unset. */
static const char *variable_text(const struct loading *loading, const struct setting *row, struct origin *origin)
{
    const char *text = row->variable ? getenv(row->variable) : NULL;
    *origin = (struct origin){.layer = LAYER_ENVIRONMENT};
    if (row->variable && (!text || text[0] == '\0')) {
        text = dotenv_get(loading->dotenv, row->variable, &origin->line);
        origin->layer = LAYER_DOTENV;
    }
    return text && text[0] != '\0' ? text : NULL;
}

static int apply_variables_and_flags(struct loading *loading, struct error *err)
{
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        struct origin origin;
        const char *text = row->scope == SCOPE_PROGRAM ? NULL : variable_text(loading, row, &origin);
        int r = text ? apply_text(loading, (enum setting_id)i, origin, text, err) : 0;
        if (r == 0 && loading->flags[i] && row->scope != SCOPE_PROGRAM)
            r = apply_text(loading, (enum setting_id)i, (struct origin){.layer = LAYER_FLAG}, loading->flags[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* farm.yaml is optional, a file that was named is not. */
static int open_file(struct loading *loading, struct error *err)
{
    struct origin origin;
    const struct setting *row = &settings_table[SETTING_CONFIG];
    const char *path = variable_text(loading, row, &origin);
    if (loading->flags[SETTING_CONFIG]) {
        path = loading->flags[SETTING_CONFIG];
        origin.layer = LAYER_FLAG;
    }
    if (path) {
        int r = apply_text(loading, SETTING_CONFIG, origin, path, err);
        if (r < 0)
            return r;
    }
    struct error reason;
    int r = farm_file_load(path ? path : DEFAULT_CONFIG, &loading->file, &reason);
    if (r == -ENOENT && !path)
        return 0;
    if (r < 0)
        return error_set(err, reason.code, "%s", reason.message);
    if (!path)
        loading->settings->config_path = xstrdup(DEFAULT_CONFIG);
    return 0;
}

/* ---- groups ---------------------------------------------------------------------------------------------------- */

/* How near to a group its value was set: in its own entry, else by the layers. */
static unsigned nearness(const struct origin *origin)
{
    bool own = origin->layer == LAYER_FILE && origin->group != FARM_FILE_SERVERS;
    return own ? LAYER_FLAG + 1 : origin->layer;
}

/* A reservation follows a limit that was set nearer to the group than the reservation was: whoever writes `memory: 64M`
 * should not have to know of the default reservation of 128M. */
static void follow_limits(struct group_settings *group, const struct origin origins[SETTING_IDS])
{
    bool cpu_nearer = nearness(&origins[SETTING_CPU]) > nearness(&origins[SETTING_CPU_RESERVATION]);
    bool memory_nearer = nearness(&origins[SETTING_MEMORY]) > nearness(&origins[SETTING_MEMORY_RESERVATION]);
    struct limits *limits = &group->limits;
    if (cpu_nearer && limits->cpu_reservation > limits->cpu)
        limits->cpu_reservation = limits->cpu;
    if (memory_nearer && limits->memory_reservation > limits->memory)
        limits->memory_reservation = limits->memory;
}

/* Swarm restarts its tasks by itself, and by default as it does when nothing else is said. */
static void follow_runtime(struct group_settings *group, const struct settings *settings,
                           const struct origin origins[SETTING_IDS])
{
    if (settings->runtime == RUNTIME_SWARM && origins[SETTING_RESTART_PROFILE].layer == LAYER_PRESET)
        group->restart_profile = RESTART_PROFILE_SWARM;
}

static void settle_probe_paths(struct group_settings *group)
{
    for (size_t i = 0; i < PROBE_KIND_COUNT; i++) {
        if (!group->probes[i].path)
            group->probes[i].path = xstrdup(group->command || group->image ? "/" : "/health");
    }
}

static int apply_group(struct loading *loading, size_t index, struct error *err)
{
    struct settings *settings = loading->settings;
    struct group_settings *group = &settings->groups[index];
    struct origin *origins = loading->group_origins[index];
    memcpy(origins, loading->origins, sizeof(loading->origins));
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        bool here = row->scope == SCOPE_NAME || row->scope == SCOPE_GROUP;
        if (!here || !farm_file_has(loading->file, (int)index, row))
            continue;
        int r = farm_file_apply(loading->file, (int)index, row, group, err);
        if (r < 0)
            return r;
        origins[i] = (struct origin){.layer = LAYER_FILE, .group = (int)index};
    }
    return 0;
}

/* Ports follow on from the group before, unless the group says otherwise; a number past the last port is left to the
 * check, which sees the first port as 0 then. */
static void follow_ports(struct loading *loading, size_t index)
{
    struct origin *origin = &loading->group_origins[index][SETTING_BASE_PORT];
    bool own = origin->layer == LAYER_FILE && origin->group == (int)index;
    if (own || index == 0)
        return;
    const struct group_settings *before = &loading->settings->groups[index - 1];
    unsigned next = before->base_port + before->count;
    loading->settings->groups[index].base_port = next > 65535 ? 0 : (uint16_t)next;
    *origin = (struct origin){.layer = LAYER_PRESET};
}

static int make_groups(struct loading *loading, struct error *err)
{
    struct settings *settings = loading->settings;
    size_t in_file = loading->file ? farm_file_group_count(loading->file) : 0;
    size_t count = in_file > 0 ? in_file : 1;
    settings->groups = xcalloc(count, sizeof(*settings->groups));
    loading->group_origins = xcalloc(count, sizeof(*loading->group_origins));
    memcpy(loading->group_origins[0], loading->origins, sizeof(loading->origins));
    for (size_t i = 0; i < count; i++) {
        settings_group_copy(&settings->groups[i], &loading->base);
        settings->group_count = i + 1;
        int r = in_file > 0 ? apply_group(loading, i, err) : 0;
        if (r < 0)
            return r;
        if (in_file == 0)
            settings->groups[i].name = xstrdup("default");
        follow_ports(loading, i);
        follow_limits(&settings->groups[i], loading->group_origins[i]);
        follow_runtime(&settings->groups[i], settings, loading->group_origins[i]);
        settle_probe_paths(&settings->groups[i]);
    }
    return 0;
}

/* ---- defaults that depend on the machine ----------------------------------------------------------------------- */

static char *default_state_dir(void)
{
    if (geteuid() == 0)
        return xstrdup("/var/lib/farmd");
    const char *state = getenv("XDG_STATE_HOME");
    if (state && state[0] == '/')
        return xasprintf("%s/farmd", state);
    const char *home = getenv("HOME");
    const struct passwd *user = home && home[0] == '/' ? NULL : getpwuid(geteuid());
    if (user)
        home = user->pw_dir;
    if (home && home[0] == '/')
        return xasprintf("%s/.local/state/farmd", home);
    return xasprintf("/tmp/farmd-%u/state", (unsigned)geteuid());
}

static char *default_runtime_dir(void)
{
    if (geteuid() == 0)
        return xstrdup("/run/farmd");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    size_t room = (size_t)settings_table[SETTING_RUNTIME_DIR].max - strlen("/farmd");
    if (runtime && runtime[0] == '/' && strlen(runtime) <= room)
        return xasprintf("%s/farmd", runtime);
    return xasprintf("/tmp/farmd-%u", (unsigned)geteuid());
}

/* Whole paths, whatever directory somebody looks from. */
static int make_absolute(struct loading *loading, enum setting_id id, struct error *err)
{
    const struct setting *row = &settings_table[id];
    const char *path = *(char *const *)setting_field_const(row, loading->settings);
    if (!path || path[0] == '/')
        return 0;
    cleanup_free char *here = getcwd(NULL, 0);
    if (!here)
        return error_set_errno(err, errno, "cannot tell the current directory");
    cleanup_free char *whole = xasprintf("%s/%s", here, path);
    char origin[ORIGIN_MAX];
    loading_origin(loading, FARM_FILE_SERVERS, id, origin);
    return setting_parse(row, row->type, whole, loading->settings, origin, err);
}

static int settle_farm(struct loading *loading, struct error *err)
{
    struct settings *settings = loading->settings;
    if (!settings->dashboard.host) {
        settings->dashboard.host = xstrdup(settings->api.host);
        loading->origins[SETTING_DASHBOARD_HOST] = loading->origins[SETTING_API_HOST];
    }
    if (!settings->state_dir)
        settings->state_dir = default_state_dir();
    if (!settings->runtime_dir)
        settings->runtime_dir = default_runtime_dir();
    const enum setting_id folders[] = {SETTING_STATE_DIR, SETTING_RUNTIME_DIR, SETTING_WEB_DIR};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(folders); i++)
        r = make_absolute(loading, folders[i], err);
    return r;
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static int load(struct loading *loading, struct error *err)
{
    int (*const steps[])(struct loading *, struct error *) = {
        open_file, apply_presets, apply_file, apply_variables_and_flags, settle_farm, make_groups,
    };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        int r = steps[i](loading, err);
        if (r < 0)
            return r;
    }
    return loading_check(loading, err);
}

int settings_load(int argc, char **argv, struct settings **settings, struct error *err)
{
    struct loading loading = {.settings = xcalloc(1, sizeof(struct settings))};
    int r = flags_parse(argc, argv, loading.flags, err);
    if (r == 0)
        r = dotenv_load(DOTENV_PATH, &loading.dotenv, err);
    if (r == 0)
        r = load(&loading, err);
    if (r == 0)
        *settings = steal(&loading.settings);
    settings_free(loading.settings);
    settings_group_release(&loading.base);
    farm_file_free(loading.file);
    dotenv_free(loading.dotenv);
    free(loading.group_origins);
    return r;
}
