/*
 * A connection is a client of src/http, of which ENGINE_PARALLEL are kept. More at once make the Engine slower, not faster:
 * it creates containers under locks of its own (measured with 50 creates and starts: see docs/docker.md).
 */
#include "supervisor/runtime/docker/engine.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "http/client.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ENGINE_PARALLEL 8
#define ENGINE_MAX_ANSWER ((size_t)32 << 20) /* a list of some thousand containers */
#define ENGINE_CONNECT_MS 5000
#define PATH_MAX_LENGTH 1024

struct call {
    struct engine_call what;
    char path[PATH_MAX_LENGTH];
    void *body;
    TAILQ_ENTRY(call) link;
};

struct line {
    struct engine *engine;
    struct http_client *client;
    struct call *call;      /* NULL: idle */
    TAILQ_ENTRY(line) link; /* of one for a single urgent call */
};

struct engine {
    uv_loop_t *loop;
    struct engine_address address;
    struct line lines[ENGINE_PARALLEL];
    TAILQ_HEAD(, call) waiting;
    TAILQ_HEAD(, line) urgent;
};

static struct http_client *client_new(uv_loop_t *loop, const struct engine_address *address)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};

    snprintf(where.sun_path, sizeof(where.sun_path), "%s", address->socket);
    return http_client_new_at(loop, (const struct sockaddr *)&where, "docker");
}

/* --- what came back --- */

static int code_of_status(int status)
{
    switch (status) {
    case 304:
        return 0;
    case 400:
        return -EINVAL;
    case 401:
    case 403:
        return -EACCES;
    case 404:
        return -ENOENT;
    case 409:
        return -EBUSY;
    default:
        return status >= 200 && status < 300 ? 0 : -EIO;
    }
}

static int code_of_outcome(const struct http_client_response *response)
{
    switch (response->outcome) {
    case HTTP_OK:
        return code_of_status(response->status);
    case HTTP_TIMEOUT:
        return -ETIMEDOUT;
    case HTTP_BAD_RESPONSE:
        return -EPROTO;
    case HTTP_TOO_LARGE:
    case HTTP_NO_ROOM:
        return -EMSGSIZE;
    case HTTP_LOCAL_ERROR:
        return response->error < 0 ? response->error : -EIO;
    case HTTP_REFUSED:
    case HTTP_RESET:
        break;
    }
    return -ENOTCONN;
}

static void describe(const struct engine_address *address, const struct http_client_response *response,
                     const cJSON *json, char *text, size_t size)
{
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(json, "message");

    if (response->outcome == HTTP_OK && cJSON_IsString(message))
        snprintf(text, size, "%s", message->valuestring);
    else if (response->outcome == HTTP_OK)
        snprintf(text, size, "the Docker Engine answered HTTP %d", response->status);
    else if (response->outcome == HTTP_LOCAL_ERROR && response->error == -EACCES)
        snprintf(text, size, "no permission on the Docker Engine's socket %s", address->socket);
    else
        snprintf(text, size, "the Docker Engine at %s does not answer: %s", address->socket,
                 http_outcome_text(response->outcome));
}

/* One value; of several, which come a line each, an array. */
static cJSON *parse(const char *text, size_t length)
{
    const char *end = text + length;
    cJSON *all = NULL, *value;

    while ((value = cJSON_ParseWithLengthOpts(text, (size_t)(end - text), &text, false))) {
        while (text < end && isspace((unsigned char)*text))
            text++;
        if (!all && text == end)
            return value;
        if (!all)
            all = cJSON_CreateArray();
        cJSON_AddItemToArray(all, value);
        if (text == end)
            break;
    }
    return all;
}

/* Fills `answer`; its message is in `text`, its JSON the caller's to delete. */
static cJSON *take_answer(const struct engine_address *address, const struct http_client_response *response,
                          struct engine_answer *answer, char *text, size_t size)
{
    cJSON *json =
        response->outcome == HTTP_OK && response->body_length > 0 ? parse(response->body, response->body_length) : NULL;
    *answer = (struct engine_answer){
        .status = response->outcome == HTTP_OK ? response->status : 0,
        .json = json,
        .code = code_of_outcome(response),
        .version = response->header,
        .message = text,
    };
    text[0] = '\0';
    if (answer->code < 0)
        describe(address, response, json, text, size);
    return json;
}

