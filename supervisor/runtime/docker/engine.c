/*
 * A connection is a client of src/http, of which ENGINE_PARALLEL are kept. More at once make the Engine slower, not faster:
 * it creates containers under locks of its own (measured with 50 creates and starts: see docs/docker.md).
 */
#include "supervisor/runtime/docker/engine.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "http/client.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

/* --- where it is --- */

int engine_find(const char *docker_host, struct engine_address *address, struct error *err)
{
    static const char prefix[] = "unix://";
    const char *host = docker_host && *docker_host ? docker_host : "unix:///var/run/docker.sock";

    if (strncmp(host, prefix, strlen(prefix)) != 0)
        return error_set(err, EINVAL,
                         "DOCKER_HOST: \"%s\" is no Unix socket\n"
                         "  fix: DOCKER_HOST=unix:///var/run/docker.sock, or forward the remote socket: "
                         "ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST",
                         host);
    const char *path = host + strlen(prefix);
    if (*path != '/' || strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return error_set(err, EINVAL,
                         "DOCKER_HOST: \"%s\" is no absolute path of up to 107 characters\n"
                         "  fix: DOCKER_HOST=unix:///var/run/docker.sock",
                         host);
    *address = (struct engine_address){0};
    snprintf(address->socket, sizeof(address->socket), "%s", path);
    return 0;
}

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

/* Fills `answer`; its message is in `text`, its JSON the caller's to delete. */
static cJSON *take_answer(const struct engine_address *address, const struct http_client_response *response,
                          struct engine_answer *answer, char *text, size_t size)
{
    cJSON *json = response->outcome == HTTP_OK && response->body_length > 0
                      ? cJSON_ParseWithLength(response->body, response->body_length)
                      : NULL;
    *answer = (struct engine_answer){
        .status = response->outcome == HTTP_OK ? response->status : 0,
        .json = json,
        .code = code_of_outcome(response),
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
    int code;
    char message[ERROR_MESSAGE_MAX];
};

static void on_asked(void *data, const struct engine_answer *answer)
{
    struct asked *asked = data;

    asked->code = answer->code;
    asked->json = answer->json ? cJSON_Duplicate(answer->json, true) : NULL;
    snprintf(asked->message, sizeof(asked->message), "%s", answer->message);
}

int engine_ask(const struct engine_address *address, const struct engine_call *call, cJSON **json, struct error *err)
{
    struct asked asked = {.code = -EIO};
    struct engine_call what = *call;
    uv_loop_t loop;

    what.done = on_asked;
    what.data = &asked;
    int rc = uv_loop_init(&loop);
    if (rc < 0)
        return error_set(err, -rc, "no loop to ask the Docker Engine with: %s", uv_strerror(rc));
    struct engine *engine = engine_new(&loop, address);
    engine_send(engine, &what);
    uv_run(&loop, UV_RUN_DEFAULT);
    engine_free(engine);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    if (asked.code == 0 && json)
        *json = steal(&asked.json);
    cJSON_Delete(asked.json);
    return asked.code < 0 ? error_set(err, -asked.code, "%s", asked.message) : 0;
}

/* "1.41" < "1.9" is wrong: two numbers. */
static int compare_versions(const char *a, const char *b)
{
    char *a_rest, *b_rest;
    long a_major = strtol(a, &a_rest, 10), b_major = strtol(b, &b_rest, 10);
    long a_minor = *a_rest == '.' ? strtol(a_rest + 1, NULL, 10) : 0;
    long b_minor = *b_rest == '.' ? strtol(b_rest + 1, NULL, 10) : 0;

    if (a_major != b_major)
        return a_major < b_major ? -1 : 1;
    return a_minor < b_minor ? -1 : a_minor > b_minor;
}

static int no_engine(const struct engine_address *address, int code, const char *why, struct error *err)
{
    if (access(address->socket, F_OK) != 0)
        return error_set(err, ENOENT,
                         "there is no Docker Engine: %s does not exist\n"
                         "  fix: start it (systemctl start docker), or say where it is: DOCKER_HOST=unix:///…",
                         address->socket);
    if (access(address->socket, R_OK | W_OK) != 0)
        return error_set(
            err, EACCES,
            "this user may not use the Docker Engine's socket %s\n"
            "  fix: run farmd as a member of the group that owns it (usually docker; it is as good as root)",
            address->socket);
    return error_set(err, -code, "%s\n  fix: start it: systemctl start docker", why);
}

int engine_connect(struct engine_address *address, struct error *err)
{
    const struct engine_call call = {.method = "GET", .path = "/version", .timeout_ms = ENGINE_CONNECT_MS};
    cJSON *json = NULL;
    struct error why;

    address->version[0] = '\0';
    int code = engine_ask(address, &call, &json, &why);
    if (code < 0)
        return no_engine(address, code, why.message, err);
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(json, "ApiVersion");
    const cJSON *least = cJSON_GetObjectItemCaseSensitive(json, "MinAPIVersion");
    if (!cJSON_IsString(version)) {
        code = error_set(err, EPROTO, "what listens at %s is no Docker Engine", address->socket);
    } else if (compare_versions(version->valuestring, ENGINE_MIN_API) < 0) {
        code = error_set(err, EPROTO,
                         "the Docker Engine at %s speaks version %s of its API, and " ENGINE_MIN_API " is needed\n"
                         "  fix: upgrade it to Docker 20.10 or newer",
                         address->socket, version->valuestring);
    } else {
        /* The oldest that has all that is used, unless the Engine has given it up: answers look the same for longest. */
        bool too_old = cJSON_IsString(least) && compare_versions(ENGINE_MIN_API, least->valuestring) < 0;
        snprintf(address->version, sizeof(address->version), "%s", too_old ? least->valuestring : ENGINE_MIN_API);
    }
    cJSON_Delete(json);
    return code;
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
