/*
 * See acting.h. farmd goes on with what it was asked for, whether or not anybody waits: that is said when a wait ends
 * early.
 */
#include "supervisor/cli/frame/acting.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/selection.h"
#include "supervisor/cli/frame/view.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct cli_flag acting_flags[] = {
    {.name = "--timeout",
     .kind = CLI_DURATION,
     .argument = "TIME",
     .min = 1,
     .max = 86400000,
     .help = "wait no longer than this (exit code 124); farmd goes on with what it was asked for"},
    {.name = NULL},
};

struct doing {
    const struct cli_call *call;
    const struct deed *deed;
    struct output output;
    char *select;
    int64_t began_ms;
    unsigned total; /* servers that are meant; 0: not known */
    unsigned known; /* those of which the result came */
    bool drawn;     /* the line that counts up is on the screen */
    cJSON *answer;  /* the whole of it, at the end */
};

/* --- on the way --- */

/* In place, on a terminal; 20 drawings a second are plenty. */
static void draw(struct doing *doing)
{
    static int64_t drawn_ms;
    int64_t now_ms = clock_monotonic_ms();
    if (output_is_machine(&doing->output) || !isatty(STDERR_FILENO) || now_ms - drawn_ms < 50)
        return;
    drawn_ms = now_ms;
    doing->drawn = true;
    if (doing->total > 0)
        fprintf(stderr, "\r%u of %u %s …\033[K", doing->known, doing->total, doing->deed->done);
    else
        fprintf(stderr, "\r%u %s …\033[K", doing->known, doing->deed->done);
}

static void wipe(struct doing *doing)
{
    if (doing->drawn)
        fprintf(stderr, "\r\033[K");
    doing->drawn = false;
}

/* One that failed, as soon as it is known. */
static void tell_failure(struct doing *doing, const cJSON *entry)
{
    char name[24];
    const char *message = view_text(entry, "message");
    if (strcmp(view_text(entry, "status"), "error") != 0)
        return;
    wipe(doing);
    output_server_name(entry, name);
    bool named = strncmp(message, name, strlen(name)) == 0;
    fprintf(stderr, "farmd: %s%s%s\n", named ? "" : name, named ? "" : ": ", message);
}

static int on_event(const struct client_event *event, void *data)
{
    struct doing *doing = data;
    if (strcmp(event->name, "result") == 0) {
        doing->known++;
        tell_failure(doing, event->json);
        draw(doing);
        return CLIENT_GO_ON;
    }
    if (strcmp(event->name, "begin") == 0) {
        doing->total = (unsigned)view_number(event->json, "total", 0);
        draw(doing);
        return CLIENT_GO_ON;
    }
    if (strcmp(event->name, "done") != 0)
        return CLIENT_GO_ON;
    doing->answer = cJSON_Duplicate(event->json, true);
    return CLI_DONE;
}

/* --- the end --- */

struct counts {
    unsigned total, successful, failed, untried, left_alone;
};

static struct counts count(const cJSON *answer)
{
    struct counts counts = {0};
    const cJSON *entry;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(answer, "results"))
    {
        const char *status = view_text(entry, "status");
        counts.total++;
        counts.successful += strcmp(status, "success") == 0;
        counts.failed += strcmp(status, "error") == 0;
        counts.untried += strcmp(status, "skipped") == 0;
    }
    /* What a rolling restart found stopped is skipped, too, but is no failure of it. */
    unsigned not_done = (unsigned)view_number(answer, "failed", counts.failed + counts.untried);
    unsigned untried = not_done > counts.failed ? not_done - counts.failed : 0;
    counts.left_alone = counts.untried - (untried < counts.untried ? untried : counts.untried);
    counts.untried -= counts.left_alone;
    return counts;
}

