/*
 * The farm as a compose file: a container for each server, with its limits, ports, environment and health check.
 */
#include "supervisor/cli/export.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/config/yaml_text.h"
#include "supervisor/farm/paths.h"
#include "supervisor/runtime/docker/container.h"
#include "supervisor/runtime/process/spawn.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL_IMAGE "busybox:stable"

struct composing {
    const struct export_options *options;
    const char *worker;   /* the path of farm-worker here */
    const char *instance; /* what farmd knows its own by */
    struct buffer *out;
};

static void append_size(struct buffer *out, uint64_t bytes)
{
    if (bytes % MIB == 0)
        buffer_printf(out, "%lluM", (unsigned long long)(bytes / MIB));
    else
        buffer_printf(out, "%llub", (unsigned long long)bytes);
}

static void append_pair(struct buffer *out, const char *key, const char *value)
{
    buffer_append_text(out, "      ");
    yaml_write_text(out, key);
    buffer_append_text(out, ": ");
    yaml_write_text(out, value);
    buffer_append_char(out, '\n');
}

/* Compose replaces $NAME; a dollar of the settings' own is written twice. */
static void append_text(struct buffer *out, const char *text)
{
    struct buffer doubled = BUFFER_EMPTY;
    buffer_append_text(&doubled, "");
    for (; *text; text++) {
        buffer_append_char(&doubled, *text);
        if (*text == '$')
            buffer_append_char(&doubled, '$');
    }
    yaml_write_text(out, doubled.data);
    buffer_done(&doubled);
}

/* That of the flag, or of the group; NULL: none is known. */
static const char *image_of(const struct export_options *options, const struct group_settings *group)
{
    return options->image ? options->image : group->image;
}

static void append_program(const struct composing *composing, const struct group_settings *group)
{
    struct buffer *out = composing->out;
    const char *image = image_of(composing->options, group);
    buffer_append_text(out, "    image: ");
    yaml_write_text(out, image ? image : SMALL_IMAGE);
    buffer_append_char(out, '\n');
    if (group->command) {
        buffer_append_text(out, "    command: [");
        for (char **word = group->command; *word; word++) {
            buffer_append_text(out, word == group->command ? "" : ", ");
            append_text(out, *word);
        }
        buffer_append_text(out, "]\n");
    } else if (!image) {
        buffer_append_text(out, "    command: [/farm-worker]\n    volumes:\n      - ");
        char *mount = xasprintf("%s:/farm-worker:ro", composing->worker);
        append_text(out, mount);
        free(mount);
        buffer_append_char(out, '\n');
    }
}

/* Inside, every server has an address of its own and the same port. */
static void append_environment(struct buffer *out, const struct group_settings *group, unsigned id, uint16_t port)
{
    buffer_printf(out, "    environment:\n      SERVER_ID: \"%u\"\n      PORT: \"%u\"\n      PUBLIC_PORT: \"%u\"\n", id,
                  CONTAINER_PORT, port);
    buffer_append_text(out, "      SERVER_HOST: 0.0.0.0\n");
    if (group->access_log)
        buffer_append_text(out, "      ACCESS_LOG: \"1\"\n");
    for (size_t i = 0; i < group->environment_count; i++) {
        buffer_append_text(out, "      ");
        yaml_write_text(out, group->environment[i].key);
        buffer_append_text(out, ": ");
        append_text(out, group->environment[i].value);
        buffer_append_char(out, '\n');
    }
}

/* The old docker-compose (1.29, as Debian has it) knows pids in this place only. */
static void append_limits(struct buffer *out, const struct limits *limits)
{
    buffer_printf(
        out, "    deploy:\n      resources:\n        limits:\n          cpus: \"%g\"\n          memory: ", limits->cpu);
    append_size(out, limits->memory);
    buffer_printf(out, "\n        reservations:\n          cpus: \"%g\"\n          memory: ", limits->cpu_reservation);
    append_size(out, limits->memory_reservation);
    buffer_append_text(out, "\n    memswap_limit: ");
    append_size(out, limits->memory);
    buffer_printf(out, "\n    pids_limit: %u\n", limits->pids);
}

static void append_duration(struct buffer *out, const char *key, int64_t ms)
{
    buffer_printf(out, "%s: %lldms\n", key, (long long)ms);
}

