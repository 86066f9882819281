/*
 * One table of settings, each with its flag, its environment variables and what it takes.
 */
#include "worker/options.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "core/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEFAULT_PORT 8001
#define ID_PREFIX "server-"
#define MAX_ID 999999
#define MAX_FD 1048576

static bool apply_port(struct worker_options *options, const char *value)
{
    int64_t port;

    if (units_parse_int(value, 0, UINT16_MAX, &port) < 0)
        return false;
    options->port = (uint16_t)port;
    return true;
}

static bool apply_public_port(struct worker_options *options, const char *value)
{
    int64_t port;

    if (units_parse_int(value, 1, UINT16_MAX, &port) < 0)
        return false;
    options->public_port = (uint16_t)port;
    return true;
}

static bool apply_id(struct worker_options *options, const char *value)
{
    int64_t id;

    if (strncmp(value, ID_PREFIX, strlen(ID_PREFIX)) == 0)
        value += strlen(ID_PREFIX);
    if (units_parse_int(value, 0, MAX_ID, &id) < 0)
        return false;
    snprintf(options->server_id, sizeof(options->server_id), ID_PREFIX "%d", (int)id);
    return true;
}

static bool apply_host(struct worker_options *options, const char *value)
{
    options->host = value;
    return value[0] != '\0';
}

static bool apply_log_level(struct worker_options *options, const char *value)
{
    return log_level_parse(value, &options->log_level) == 0;
}

static bool apply_access_log(struct worker_options *options, const char *value)
{
    static const struct {
        const char *word;
        bool on;
    } words[] = {{"1", true},  {"true", true},   {"yes", true}, {"on", true},
                 {"0", false}, {"false", false}, {"no", false}, {"off", false}};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcasecmp(value, words[i].word) == 0) {
            options->access_log = words[i].on;
            return true;
        }
    }
    return false;
}

static bool apply_origin(struct worker_options *options, const char *value)
{
    if (options->origin_count == WORKER_MAX_ORIGINS || (strcmp(value, "*") != 0 && !strstr(value, "://")))
        return false;
    options->origins[options->origin_count++] = value;
    return true;
}

/* "a,b" */
static bool apply_origins(struct worker_options *options, const char *value)
{
    char *rest = options->origins_text = xstrdup(value);

    for (char *origin = strtok_r(rest, ", ", &rest); origin; origin = strtok_r(NULL, ", ", &rest)) {
        if (!apply_origin(options, origin))
            return false;
    }
    return true;
}

static bool parse_fd(const char *value, int *fd)
{
    int64_t number;

    if (units_parse_int(value, 0, MAX_FD, &number) < 0)
        return false;
    *fd = (int)number;
    return true;
}

static bool apply_ready_fd(struct worker_options *options, const char *value)
{
    return parse_fd(value, &options->ready_fd);
}

static bool apply_counters_fd(struct worker_options *options, const char *value)
{
    return parse_fd(value, &options->counters_fd);
}

/* Applied in this order, so that of two variables the later row wins. */
static const struct {
    const char *variable;
    bool (*apply)(struct worker_options *options, const char *value);
    const char *takes;
} VARIABLES[] = {
    {"PORT", apply_port, "0 to 65535"},
    {"SERVER_PORT", apply_port, "0 to 65535"},
    {"PUBLIC_PORT", apply_public_port, "1 to 65535"},
    {"SERVER_ID", apply_id, "a number, or server-<number>"},
    {"SERVER_HOST", apply_host, "localhost or an address"},
    {"LOG_LEVEL", apply_log_level, "DEBUG, INFO, WARNING, ERROR or CRITICAL"},
    {"ACCESS_LOG", apply_access_log, "1 or 0"},
    {"ALLOWED_ORIGINS", apply_origins, "up to 16 origins, like https://farm.example, with commas between"},
    {"FARMD_READY_FD", apply_ready_fd, "the number of an open descriptor"},
    {"FARMD_COUNTERS_FD", apply_counters_fd, "the number of an open descriptor"},
};

