/*
 * `farmd inspect`: all that is known of a server, beginning with why it restarted and what comes next.
 */
#include "core/memory.h"
#include "supervisor/cli/frame/acting.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/ending.h"
#include "supervisor/cli/frame/history.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/selection.h"
#include "supervisor/cli/frame/text.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/verbs.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_WIDTH 10
#define LAST_EVENTS 8
#define LAST_LINES 10

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* --- asking: one server is four answers --- */

static int ask(struct client *client, const char *target, cJSON *all, const char *key, struct error *err)
{
    struct client_answer answer;
    int code = client_ask(client, &(struct client_question){.target = target}, &answer, err);
    if (code != CLI_DONE)
        return code;
    cJSON_AddItemToObject(all, key, steal(&answer.json));
    client_answer_done(&answer);
    return CLI_DONE;
}

/* {"name": …, "server": …, "history": …, "events": …, "logs": …} behind the others. */
static int ask_all(struct client *client, const cJSON *server, cJSON *servers, struct error *err)
{
    cJSON *all = cJSON_CreateObject();
    int id = (int)view_number(server, "id", 0);
    char target[96];
    cJSON_AddItemToArray(servers, all);
    cJSON_AddStringToObject(all, "name", view_text(server, "name"));
    snprintf(target, sizeof(target), "/api/servers/%d", id);
    int code = ask(client, target, all, "server", err);
    snprintf(target, sizeof(target), "/api/servers/%d/history", id);
    code = code == CLI_DONE ? ask(client, target, all, "history", err) : code;
    snprintf(target, sizeof(target), "/api/events?server_id=%d&limit=%d", id, LAST_EVENTS);
    code = code == CLI_DONE ? ask(client, target, all, "events", err) : code;
    snprintf(target, sizeof(target), "/api/servers/%d/logs?tail=%d", id, LAST_LINES);
    return code == CLI_DONE ? ask(client, target, all, "logs", err) : code;
}

/* --- showing --- */

static void append_label(struct buffer *out, const char *label)
{
    buffer_printf(out, "  %-*s  ", LABEL_WIDTH, label);
}

/* A figure now, its last half minute and the most of that. */
static void append_use(const cJSON *all, const char *label, const char *now, const char *column, double full,
                       const char *unit, struct buffer *out)
{
    const cJSON *points = get(get(all, "history"), "points");
    double most = history_most(points, column, HISTORY_WIDTH);
    append_label(out, label);
    buffer_append_text(out, now);
    if (!isnan(most)) {
        buffer_append_text(out, "   ");
        history_append_bars(out, points, column, isnan(full) ? most : full, HISTORY_WIDTH);
        buffer_printf(out, "   most %.4g %s", most, unit);
    }
    buffer_append_char(out, '\n');
}

/* Those in force, or of one without a process those that it will have. */
static const cJSON *limits_of(const cJSON *server)
{
    return get(server, cJSON_IsNumber(get(server, "pid")) ? "limits" : "limits_configured");
}

static void append_figures(const cJSON *all, const cJSON *server, struct buffer *out)
{
    const cJSON *limits = limits_of(server);
    char text[VIEW_TEXT], second[VIEW_TEXT], third[VIEW_TEXT], now[VIEW_TEXT + 64];
    double cpu = view_number(limits, "cpu", NAN), memory = view_number(limits, "memory_mb", NAN);
    snprintf(now, sizeof(now), "%s of ", view_percent(server, "cpu_percent", text));
    size_t used = strlen(now);
    if (isnan(cpu))
        snprintf(now + used, sizeof(now) - used, "the machine");
    else
        snprintf(now + used, sizeof(now) - used, "%g CPU", cpu);
    append_use(all, "CPU", now, "cpu_percent", 100, "%", out);
    append_use(all, "throttled", view_percent(server, "throttled_percent", text), "throttled_percent", 100, "%", out);
    append_use(all, "memory", view_memory(server, text), "memory_mb", memory, "MB", out);
    append_label(out, "requests");
    buffer_printf(out, "%s/s, %s errors/s", view_rate(server, "requests_per_second", text),
                  view_rate(server, "errors_per_second", second));
    if (cJSON_IsObject(get(server, "latency")))
        buffer_printf(out, ", p50 %s, p90 %s, p99 %s", view_latency(server, "p50_ms", text),
                      view_latency(server, "p90_ms", second), view_latency(server, "p99_ms", third));
    buffer_printf(out, "; %s in all\n", view_count(server, "requests_total", text));
    append_label(out, "processes");
    buffer_printf(out, "%s of %s\n", view_count(server, "pids", text), view_count(limits, "pids", second));
}

static void append_events(const cJSON *all, struct buffer *out)
{
    const cJSON *event;
    char time[24];
    buffer_append_text(out, "  events\n");
    cJSON_ArrayForEach(event, get(get(all, "events"), "events"))
    {
        text_format_time(time, view_time(event, "at"));
        buffer_printf(out, "    %s  %-14s  ", time, view_text(event, "reason"));
        text_append(out, view_text(event, "message"), SIZE_MAX);
        buffer_append_char(out, '\n');
    }
}

