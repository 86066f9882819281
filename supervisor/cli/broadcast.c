/*
 * `farmd broadcast`: one request to many servers.
 */
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/render.h"
#include "supervisor/cli/frame/selection.h"
#include "supervisor/cli/frame/table.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/verbs.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_flag flags[] = {
    {.name = "--method",
     .letter = 'X',
     .kind = CLI_WORD,
     .argument = "METHOD",
     .words = "GET HEAD POST PUT PATCH DELETE OPTIONS",
     .preset = "GET",
     .help = "of the request"},
    {.name = "--header",
     .letter = 'H',
     .kind = CLI_TEXT,
     .argument = "'NAME: VALUE'",
     .repeats = true,
     .help = "one more"},
    {.name = "--body", .letter = 'd', .kind = CLI_TEXT, .argument = "TEXT", .help = "of the request"},
    {.name = "--timeout",
     .kind = CLI_DURATION,
     .argument = "TIME",
     .min = 100,
     .max = 300000,
     .preset = "10s",
     .help = "for each server"},
    {.name = NULL},
};

static const struct table_column columns[] = {
    {.title = "ID", .right = true},
    {.title = "NAME", .dispensable = 1},
    {.title = "RESULT"},
    {.title = "ANSWER", .least = 20},
};

/* The entry of a server that failed is an object with nothing but `error`. */
static const char *error_of(const cJSON *result)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(result, "error");
    bool alone = cJSON_IsString(error) && !error->prev->next && error == result->child && !error->next;
    return alone ? error->valuestring : NULL;
}

static void show(const struct output *output, const cJSON *answer, struct buffer *out)
{
    struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(answer, "server_ids")->child, *result;
    cJSON_ArrayForEach(result, cJSON_GetObjectItemCaseSensitive(answer, "results"))
    {
        struct buffer text = BUFFER_EMPTY;
        const char *error = error_of(result);
        if (!error)
            render_json_line(&text, result);
        table_cell(table, PAINT_PLAIN, "%d", id ? id->valueint : 0);
        table_cell(table, PAINT_STRONG, "server-%d", id ? id->valueint : 0);
        table_cell(table, error ? PAINT_BAD : PAINT_GOOD, "%s", error ? "error" : "200");
        table_cell(table, PAINT_PLAIN, "%s", error ? error : text.data);
        buffer_done(&text);
        id = id ? id->next : NULL;
    }
    table_append(table, output, out);
    if (output->headers)
        buffer_printf(out, "%.0f of %.0f answered 200\n", view_number(answer, "successful_responses", 0),
                      view_number(answer, "total_servers", 0));
    table_free(table);
}

static int verdict(const cJSON *answer)
{
    double failed = view_number(answer, "failed_responses", 0);
    if (failed == 0)
        return CLI_DONE;
    return view_number(answer, "successful_responses", 0) > 0 ? CLI_PARTLY : CLI_FAILED;
}

/* "Name: value" */
static int add_header(cJSON *headers, const char *text, struct error *err)
{
    size_t length = strcspn(text, ":");
    if (text[length] != ':' || length == 0)
        return error_set(err, EINVAL, "--header: \"%.60s\" is not a header; write 'Name: value'", text);
    cleanup_free char *name = xstrndup(text, length);
    const char *value = text + length + 1;
    cJSON_AddStringToObject(headers, name, value + strspn(value, " "));
    return 0;
}

static int make_body(const struct cli_call *call, char **body, struct error *err)
{
    cJSON *root = cJSON_CreateObject(), *headers = cJSON_AddObjectToObject(root, "headers");
    int code = 0;
    const char *text;
    cJSON_AddStringToObject(root, "endpoint", call->operands[0]);
    cJSON_AddStringToObject(root, "method", cli_text(call, "--method"));
    cJSON_AddNumberToObject(root, "timeout", (double)cli_duration_ms(call, "--timeout") / 1000);
    if (cli_given(call, "--body"))
        cJSON_AddStringToObject(root, "body", cli_text(call, "--body"));
    for (size_t i = 0; code == 0 && (text = cli_text_at(call, "--header", i)) != NULL; i++)
        code = add_header(headers, text, err);
    if (code == 0)
        *body = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return code;
}

static void print(const struct output *output, const cJSON *answer, const char *select, struct buffer *out)
{
    bool nobody = view_number(answer, "total_servers", 0) == 0;
    if (output_is_machine(output))
        output_answer(output, answer, "results", out);
    else if (!nobody)
        show(output, answer, out);
    if (nobody)
        selection_tell_nobody(select);
}

static int ask(const struct cli_call *call, const struct output *output, const char *select, const char *body)
{
    struct buffer target = BUFFER_EMPTY;
    struct client *client;
    struct client_answer answer;
    struct buffer out = BUFFER_EMPTY;
    struct error err;
    int code = client_open(call, &client, &err);
    if (code != CLI_DONE)
        return cli_fail(code, "%s", err.message);
    buffer_append_text(&target, "/api/broadcast");
    selection_append(&target, select);
    const struct client_question question = {.method = "POST", .target = target.data, .body = body, .acts = true};
    code = client_ask(client, &question, &answer, &err);
    if (code == CLI_DONE) {
        print(output, answer.json, select, &out);
        code = output_write(&out, NULL);
        code = code == CLI_DONE ? verdict(answer.json) : code;
        client_answer_done(&answer);
    } else {
        cli_fail(code, "%s", err.message);
    }
    buffer_done(&out);
    buffer_done(&target);
    client_close(client);
    return code;
}

static int run(const struct cli_call *call)
{
    struct output output;
    struct error err;
    char *select = NULL, *body = NULL;
    output_init(&output, call);
    if (call->operands[0][0] != '/')
        return cli_fail(CLI_USAGE, "\"%.60s\" is not a path; it begins with /: farmd broadcast /health 1-10",
                        call->operands[0]);
    if (selection_read(call, 1, &select, &err) < 0 || make_body(call, &body, &err) < 0) {
        free(select);
        return cli_fail(CLI_USAGE, "%s", err.message);
    }
    int code = ask(call, &output, select, body);
    cJSON_free(body);
    free(select);
    return code;
}

const struct cli_verb verb_broadcast = {
    .name = "broadcast",
    .section = SECTION_LOAD,
    .operands = {.usage = "PATH [SERVERS]",
                 .least = 1,
                 .missing = "say which path: farmd broadcast /health",
                 .completes = COMPLETES_SERVERS},
    .flag_sets = {flags, selection_flags, output_flags, client_flags},
    .summary = "send one request to many servers and show their answers",
    .details =
        "All at once; a server that does not answer 200 counts as failed. -o json has the answers whole. Exit code 4: "
        "some failed; 1: all.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"broadcast /", "ask every server"},
                                             {"broadcast /error/503 1-10", "see what their clients do"},
                                             {"broadcast /echo -X POST -d hello 1", "with a body"},
                                             {NULL, NULL}},
    .run = run,
};
