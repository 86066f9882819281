/*
 * The two listeners and what every request passes through before its handler.
 */
#include "supervisor/api/api.h"

#include "core/log.h"
#include "core/memory.h"
#include "core/units.h"
#include "http/problem.h"
#include "supervisor/api/access.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/live.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/routes.h"
#include "supervisor/api/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MAX_CONNECTIONS 4096 /* of each listener, … */
#define DESCRIPTOR_PART 4    /* … and at most this part of the descriptors: the rest is for the servers */

struct api *api_ref(struct api *api)
{
    api->references++;
    return api;
}

void api_unref(struct api *api)
{
    if (--api->references > 0)
        return;
    sessions_free(api->sessions);
    free(api);
}

struct api *api_of(const struct http_match *match)
{
    const struct api_listener *listener = match->data;

    return listener->api;
}

bool api_match_server(struct http_request *request, const struct http_match *match, struct server **server)
{
    struct farm *farm = api_of(match)->farm;
    char text[24] = "";
    int64_t id = 0;

    int length = http_percent_decode(match->params[0], false, text, sizeof(text));
    int rc = length == -ENAMETOOLONG ? -EINVAL : length < 0 ? length : units_parse_int(text, 1, INT32_MAX, &id);
    if (rc == -EINVAL) {
        http_respond_problem(request, 422, "server_id must be a whole number");
        return false;
    }
    struct server *found = rc < 0 ? NULL : farm_server(farm, (int)id);
    if (found == NULL) {
        http_respond_problem(request, 404, "server_id %s: no such server; the farm has %zu", text,
                             farm_server_count(farm));
        return false;
    }
    *server = found;
    return true;
}

bool api_may_change(struct http_request *request, const struct api *api)
{
    if (!farm_is_stopping(api->farm))
        return true;
    respond_overload(request, "farmd is stopping");
    return false;
}

bool api_begin_fanout(struct http_request *request, struct api *api)
{
    if (api->fanouts >= API_MAX_FANOUTS) {
        respond_overload(request, "Too many requests that ask all servers are under way; try again in a second");
        return false;
    }
    api_ref(api);
    api->fanouts++;
    return true;
}

void api_end_fanout(struct api *api)
{
    api->fanouts--;
    api_unref(api);
}

static void on_request(struct http_request *request, void *data)
{
    struct api_listener *listener = data;

    http_respond_header(request, "X-Content-Type-Options", "nosniff");
    if (access_admit(farm_settings(listener->api->farm), listener->api->sessions, request))
        http_router_dispatch(ROUTES, ROUTES_COUNT, request, listener);
}

static void on_done(struct http_request *request, const struct http_done *done, void *data)
{
    (void)done;
    (void)data;
    reply_request_ended(request);
}

static void on_accept(int code, void *data)
{
    const struct api_listener *listener = data;
    struct error err;

    if (code < 0)
        error_set_errno(&err, -code, "accepting on port %u", http_server_port(listener->server));
    farm_trouble(listener->api->farm, TROUBLE_ACCEPT, code < 0 ? &err : NULL);
}

static unsigned max_connections(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur / DESCRIPTOR_PART > MAX_CONNECTIONS)
        return MAX_CONNECTIONS;
    return (unsigned)(files.rlim_cur / DESCRIPTOR_PART);
}

static void make_server(struct api_listener *listener)
{
    struct http_server_options options = {
        .limits = HTTP_SERVER_DEFAULT_LIMITS,
        .on_request = on_request,
        .on_done = on_done,
        .on_accept = on_accept,
        .memory = &listener->api->memory,
        .data = listener,
    };

    options.limits.max_connections = max_connections();
    listener->server = http_server_new(farm_loop(listener->api->farm), &options);
}

static int listen_on(struct api_listener *listener, const struct listen_settings *where, struct error *err)
{
    struct error problem = {0};

    make_server(listener);
    int rc = http_server_listen(listener->server, where->host, where->port, &problem);
    if (rc == 0)
        return 0;
    http_server_free(listener->server);
    listener->server = NULL;
    if (rc != -EADDRINUSE)
        return error_set(err, problem.code, "%s", problem.message);
    char holder[96] = "another program";
    runtime_port_holder(where->port, holder, sizeof(holder));
    return error_set(err, EADDRINUSE, "port %u is taken by %s", where->port, holder);
}