static void append_log(const cJSON *all, struct buffer *out)
{
    const cJSON *line;
    buffer_append_text(out, "  log\n");
    cJSON_ArrayForEach(line, get(get(all, "logs"), "lines"))
    {
        buffer_append_text(out, "    ");
        text_append(out, cJSON_IsString(line) ? line->valuestring : "", SIZE_MAX);
        buffer_append_char(out, '\n');
    }
}

static const char *health_words(const cJSON *server)
{
    const char *health = view_health(server);
    return strcmp(health, "unknown") == 0 ? "not probed yet" : health;
}

static void append_server(const struct output *output, const cJSON *all, struct buffer *out)
{
    const cJSON *server = get(all, "server");
    int64_t now_us = view_time(server, "timestamp");
    char text[VIEW_TEXT], pid[VIEW_TEXT];
    enum paint state = view_state_paint(server), health = view_health_paint(server);
    buffer_printf(out, "%s%s%s  %s%s%s", output_paint(output, PAINT_STRONG), view_text(server, "name"),
                  output_unpaint(output, PAINT_STRONG), output_paint(output, state), view_text(server, "status"),
                  output_unpaint(output, state));
    if (strcmp(view_health(server), "-") != 0)
        buffer_printf(out, ", %s%s%s", output_paint(output, health), health_words(server),
                      output_unpaint(output, health));
    bool runs = strcmp(view_text(server, "status"), "running") == 0;
    buffer_printf(out, "%s%s   %s\n", runs ? " for " : ": ", view_since(server, now_us, text),
                  view_text(server, "url"));
    append_label(out, "last end");
    ending_append_last(server, now_us, out);
    buffer_append_char(out, '\n');
    append_label(out, "next");
    ending_append_next(server, now_us, out);
    buffer_append_char(out, '\n');
    if (strcmp(view_text(server, "health_error"), "-") != 0) {
        append_label(out, "probe");
        buffer_printf(out, "%s\n", view_text(server, "health_error"));
    }
    append_figures(all, server, out);
    append_label(out, "group");
    buffer_printf(out, "%s", view_text(server, "group"));
    buffer_printf(out, ", labels %s, pid %s", view_labels(server, text), view_count(server, "pid", pid));
    if (cJSON_IsString(get(server, "node")))
        buffer_printf(out, ", node %s", view_text(server, "node"));
    buffer_append_char(out, '\n');
    append_events(all, out);
    append_log(all, out);
}

/* --- running --- */

static int show(const struct output *output, const cJSON *answer)
{
    struct buffer out = BUFFER_EMPTY;
    const cJSON *all;
    if (output_is_machine(output)) {
        output_answer(output, answer, "servers", &out);
    } else {
        cJSON_ArrayForEach(all, get(answer, "servers"))
        {
            if (out.length > 0)
                buffer_append_char(&out, '\n');
            append_server(output, all, &out);
        }
    }
    int code = output_write(&out, NULL);
    buffer_done(&out);
    return code;
}

static int inspect(const struct output *output, struct client *client, const char *select, struct error *err)
{
    struct buffer target = BUFFER_EMPTY;
    struct client_answer list;
    const cJSON *server;
    buffer_append_text(&target, "/api/servers");
    selection_append(&target, select);
    int code = client_ask(client, &(struct client_question){.target = target.data}, &list, err);
    buffer_done(&target);
    if (code != CLI_DONE)
        return cli_fail(code, "%s", err->message);
    cJSON *answer = cJSON_CreateObject();
    cJSON *servers = cJSON_AddArrayToObject(answer, "servers");
    cJSON_ArrayForEach(server, get(list.json, "servers")) code =
        code == CLI_DONE ? ask_all(client, server, servers, err) : code;
    if (code != CLI_DONE)
        cli_fail(code, "%s", err->message);
    else if (!servers->child)
        selection_tell_nobody(select);
    if (code == CLI_DONE)
        code = show(output, answer);
    cJSON_Delete(answer);
    client_answer_done(&list);
    return code;
}

static int run(const struct cli_call *call)
{
    struct output output;
    struct client *client;
    struct error err;
    char *select = NULL;
    output_init(&output, call);
    if (selection_read(call, 0, &select, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    int code = client_open(call, &client, &err);
    if (code == CLI_DONE) {
        code = inspect(&output, client, select, &err);
        client_close(client);
    } else {
        cli_fail(code, "%s", err.message);
    }
    free(select);
    return code;
}

const struct cli_verb verb_inspect = {
    .name = "inspect",
    .section = SECTION_LOOK,
    .operands = {.usage = "SERVERS", .least = 1, .missing = ACTING_WHICH, .completes = COMPLETES_SERVERS},
    .flag_sets = {selection_flags, output_flags, client_flags},
    .summary = "all that is known of a server: why it restarted, what comes next, what it uses",
    .details =
        "First what ended it last and what its restart policy does next; then what it uses of its limits, now and in "
        "the last half minute, its last events and the last lines of its log. -o json has the API's answers "
        "about each: server, history, events, logs.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"inspect 7", "why did it restart?"},
                                             {"inspect state:backoff", "those that come back and go again"},
                                             {NULL, NULL}},
    .run = run,
};
