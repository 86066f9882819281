/*
 * See snapshot.h.
 */
#include "supervisor/cli/top/snapshot.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The order in which states and healths need a person. */
static unsigned trouble_of(const char *word)
{
    static const struct {
        const char *word;
        unsigned trouble;
    } troubles[] = {{"failed", 9},   {"backoff", 8},  {"unhealthy", 7}, {"degraded", 6},
                    {"stopping", 4}, {"starting", 3}, {"paused", 2},    {"stopped", 1}};
    for (size_t i = 0; i < ARRAY_SIZE(troubles); i++) {
        if (strcmp(word, troubles[i].word) == 0)
            return troubles[i].trouble;
    }
    return 0;
}

/* "OOMKilled, next try in 3.2 s" */
static void read_why(const cJSON *server, int64_t now_us, struct snapshot_row *row)
{
    char text[VIEW_TEXT], gap[24];
    int64_t next_us = view_time(server, "next_restart_at");
    const char *reason = view_text(cJSON_GetObjectItemCaseSensitive(server, "last_exit"), "reason");
    snprintf(row->since, sizeof(row->since), "%s", view_since(server, now_us, text));
    snprintf(row->brief, sizeof(row->brief), "%s", row->since);
    if (next_us == 0)
        return;
    units_format_duration(gap, next_us > now_us ? (next_us - now_us) / (US_PER_SECOND / MS_PER_SECOND) : 0);
    snprintf(row->brief, sizeof(row->brief), "%s, next try in %s", reason, gap);
}

static void read_row(const cJSON *server, int64_t now_us, struct snapshot_row *row)
{
    row->id = (int)view_number(server, "id", 0);
    snprintf(row->name, sizeof(row->name), "%s", view_text(server, "name"));
    if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(server, "node")))
        snprintf(row->node, sizeof(row->node), "%s", view_text(server, "node"));
    snprintf(row->state, sizeof(row->state), "%s", view_text(server, "status"));
    snprintf(row->health, sizeof(row->health), "%s", view_health(server));
    row->state_paint = view_state_paint(server);
    row->health_paint = view_health_paint(server);
    bool runs = strcmp(row->health, "-") != 0;
    row->trouble = trouble_of(runs ? row->health : row->state);
    row->health_trouble = runs ? row->trouble : NAN;
    row->cpu = view_number(server, "cpu_percent", NAN);
    row->throttled = isnan(row->cpu) ? NAN : view_number(server, "throttled_percent", NAN);
    row->memory = view_number(server, "memory_percent", NAN);
    row->memory_mb = view_number(server, "memory_mb", NAN);
    row->memory_limit_mb = view_number(cJSON_GetObjectItemCaseSensitive(server, "limits"), "memory_mb", NAN);
    row->rate = isnan(row->cpu) ? NAN : view_number(server, "requests_per_second", NAN);
    row->errors = view_number(server, "errors_per_second", 0);
    row->p99_ms = view_number(cJSON_GetObjectItemCaseSensitive(server, "latency"), "p99_ms", NAN);
    row->restarts = (int)view_number(server, "restarts", 0);
    row->uptime_seconds = view_number(server, "uptime_seconds", 0);
    read_why(server, now_us, row);
}

static int by_id(const void *a, const void *b)
{
    const struct snapshot_row *one = a, *other = b;
    return (one->id > other->id) - (one->id < other->id);
}

static void read_count(const struct view_count *count, void *data)
{
    struct snapshot *snapshot = data;
    snapshot->counts[snapshot->count_count++] = *count;
}

static void read_totals(const cJSON *answer, struct snapshot *snapshot)
{
    const cJSON *totals = cJSON_GetObjectItemCaseSensitive(answer, "totals");
    view_counts(totals, read_count, snapshot);
    snapshot->cpu_cores = view_number(totals, "cpu_cores", 0);
    snapshot->cpu_limit = view_number(totals, "cpu_limit", NAN);
    snapshot->memory_mb = view_number(totals, "memory_mb", 0);
    snapshot->memory_limit_mb = view_number(totals, "memory_limit_mb", NAN);
    snapshot->rate = view_number(totals, "requests_per_second", 0);
    snapshot->errors = view_number(totals, "errors_per_second", 0);
    snapshot->total = (int)view_number(answer, "total_servers", 0);
    snapshot->at_us = view_time(answer, "timestamp");
    snprintf(snapshot->enforcement, sizeof(snapshot->enforcement), "%s", view_text(answer, "enforcement"));
}

