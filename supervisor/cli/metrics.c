/*
 * `farmd metrics`: the farm's figures in one small table.
 */
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/listing.h"
#include "supervisor/cli/frame/selection.h"
#include "supervisor/cli/frame/table.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/verbs.h"

#include <cjson/cJSON.h>

static const struct table_column columns[] = {
    {.title = "FIGURE"},
    {.title = "AVERAGE", .right = true},
    {.title = "LEAST", .right = true},
    {.title = "MOST", .right = true},
};

static void add_row(struct table *table, const char *name, const cJSON *spread)
{
    char text[VIEW_TEXT];
    table_cell(table, PAINT_STRONG, "%s", name);
    table_cell(table, PAINT_PLAIN, "%s", view_percent(spread, "average", text));
    table_cell(table, PAINT_PLAIN, "%s", view_percent(spread, "min", text));
    table_cell(table, PAINT_PLAIN, "%s", view_percent(spread, "max", text));
}

static void show(const struct output *output, const cJSON *answer, struct buffer *out)
{
    const cJSON *figures = cJSON_GetObjectItemCaseSensitive(answer, "aggregated_metrics");
    if (!figures) {
        buffer_printf(out, "%s\n", view_text(answer, "error"));
        return;
    }
    struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
    add_row(table, "CPU of the limit", cJSON_GetObjectItemCaseSensitive(figures, "cpu"));
    add_row(table, "memory of the limit", cJSON_GetObjectItemCaseSensitive(figures, "memory"));
    table_append(table, output, out);
    table_free(table);
    if (output->headers)
        buffer_printf(out, "%.0f requests answered by %.0f of %.0f servers\n",
                      view_number(figures, "total_requests", 0), view_number(answer, "responding_servers", 0),
                      view_number(answer, "total_servers", 0));
}

static int verdict(const cJSON *answer)
{
    return cJSON_GetObjectItemCaseSensitive(answer, "aggregated_metrics") ? CLI_DONE : CLI_FAILED;
}

static int run(const struct cli_call *call)
{
    static const struct listing listing = {.target = "/api/metrics", .show = show, .verdict = verdict};
    return listing_run(call, &listing);
}

const struct cli_verb verb_metrics = {
    .name = "metrics",
    .section = SECTION_LOOK,
    .operands = {.usage = "[SERVERS]", .completes = COMPLETES_SERVERS},
    .flag_sets = {selection_flags, output_flags, listing_flags, client_flags},
    .summary = "the farm's figures: average, least and most",
    .details = "As the servers tell them at this moment; 100 % is all of a server's own limit. `farmd ps -o wide` has "
               "each server's. Exit code 1: no server answered.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"metrics", "the whole farm"},
                                             {"metrics group:web --watch", "one group, again every second"},
                                             {NULL, NULL}},
    .run = run,
};
