/*
 * The text of a state, written and read by one table of a server's words. What is read may be anything: every number has
 * bounds, every word is known, and no line is longer or file larger than what is written here.
 */
#include "supervisor/farm/state.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "farmd-state "
#define VERSION 2
#define BOOT_ID_LENGTH 36
#define LAST_US INT64_C(253402300799999999) /* the end of the year 9999: no clock is set to later */
#define NOW_MS (-1) /* most of a word that is a time of the clock that counts from boot: none is still to come */

static const char *const wanted_names[] = {
    [STATE_RUNNING] = "running",       [STATE_STARTING] = "starting", [STATE_PAUSED] = "paused",
    [STATE_RESTARTING] = "restarting", [STATE_STOPPED] = "stopped",   [STATE_FAILED] = "failed",
};
_Static_assert(ARRAY_SIZE(wanted_names) == STATE_WANTED_COUNT, "one name for each");

/* A word of a server's line: key=number. Left out while it is what it is in an empty one. */
struct word {
    const char *key;
    size_t offset; /* of an int64_t */
    int64_t max;   /* or NOW_MS; the least is 0 */
};

#define WORD(key_, member, max_)                                                                                       \
    {                                                                                                                  \
        key_, offsetof(struct state_server, member), max_                                                              \
    }
static const struct word words[] = {
    WORD("port", port, UINT16_MAX),
    WORD("pid", pid, INT32_MAX),
    WORD("start", start_time, INT64_MAX),
    WORD("started_us", started_at_us, LAST_US),
    WORD("started_ms", started_at_ms, NOW_MS),
    WORD("running_ms", running_since_ms, NOW_MS),
    WORD("healthy_ms", healthy_since_ms, NOW_MS),
    WORD("not_ready", not_ready, 1),
    WORD("limits_by_hand", limits_by_hand, 1),
    WORD("restarts", restarts, UINT32_MAX),
    WORD("failures", failures, UINT32_MAX),
    WORD("streak_ms", streak_began_ms, NOW_MS),
    WORD("oom_kills", oom_kills, UINT32_MAX),
    WORD("oom_seen", oom_seen, UINT32_MAX),
    WORD("exit_code", exit_code, UINT16_MAX),
    WORD("exit_signal", exit_signal, UINT16_MAX),
    WORD("exit_oom", exit_oom_killed, 1),
    WORD("exit_us", exit_at_us, LAST_US),
};

static int64_t *number_of(struct state_server *server, const struct word *word)
{
    return (int64_t *)(void *)((char *)server + word->offset);
}

struct state_server state_server_empty(void)
{
    struct state_server server = {0};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        *number_of(&server, &words[i]) = -1;
    return server;
}

void state_free(struct state *state)
{
    if (!state)
        return;
    for (size_t i = 0; i < state->place_count; i++)
        free(state->places[i]);
    free(state->groups);
    free(state->servers);
    free(state);
}

/* Read once: it stays, and there may be no descriptor for it later. */
static const char *boot_id(void)
{
    static char id[BOOT_ID_LENGTH + 1];
    if (*id == '\0') {
        cleanup_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, id, BOOT_ID_LENGTH) : 0;
        id[n == BOOT_ID_LENGTH ? n : 0] = '\0';
    }
    return id;
}

/* --- writing --- */

void state_begin(struct buffer *out, int64_t farm_started_at_us, bool stopping, const char *enforcement)
{
    buffer_printf(out, MAGIC "%d\nboot %s\nfarm started_us=%" PRId64 " stopping=%d enforcement=%s\n", VERSION,
                  boot_id(), farm_started_at_us, stopping, enforcement);
}

static bool has_control(const char *text)
{
    while (*text && (unsigned char)*text >= ' ' && *text != 0x7f)
        text++;
    return *text != '\0';
}

void state_add_place(struct buffer *out, const char *path)
{
    if (!has_control(path)) /* nobody makes such cgroups */
        buffer_printf(out, "place %s\n", path);
}

void state_add_group(struct buffer *out, const struct state_group *group)
{
    buffer_printf(out, "group %s count=%" PRId64 " set=%" PRId64 "\n", group->name, group->count, group->scaled_from);
}

