/*
 * `farmd scale`: more or fewer servers.
 */
#include "core/clock.h"
#include "core/units.h"
#include "supervisor/cli/frame/acting.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/verbs.h"
#include "supervisor/config/settings.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

static const struct cli_flag flags[] = {
    {.name = "--group", .kind = CLI_TEXT, .argument = "NAME", .help = "of this group; else N is of the whole farm"},
    {.name = NULL},
};

static bool has_server(const cJSON *list, int id)
{
    const cJSON *server;
    cJSON_ArrayForEach(server, cJSON_GetObjectItemCaseSensitive(list, "servers"))
    {
        if ((int)view_number(server, "id", 0) == id)
            return true;
    }
    return false;
}

/* Servers that are new and do not run: a line each. */
static unsigned tell_failures(const cJSON *before, const cJSON *after)
{
    unsigned failed = 0;
    const cJSON *server;
    cJSON_ArrayForEach(server, cJSON_GetObjectItemCaseSensitive(after, "servers"))
    {
        if (strcmp(view_text(server, "status"), "running") == 0 ||
            has_server(before, (int)view_number(server, "id", 0)))
            continue;
        char text[VIEW_TEXT];
        fprintf(stderr, "farmd: %s: %s\n", view_text(server, "name"),
                view_since(server, view_time(after, "timestamp"), text));
        failed++;
    }
    return failed;
}

struct scaling {
    const struct cli_call *call;
    struct client *client;
    struct output output;
    struct client_answer before, answer, after;
};

static double total_of(const struct client_answer *list)
{
    return view_number(list->json, "total_servers", 0);
}

static int ask(struct scaling *scaling, int64_t servers, struct error *err)
{
    const struct client_question list = {.target = "/api/servers"};
    const char *group = cli_text(scaling->call, "--group");
    int code = client_ask(scaling->client, &list, &scaling->before, err);
    if (code != CLI_DONE)
        return code;
    cJSON *body = cJSON_CreateObject();
    cJSON_AddNumberToObject(body, "servers", (double)servers);
    if (group)
        cJSON_AddStringToObject(body, "group", group);
    char *text = cJSON_PrintUnformatted(body);
    const struct client_question question = {.method = "POST",
                                             .target = "/api/scale",
                                             .body = text,
                                             .acts = true,
                                             .timeout_ms = cli_duration_ms(scaling->call, "--timeout")};
    code = client_ask(scaling->client, &question, &scaling->answer, err);
    cJSON_Delete(body);
    cJSON_free(text);
    if (code != CLI_DONE && code != CLI_FAILED)
        return code;
    struct error ignored;
    int listed = client_ask(scaling->client, &list, &scaling->after, code == CLI_DONE ? err : &ignored);
    /* An error of one of the new servers is no reason to say that nothing was done. */
    bool changed = listed == CLI_DONE && total_of(&scaling->before) != total_of(&scaling->after);
    return code == CLI_FAILED && changed ? CLI_DONE : code == CLI_DONE ? listed : code;
}

static int tell(const struct scaling *scaling, int64_t elapsed_ms)
{
    struct buffer out = BUFFER_EMPTY;
    char elapsed[24];
    unsigned failed = tell_failures(scaling->before.json, scaling->after.json);
    double before = total_of(&scaling->before), now = total_of(&scaling->after);
    units_format_duration(elapsed, elapsed_ms);
    if (output_is_machine(&scaling->output))
        output_answer(&scaling->output, scaling->after.json, "servers", &out);
    else if (before == now)
        buffer_printf(&out, "%.0f server%s, as before\n", now, now == 1 ? "" : "s");
    else
        buffer_printf(&out, "from %.0f to %.0f servers in %s\n", before, now, elapsed);
    int code = output_write(&out, NULL);
    buffer_done(&out);
    return code == CLI_DONE && failed > 0 ? CLI_PARTLY : code;
}

static int run(const struct cli_call *call)
{
    struct scaling scaling = {.call = call};
    struct error err;
    int64_t servers = 0, began_ms = clock_monotonic_ms();
    int least = cli_given(call, "--group") ? 0 : 1;
    if (units_parse_int(call->operands[0], least, SETTINGS_MAX_SERVERS, &servers) < 0)
        return cli_fail(CLI_USAGE, "\"%.60s\" is not a number of servers from %d to %d", call->operands[0], least,
                        SETTINGS_MAX_SERVERS);
    output_init(&scaling.output, call);
    int code = client_open(call, &scaling.client, &err);
    if (code == CLI_DONE)
        code = ask(&scaling, servers, &err);
    code = code == CLI_DONE
               ? tell(&scaling, clock_monotonic_ms() - began_ms)
               : cli_fail(code, "%s%s", err.message,
                          code == CLI_TIMED_OUT || code == CLI_INTERRUPTED ? "; farmd goes on with it" : "");
    client_answer_done(&scaling.before);
    client_answer_done(&scaling.answer);
    client_answer_done(&scaling.after);
    client_close(scaling.client);
    return code;
}

const struct cli_verb verb_scale = {
    .name = "scale",
    .section = SECTION_ACT,
    .operands = {.usage = "N", .least = 1, .most = 1, .missing = "say how many servers: farmd scale 60"},
    .flag_sets = {flags, acting_flags, output_flags, client_flags},
    .summary = "run more or fewer servers; the others are not touched",
    .details =
        "New servers come behind the last one, or at the end of a group; fewer stops the last ones in order. Waits "
        "until the new ones are ready and the others gone. Exit code 4: some of the new ones do not run. "
        "-o prints the servers as they are then, as ps does.",
    .examples = (const struct cli_example[]){{"scale 60", "sixty in all"},
                                             {"scale 5 --group web", "five in this group"},
                                             {NULL, NULL}},
    .run = run,
};
