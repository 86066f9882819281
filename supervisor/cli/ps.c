/*
 * `farmd ps`: every server and how it does, in one request.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/listing.h"
#include "supervisor/cli/frame/selection.h"
#include "supervisor/cli/frame/table.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/verbs.h"

#include <cjson/cJSON.h>
#include <string.h>

#define NODE 12 /* of the columns */

static const struct table_column columns[] = {
    {.title = "ID", .right = true},
    {.title = "NAME", .dispensable = 2},
    {.title = "STATE"},
    {.title = "HEALTH"},
    {.title = "CPU", .right = true, .dispensable = 1},
    {.title = "THROTTLED", .right = true, .dispensable = 6},
    {.title = "MEMORY", .dispensable = 3},
    {.title = "REQ/S", .right = true, .dispensable = 4},
    {.title = "P99", .right = true, .wide = true, .dispensable = 7},
    {.title = "RESTARTS", .right = true, .dispensable = 5},
    {.title = "PORT", .right = true, .wide = true, .dispensable = 8},
    {.title = "PID", .right = true, .wide = true, .dispensable = 9},
    {.title = "NODE", .wide = true, .dispensable = 12},
    {.title = "GROUP", .wide = true, .dispensable = 10},
    {.title = "LABELS", .wide = true, .least = 8, .dispensable = 11},
    {.title = "UP", .least = 12},
};

static void add_row(struct table *table, const cJSON *server, int64_t now_us)
{
    char text[VIEW_TEXT];
    table_cell(table, PAINT_PLAIN, "%d", (int)view_number(server, "id", 0));
    table_cell(table, PAINT_STRONG, "%s", view_text(server, "name"));
    table_cell(table, view_state_paint(server), "%s", view_text(server, "status"));
    table_cell(table, view_health_paint(server), "%s", view_health(server));
    table_cell(table, view_load_paint(server, "cpu_percent"), "%s", view_percent(server, "cpu_percent", text));
    table_cell(table, PAINT_PLAIN, "%s", view_percent(server, "throttled_percent", text));
    table_cell(table, view_load_paint(server, "memory_percent"), "%s", view_memory(server, text));
    table_cell(table, PAINT_PLAIN, "%s", view_rate(server, "requests_per_second", text));
    table_cell(table, PAINT_PLAIN, "%s", view_latency(server, "p99_ms", text));
    table_cell(table, PAINT_PLAIN, "%d", (int)view_number(server, "restarts", 0));
    table_cell(table, PAINT_PLAIN, "%d", (int)view_number(server, "port", 0));
    table_cell(table, PAINT_PLAIN, "%s", view_count(server, "pid", text));
    table_cell(table, PAINT_PLAIN, "%s", view_text(server, "node"));
    table_cell(table, PAINT_PLAIN, "%s", view_text(server, "group"));
    table_cell(table, PAINT_PLAIN, "%s", view_labels(server, text));
    table_cell(table, PAINT_PLAIN, "%s", view_since(server, now_us, text));
}

static bool on_nodes(const cJSON *servers)
{
    const cJSON *server;
    cJSON_ArrayForEach(server, servers)
    {
        if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(server, "node")))
            return true;
    }
    return false;
}

/* Where servers have nodes, these are shown also when nobody asks for the wide table. */
static void show(const struct output *output, const cJSON *answer, struct buffer *out)
{
    const cJSON *servers = cJSON_GetObjectItemCaseSensitive(answer, "servers"), *server;
    struct table_column shown[ARRAY_SIZE(columns)];
    memcpy(shown, columns, sizeof(columns));
    shown[NODE].wide = !on_nodes(servers);
    struct table *table = table_new(shown, ARRAY_SIZE(shown));
    int64_t now_us = view_time(answer, "timestamp");
    cJSON_ArrayForEach(server, servers) add_row(table, server, now_us);
    table_append(table, output, out);
    if (output->headers)
        view_summary(output, answer, table_rows(table), out);
    table_free(table);
}

static int run(const struct cli_call *call)
{
    static const struct listing listing = {.target = "/api/servers", .list = "servers", .show = show};
    return listing_run(call, &listing);
}

const struct cli_verb verb_ps = {
    .name = "ps",
    .section = SECTION_LOOK,
    .operands = {.usage = "[SERVERS]", .completes = COMPLETES_SERVERS},
    .flag_sets = {selection_flags, output_flags, listing_flags, client_flags},
    .summary = "the servers and how they do",
    .details =
        "CPU and memory are of the server's own limit; THROTTLED is the share of time in which its limit held it back. "
        "The line below counts the whole farm.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"ps", "every server"},
                                             {"ps 1-10,20", "some of them"},
                                             {"ps state:unhealthy", "those that fail their probes"},
                                             {"ps 'cpu>80' --watch", "those that are busy, again every second"},
                                             {"ps -o json | jq '.servers[].pid'", "for a script"},
                                             {NULL, NULL}},
    .run = run,
};
