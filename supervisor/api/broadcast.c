/*
 * `POST /api/broadcast?endpoint=/`: one request to every server, in parallel; method, headers and body by the JSON
 * body.
 */
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/ask.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/query.h"
#include "supervisor/api/view.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ENDPOINT_MAX 2048
#define METHOD_MAX 16
#define MAX_ANSWER ((10u << 20) + (64u << 10)) /* /data of 10 MB with its envelope; for all of them: ASK_MAX_TOTAL */
#define MAX_HEADERS 32
#define MAX_HEADER_BYTES 8192
#define DEFAULT_TIMEOUT_S 10.0
#define MIN_TIMEOUT_S 0.1
#define MAX_TIMEOUT_S 300.0

static const char *const METHODS[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

static int check_endpoint(const char *endpoint, struct error *err)
{
    if (endpoint[0] != '/')
        return error_set(err, EINVAL, "endpoint must begin with \"/\"");
    for (const char *c = endpoint; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || *c == '#')
            return error_set(
                err, EINVAL,
                "endpoint must be a path of printable ASCII without spaces or \"#\"; encode others as %%XX");
    }
    return 0;
}

/* From the query, else from the body, else "/". */
static int read_endpoint(struct http_request *request, const struct body *body, struct ask *ask, struct error *err)
{
    char decoded[ENDPOINT_MAX + 1];
    const char *endpoint = "/";

    int rc = query_text(http_request_query(request), "endpoint", decoded, sizeof(decoded), err);
    if (rc > 0)
        endpoint = decoded;
    else if (rc == 0)
        rc = body_text(body, "endpoint", ENDPOINT_MAX, &endpoint, err);
    if (rc < 0 || check_endpoint(endpoint, err) < 0)
        return -EINVAL;
    ask->target = xstrdup(endpoint);
    ask->request.target = ask->target;
    return 0;
}

static int read_method(const struct body *body, struct ask *ask, struct error *err)
{
    const char *method = NULL;

    int rc = body_text(body, "method", METHOD_MAX, &method, err);
    if (rc <= 0)
        return rc;
    for (size_t i = 0; i < ARRAY_SIZE(METHODS); i++) {
        if (strcmp(method, METHODS[i]) == 0) {
            ask->request.method = METHODS[i];
            return 0;
        }
    }
    return error_set(err, EINVAL, "method must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS");
}

static bool is_token(const char *text)
{
    return *text != '\0' &&
           strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
               strlen(text);
}

/* Those that say where a message ends or to whom it goes are the client's own. */
static bool is_reserved(const char *name)
{
    static const char *const RESERVED[] = {
        "Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect", "TE", "Trailer"};

    for (size_t i = 0; i < ARRAY_SIZE(RESERVED); i++) {
        if (strcasecmp(name, RESERVED[i]) == 0)
            return true;
    }
    return false;
}

static int add_header(struct buffer *lines, const cJSON *item, struct error *err)
{
    if (!is_token(item->string) || is_reserved(item->string))
        return error_set(err, EINVAL, "headers: \"%.64s\" cannot be set", item->string);
    if (!cJSON_IsString(item))
        return error_set(err, EINVAL, "headers: %.64s must be a string", item->string);
    for (const char *c = item->valuestring; *c != '\0'; c++) {
        if ((*c < ' ' && *c != '\t') || *c > '~')
            return error_set(err, EINVAL, "headers: %.64s must be printable ASCII", item->string);
    }
    buffer_printf(lines, "%s: %s\r\n", item->string, item->valuestring);
    return 0;
}

