/*
 * `farmd health`: probes every server now.
 */
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/listing.h"
#include "supervisor/cli/frame/selection.h"
#include "supervisor/cli/frame/table.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/verbs.h"

#include <cjson/cJSON.h>
#include <string.h>

static const struct table_column columns[] = {
    {.title = "ID", .right = true},
    {.title = "NAME", .dispensable = 1},
    {.title = "HEALTH"},
    {.title = "TOOK", .right = true, .dispensable = 2},
    {.title = "ERROR", .least = 12},
};

static enum paint paint_of(const char *status)
{
    if (strcmp(status, "healthy") == 0)
        return PAINT_GOOD;
    return strcmp(status, "degraded") == 0 ? PAINT_WARN : PAINT_BAD;
}

static void add_row(struct table *table, const cJSON *entry)
{
    char name[24], text[VIEW_TEXT];
    const char *status = view_text(entry, "status");
    bool asked = view_number(entry, "response_time_ms", 0) > 0; /* one that does not run is not */
    output_server_name(entry, name);
    table_cell(table, PAINT_PLAIN, "%d", (int)view_number(entry, "server_id", 0));
    table_cell(table, PAINT_STRONG, "%s", name);
    table_cell(table, paint_of(status), "%s", status);
    table_cell(table, PAINT_PLAIN, "%s", asked ? view_ms(entry, "response_time_ms", text) : "-");
    table_cell(table, PAINT_PLAIN, "%s", view_text(entry, "error"));
}

static void show(const struct output *output, const cJSON *answer, struct buffer *out)
{
    struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
    const cJSON *entry;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(answer, "servers")) add_row(table, entry);
    table_append(table, output, out);
    if (output->headers)
        buffer_printf(out, "%zu probed: %.0f healthy, %.0f degraded, %.0f failed\n", table_rows(table),
                      view_number(answer, "healthy", 0), view_number(answer, "degraded", 0),
                      view_number(answer, "unhealthy", 0));
    table_free(table);
}

static int verdict(const cJSON *answer)
{
    return view_number(answer, "unhealthy", 0) > 0 ? CLI_FAILED : CLI_DONE;
}

static int run(const struct cli_call *call)
{
    static const struct listing listing = {
        .target = "/api/health", .list = "servers", .show = show, .verdict = verdict};
    return listing_run(call, &listing);
}

const struct cli_verb verb_health = {
    .name = "health",
    .section = SECTION_LOOK,
    .operands = {.usage = "[SERVERS]", .completes = COMPLETES_SERVERS},
    .flag_sets = {selection_flags, output_flags, listing_flags, client_flags},
    .summary = "probe servers now; exit code 1 if one fails",
    .details =
        "Asks each server's health check at this moment, all in parallel, for at most 3 s. Degraded (over 80 % of a "
        "limit) passes; a server that does not run fails.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"health", "every server"},
                                             {"health -l zone=a && deploy", "go on only if this zone is well"},
                                             {NULL, NULL}},
    .run = run,
};