/* --- calls --- */

static void begin_next(struct line *line);

static void call_free(struct call *call)
{
    free(call->body);
    free(call);
}

static void line_free(struct line *line)
{
    http_client_free(line->client);
    free(line);
}

static void on_answer(void *data, const struct http_client_response *response)
{
    struct line *line = data;
    struct call *call = steal(&line->call);
    struct engine_answer answer;
    char text[ERROR_MESSAGE_MAX];
    cJSON *json = take_answer(&line->engine->address, response, &answer, text, sizeof(text));

    if (call->what.urgent) {
        TAILQ_REMOVE(&line->engine->urgent, line, link);
        line_free(line);
    } else {
        begin_next(line); /* first, so that the Engine is not idle while the answer is looked at */
    }
    call->what.done(call->what.data, &answer);
    cJSON_Delete(json);
    call_free(call);
}

static void begin(struct line *line, struct call *call)
{
    struct engine *engine = line->engine;

    line->call = call;
    if (!line->client)
        line->client = client_new(engine->loop, &engine->address);
    const struct http_client_request request = {
        .method = call->what.method,
        .target = call->path,
        .content_type = call->body ? call->what.content_type : NULL,
        .body = call->body,
        .body_length = call->what.body_length,
        .timeout_ms = call->what.timeout_ms,
        .max_body = ENGINE_MAX_ANSWER,
        .keep_header = "Api-Version",
    };
    http_client_send(line->client, &request, on_answer, line);
}

static void begin_next(struct line *line)
{
    struct call *call = TAILQ_FIRST(&line->engine->waiting);

    if (!call)
        return;
    TAILQ_REMOVE(&line->engine->waiting, call, link);
    begin(line, call);
}

static void begin_urgent(struct engine *engine, struct call *call)
{
    struct line *line = xcalloc(1, sizeof(*line));

    line->engine = engine;
    TAILQ_INSERT_TAIL(&engine->urgent, line, link);
    begin(line, call);
}

static struct call *call_new(const struct engine_address *address, const struct engine_call *what)
{
    struct call *call = xcalloc(1, sizeof(*call));

    call->what = *what;
    snprintf(call->path, sizeof(call->path), "%s%s%s", *address->version ? "/v" : "", address->version, what->path);
    if (!what->content_type)
        call->what.content_type = "application/json";
    if (what->timeout_ms == 0)
        call->what.timeout_ms = ENGINE_TIMEOUT_MS;
    if (what->body) {
        call->body = xmalloc(what->body_length + 1);
        memcpy(call->body, what->body, what->body_length);
    }
    return call;
}

void engine_send(struct engine *engine, const struct engine_call *what)
{
    struct call *call = call_new(&engine->address, what);

    if (what->urgent) {
        begin_urgent(engine, call);
        return;
    }
    TAILQ_INSERT_TAIL(&engine->waiting, call, link);
    for (size_t i = 0; i < ENGINE_PARALLEL; i++) {
        if (!engine->lines[i].call) {
            begin_next(&engine->lines[i]);
            return;
        }
    }
}

struct engine *engine_new(uv_loop_t *loop, const struct engine_address *address)
{
    struct engine *engine = xcalloc(1, sizeof(*engine));

    engine->loop = loop;
    engine->address = *address;
    TAILQ_INIT(&engine->waiting);
    TAILQ_INIT(&engine->urgent);
    for (size_t i = 0; i < ENGINE_PARALLEL; i++)
        engine->lines[i].engine = engine;
    return engine;
}

