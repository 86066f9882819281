/*
 * GET /api/stream at 5,000 servers, three columns changing for all: what a tick has in bytes as a viewer gets it, and what
 * a further viewer costs farmd's thread. The farm is played; the server, the sockets and the stream are real.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/live.h"
#include "supervisor/api/stream.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SERVERS 5000
#define VIEWERS 100
#define SETTLE_MS 1200
#define MEASURE_MS 3000
#define VIEWER_COST_MAX 0.001 /* of a core; a tick made for each of them would cost more */
#define TICK_BYTES_MAX (20 * 1024)
#define RATE_MAX 100000

static struct server servers[SERVERS];
static struct events *events;
static uv_loop_t loop;
static struct api api;
static char group_name[] = "web";
static const struct group_settings GROUP = {.name = group_name};

/* --- the farm, played --- */

static bool played_limits(const struct runtime_process *process, struct runtime_limits_in_force *limits)
{
    (void)process;
    *limits = (struct runtime_limits_in_force){.cpu = 0.5, .memory = 256 << 20};
    return true;
}

static const struct runtime_ops PLAYED = {.kind = "played", .limits_in_force = played_limits};

#define PLAY(type, name, value)                                                                                        \
    type name(const struct farm *farm)                                                                                 \
    {                                                                                                                  \
        (void)farm;                                                                                                    \
        return value;                                                                                                  \
    }
PLAY(size_t, farm_server_count, SERVERS)
PLAY(const struct runtime_ops *, farm_runtime_ops, &PLAYED)
PLAY(uv_loop_t *, farm_loop, &loop)
PLAY(struct events *, farm_events, events)
PLAY(const char *, farm_enforcement, "cgroup2")
PLAY(const char *, farm_enforcement_warning, NULL)
PLAY(int64_t, farm_started_at_us, 1)
PLAY(struct runtime_enforced, farm_enforced, ((struct runtime_enforced){.cpu = true}))

struct server *farm_server_at(const struct farm *farm, size_t index)
{
    (void)farm;
    return &servers[index];
}

void farm_totals(const struct farm *farm, struct farm_totals *totals)
{
    (void)farm;
    *totals = (struct farm_totals){.by_state[SERVER_RUNNING] = SERVERS};
}

/* Anywhere in its whole range: there is no pattern to pack. */
static void change_at_random(struct server_stats *stats)
{
    stats->cpu_percent = (double)(random() % 10000) / 100.0;
    stats->memory_percent = (double)(random() % 10000) / 100.0;
    stats->requests_per_second = (double)(random() % RATE_MAX);
}

static bool at_random;
static unsigned changes; /* as many as there are ticks */

static void change(uv_timer_t *timer)
{
    (void)timer;
    changes++;
    for (size_t i = 0; i < SERVERS; i++) {
        struct server_stats *stats = &servers[i].stats;
        if (at_random) {
            change_at_random(stats);
            continue;
        }
        /* Around a level of its own, as on a loaded machine. */
        unsigned level = 10 + (unsigned)(i * 7919) % 80;
        stats->cpu_percent = level + (double)(random() % 500) / 100.0;
        stats->memory_percent = level + (double)(random() % 200) / 100.0;
        stats->requests_per_second = (double)level * (50 + (double)(random() % 6));
    }
}

static void play(void)
{
    for (size_t i = 0; i < SERVERS; i++) {
        servers[i] = (struct server){.id = (int)i + 1, .port = (uint16_t)(8001 + i), .group = &GROUP};
        servers[i].lifecycle.state = SERVER_RUNNING;
        servers[i].process = (struct runtime_process *)&servers[i];
        servers[i].stats = (struct server_stats){.have = ~0U, .have_requests = true, .at_us = 1};
    }
    change(NULL);
}

/* --- the API, as far as a stream needs it --- */

struct api *api_of(const struct http_match *match)
{
    (void)match;
    return &api;
}

struct api *api_ref(struct api *used)
{
    used->references++;
    return used;
}

void api_unref(struct api *used)
{
    used->references--;
}

static void on_request(struct http_request *request, void *data)
{
    (void)data;
    live_get(request, NULL);
}

