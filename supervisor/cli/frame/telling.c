/* See telling.h. */
#include "supervisor/cli/frame/telling.h"

#include "supervisor/cli/frame/following.h"
#include "supervisor/cli/frame/selection.h"

int telling_open(const struct cli_call *call, struct telling *telling, char **select)
{
    struct error err;
    const struct output *output = &telling->output;

    output_init(&telling->output, call);
    if (cli_given(call, "--follow") && output_is_machine(output) && output->format != OUTPUT_JSONL)
        return cli_fail(CLI_USAGE, "--follow goes with -o table or -o jsonl: the others would never end");
    if (selection_read(call, 0, select, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    return CLI_DONE;
}

int telling_print(struct telling *telling, const cJSON *answer)
{
    struct buffer out = BUFFER_EMPTY;
    const cJSON *item, *list = cJSON_GetObjectItemCaseSensitive(answer, telling->key);

    if (output_is_machine(&telling->output)) {
        output_answer(&telling->output, answer, telling->key, &out);
    } else {
        cJSON_ArrayForEach(item, list) telling->append(telling, item, &out);
    }
    int code = output_write(&out, &telling->closed);
    buffer_done(&out);
    return code;
}

static int tell_once(struct telling *telling, struct client *client, const char *target, const char *select)
{
    struct client_answer answer;
    struct error err;
    int code = client_ask(client, &(struct client_question){.target = target}, &answer, &err);

    if (code != CLI_DONE)
        return cli_fail(code, "%s", err.message);
    code = telling_print(telling, answer.json);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer.json, telling->key);
    if (code == CLI_DONE && !(list && list->child) && selection_is_nobody(client, select))
        selection_tell_nobody(select);
    client_answer_done(&answer);
    return code;
}

static int follow(struct telling *telling, struct client *client, const char *target)
{
    struct error err;
    int code = following_run(client, target, telling->on_event, telling, &err);

    return code == CLI_DONE || code == CLI_INTERRUPTED || telling->closed ? code : cli_fail(code, "%s", err.message);
}

int telling_run(const struct cli_call *call, struct telling *telling, struct buffer *target, const char *select)
{
    struct client *client;
    struct error err;
    bool followed = cli_given(call, "--follow");

    selection_append(target, select);
    int code = client_open(call, &client, &err);
    if (code != CLI_DONE)
        return cli_fail(code, "%s", err.message);
    code = followed ? follow(telling, client, target->data) : tell_once(telling, client, target->data, select);
    client_close(client);
    return code;
}
