/*
 * The client of the verbs. It runs a loop of its own until the answer is there, so that Ctrl-C and time limits are seen
 * while it waits.
 */
#include "supervisor/cli/frame/client.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "http/client.h"
#include "http/sse.h"
#include "supervisor/cli/frame/reach.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define MAX_ANSWER ((size_t)1 << 30) /* ten thousand servers are 12 MB; an answer of broadcast is 64 MB at most */
#define STREAM_SILENCE_MS 20000      /* farmd gives a sign of life every 5 s */

const struct cli_flag client_flags[] = {
    {.name = "--api",
     .kind = CLI_TEXT,
     .argument = "URL",
     .help = "where the farm is, such as http://localhost:8000; else FARMD_API, else by the settings found here"},
    {.name = NULL},
};

struct client {
    uv_loop_t loop;
    uv_signal_t interrupt;
    uv_timer_t timer;
    struct reach reach;
    size_t current; /* of its addresses */
    struct http_client *http;
    bool interrupted, timed_out, done;
    enum http_outcome outcome;
    struct client_answer answer;
    int local_error;

    /* of a stream */
    struct sse_reader reader;
    client_event_fn *on_event;
    void *data;
    int code;
    int64_t limit_ms;    /* the user's, 0: none */
    int64_t deadline_ms; /* monotonic; when that is over */
};

/* --- its life --- */

static void on_interrupt(uv_signal_t *signal, int number)
{
    struct client *client = signal->data;
    (void)number;
    if (!client->interrupted && isatty(STDERR_FILENO))
        fputc('\n', stderr); /* behind the ^C that the terminal shows */
    client->interrupted = true;
    uv_stop(&client->loop);
}

static void on_timer(uv_timer_t *timer)
{
    struct client *client = timer->data;
    client->timed_out = true;
    uv_stop(&client->loop);
}

int client_open(const struct cli_call *call, struct client **client, struct error *err)
{
    struct client *made = xcalloc(1, sizeof(*made));
    int code = reach_find(&made->reach, call, err);
    if (code != CLI_DONE) {
        reach_done(&made->reach);
        free(made);
        return code;
    }
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&made->loop);
    uv_signal_init(&made->loop, &made->interrupt);
    uv_timer_init(&made->loop, &made->timer);
    made->interrupt.data = made->timer.data = made;
    uv_signal_start(&made->interrupt, on_interrupt, SIGINT);
    uv_unref((uv_handle_t *)&made->interrupt);
    *client = made;
    return CLI_DONE;
}

void client_close(struct client *client)
{
    if (!client)
        return;
    http_client_free(client->http);
    uv_close((uv_handle_t *)&client->interrupt, NULL);
    uv_close((uv_handle_t *)&client->timer, NULL);
    uv_run(&client->loop, UV_RUN_DEFAULT);
    uv_loop_close(&client->loop);
    sse_reader_done(&client->reader);
    reach_done(&client->reach);
    free(client);
}

const char *client_url(const struct client *client)
{
    return client->reach.address.url;
}

void client_answer_done(struct client_answer *answer)
{
    cJSON_Delete(answer->json);
    free(answer->text);
    *answer = (struct client_answer){0};
}

/* --- one exchange --- */

static void on_done(void *data, const struct http_client_response *response)
{
    struct client *client = data;
    client->done = true;
    client->outcome = response->outcome;
    client->local_error = response->error;
    client->answer.status = response->status;
    client->answer.length = response->body_length;
    client->answer.text = xstrndup(response->body, response->body_length);
    uv_stop(&client->loop);
}

/* The connection stays for the next question. */
static struct http_client *http_of(struct client *client)
{
    const struct sockaddr *where = (const struct sockaddr *)&client->reach.addresses[client->current];
    if (!client->http)
        client->http = http_client_new_at(&client->loop, where, reach_authority(&client->reach));
    return client->http;
}

static void forget_connection(struct client *client)
{
    http_client_free(steal(&client->http));
}

/* Until the answer is whole, a stream's reader has had enough, the limit (0: none) is over, or Ctrl-C. */
static void exchange(struct client *client, const struct http_client_request *request, int64_t limit_ms)
{
    client->done = client->timed_out = false;
    client->code = CLIENT_GO_ON;
    client_answer_done(&client->answer);
    http_client_send(http_of(client), request, on_done, client);
    uv_update_time(&client->loop);
    if (limit_ms > 0)
        uv_timer_start(&client->timer, on_timer, (uint64_t)limit_ms, 0);
    while (!client->done && !client->timed_out && !client->interrupted && client->code == CLIENT_GO_ON)
        uv_run(&client->loop, UV_RUN_DEFAULT);
    uv_timer_stop(&client->timer);
    if (!client->done)
        forget_connection(client);
}

