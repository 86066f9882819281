/*
 * See html_targets.h. Those that stand out come first; of thousands, only the first are shown.
 */
#include "supervisor/cli/load/html_targets.h"

#include "core/memory.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/load/html_plots.h"
#include "supervisor/cli/load/text.h"

#include <cjson/cJSON.h>
#include <math.h>

#define ROWS_MAX 500

struct rows {
    struct buffer *out;
    bool open;
    double longest_us; /* p99 of the slowest, of which the bars are a part */
    int count;
};

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static bool stands_out(const cJSON *target)
{
    return cJSON_IsString(get(target, "stands_out"));
}

static double time_of(const cJSON *target, const char *key)
{
    return view_number(get(target, "latency"), key, NAN);
}

static void append_sentences(const cJSON *targets, struct buffer *out)
{
    const cJSON *target;
    int count = 0;

    buffer_append_text(out, "<ul>");
    cJSON_ArrayForEach(target, targets)
    {
        if (!stands_out(target) || count++ >= ROWS_MAX)
            continue;
        buffer_append_text(out, "<li class=\"warn\">▲ <b>");
        html_append(out, view_text(target, "name"));
        buffer_append_text(out, "</b> stands out: ");
        html_append(out, view_text(target, "stands_out"));
        load_text_circumstances(target, out);
        buffer_append_text(out, "</li>\n");
    }
    buffer_append_text(out, "</ul>\n");
}

static void append_count(struct buffer *out, const char *class, double value)
{
    char text[LOAD_TEXT];

    buffer_printf(out, "<td class=\"%s\">%s</td>", class, load_text_count(value, text));
}

static void append_time(struct buffer *out, const char *class, double us)
{
    char text[PLOT_TEXT];

    buffer_printf(out, "<td class=\"%s\">%s</td>", class, isnan(us) ? "-" : html_time(us, text));
}

static void append_p99(const struct rows *rows, double us)
{
    char text[PLOT_TEXT];
    double share = rows->longest_us > 0 && !isnan(us) ? us / rows->longest_us : 0;

    buffer_printf(rows->out,
                  "<td>%s<svg class=\"bar more\" aria-hidden=\"true\"><rect class=\"track\" width=\"100%%\" "
                  "height=\"6\" rx=\"3\"/><rect class=\"part\" width=\"%.1f%%\" height=\"6\" rx=\"3\"/></svg></td>",
                  isnan(us) ? "-" : html_time(us, text), 100 * share);
}

static void append_row(struct rows *rows, const cJSON *target)
{
    struct buffer *out = rows->out;
    double failed = view_number(target, "failed", 0);

    if (rows->count++ >= ROWS_MAX)
        return;
    buffer_printf(out, "<tr%s><td>%s", stands_out(target) ? " class=\"warn\"" : "", stands_out(target) ? "▲ " : "");
    html_append(out, view_text(target, "name"));
    buffer_append_text(out, "</td>");
    append_count(out, "", view_number(target, "answered", 0));
    append_count(out, failed > 0 ? "bad" : "", failed);
    if (rows->open)
        append_count(out, "more", view_number(target, "dropped", 0));
    append_count(out, "more", view_number(target, "achieved_rate", 0));
    append_time(out, "more", time_of(target, "p50_us"));
    append_p99(rows, time_of(target, "p99_us"));
    append_time(out, "more", time_of(target, "max_us"));
    buffer_append_text(out, "</tr>\n");
}

void html_targets(const cJSON *result, bool open, struct buffer *out)
{
    const cJSON *targets = get(result, "targets"), *target;
    struct rows rows = {.out = out, .open = open};
    char all[LOAD_TEXT];

    if (cJSON_GetArraySize(targets) == 0)
        return;
    cJSON_ArrayForEach(target, targets) rows.longest_us = fmax(rows.longest_us, time_of(target, "p99_us"));
    buffer_append_text(out, "<section class=\"targets\"><h2>Targets</h2>\n");
    append_sentences(targets, out);
    buffer_append_text(out, "<div class=\"scroll\"><table><thead><tr><th>target</th><th>answered</th><th>failed</th>");
    if (open)
        buffer_append_text(out, "<th class=\"more\">dropped</th>");
    buffer_append_text(
        out, "<th class=\"more\">rate/s</th><th class=\"more\">p50</th><th>p99</th><th class=\"more\">max</th></tr>"
             "</thead><tbody>\n");
    cJSON_ArrayForEach(target, targets)
    {
        if (stands_out(target))
            append_row(&rows, target);
    }
    cJSON_ArrayForEach(target, targets)
    {
        if (!stands_out(target))
            append_row(&rows, target);
    }
    buffer_append_text(out, "</tbody></table></div>\n");
    if (rows.count > ROWS_MAX)
        buffer_printf(out, "<p class=\"dim\">%d of %s targets; -o csv has all</p>\n", ROWS_MAX,
                      load_text_count(rows.count, all));
    buffer_append_text(out, "</section>\n");
}