/* The last word of a line takes the rest of it: a text of one line needs no escaping there. */
static void append_text(struct buffer *out, const char *key, const char *text)
{
    if (!*text)
        return;
    buffer_printf(out, " %s=", key);
    for (; *text; text++)
        buffer_append_char(out, (unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text);
}

void state_add_server(struct buffer *out, const struct state_server *server)
{
    struct state_server copy = *server;
    const struct limits *limits = &server->limits;
    buffer_printf(out, "server %" PRId64 " %s %s settings=%" PRIx64, server->id, server->group,
                  wanted_names[server->wanted], server->fingerprint);
    buffer_printf(out, " limits=%.17g,%" PRIu64 ",%.17g,%" PRIu64 ",%" PRIu32, limits->cpu, limits->memory,
                  limits->cpu_reservation, limits->memory_reservation, limits->pids);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        int64_t value = *number_of(&copy, &words[i]);
        if (value >= 0)
            buffer_printf(out, " %s=%" PRId64, words[i].key, value);
    }
    if (server->exit_known)
        buffer_printf(out, " exit=%s", event_reason_name(server->exit_reason));
    append_text(out, "error", server->error);
    buffer_append_char(out, '\n');
}

void state_end(struct buffer *out)
{
    buffer_append_text(out, "end\n");
}

/* --- reading --- */

/* Cuts the next word off a line; NULL at its end. */
static char *next_word(char **line)
{
    char *word = strsep(line, " ");
    return word && *word ? word : NULL;
}