static void append_end(const struct doing *doing, const struct counts *counts, struct buffer *out)
{
    const char *done = doing->deed->done;
    char elapsed[24], name[24];
    units_format_duration(elapsed, clock_monotonic_ms() - doing->began_ms);
    const cJSON *results = cJSON_GetObjectItemCaseSensitive(doing->answer, "results");
    if (counts->total == 1 && counts->successful == 1) {
        output_server_name(results->child, name);
        buffer_printf(out, "%s %s in %s\n", name, done, elapsed);
        return;
    }
    if (counts->total == 1 && counts->failed == 1)
        return; /* its line says it all */
    if (counts->successful == counts->total)
        buffer_printf(out, "%u servers %s in %s", counts->total, done, elapsed);
    else
        buffer_printf(out, "%u of %u servers %s in %s", counts->successful, counts->total, done, elapsed);
    if (counts->failed > 0)
        buffer_printf(out, "; %u failed", counts->failed);
    if (counts->untried > 0)
        buffer_printf(out, "; %u not tried", counts->untried);
    if (counts->left_alone > 0)
        buffer_printf(out, "; %u left alone, for %s stopped or failed", counts->left_alone,
                      counts->left_alone == 1 ? "it is" : "they are");
    buffer_append_char(out, '\n');
}

static int tell_end(struct doing *doing)
{
    struct counts counts = count(doing->answer);
    struct buffer out = BUFFER_EMPTY;
    wipe(doing);
    if (output_is_machine(&doing->output))
        output_answer(&doing->output, doing->answer, "results", &out);
    else if (counts.total > 0)
        append_end(doing, &counts, &out);
    if (counts.total == 0)
        selection_tell_nobody(doing->select);
    int code = output_write(&out, NULL);
    buffer_done(&out);
    if (code != CLI_DONE || counts.failed + counts.untried == 0)
        return code;
    return counts.successful > 0 ? CLI_PARTLY : CLI_FAILED;
}

/* Why nobody waits any longer, and that the work goes on. */
static int tell_early_end(struct doing *doing, int code, const struct error *err)
{
    wipe(doing);
    const char *goes_on = code == CLI_TIMED_OUT || code == CLI_INTERRUPTED ? "; farmd goes on with it" : "";
    if (doing->known > 0)
        return cli_fail(code, "%s (%u %s so far)%s", err->message, doing->known, doing->deed->done, goes_on);
    return cli_fail(code, "%s%s", err->message, goes_on);
}

/* --- asking --- */

static int ask_once(struct doing *doing, struct client *client, const struct client_question *question,
                    struct error *err)
{
    struct client_answer answer;
    const cJSON *entry;
    int code = client_ask(client, question, &answer, err);
    if (code != CLI_DONE)
        return code;
    doing->answer = answer.json;
    answer.json = NULL;
    client_answer_done(&answer);
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(doing->answer, "results")) tell_failure(doing, entry);
    return CLI_DONE;
}

static int act(struct doing *doing, struct client *client)
{
    const struct deed *deed = doing->deed;
    struct buffer target = BUFFER_EMPTY;
    struct error err;
    if (doing->select)
        cJSON_AddStringToObject(deed->body, deed->field, doing->select);
    char *body = cJSON_PrintUnformatted(deed->body);
    buffer_printf(&target, "%s%s", deed->target, deed->follow ? "?follow=true" : "");
    const struct client_question question = {
        .method = deed->method ? deed->method : "POST",
        .target = target.data,
        .body = body,
        .acts = true,
        .timeout_ms = cli_duration_ms(doing->call, "--timeout"),
    };
    doing->began_ms = clock_monotonic_ms();
    int code = deed->follow ? client_follow(client, &question, NULL, on_event, doing, &err)
                            : ask_once(doing, client, &question, &err);
    code = code == CLI_DONE ? tell_end(doing) : tell_early_end(doing, code, &err);
    cJSON_free(body);
    buffer_done(&target);
    return code;
}

int acting_run(const struct cli_call *call, const struct deed *deed)
{
    struct doing doing = {.call = call, .deed = deed};
    struct client *client = NULL;
    struct error err;
    output_init(&doing.output, call);
    int code = selection_read(call, 0, &doing.select, &err) < 0 ? CLI_USAGE : client_open(call, &client, &err);
    if (code == CLI_DONE)
        code = act(&doing, client);
    else
        cli_fail(code, "%s", err.message);
    client_close(client);
    cJSON_Delete(doing.answer);
    cJSON_Delete(deed->body);
    free(doing.select);
    return code;
}
