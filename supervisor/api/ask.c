/*
 * Only servers that run are asked: the port of one that doesn't may meanwhile be another program's. A connection that a
 * server's end has reset is told with the reason for that end, which is known a moment later.
 */
#include "supervisor/api/ask.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/json_check.h"
#include "supervisor/api/targets.h"
#include "supervisor/api/view.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most that stands in an answer around what servers said, each byte of an error or of the endpoint escaped. */
#define ENTRY_FRAME (6 * sizeof(((struct ask_entry *)0)->error) + 128)
#define ANSWER_FRAME 16384
#define VERDICT_POLL_MS 10
#define VERDICT_MAX_MS 500 /* a reset connection of a server that has not ended by then has some other reason */

static void on_verdict_closed(uv_handle_t *verdict)
{
    free(verdict->data);
}

static void drop_answer(struct ask *ask, struct ask_entry *entry)
{
    budget_give(&ask->api->memory, entry->length);
    entry->length = 0;
    free(steal(&entry->json));
}

void ask_free(struct ask *ask)
{
    fanout_cancel(ask->fanout);
    for (size_t i = 0; i < ask->count; i++)
        drop_answer(ask, &ask->entries[i]);
    free(ask->target);
    free(ask->headers);
    free(ask->body);
    api_end_fanout(ask->api);
    uv_close((uv_handle_t *)&ask->verdict, on_verdict_closed);
}

static void on_abort(struct reply *reply)
{
    ask_free((struct ask *)((char *)reply - offsetof(struct ask, reply)));
}

struct ask *ask_new(struct http_request *request, struct api *api, size_t count, void (*finish)(struct ask *ask))
{
    if (!api_begin_fanout(request, api))
        return NULL;
    struct ask *ask = xcalloc(1, sizeof(*ask) + count * sizeof(ask->entries[0]));
    ask->api = api;
    ask->count = count;
    ask->finish = finish;
    ask->parallel = FANOUT_PARALLEL;
    ask->room = ASK_MAX_TOTAL;
    ask->verdict.data = ask;
    uv_timer_init(farm_loop(api->farm), &ask->verdict);
    ask->request = (struct http_client_request){.method = "GET", .target = "/", .timeout_ms = API_ASK_TIMEOUT_MS};
    return ask;
}

struct ask *ask_selected(struct http_request *request, struct api *api, void (*finish)(struct ask *ask))
{
    struct targets targets;

    if (!targets_read_query(request, api->farm, &targets))
        return NULL;
    struct ask *ask = ask_new(request, api, targets.count, finish);
    for (size_t i = 0; ask != NULL && i < targets.count; i++)
        ask->entries[i].server_id = targets.ids[i];
    targets_done(&targets);
    return ask;
}

static void set_error(struct ask_entry *entry, const char *text)
{
    snprintf(entry->error, sizeof(entry->error), "%s", text);
}

static void keep_answer(struct ask_entry *entry, const struct http_client_response *response)
{
    if (response->body_length > 0 && json_check(response->body, response->body_length, ASK_MAX_DEPTH, NULL) < 0) {
        set_error(entry, "HTTP 200, but the answer is not JSON");
        return;
    }
    entry->json = malloc(response->body_length + 1);
    if (entry->json == NULL) {
        set_error(entry, "answer dropped: out of memory");
        return;
    }
    if (response->body_length > 0)
        memcpy(entry->json, response->body, response->body_length);
    entry->json[response->body_length] = '\0';
    entry->length = response->body_length;
}

static void on_verdict(uv_timer_t *verdict);

/* What others keep leaves no room: this one gives up what it has at once, so that one of them can come to its end. The
 * fanout cannot be ended from inside its own call. */
static void refuse(struct ask *ask)
{
    if (ask->refusal.code != 0)
        return;
    error_set(&ask->refusal, ENOBUFS,
              "there is no memory left for these answers: %zu MB wait for other peers; try again in a moment",
              API_MEMORY / MIB);
    uv_timer_start(&ask->verdict, on_verdict, 0, 0);
}

/* "HTTP 503: cannot hold 400 MB", or "HTTP 503" alone where there is no sentence or none is wanted. */
static void set_status_error(const struct ask *ask, struct ask_entry *entry,
                             const struct http_client_response *response)
{
    bool fit = ask->tells_detail && json_check(response->body, response->body_length, ASK_MAX_DEPTH, NULL) == 0;
    cJSON *problem = fit ? cJSON_ParseWithLength(response->body, response->body_length) : NULL;
    const cJSON *detail = cJSON_GetObjectItemCaseSensitive(problem, "detail");
    bool told = cJSON_IsString(detail) && detail->valuestring[0] != '\0';

    snprintf(entry->error, sizeof(entry->error), "HTTP %d%s%.160s", response->status, told ? ": " : "",
             told ? detail->valuestring : "");
    cJSON_Delete(problem);
}