/* Nobody listens at one address of the name: the next one is tried. */
static bool has_next_address(struct client *client)
{
    bool refused = client->done && (client->outcome == HTTP_REFUSED || client->outcome == HTTP_LOCAL_ERROR);
    if (!refused || client->interrupted || client->current + 1 >= client->reach.count)
        return false;
    forget_connection(client);
    client->current++;
    return true;
}

static int unreachable(const struct client *client, struct error *err)
{
    const char *url = client->reach.address.url;
    switch (client->outcome) {
    case HTTP_REFUSED:
        error_set(err, ECONNREFUSED,
                  "no farm answers at %s; start one with `farmd up -d`, or say where it is: --api URL or FARMD_API",
                  url);
        break;
    case HTTP_LOCAL_ERROR:
        error_set(err, EHOSTUNREACH, "no farm can be reached at %s: %s", url, uv_strerror(client->local_error));
        break;
    case HTTP_RESET:
        error_set(err, ECONNRESET, "the farm at %s went away before it answered; `farmd ps` tells whether it is back",
                  url);
        break;
    case HTTP_OK:
    case HTTP_TIMEOUT:
    case HTTP_BAD_RESPONSE:
    case HTTP_TOO_LARGE:
    case HTTP_NO_ROOM:
        error_set(err, EPROTO, "what answers at %s is no farmd: %s", url, http_outcome_text(client->outcome));
        break;
    }
    return CLI_UNREACHABLE;
}

/* How a refusal is told, and which exit code it is. */
static int refused(const struct client *client, struct error *err)
{
    static const char *const own_fields[] = {"select: ", "ids: ", "server_ids: "}; /* the verb's, not the user's */
    const struct client_answer *answer = &client->answer;
    const cJSON *detail = cJSON_GetObjectItemCaseSensitive(answer->json, "detail");
    const char *text = cJSON_IsString(detail) ? detail->valuestring : "";
    for (size_t i = 0; i < ARRAY_SIZE(own_fields); i++) {
        if (strncmp(text, own_fields[i], strlen(own_fields[i])) == 0)
            text += strlen(own_fields[i]);
    }
    if (text[0] == '\0')
        error_set(err, EPROTO, "what answers at %s is no farmd: HTTP %d", client->reach.address.url, answer->status);
    else if (answer->status == 401)
        error_set(err, EACCES, "the farm at %s wants its token: put it into FARMD_TOKEN", client->reach.address.url);
    else
        error_set(err, EIO, "%s", text);
    if (text[0] == '\0')
        return CLI_UNREACHABLE;
    return answer->status == 400 || answer->status == 404 || answer->status == 422 ? CLI_USAGE : CLI_FAILED;
}

static int silent(const struct client *client, int64_t limit_ms, struct error *err)
{
    char limit[24];
    units_format_duration(limit, limit_ms);
    error_set(err, ETIMEDOUT, "the farm at %s has said nothing for %s", client->reach.address.url, limit);
    return CLI_UNREACHABLE;
}

static int late(int64_t limit_ms, struct error *err)
{
    char limit[24];
    units_format_duration(limit, limit_ms);
    error_set(err, ETIMEDOUT, "not done within %s", limit);
    return CLI_TIMED_OUT;
}

/* Of an exchange that was not ended by its limit. */
static int outcome_of(struct client *client, struct error *err)
{
    if (client->interrupted) {
        error_set(err, EINTR, "interrupted");
        return CLI_INTERRUPTED;
    }
    if (client->outcome != HTTP_OK)
        return unreachable(client, err);
    client->answer.json = cJSON_ParseWithLength(client->answer.text, client->answer.length);
    bool fine = client->answer.status >= 200 && client->answer.status < 300;
    return fine && client->answer.json ? CLI_DONE : refused(client, err);
}

static struct http_client_request request_of(const struct client *client, const struct client_question *question)
{
    return (struct http_client_request){
        .method = question->method ? question->method : "GET",
        .target = question->target,
        .content_type = question->body ? "application/json" : NULL,
        .headers = client->reach.headers,
        .body = question->body,
        .body_length = question->body ? strlen(question->body) : 0,
        .max_body = MAX_ANSWER,
    };
}