void engine_free(struct engine *engine)
{
    struct call *call;
    struct line *line;

    if (!engine)
        return;
    while ((line = TAILQ_FIRST(&engine->urgent))) {
        TAILQ_REMOVE(&engine->urgent, line, link);
        call_free(line->call);
        line_free(line);
    }
    for (size_t i = 0; i < ENGINE_PARALLEL; i++) {
        http_client_free(engine->lines[i].client);
        if (engine->lines[i].call)
            call_free(engine->lines[i].call);
    }
    while ((call = TAILQ_FIRST(&engine->waiting))) {
        TAILQ_REMOVE(&engine->waiting, call, link);
        call_free(call);
    }
    free(engine);
}

/* --- here and now --- */

struct asked {
    cJSON *json;
    int code, status;
    char version[ENGINE_VERSION_MAX];
    char message[ERROR_MESSAGE_MAX];
};

static void on_asked(void *data, const struct engine_answer *answer)
{
    struct asked *asked = data;

    asked->code = answer->code;
    asked->status = answer->status;
    snprintf(asked->version, sizeof(asked->version), "%s", answer->version);
    asked->json = answer->json ? cJSON_Duplicate(answer->json, true) : NULL;
    snprintf(asked->message, sizeof(asked->message), "%s", answer->message);
}

/* `asked->json` becomes the caller's. */
static void ask(const struct engine_address *address, const struct engine_call *call, struct asked *asked)
{
    struct engine_call what = *call;
    uv_loop_t loop;

    *asked = (struct asked){.code = -EIO};
    what.done = on_asked;
    what.data = asked;
    int rc = uv_loop_init(&loop);
    if (rc < 0) {
        asked->code = rc;
        snprintf(asked->message, sizeof(asked->message), "no loop to ask the Docker Engine with: %s", uv_strerror(rc));
        return;
    }
    struct engine *engine = engine_new(&loop, address);
    engine_send(engine, &what);
    uv_run(&loop, UV_RUN_DEFAULT);
    engine_free(engine);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

int engine_ask(const struct engine_address *address, const struct engine_call *call, cJSON **json, struct error *err)
{
    struct asked asked;

    ask(address, call, &asked);
    if (asked.code == 0 && json)
        *json = steal(&asked.json);
    cJSON_Delete(asked.json);
    return asked.code < 0 ? error_set(err, -asked.code, "%s", asked.message) : 0;
}

int engine_ping(const struct engine_address *address, char version[ENGINE_VERSION_MAX], struct error *err)
{
    const struct engine_call call = {.method = "GET", .path = "/_ping", .timeout_ms = ENGINE_CONNECT_MS};
    struct asked asked;

    ask(address, &call, &asked);
    cJSON_Delete(asked.json);
    if (asked.code < 0)
        error_set(err, -asked.code, "%s", asked.message);
    if (asked.status == 0)
        return asked.code;
    memcpy(version, asked.version, sizeof(asked.version));
    return asked.status;
}

/* --- answers that go on --- */

struct engine_stream {
    struct http_client *client;
    struct engine_stream_calls calls;
    void *data;
};

static void on_stream_piece(void *data, const char *piece, size_t length)
{
    struct engine_stream *stream = data;
    stream->calls.on_piece(stream->data, piece, length);
}

static void on_stream_end(void *data, const struct http_client_response *response)
{
    struct engine_stream *stream = data;
    const char *why = response->outcome == HTTP_OK ? "it ended" : http_outcome_text(response->outcome);
    stream->calls.on_end(stream->data, response->outcome == HTTP_OK ? response->status : 0, why);
}

struct engine_stream *engine_stream_open(uv_loop_t *loop, const struct engine_address *address, const char *path,
                                         const struct engine_stream_calls *calls, void *data)
{
    struct engine_stream *stream = xcalloc(1, sizeof(*stream));
    cleanup_free char *target = xasprintf("/v%s%s", address->version, path);
    const struct http_client_request request = {
        .method = "GET", .target = target, .close = true, .on_piece = on_stream_piece};

    stream->calls = *calls;
    stream->data = data;
    stream->client = client_new(loop, address);
    http_client_send(stream->client, &request, on_stream_end, stream);
    return stream;
}

void engine_stream_free(struct engine_stream *stream)
{
    if (!stream)
        return;
    http_client_free(stream->client);
    free(stream);
}
