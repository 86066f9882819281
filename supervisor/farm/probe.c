/*
 * Asking a server how it is: what an answer means, and a single probe on request. The schedule is in prober.c.
 */
#include "supervisor/farm/probe.h"

#include "core/memory.h"
#include "supervisor/farm/probe_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (1024 * 1024) /* a page that a user's program serves as its health is fine too */

static const char *skip_blanks(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

/* Whether the body says "status": "degraded". No more of JSON is needed, and what is no JSON must not hurt. */
static bool says_degraded(const char *body, size_t length)
{
    static const char key[] = "\"status\"", value[] = "\"degraded\"";
    if (!body || length == 0)
        return false;
    for (const char *p = strstr(body, key); p; p = strstr(p, key)) {
        p = skip_blanks(p + sizeof(key) - 1);
        if (*p == ':' && strncmp(skip_blanks(p + 1), value, sizeof(value) - 1) == 0)
            return true;
    }
    return false;
}

void probe_judge(const struct http_client_response *response, struct probe_result *result)
{
    *result = (struct probe_result){.status = PROBE_STATUS_ERROR, .duration_ns = response->duration_ns};
    if (response->outcome == HTTP_LOCAL_ERROR)
        snprintf(result->error, sizeof(result->error), "not asked: %s", strerror(-response->error));
    else if (response->outcome != HTTP_OK)
        snprintf(result->error, sizeof(result->error), "%s", http_outcome_text(response->outcome));
    else if (response->status < 200 || response->status > 399)
        snprintf(result->error, sizeof(result->error), "HTTP %d", response->status);
    else if (says_degraded(response->body, response->body_length))
        result->status = PROBE_STATUS_DEGRADED;
    else
        result->status = PROBE_STATUS_HEALTHY;
}

struct http_client *probe_send(uv_loop_t *loop, const struct server *server, const char *path, int64_t timeout_ms,
                               void (*on_done)(void *data, const struct http_client_response *response), void *data)
{
    struct sockaddr_in address;
    struct http_client_request request = {
        .method = "GET",
        .target = path && path[0] ? path : "/health",
        .timeout_ms = timeout_ms > 0 ? (unsigned)timeout_ms : 1,
        .max_body = BODY_MAX,
        .close = true, /* a thousand idle connections would cost more than a thousand connects in half a minute */
    };
    server_address(server, &address);
    return http_client_once(loop, &address, &request, on_done, data);
}

/* --- one probe on request --- */

struct single_probe {
    uv_timer_t timer; /* for a server that is not asked at all */
    int server_id;
    struct probe_result result;
    void (*on_done)(int server_id, const struct probe_result *result, void *data);
    void *data;
};

static void on_single_answer(void *data, const struct http_client_response *response)
{
    struct single_probe *probe = data;
    probe_judge(response, &probe->result);
    probe->on_done(probe->server_id, &probe->result, probe->data);
    free(probe);
}

static void on_single_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_single_skipped(uv_timer_t *timer)
{
    struct single_probe *probe = timer->data;
    probe->on_done(probe->server_id, &probe->result, probe->data);
    uv_close((uv_handle_t *)timer, on_single_closed);
}

static const char *path_of(const struct group_settings *group)
{
    const struct probe_settings *liveness = &group->probes[PROBE_LIVENESS];
    return liveness->path ? liveness->path : group->probes[PROBE_READINESS].path;
}

void probe_once(uv_loop_t *loop, const struct server *server, int64_t timeout_ms,
                void (*on_done)(int server_id, const struct probe_result *result, void *data), void *data)
{
    struct single_probe *probe = xcalloc(1, sizeof(*probe));
    probe->server_id = server->id;
    probe->on_done = on_done;
    probe->data = data;
    if (server_is_live(server)) {
        probe_send(loop, server, path_of(server->group), timeout_ms, on_single_answer, probe);
        return;
    }
    probe->result.status = PROBE_STATUS_ERROR;
    snprintf(probe->result.error, sizeof(probe->result.error), "%s", server_state_name(server->lifecycle.state));
    uv_timer_init(loop, &probe->timer);
    probe->timer.data = probe;
    uv_timer_start(&probe->timer, on_single_skipped, 0, 0);
}