static const struct flag {
    const char *name;
    const char *value_name; /* NULL: the flag stands alone */
    bool (*apply)(struct worker_options *options, const char *value);
    enum worker_mode mode; /* of a flag without apply */
    const char *takes;
    const char *help;
} FLAGS[] = {
    {"--port", "PORT", apply_port, 0, "0 to 65535", "listen on PORT, 0 for a free one (SERVER_PORT or PORT; 8001)"},
    {"--public-port", "PORT", apply_public_port, 0, "1 to 65535",
     "tell clients PORT, where something publishes this server under another one (PUBLIC_PORT)"},
    {"--id", "ID", apply_id, 0, "a number, or server-<number>", "be server-ID (SERVER_ID; 1)"},
    {"--host", "HOST", apply_host, 0, "localhost or an address",
     "listen on HOST (SERVER_HOST; localhost, which is 127.0.0.1 and ::1)"},
    {"--access-log", NULL, apply_access_log, 0, "", "write one JSON line per request to stdout (ACCESS_LOG=1)"},
    {"--allow-origin", "ORIGIN", apply_origin, 0, "an origin like https://farm.example, 16 at most",
     "let pages of ORIGIN call this server (ALLOWED_ORIGINS; those of this machine may anyhow)"},
    {"--ready-only", NULL, NULL, WORKER_READY_ONLY, "", "say ready on FARMD_READY_FD and exit"},
    {"--version", NULL, NULL, WORKER_SHOW_VERSION, "", "print the version"},
    {"--help", NULL, NULL, WORKER_SHOW_HELP, "", "print this"},
};

static int parse_environment(struct worker_options *options, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(VARIABLES); i++) {
        const char *value = getenv(VARIABLES[i].variable);
        if (!value || !value[0])
            continue;
        if (!VARIABLES[i].apply(options, value))
            return error_set(err, EINVAL, "%s: \"%s\" is not allowed; it takes %s", VARIABLES[i].variable, value,
                             VARIABLES[i].takes);
    }
    return 0;
}

/* The flag that `arg` names as "--flag" or "--flag=value"; `inline_value` is then what follows the '='. */
static const struct flag *find_flag(const char *arg, const char **inline_value)
{
    for (size_t i = 0; i < ARRAY_SIZE(FLAGS); i++) {
        size_t length = strlen(FLAGS[i].name);
        if (strncmp(arg, FLAGS[i].name, length) != 0)
            continue;
        if (arg[length] == '\0' || (arg[length] == '=' && FLAGS[i].value_name)) {
            *inline_value = arg[length] == '=' ? arg + length + 1 : NULL;
            return &FLAGS[i];
        }
    }
    return NULL;
}

static int parse_flags(int argc, char **argv, struct worker_options *options, struct error *err)
{
    for (int i = 1; i < argc; i++) {
        const char *value;
        const struct flag *flag = find_flag(argv[i], &value);
        if (!flag)
            return error_set(err, EINVAL, "unknown argument \"%s\"; farm-worker --help lists what there is", argv[i]);
        if (!flag->apply) {
            options->mode = flag->mode;
            continue;
        }
        if (!flag->value_name)
            value = "1";
        else if (!value && !(value = argv[++i]))
            return error_set(err, EINVAL, "%s needs a value: %s", flag->name, flag->takes);
        if (!flag->apply(options, value))
            return error_set(err, EINVAL, "%s: \"%s\" is not allowed; it takes %s", flag->name, value, flag->takes);
    }
    return 0;
}

int worker_options_parse(int argc, char **argv, struct worker_options *options, struct error *err)
{
    struct worker_options parsed = {
        .server_id = ID_PREFIX "1",
        .host = "localhost",
        .port = DEFAULT_PORT,
        .log_level = LOG_LEVEL_INFO,
        .ready_fd = -1,
        .counters_fd = -1,
    };
    int rc = parse_environment(&parsed, err);

    if (rc == 0)
        rc = parse_flags(argc, argv, &parsed, err);
    if (rc == 0)
        *options = parsed;
    else
        worker_options_done(&parsed);
    return rc;
}

void worker_options_done(struct worker_options *options)
{
    free(options->origins_text);
    options->origins_text = NULL;
    options->origin_count = 0;
}

void worker_options_help(void)
{
    struct buffer text = BUFFER_EMPTY;

    buffer_append_text(&text, "farm-worker: one HTTP server of a farm\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(FLAGS); i++) {
        const char *value_name = FLAGS[i].value_name ? FLAGS[i].value_name : "";
        buffer_printf(&text, "  %s %-*s %s\n", FLAGS[i].name, (int)(22 - strlen(FLAGS[i].name)), value_name,
                      FLAGS[i].help);
    }
    buffer_append_text(&text, "\nLOG_LEVEL=DEBUG|INFO|WARNING|ERROR sets what is logged.\n");
    ssize_t written = write(STDOUT_FILENO, text.data, text.length);
    (void)written;
    buffer_done(&text);
}
