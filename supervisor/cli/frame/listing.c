/*
 * See listing.h. Watched on a terminal, the page is drawn over the one before; elsewhere pages follow each other.
 */
#include "supervisor/cli/frame/listing.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/selection.h"
#include "supervisor/cli/frame/text.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cli_flag listing_flags[] = {
    {.name = "--watch", .letter = 'w', .kind = CLI_SWITCH, .help = "again and again, until Ctrl-C"},
    {.name = "--interval",
     .kind = CLI_DURATION,
     .argument = "TIME",
     .min = 100,
     .max = 3600000,
     .preset = "1s",
     .help = "how often --watch asks"},
    {.name = NULL},
};

struct page {
    const struct cli_call *call;
    const struct listing *listing;
    struct output output;
    char *select; /* NULL: all */
    char *target;
    bool drawn; /* one before this */
};

/* An answer without a list of servers that is bad may be so for want of servers. */
static bool nobody_is_meant(const struct page *page, struct client *client, const cJSON *answer)
{
    const struct listing *listing = page->listing;
    const cJSON *entries = cJSON_GetObjectItemCaseSensitive(answer, listing->list);
    if (listing->list)
        return page->select && cJSON_IsArray(entries) && !entries->child;
    return listing->verdict && listing->verdict(answer) != CLI_DONE && selection_is_nobody(client, page->select);
}

static size_t count_lines(const struct buffer *text)
{
    size_t lines = 0;
    for (size_t i = 0; i < text->length; i++)
        lines += text->data[i] == '\n';
    return lines;
}

/* One line, cleared to its end; returns what follows it. */
static const char *draw_line(const char *line, struct buffer *out)
{
    size_t length = strcspn(line, "\n");
    buffer_append(out, line, length);
    buffer_append_text(out, "\033[K\n");
    return line + length + (line[length] == '\n');
}

/* Lines of `text`, each cleared to its end, as many as the terminal has. Of more the last one stays, which sums up, and
 * the one before it says what is missing. */
static void draw_over(const struct page *page, const struct buffer *text, struct buffer *out)
{
    char now[24];
    size_t lines = count_lines(text), room = page->output.height > 4 ? page->output.height - 2 : 2;
    size_t hidden = lines > room ? lines - room + 1 : 0;
    text_format_time(now, clock_realtime_us());
    buffer_append_text(out, page->drawn ? "\033[H" : "\033[H\033[2J");
    buffer_printf(out, "%sfarmd %s · %s · Ctrl-C ends%s\033[K\n", output_paint(&page->output, PAINT_FAINT),
                  page->call->verb->name, now, output_unpaint(&page->output, PAINT_FAINT));
    const char *line = text->data;
    for (size_t at = 0; at < lines; at++) {
        bool shown = hidden == 0 || at < room - 2 || at == lines - 1;
        if (shown)
            line = draw_line(line, out);
        else
            line += strcspn(line, "\n") + 1;
        if (hidden > 0 && at == room - 2)
            buffer_printf(out, "%s… %zu more; a taller window or a selection shows them%s\033[K\n",
                          output_paint(&page->output, PAINT_FAINT), hidden, output_unpaint(&page->output, PAINT_FAINT));
    }
    buffer_append_text(out, "\033[J");
}

static int print(struct page *page, const cJSON *answer, bool nobody, bool watching, bool *closed)
{
    struct buffer text = BUFFER_EMPTY, screen = BUFFER_EMPTY;
    const struct output *output = &page->output;
    bool over = watching && output->terminal && !output_is_machine(output);
    if (output_is_machine(output))
        output_answer(output, answer, page->listing->list, &text);
    else if (!nobody)
        page->listing->show(output, answer, &text);
    if (nobody && over)
        buffer_printf(&text, "no server is %s\n", page->select);
    else if (nobody && !page->drawn)
        selection_tell_nobody(page->select);
    if (over)
        draw_over(page, &text, &screen);
    int code = output_write(over ? &screen : &text, closed);
    page->drawn = true;
    buffer_done(&text);
    buffer_done(&screen);
    return code;
}

static int ask_and_print(struct page *page, struct client *client, bool watching, bool *closed)
{
    struct client_answer answer;
    struct error err;
    int code = client_ask(client, &(struct client_question){.target = page->target}, &answer, &err);
    if (code != CLI_DONE)
        return code == CLI_INTERRUPTED ? code : cli_fail(code, "%s", err.message);
    output_measure(&page->output);
    bool nobody = nobody_is_meant(page, client, answer.json);
    code = print(page, answer.json, nobody, watching, closed);
    if (code == CLI_DONE && !nobody && page->listing->verdict)
        code = page->listing->verdict(answer.json);
    client_answer_done(&answer);
    return code;
}

static int run(struct page *page, struct client *client)
{
    bool watching = cli_given(page->call, "--watch"), closed = false;
    int64_t interval_ms = cli_duration_ms(page->call, "--interval");
    int code = ask_and_print(page, client, watching, &closed);
    while (watching && !closed && code != CLI_INTERRUPTED && code != CLI_UNREACHABLE && code != CLI_USAGE) {
        code = client_sleep(client, interval_ms);
        if (code == CLI_DONE)
            code = ask_and_print(page, client, true, &closed);
    }
    return code;
}

int listing_run(const struct cli_call *call, const struct listing *listing)
{
    struct page page = {.call = call, .listing = listing};
    struct buffer target = BUFFER_EMPTY;
    struct client *client;
    struct error err;
    output_init(&page.output, call);
    if (selection_read(call, 0, &page.select, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    buffer_append_text(&target, listing->target);
    selection_append(&target, page.select);
    page.target = target.data;
    int code = client_open(call, &client, &err);
    if (code == CLI_DONE) {
        code = run(&page, client);
        client_close(client);
    } else {
        cli_fail(code, "%s", err.message);
    }
    buffer_done(&target);
    free(page.select);
    return code;
}