static void on_answer(void *data, size_t index, const struct http_client_response *response)
{
    struct ask *ask = data;
    struct ask_entry *entry = &ask->entries[index];
    bool in_mb = ask->request.max_body >= MIB;

    if (response->outcome == HTTP_TOO_LARGE)
        snprintf(entry->error, sizeof(entry->error), "answer over %zu %s", ask->request.max_body >> (in_mb ? 20 : 10),
                 in_mb ? "MB" : "KB");
    else if (response->outcome == HTTP_NO_ROOM)
        set_error(entry, "answer dropped: all of them together are over 64 MB");
    else if (response->outcome == HTTP_LOCAL_ERROR)
        snprintf(entry->error, sizeof(entry->error), "not asked: %s", strerror(-response->error));
    else if (response->outcome != HTTP_OK)
        set_error(entry, http_outcome_text(response->outcome));
    else if (response->status != 200)
        set_status_error(ask, entry, response);
    else
        keep_answer(entry, response);
    entry->reset = response->outcome == HTTP_RESET;
    if (response->outcome == HTTP_OK && entry->json == NULL) {
        ask->room += response->body_length;
        budget_give(&ask->api->memory, response->body_length);
    }
    if (response->outcome == HTTP_LOCAL_ERROR && response->error == -ENOBUFS)
        refuse(ask);
}

/* Why the server's end reset its connection, once it is known; true when there is nothing left to find out. */
static bool explain_reset(struct ask *ask, struct ask_entry *entry)
{
    const struct server *server = farm_server(ask->api->farm, (int)entry->server_id);

    if (!entry->reset)
        return true;
    if (server != NULL && !server_ended_since(server, ask->began_ms))
        return false;
    entry->reset = false;
    if (server == NULL)
        snprintf(entry->error, sizeof(entry->error), "the connection was reset: server-%" PRId64 " is gone",
                 entry->server_id);
    else
        snprintf(entry->error, sizeof(entry->error), "the connection was reset: %s %s", server->name,
                 server_ending_words(server));
    return true;
}

static bool explain_resets(struct ask *ask)
{
    bool all = true;

    for (size_t i = 0; i < ask->count; i++)
        all = explain_reset(ask, &ask->entries[i]) && all;
    return all;
}

static void finish(struct ask *ask)
{
    if (ask->refusal.code != 0)
        reply_error(&ask->reply, &ask->refusal);
    else
        ask->finish(ask);
    ask_free(ask);
}

static void on_verdict(uv_timer_t *verdict)
{
    struct ask *ask = verdict->data;

    if (ask->refusal.code != 0 || explain_resets(ask) || clock_monotonic_ms() >= ask->verdict_until_ms)
        finish(ask);
}

static void on_done(void *data)
{
    struct ask *ask = data;

    ask->fanout = NULL;
    if (ask->refusal.code != 0 || explain_resets(ask)) {
        finish(ask);
        return;
    }
    ask->verdict_until_ms = clock_monotonic_ms() + VERDICT_MAX_MS;
    uv_timer_start(&ask->verdict, on_verdict, VERDICT_POLL_MS, VERDICT_POLL_MS);
}

void ask_start(struct ask *ask, struct http_request *request)
{
    static const struct fanout_handlers HANDLERS = {.on_answer = on_answer, .on_done = on_done};
    const struct farm *farm = ask->api->farm;
    cleanup_free struct sockaddr_in *addresses = xcalloc(ask->count + 1, sizeof(*addresses));

    for (size_t i = 0; i < ask->count; i++) {
        struct ask_entry *entry = &ask->entries[i];
        bool possible = entry->server_id > 0 && entry->server_id <= INT32_MAX;
        const struct server *server = possible ? farm_server(farm, (int)entry->server_id) : NULL;
        if (server == NULL)
            set_error(entry, "Invalid server ID");
        else if (!server_is_live(server))
            set_error(entry, view_server_error(server));
        else
            server_address(server, &addresses[i]);
    }
    reply_hold(&ask->reply, request, on_abort);
    ask->request.body_room = &ask->room;
    ask->request.memory = &ask->api->memory;
    ask->began_ms = clock_monotonic_ms();
    ask->fanout = fanout_start(farm_loop(farm), &ask->request, addresses, ask->count, ask->parallel, &HANDLERS, ask);
    if (ask->fanout == NULL)
        on_done(ask);
}

bool ask_begin_answer(struct ask *ask, struct buffer *out)
{
    size_t bytes = ANSWER_FRAME;

    for (size_t i = 0; i < ask->count; i++)
        bytes += ask->entries[i].length + ENTRY_FRAME;
    if (buffer_try_reserve(out, bytes))
        return true;
    error_set(&ask->refusal, ENOMEM, "there is no memory for an answer of %zu KB; try again later", bytes / 1024);
    reply_error(&ask->reply, &ask->refusal);
    return false;
}

void ask_write_entry(struct json_writer *w, struct ask *ask, struct ask_entry *entry)
{
    if (entry->json != NULL && entry->length > 0) {
        json_raw(w, entry->json, entry->length);
        drop_answer(ask, entry);
        return;
    }
    json_begin_object(w);
    if (entry->json == NULL)
        json_member_string(w, "error", entry->error);
    json_end_object(w);
}