/* The text behind "key=" of a word, or NULL. */
static const char *value_of(const char *word, const char *key)
{
    size_t length = strlen(key);
    return word && strncmp(word, key, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

static bool read_number(const char *text, int64_t max, int64_t *value)
{
    return text && *text >= '0' && *text <= '9' && units_parse_int(text, 0, max, value) == 0;
}

static bool read_name(const char *text, char *out, size_t size)
{
    return text && (size_t)snprintf(out, size, "%s", text) < size;
}

static bool read_hex(const char *text, uint64_t *value)
{
    size_t length = text ? strspn(text, "0123456789abcdef") : 0;
    if (length == 0 || length > 16 || text[length])
        return false;
    *value = strtoull(text, NULL, 16);
    return true;
}

static bool read_limits(const char *text, struct limits *limits)
{
    if (!text)
        return false;
    cleanup_free char *copy = xstrdup(text);
    char *rest = copy;
    const char *cpu = strsep(&rest, ","), *memory = strsep(&rest, ","), *cpu_reservation = strsep(&rest, ","),
               *memory_reservation = strsep(&rest, ","), *pids = rest;
    int64_t bytes, reserved, most;
    if (!cpu_reservation || units_parse_double(cpu, 0, LIMITS_MAX_CPU, &limits->cpu) != 0 ||
        units_parse_double(cpu_reservation, 0, LIMITS_MAX_CPU, &limits->cpu_reservation) != 0 ||
        !read_number(memory, INT64_MAX, &bytes) || !read_number(memory_reservation, INT64_MAX, &reserved) ||
        !read_number(pids, LIMITS_MAX_PIDS, &most))
        return false;
    limits->memory = (uint64_t)bytes;
    limits->memory_reservation = (uint64_t)reserved;
    limits->pids = (uint32_t)most;
    return limits_check(limits, "", NULL) == 0;
}

static bool read_wanted(const char *text, enum state_wanted *wanted)
{
    for (size_t i = 0; text && i < ARRAY_SIZE(wanted_names); i++) {
        if (strcmp(text, wanted_names[i]) == 0) {
            *wanted = (enum state_wanted)i;
            return true;
        }
    }
    return false;
}

static int64_t most_of(const struct word *word)
{
    return word->max == NOW_MS ? clock_monotonic_ms() : word->max;
}

static bool read_server_word(struct state_server *server, const char *word)
{
    const char *value = value_of(word, "exit");
    if (value) {
        server->exit_known = true;
        return event_reason_parse(value, &server->exit_reason) == 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        value = value_of(word, words[i].key);
        if (value)
            return read_number(value, most_of(&words[i]), number_of(server, &words[i]));
    }
    return false;
}

static bool read_server(struct state *state, char *line)
{
    struct state_server server = state_server_empty();
    char *error = strstr(line, " error=");
    if (error) {
        *error = '\0';
        snprintf(server.error, sizeof(server.error), "%s", error + strlen(" error="));
    }
    if (!read_number(next_word(&line), STATE_MAX_ID, &server.id) ||
        !read_name(next_word(&line), server.group, sizeof(server.group)) ||
        !read_wanted(next_word(&line), &server.wanted) ||
        !read_hex(value_of(next_word(&line), "settings"), &server.fingerprint) ||
        !read_limits(value_of(next_word(&line), "limits"), &server.limits))
        return false;
    for (char *word; line;) {
        word = next_word(&line);
        if (!word || !read_server_word(&server, word))
            return false;
    }
    size_t count = state->server_count;
    int64_t last = count ? state->servers[count - 1].id : 0;
    bool has_process = server.pid > 1 && server.start_time >= 0;
    if (server.id <= last || server.port < 1 || has_process != (server.pid >= 0) ||
        has_process != (server.start_time >= 0))
        return false;
    state->servers = xrealloc(state->servers, (count + 1) * sizeof(server));
    state->servers[state->server_count++] = server;
    return true;
}

static bool read_group(struct state *state, char *line)
{
    struct state_group group;
    if (!read_name(next_word(&line), group.name, sizeof(group.name)) ||
        !read_number(value_of(next_word(&line), "count"), SETTINGS_MAX_SERVERS, &group.count) ||
        !read_number(value_of(next_word(&line), "set"), SETTINGS_MAX_SERVERS, &group.scaled_from) || line ||
        state->group_count >= SETTINGS_MAX_GROUPS)
        return false;
    state->groups = xrealloc(state->groups, (state->group_count + 1) * sizeof(group));
    state->groups[state->group_count++] = group;
    return true;
}

static bool read_place(struct state *state, const char *path)
{
    if (state->place_count >= RUNTIME_MAX_PLACES || path[0] != '/')
        return false;
    state->places[state->place_count++] = xstrdup(path);
    return true;
}

static bool read_farm(struct state *state, char *line)
{
    int64_t stopping = 0;
    bool good = read_number(value_of(next_word(&line), "started_us"), LAST_US, &state->farm_started_at_us) &&
                read_number(value_of(next_word(&line), "stopping"), 1, &stopping);
    state->stopping = stopping == 1;
    return good &&
           read_name(value_of(next_word(&line), "enforcement"), state->enforcement, sizeof(state->enforcement)) &&
           !line;
}

/* One line behind the first two; `*whole` with the last one. */
static bool read_line(struct state *state, char *line, bool *whole)
{
    const char *kind = next_word(&line);
    if (*whole || !kind)
        return false;
    if (strcmp(kind, "end") == 0) {
        *whole = true;
        return line == NULL;
    }
    if (!line)
        return false;
    if (strcmp(kind, "farm") == 0)
        return read_farm(state, line);
    if (strcmp(kind, "place") == 0)
        return read_place(state, line);
    if (strcmp(kind, "group") == 0)
        return read_group(state, line);
    return strcmp(kind, "server") == 0 && read_server(state, line);
}

/* The next whole line, without its newline; NULL when there is none. */
static char *next_line(char **rest)
{
    char *newline = strchr(*rest, '\n');
    if (!newline)
        return NULL;
    char *line = *rest;
    *newline = '\0';
    *rest = newline + 1;
    return line;
}

static int check_first_lines(char **rest, struct error *err)
{
    int64_t version;
    const char *first = next_line(rest);
    if (!first || strncmp(first, MAGIC, strlen(MAGIC)) != 0 || !read_number(first + strlen(MAGIC), INT32_MAX, &version))
        return error_set(err, EBADMSG, "is not one of farmd");
    if (version != VERSION)
        return error_set(err, EPROTO, "is of %s version of farmd (its format is %" PRId64 ", this one's %d)",
                         version > VERSION ? "a newer" : "an older", version, VERSION);
    const char *boot = next_line(rest);
    if (!boot || strncmp(boot, "boot ", 5) != 0)
        return error_set(err, EBADMSG, "is not whole");
    return strcmp(boot + 5, boot_id()) == 0 ? 0 : error_set(err, ESTALE, "is of another boot of a machine");
}

int state_parse(char *text, size_t length, struct state **result, struct error *err)
{
    if (length == 0)
        return error_set(err, EBADMSG, "is empty");
    if (strlen(text) != length)
        return error_set(err, EBADMSG, "is not one of farmd");
    char *rest = text;
    int code = check_first_lines(&rest, err);
    if (code < 0)
        return code;
    struct state *state = xcalloc(1, sizeof(*state));
    bool whole = false, good = true;
    while (good && *rest) {
        char *line = next_line(&rest);
        good = line && read_line(state, line, &whole);
    }
    if (!good || !whole) {
        state_free(state);
        return error_set(err, EBADMSG, "is not whole");
    }
    *result = state;
    return 0;
}
