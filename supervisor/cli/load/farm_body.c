/*
 * See farm_body.h.
 */
#include "supervisor/cli/load/farm_body.h"

#include "core/clock.h"
#include "core/memory.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static void add_seconds(const struct cli_call *call, const char *flag, const char *field, cJSON *body)
{
    if (cli_given(call, flag))
        cJSON_AddNumberToObject(body, field, (double)cli_duration_ms(call, flag) / MS_PER_SECOND);
}

static void add_int(const struct cli_call *call, const char *flag, const char *field, cJSON *body)
{
    if (cli_given(call, flag))
        cJSON_AddNumberToObject(body, field, (double)cli_int(call, flag));
}

static void add_text(const struct cli_call *call, const char *flag, const char *field, cJSON *body)
{
    if (cli_given(call, flag))
        cJSON_AddStringToObject(body, field, cli_text(call, flag));
}

/* An object has each name once: lines of one name become a list, which HTTP takes for the same. */
static int add_header(const char *line, cJSON *headers, struct error *err)
{
    const char *colon = strchr(line, ':');
    if (!colon || colon == line)
        return error_set(err, EINVAL, "--header: \"%.100s\" is not a header; write Name: value", line);
    cleanup_free char *name = xstrndup(line, (size_t)(colon - line));
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    cJSON *before = cJSON_GetObjectItem(headers, name); /* whatever its case */
    if (!before) {
        cJSON_AddStringToObject(headers, name, value);
        return 0;
    }
    cleanup_free char *both = xasprintf("%s, %s", before->valuestring, value);
    cJSON_ReplaceItemInObject(headers, name, cJSON_CreateString(both));
    return 0;
}

static int add_headers(const struct cli_call *call, cJSON *body, struct error *err)
{
    cJSON *headers = cli_given(call, "--header") ? cJSON_AddObjectToObject(body, "headers") : NULL;
    const char *line;

    for (size_t i = 0; (line = cli_text_at(call, "--header", i)) != NULL; i++) {
        int rc = add_header(line, headers, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int add_body(const struct load_options *options, cJSON *body, struct error *err)
{
    const struct buffer *text = &options->body;

    if (text->length == 0)
        return 0;
    if (memchr(text->data, '\0', text->length))
        return error_set(err, EINVAL, "--body: a farm takes text, and this holds a NUL byte; load the servers' URLs");
    cJSON_AddStringToObject(body, "body", text->data);
    return 0;
}

static void add_thresholds(const struct cli_call *call, cJSON *body)
{
    cJSON *list = cli_given(call, "--threshold") ? cJSON_AddArrayToObject(body, "thresholds") : NULL;
    const char *text;

    for (size_t i = 0; (text = cli_text_at(call, "--threshold", i)) != NULL; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(text));
}

cJSON *load_farm_body(const struct cli_call *call, const struct load_options *options, const char *select,
                      struct error *err)
{
    cJSON *body = cJSON_CreateObject();

    if (select)
        cJSON_AddStringToObject(body, "select", select);
    add_text(call, "--name", "name", body);
    add_int(call, "--connections", "connections", body);
    add_int(call, "--requests", "requests", body);
    add_int(call, "--threads", "threads", body);
    add_seconds(call, "--duration", "duration", body);
    add_seconds(call, "--warmup", "warmup", body);
    add_seconds(call, "--timeout", "timeout", body);
    add_text(call, "--stages", "stages", body);
    add_text(call, "--method", "method", body);
    add_text(call, "--path", "path", body);
    if (cli_given(call, "--rate"))
        cJSON_AddNumberToObject(body, "rate", cli_number(call, "--rate"));
    if (cli_given(call, "--poisson"))
        cJSON_AddStringToObject(body, "model", "poisson");
    if (cli_given(call, "--no-keep-alive"))
        cJSON_AddFalseToObject(body, "keep_alive");
    add_thresholds(call, body);
    int rc = add_headers(call, body, err);
    if (rc == 0)
        rc = add_body(options, body, err);
    if (rc < 0)
        cJSON_Delete(steal(&body));
    return body;
}
