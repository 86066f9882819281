/*
 * See farm_run.h. The farm goes on with a test whether or not anybody watches, so a connection that breaks loses nothing:
 * following_run comes back to it.
 */
#include "supervisor/cli/load/farm_run.h"

#include "core/memory.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/frame/following.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/load/progress.h"

#include <cjson/cJSON.h>
#include <string.h>

#define CANCEL_MS 60000 /* a farm that takes longer hangs */

struct watching {
    double total_seconds; /* 0: until its requests are made */
    bool quiet;
    cJSON *ended;
};

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* An answer that is a test; taken over. */
static int test_of(struct client_answer *answer, cJSON **test)
{
    *test = steal(&answer->json);
    client_answer_done(answer);
    return CLI_DONE;
}

static char *target_of(const char *id, const char *query)
{
    struct buffer target = BUFFER_EMPTY;

    buffer_append_text(&target, LOAD_TESTS "/");
    for (const char *c = id; *c; c++) { /* a slash is none of the path's here */
        char one[2] = {*c, '\0'};
        if (*c == '/')
            buffer_append_text(&target, "%2F");
        else
            client_encode(&target, one);
    }
    buffer_append_text(&target, query);
    return buffer_detach(&target);
}

int farm_run_begin(struct client *client, const cJSON *body, cJSON **test, struct error *err)
{
    char *text = cJSON_PrintUnformatted(body);
    const struct client_question question = {.method = "POST", .target = LOAD_TESTS, .body = text};
    struct client_answer answer;

    int code = client_ask(client, &question, &answer, err);
    cJSON_free(text);
    return code == CLI_DONE ? test_of(&answer, test) : code;
}

int farm_run_get(struct client *client, const char *id, cJSON **test, struct error *err)
{
    cleanup_free char *target = target_of(id, "");
    const struct client_question question = {.target = target};
    struct client_answer answer;

    int code = client_ask(client, &question, &answer, err);
    return code == CLI_DONE ? test_of(&answer, test) : code;
}

int farm_run_cancel(struct client *client, const char *id, cJSON **ended, struct error *err)
{
    cleanup_free char *target = target_of(id, "");
    const struct client_question question = {.method = "DELETE", .target = target, .timeout_ms = CANCEL_MS};
    struct client_answer answer;

    int code = client_ask(client, &question, &answer, err);
    return code == CLI_DONE ? test_of(&answer, ended) : code;
}

static void show(const struct watching *watching, const cJSON *progress)
{
    const cJSON *total = get(progress, "total");
    const struct load_moment moment = {
        .seconds = view_number(progress, "seconds", 0),
        .total_seconds = watching->total_seconds,
        .answered = view_number(total, "answered", 0),
        .failed = view_number(total, "failed", 0),
        .rate = view_number(get(progress, "point"), "answered", 0),
        .p50_us = view_number(total, "p50_us", 0),
        .p99_us = view_number(total, "p99_us", 0),
    };

    if (!watching->quiet)
        load_progress_show(&moment);
}

static int on_event(const struct client_event *event, void *data)
{
    struct watching *watching = data;

    if (strcmp(event->name, "progress") == 0)
        show(watching, event->json);
    if (strcmp(event->name, "done") != 0)
        return CLIENT_GO_ON;
    watching->ended = cJSON_Duplicate(event->json, true);
    return CLI_DONE;
}

/* What became of a test whose end was not seen. The farm's own end has been told. */
static int tell_loss(const char *id, int code, const struct error *err)
{
    if (code == CLI_DONE)
        return CLI_UNREACHABLE;
    if (code == CLI_INTERRUPTED)
        return cli_fail(code, "interrupted; the farm goes on with load test %s: farmd load show %s", id, id);
    return cli_fail(code == CLI_USAGE ? CLI_FAILED : code, "load test %s: %s", id, err->message); /* it was there */
}

int farm_run_watch(struct client *client, const cJSON *test, bool quiet, bool cancels, cJSON **ended)
{
    const char *id = view_text(test, "id");
    struct watching watching = {.quiet = quiet, .total_seconds = view_number(get(test, "plan"), "duration_seconds", 0)};
    cleanup_free char *target = target_of(id, "?follow=true");
    struct error err;

    int code = following_run(client, target, on_event, &watching, &err);
    if (!quiet)
        load_progress_clear();
    if (code == CLI_INTERRUPTED && cancels) {
        client_go_on(client);
        int cancelled = farm_run_cancel(client, id, &watching.ended, &err);
        code = cancelled == CLI_DONE ? CLI_INTERRUPTED : cancelled;
    }
    *ended = watching.ended;
    return watching.ended ? code : tell_loss(id, code, &err);
}