/* --- the list, a server at a time: as one tree, five thousand of them would take 150 MB --- */

/* Behind a string's end. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && strchr(" \t\r\n", *at))
        at++;
    return at;
}

/* Whether a key at `at` is "servers" and an array follows; then where that begins. */
static const char *array_of_servers(const char *at, const char *end)
{
    static const char key[] = "\"servers\"";
    size_t length = sizeof(key) - 1;
    if ((size_t)(end - at) < length || memcmp(at, key, length) != 0)
        return NULL;
    at = skip_blanks(at + length, end);
    if (at == end || *at != ':')
        return NULL;
    at = skip_blanks(at + 1, end);
    return at < end && *at == '[' ? at : NULL;
}

/* The array of the outermost object's member; NULL when it has none. */
static const char *find_servers(const char *text, const char *end)
{
    int depth = 0;
    for (const char *at = text; at < end;) {
        const char *found = *at == '"' && depth == 1 ? array_of_servers(at, end) : NULL;
        if (found)
            return found;
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        at = *at == '"' ? skip_string(at, end) : at + 1;
    }
    return NULL;
}

static void add_row(struct snapshot *snapshot, cJSON *server)
{
    if (snapshot->count == snapshot->room) {
        snapshot->room = snapshot->room > 0 ? 2 * snapshot->room : 64;
        snapshot->rows = xrealloc(snapshot->rows, snapshot->room * sizeof(*snapshot->rows));
    }
    snapshot->rows[snapshot->count] = (struct snapshot_row){.id = 0};
    struct snapshot_row *row = &snapshot->rows[snapshot->count++];
    read_row(server, snapshot->at_us, row);
    snapshot->has_nodes = snapshot->has_nodes || row->node[0] != '\0';
    cJSON_Delete(snapshot->single);
    snapshot->single = server;
}

/* Reads the elements of an array; where it ends, or NULL when it is none. */
static const char *read_servers(struct snapshot *snapshot, const char *at, const char *end)
{
    at = skip_blanks(at + 1, end);
    while (at < end && *at != ']') {
        cJSON *server = cJSON_ParseWithLengthOpts(at, (size_t)(end - at), &at, false);
        if (!server)
            return NULL;
        add_row(snapshot, server);
        at = skip_blanks(at, end);
        if (at < end && *at == ',')
            at = skip_blanks(at + 1, end);
    }
    return at < end ? at + 1 : NULL;
}

/* Where the array of servers ends, without reading any. */
static const char *skip_servers(const char *at, const char *end)
{
    int depth = 0;
    while (at < end) {
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        at = *at == '"' ? skip_string(at, end) : at + 1;
        if (depth == 0)
            return at;
    }
    return NULL;
}

/* All but the servers, whose place an empty array takes. */
static cJSON *parse_rest(const char *text, size_t before, const char *behind, const char *end)
{
    struct buffer rest = BUFFER_EMPTY;
    buffer_append(&rest, text, before);
    buffer_append_text(&rest, "[]");
    buffer_append(&rest, behind, (size_t)(end - behind));
    cJSON *answer = cJSON_ParseWithLength(rest.data, rest.length);
    buffer_done(&rest);
    return answer;
}

struct snapshot *snapshot_parse(const char *text, size_t length)
{
    const char *end = text + length, *servers = find_servers(text, end);
    const char *behind = servers ? skip_servers(servers, end) : NULL;
    cJSON *answer = behind ? parse_rest(text, (size_t)(servers - text), behind, end) : NULL;
    if (!answer)
        return NULL;
    struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));
    read_totals(answer, snapshot);
    cJSON_Delete(answer);
    if (!read_servers(snapshot, servers, end)) {
        snapshot_free(snapshot);
        return NULL;
    }
    if (snapshot->count > 0)
        qsort(snapshot->rows, snapshot->count, sizeof(*snapshot->rows), by_id);
    if (snapshot->count > 1) {
        cJSON_Delete(snapshot->single);
        snapshot->single = NULL;
    }
    return snapshot;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (!snapshot)
        return;
    cJSON_Delete(snapshot->single);
    free(snapshot->rows);
    free(snapshot);
}

const struct snapshot_row *snapshot_find(const struct snapshot *snapshot, int id)
{
    const struct snapshot_row key = {.id = id};
    return snapshot && snapshot->count > 0 ? bsearch(&key, snapshot->rows, snapshot->count, sizeof(key), by_id) : NULL;
}