static void open_dashboard(struct api *api, const struct settings *settings)
{
    struct error err = {0};

    if (settings->dashboard.port == 0)
        return;
    if (listen_on(&api->dashboard, &settings->dashboard, &err) < 0)
        log_warning("no dashboard: %s\n  fix: stop it, or start with --dashboard-port N", err.message);
}

static int open_control(struct api *api, const struct settings *settings, struct error *err)
{
    struct error problem = {0};

    if (listen_on(&api->control, &settings->api, &problem) == 0)
        return 0;
    return error_set(err, problem.code, "the control API cannot listen: %s\n  fix: stop it, or start with --port N",
                     problem.message);
}

/* A connection that cannot be taken is closed; its peer tries again. */
static void take_sockets(struct api *api, const struct api_socket *sockets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct api_listener *listener = sockets[i].dashboard ? &api->dashboard : &api->control;
        struct error err = {0};
        if (listener->server == NULL)
            make_server(listener);
        if (http_server_take(listener->server, &sockets[i].socket, &err) < 0)
            log_warning("%s", err.message);
    }
}

int api_new(struct farm *farm, struct history *history, const struct api_socket *sockets, size_t count,
            struct api **api, struct error *err)
{
    const struct settings *settings = farm_settings(farm);
    struct api *made = xcalloc(1, sizeof(*made));

    made->farm = farm;
    made->history = history;
    made->references = 1;
    made->memory.limit = API_MEMORY;
    load_tests_init(&made->tests);
    made->live = live_new(made);
    made->sessions = sessions_new();
    made->control.api = made;
    made->dashboard = (struct api_listener){.api = made, .is_dashboard = true};
    take_sockets(made, sockets, count);
    int rc = made->control.server == NULL ? open_control(made, settings, err) : 0;
    if (rc < 0) {
        api_free(made);
        return rc;
    }
    if (made->dashboard.server == NULL)
        open_dashboard(made, settings);
    *api = made;
    return 0;
}

uint16_t api_port(const struct api *api)
{
    return http_server_port(api->control.server);
}

uint16_t api_dashboard_port(const struct api *api)
{
    return api->dashboard.server == NULL ? 0 : http_server_port(api->dashboard.server);
}

static void on_listener_drained(void *data)
{
    struct api *api = data;

    if (--api->draining == 0 && api->on_drained != NULL)
        api->on_drained(api->on_drained_data);
}

void api_farm_stopping(struct api *api)
{
    load_tests_stop(api);
    load_tests_cancel_all(&api->tests);
}

static void drain_listeners(struct api *api)
{
    struct http_server *servers[] = {api->control.server, api->dashboard.server};

    streams_end(api, "farmd has stopped");
    /* Counted before the first is told, for it may be drained at once. */
    for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
        api->draining += servers[i] != NULL;
    for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
        if (servers[i] != NULL)
            http_server_drain(servers[i], api->drain_ms, on_listener_drained, api);
    }
}

static void on_last_tests_closed(uv_handle_t *timer)
{
    api_unref(timer->data);
}

static void on_last_tests(uv_timer_t *timer)
{
    struct api *api = timer->data;

    api->waits_for_tests = false;
    uv_close((uv_handle_t *)timer, on_last_tests_closed);
    drain_listeners(api);
}

/* In a turn of its own: a listener may be drained at once, and the API be gone then. */
void api_tests_ended(struct api *api)
{
    if (api->waits_for_tests)
        uv_timer_start(&api->last_tests, on_last_tests, 0, 0);
}

/* Load tests were told to end when the farm began to stop; those that follow them hear of it. */
void api_drain(struct api *api, unsigned timeout_ms, void (*on_drained)(void *data), void *data)
{
    api->on_drained = on_drained;
    api->on_drained_data = data;
    api->drain_ms = timeout_ms;
    api->waits_for_tests = true;
    api->last_tests.data = api_ref(api);
    uv_timer_init(farm_loop(api->farm), &api->last_tests);
    uv_timer_start(&api->last_tests, on_last_tests, api->tests.running > 0 ? timeout_ms : 0, 0);
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    streams_end(api, NULL);
    http_server_free(steal(&api->control.server));
    http_server_free(steal(&api->dashboard.server));
    load_tests_done(&api->tests);
    live_free(steal(&api->live));
    api_unref(api);
}
