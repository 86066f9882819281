/*
 * The syntax is checked here, before any farm is asked, by the parser that the farm itself uses.
 */
#include "supervisor/cli/frame/selection.h"

#include "core/memory.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/farm/selector.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

const struct cli_flag selection_flags[] = {
    {.name = "--label",
     .letter = 'l',
     .kind = CLI_TEXT,
     .repeats = true,
     .argument = "NAME=VALUE",
     .help = "only servers whose group has this label; NAME!=VALUE: or has it not"},
    {.name = NULL},
};

static void append_term(struct buffer *joined, const char *prefix, const char *term)
{
    if (joined->length > 0)
        buffer_append_char(joined, ',');
    buffer_append_text(joined, prefix);
    buffer_append_text(joined, term);
}

/* "-l zone=a,tier=web" is two labels. */
static void append_labels(struct buffer *joined, const char *labels)
{
    cleanup_free char *copy = xstrdup(labels);
    char *rest = NULL;
    for (char *label = strtok_r(copy, ",", &rest); label; label = strtok_r(NULL, ",", &rest))
        append_term(joined, "label:", label);
}

int selection_read(const struct cli_call *call, size_t first, char **text, struct error *err)
{
    struct buffer joined = BUFFER_EMPTY;
    struct selector *selector = NULL;
    for (size_t i = first; i < call->operand_count; i++)
        append_term(&joined, "", call->operands[i]);
    const char *label;
    for (size_t i = 0; (label = cli_text_at(call, "--label", i)) != NULL; i++)
        append_labels(&joined, label[0] ? label : "=");
    int code = joined.data ? selector_parse(joined.data, &selector, err) : 0;
    selector_free(selector);
    if (code < 0)
        buffer_done(&joined);
    else
        *text = joined.data;
    return code;
}

void selection_append(struct buffer *target, const char *text)
{
    if (!text)
        return;
    buffer_append_text(target, strchr(target->data, '?') ? "&select=" : "?select=");
    client_encode(target, text);
}

void selection_tell_nobody(const char *text)
{
    fprintf(stderr, "farmd: no server is %s\n", text ? text : "there");
}

bool selection_is_nobody(struct client *client, const char *text)
{
    struct buffer target = BUFFER_EMPTY;
    struct client_answer answer = {0};
    struct error ignored;
    if (!text)
        return false;
    buffer_append_text(&target, "/api/servers");
    selection_append(&target, text);
    int code = client_ask(client, &(struct client_question){.target = target.data}, &answer, &ignored);
    const cJSON *servers = cJSON_GetObjectItemCaseSensitive(answer.json, "servers");
    bool nobody = code == CLI_DONE && cJSON_IsArray(servers) && !servers->child;
    client_answer_done(&answer);
    buffer_done(&target);
    return nobody;
}