int client_ask(struct client *client, const struct client_question *question, struct client_answer *answer,
               struct error *err)
{
    struct http_client_request request = request_of(client, question);
    int64_t limit_ms = question->timeout_ms > 0 ? question->timeout_ms : question->acts ? 0 : CLIENT_ANSWER_MS;
    do
        exchange(client, &request, limit_ms);
    while (has_next_address(client));
    int code;
    if (client->timed_out && !client->interrupted) {
        code = question->timeout_ms > 0 ? late(limit_ms, err) : silent(client, limit_ms, err);
    } else {
        code = outcome_of(client, err);
    }
    if (code == CLI_DONE) {
        *answer = client->answer;
        client->answer = (struct client_answer){0};
    }
    client_answer_done(&client->answer);
    return code;
}

/* --- streams --- */

static bool on_sse(const struct sse_event *event, void *data)
{
    struct client *client = data;
    struct client_event told = {.id = event->id, .name = event->name, .data = event->data};
    told.json = cJSON_ParseWithLength(event->data, event->length);
    client->code = client->on_event(&told, client->data);
    cJSON_Delete(told.json);
    return client->code == CLIENT_GO_ON;
}

/* How long the next silence may be. */
static int64_t silence_ms(const struct client *client)
{
    int64_t left_ms = client->deadline_ms - clock_monotonic_ms();
    if (client->deadline_ms == 0 || left_ms > STREAM_SILENCE_MS)
        return STREAM_SILENCE_MS;
    return left_ms > 0 ? left_ms : 1;
}

static void on_piece(void *data, const char *piece, size_t length)
{
    struct client *client = data;
    uv_update_time(&client->loop);
    uv_timer_start(&client->timer, on_timer, (uint64_t)silence_ms(client), 0);
    if (!sse_read(&client->reader, piece, length, on_sse, client))
        uv_stop(&client->loop);
}

static int stream_outcome(struct client *client, struct error *err)
{
    if (client->code != CLIENT_GO_ON)
        return client->code;
    if (client->timed_out && !client->interrupted && client->deadline_ms > 0 &&
        clock_monotonic_ms() >= client->deadline_ms)
        return late(client->limit_ms, err);
    if (client->timed_out && !client->interrupted)
        return silent(client, STREAM_SILENCE_MS, err);
    if (client->interrupted || client->outcome != HTTP_OK || client->answer.status != 200)
        return outcome_of(client, err);
    error_set(err, ECONNRESET, "the farm at %s ended the stream", client->reach.address.url);
    return CLI_UNREACHABLE;
}

int client_follow(struct client *client, const struct client_question *question, const char *last_id,
                  client_event_fn *on_event, void *data, struct error *err)
{
    struct http_client_request request = request_of(client, question);
    cleanup_free char *headers = xasprintf("%s%s%s%s", client->reach.headers ? client->reach.headers : "",
                                           last_id && *last_id ? "Last-Event-ID: " : "",
                                           last_id && *last_id ? last_id : "", last_id && *last_id ? "\r\n" : "");
    request.headers = headers;
    request.on_piece = on_piece;
    client->limit_ms = question->timeout_ms;
    client->deadline_ms = question->timeout_ms > 0 ? clock_monotonic_ms() + question->timeout_ms : 0;
    client->on_event = on_event;
    client->data = data;
    do {
        sse_reader_done(&client->reader);
        client->reader = SSE_READER_EMPTY;
        exchange(client, &request, silence_ms(client));
    } while (has_next_address(client));
    int code = stream_outcome(client, err);
    client_answer_done(&client->answer);
    return code;
}

/* --- the rest --- */

void client_go_on(struct client *client)
{
    client->interrupted = false;
}

int client_sleep(struct client *client, int64_t ms)
{
    client->timed_out = false;
    uv_update_time(&client->loop);
    uv_timer_start(&client->timer, on_timer, (uint64_t)ms, 0);
    while (!client->timed_out && !client->interrupted)
        uv_run(&client->loop, UV_RUN_DEFAULT);
    uv_timer_stop(&client->timer);
    return client->interrupted ? CLI_INTERRUPTED : CLI_DONE;
}

void client_encode(struct buffer *out, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~,:/";
    for (; *text; text++) {
        if (strchr(plain, *text))
            buffer_append_char(out, *text);
        else
            buffer_printf(out, "%%%02X", (unsigned char)*text);
    }
}