static int read_headers(const struct body *body, struct ask *ask, struct error *err)
{
    const cJSON *headers = body_get(body, "headers");
    struct buffer lines = BUFFER_EMPTY;
    const cJSON *item;
    int rc = 0;

    if (headers == NULL)
        return 0;
    if (!cJSON_IsObject(headers) || cJSON_GetArraySize(headers) > MAX_HEADERS)
        return error_set(err, EINVAL, "headers must be an object of at most %d names and strings", MAX_HEADERS);
    cJSON_ArrayForEach(item, headers)
    {
        if (rc == 0)
            rc = add_header(&lines, item, err);
        if (rc == 0 && strcasecmp(item->string, "Content-Type") == 0)
            ask->request.content_type = NULL; /* theirs instead of ours */
    }
    if (rc == 0 && lines.length > MAX_HEADER_BYTES)
        rc = error_set(err, EINVAL, "headers must have at most %d bytes together", MAX_HEADER_BYTES);
    if (rc == 0 && lines.length > 0)
        ask->headers = buffer_detach(&lines);
    buffer_done(&lines);
    ask->request.headers = ask->headers;
    return rc;
}

/* A string is sent as it is, any other value as JSON. */
static int read_payload(const struct body *body, struct ask *ask, struct error *err)
{
    const cJSON *item = body_get(body, "body");

    if (item == NULL)
        return 0;
    if (cJSON_IsString(item)) {
        ask->body = strdup(item->valuestring);
        ask->request.content_type = "text/plain; charset=utf-8";
    } else {
        ask->body = cJSON_PrintUnformatted(item); /* allocated by malloc, as long as nobody gives cJSON another */
        ask->request.content_type = JSON_CONTENT_TYPE;
    }
    if (ask->body == NULL)
        return error_set(err, ENOMEM, "body: out of memory; try again later");
    ask->request.body = ask->body;
    ask->request.body_length = strlen(ask->body);
    return 0;
}

static int read_timeout(struct http_request *request, const struct body *body, struct ask *ask, struct error *err)
{
    double seconds = DEFAULT_TIMEOUT_S;

    int rc = query_number(http_request_query(request), "timeout", MIN_TIMEOUT_S, MAX_TIMEOUT_S, &seconds, err);
    if (rc == 0)
        rc = body_number(body, "timeout", MIN_TIMEOUT_S, MAX_TIMEOUT_S, &seconds, err);
    ask->request.timeout_ms = (unsigned)(seconds * 1000);
    return rc < 0 ? rc : 0;
}

static void finish(struct ask *ask)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);
    size_t successful = 0;

    if (!ask_begin_answer(ask, &out))
        return;
    for (size_t i = 0; i < ask->count; i++)
        successful += ask->entries[i].json != NULL;
    json_begin_object(&w);
    json_member_string(&w, "endpoint", ask->request.target);
    json_member_string(&w, "method", ask->request.method);
    json_member_uint(&w, "total_servers", ask->count);
    json_member_uint(&w, "successful_responses", successful);
    json_member_uint(&w, "failed_responses", ask->count - successful);
    json_key(&w, "results");
    json_begin_array(&w);
    for (size_t i = 0; i < ask->count; i++)
        ask_write_entry(&w, ask, &ask->entries[i]);
    json_end_array(&w);
    json_key(&w, "server_ids");
    json_begin_array(&w);
    for (size_t i = 0; i < ask->count; i++)
        json_int(&w, ask->entries[i].server_id);
    json_end_array(&w);
    view_timestamp(&w);
    json_end_object(&w);
    reply_json(&ask->reply, 200, &out);
}

static void broadcast(struct http_request *request, const struct call *call, const struct body *body)
{
    struct error err = {0};
    struct ask *ask = ask_selected(request, call->api, finish);

    if (ask == NULL)
        return;
    ask->request.max_body = MAX_ANSWER;
    if (read_endpoint(request, body, ask, &err) < 0 || read_method(body, ask, &err) < 0 ||
        read_payload(body, ask, &err) < 0 || read_headers(body, ask, &err) < 0 ||
        read_timeout(request, body, ask, &err) < 0) {
        respond_error(request, &err);
        ask_free(ask);
        return;
    }
    ask_start(ask, request);
}

void broadcast_post(struct http_request *request, const struct http_match *match)
{
    reply_read_body(request, api_of(match), 0, broadcast);
}