/* What probes needs a program inside: busybox has wget. */
static void append_check(const struct composing *composing, const struct group_settings *group)
{
    const struct probe_settings *probe = &group->probes[PROBE_LIVENESS];
    struct buffer *out = composing->out;
    if (!probe->enabled || image_of(composing->options, group))
        return;
    char *url = xasprintf("http://127.0.0.1:%d%s", CONTAINER_PORT, probe->path);
    buffer_append_text(out, "    healthcheck:\n      test: [CMD, wget, -q, -O, /dev/null, ");
    append_text(out, url);
    buffer_append_text(out, "]\n");
    append_duration(out, "      interval", probe->interval_ms);
    append_duration(out, "      timeout", probe->timeout_ms);
    append_duration(out, "      start_period", probe->start_period_ms);
    buffer_printf(out, "      retries: %u\n", probe->retries);
    free(url);
}

static const char *restart_of(const struct group_settings *group)
{
    switch (group->restart) {
    case RESTART_ALWAYS:
        return "unless-stopped";
    case RESTART_ON_FAILURE:
        return "on-failure";
    case RESTART_NEVER:
        break;
    }
    return "\"no\"";
}

/* By farmd's own it adopts the containers that run when it starts. */
static void append_labels(const struct composing *composing, const struct group_settings *group, unsigned id)
{
    struct buffer *out = composing->out;
    char text[16];
    buffer_append_text(out, "    labels:\n");
    for (size_t i = 0; i < group->label_count; i++)
        append_pair(out, group->labels[i].key, group->labels[i].value);
    snprintf(text, sizeof(text), "%u", id);
    append_pair(out, CONTAINER_LABEL_INSTANCE, composing->instance);
    append_pair(out, CONTAINER_LABEL_SERVER, text);
    append_pair(out, CONTAINER_LABEL_SPEC, CONTAINER_SPEC_EXPORTED);
}

static void append_service(const struct group_settings *group, unsigned id, uint16_t port, void *data)
{
    const struct composing *composing = data;
    struct buffer *out = composing->out;
    buffer_printf(out, "  server-%u:\n", id);
    append_program(composing, group);
    buffer_printf(out,
                  "    container_name: server-%u\n    hostname: server-%u\n    ports:\n      - \"127.0.0.1:%u:%d\"\n",
                  id, id, port, CONTAINER_PORT);
    append_environment(out, group, id, port);
    append_labels(composing, group, id);
    if (!group->command)
        buffer_append_text(out, "    user: \"65534:65534\"\n");
    buffer_append_text(out,
                       "    read_only: true\n    cap_drop: [ALL]\n    security_opt: [\"no-new-privileges:true\"]\n");
    append_limits(out, &group->limits);
    append_check(composing, group);
    buffer_printf(out, "    restart: %s\n", restart_of(group));
    /* In whole seconds, rounded up: the old docker-compose hands on anything else in a form that the Engine refuses. */
    buffer_printf(out, "    stop_grace_period: %llds\n", (long long)((group->stop_grace_ms + 999) / 1000));
}

/* A user's program is in no image that is known here. */
static int check_image(const struct settings *settings, const struct export_options *options, struct error *err)
{
    for (size_t i = 0; i < settings->group_count; i++) {
        if (settings->groups[i].command && !image_of(options, &settings->groups[i]))
            return error_set(err, EINVAL, "group %s runs a program of yours: say which image has it: --image NAME",
                             settings->groups[i].name);
    }
    return 0;
}

static int find_worker(char path[PATH_MAX], struct error *err)
{
    char link[32];
    cleanup_close int fd = spawn_open_worker(err);
    if (fd < 0)
        return fd;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return error_set_errno(err, errno, "cannot find the path of farm-worker");
    path[length] = '\0';
    return 0;
}

int export_compose(const struct settings *settings, const struct export_options *options, struct buffer *out,
                   struct error *err)
{
    char worker[PATH_MAX] = "";
    int code = check_image(settings, options, err);
    if (code == 0 && !options->image)
        code = find_worker(worker, err);
    if (code < 0)
        return code;
    struct farm_paths paths;
    farm_paths_init(&paths, settings);
    struct composing composing = {.options = options, .worker = worker, .instance = paths.instance, .out = out};
    buffer_append_text(
        out, "# Made by `farmd export compose`: docker compose up. A farmd with the same settings that starts\n"
             "# while they run (farmd --runtime docker) takes the containers over.\n"
             "networks:\n  default:\n    name: " CONTAINER_NETWORK "\n"
             "services:\n");
    export_each_server(settings, append_service, &composing);
    farm_paths_done(&paths);
    return 0;
}