static void on_done(struct http_request *request, const struct http_done *done, void *data)
{
    (void)done;
    (void)data;
    reply_request_ended(request);
}

/* --- viewers, on a thread of their own --- */

static struct pollfd viewers[VIEWERS + 1];
static atomic_uint viewer_count;
static atomic_bool enough;
static atomic_ullong received; /* by the first one */

static void add_viewers(uint16_t port, unsigned count)
{
    static const char REQUEST[] = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n";
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};

    for (unsigned i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(send(fd, REQUEST, sizeof(REQUEST) - 1, MSG_NOSIGNAL), sizeof(REQUEST) - 1);
        viewers[viewer_count] = (struct pollfd){.fd = fd, .events = POLLIN};
        viewer_count++;
    }
}

static void *read_all(void *data)
{
    static char bytes[1 << 16];

    (void)data;
    while (!enough) {
        unsigned count = viewer_count;
        poll(viewers, count, 100);
        for (unsigned i = 0; i < count; i++) {
            ssize_t n = viewers[i].revents != 0 ? recv(viewers[i].fd, bytes, sizeof(bytes), MSG_DONTWAIT) : 0;
            if (i == 0 && n > 0)
                received += (unsigned long long)n;
        }
    }
    return NULL;
}

/* --- measuring --- */

static void on_time(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void run_for(uint64_t ms)
{
    uv_timer_t timer;

    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_time, ms, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Of a core, over some ticks; after the snapshots are gone. */
static double measure(void)
{
    run_for(SETTLE_MS);
    double before = cpu_seconds();
    int64_t began_ns = clock_monotonic_ns();
    run_for(MEASURE_MS);
    return (cpu_seconds() - before) / ((double)(clock_monotonic_ns() - began_ns) / 1e9);
}

/* What the first viewer is sent, on average. It begins and ends between ticks. */
static double bytes_of_a_tick(bool random_ones)
{
    at_random = random_ones;
    run_for(MEASURE_MS);
    unsigned long long received_before = received;
    unsigned changes_before = changes;
    run_for(MEASURE_MS);
    return (double)(received - received_before) / (changes - changes_before);
}

static void close_walked(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void test_cost_of_a_viewer(void **state)
{
    (void)state;
    struct http_server_options options = {
        .limits = HTTP_SERVER_DEFAULT_LIMITS, .on_request = on_request, .on_done = on_done, .memory = &api.memory};
    struct error err = {0};
    uv_timer_t timer;
    pthread_t reader;

    play();
    events = events_new();
    assert_int_equal(uv_loop_init(&loop), 0);
    api.memory.limit = API_MEMORY;
    api.live = live_new(&api);
    struct http_server *server = http_server_new(&loop, &options);
    assert_int_equal(http_server_listen(server, "127.0.0.1", 0, &err), 0);
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, change, 0, MS_PER_SECOND);

    add_viewers(http_server_port(server), 1);
    assert_int_equal(pthread_create(&reader, NULL, read_all, NULL), 0);
    run_for(SETTLE_MS);
    double bytes_at_random = bytes_of_a_tick(true);
    double bytes = bytes_of_a_tick(false);
    double one = measure();
    add_viewers(http_server_port(server), VIEWERS);
    double all = measure();
    print_message(
        "%d servers: %.0f bytes a tick, at random %.0f; one viewer %.2f %% of a core, each further one %.4f %%\n",
        SERVERS, bytes, bytes_at_random, one * 100, (all - one) / VIEWERS * 100);
    assert_int_equal(api.streams, VIEWERS + 1);
    assert_true(bytes > 1000 && bytes <= TICK_BYTES_MAX);
    assert_true(bytes_at_random > bytes && bytes_at_random <= TICK_BYTES_MAX);
    assert_true((all - one) / VIEWERS < VIEWER_COST_MAX);

    streams_end(&api, NULL);
    http_server_free(server);
    live_free(api.live);
    uv_walk(&loop, close_walked, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(api.references, 0);
    enough = true;
    pthread_join(reader, NULL);
    for (unsigned i = 0; i < viewer_count; i++)
        close(viewers[i].fd);
    events_free(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cost_of_a_viewer)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
