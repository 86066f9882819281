#include "load_fixture.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HUGE_BODY (UINT64_C(1) << 30)
#define PIECE_SIZE ((size_t)256 * 1024)
#define ANSWER_BODY "0123456789"

struct load_server {
    struct load_server_options options;
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_async_t stop;
    uv_thread_t thread;
    uint16_t port;
    atomic_uint_fast64_t requests, connections;
    uint64_t answers;
    bool dead;
    uv_mutex_t lock; /* of the last request */
    struct buffer last_request;
    struct buffer last_copy;
    char piece[PIECE_SIZE];
    char input[64 * 1024];
};

struct peer {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    struct load_server *server;
    struct buffer received;
    uint64_t left; /* of a huge body */
    unsigned handles;
};

/* --- one connection of the server --- */

static void on_peer_closed(uv_handle_t *handle)
{
    struct peer *peer = handle->data;

    if (--peer->handles > 0)
        return;
    buffer_done(&peer->received);
    free(peer);
}

static void hang_up(struct peer *peer)
{
    if (uv_is_closing((uv_handle_t *)&peer->tcp))
        return;
    uv_close((uv_handle_t *)&peer->tcp, on_peer_closed);
    uv_close((uv_handle_t *)&peer->timer, on_peer_closed);
}

static void close_any(uv_handle_t *handle, void *server)
{
    struct load_server *s = server;

    if (uv_is_closing(handle))
        return;
    if (handle == (uv_handle_t *)&s->listener || handle == (uv_handle_t *)&s->stop)
        uv_close(handle, NULL);
    else
        hang_up(handle->data);
}

static void die(struct load_server *server)
{
    server->dead = true;
    uv_walk(&server->loop, close_any, server);
}

static void say(struct peer *peer, const char *text)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));

    if (!uv_is_closing((uv_handle_t *)&peer->tcp))
        uv_try_write((uv_stream_t *)&peer->tcp, &buf, 1);
}

static void answer(struct peer *peer)
{
    struct load_server *server = peer->server;
    const struct load_server_options *options = &server->options;
    char text[512];

    server->answers++;
    bool closes = options->closes_every > 0 && server->answers % options->closes_every == 0;
    snprintf(text, sizeof(text), "HTTP/1.1 %u X\r\n%sContent-Length: %zu\r\n\r\n%s",
             options->status ? options->status : 200, closes ? "Connection: close\r\n" : "", strlen(ANSWER_BODY),
             ANSWER_BODY);
    say(peer, text);
    if (options->dies_after > 0 && server->answers == options->dies_after)
        die(server);
    else if (closes || options->leaves_silently)
        hang_up(peer);
}

static void on_late(uv_timer_t *timer)
{
    answer(timer->data);
}

static void answer_in_time(struct peer *peer, uint64_t number)
{
    const struct load_server_options *options = &peer->server->options;

    if (options->slow_ms == 0 || number % 10 < options->slow_from) {
        answer(peer);
        return;
    }
    uv_update_time(&peer->server->loop);
    uv_timer_start(&peer->timer, on_late, options->slow_ms + 1, 0); /* the loop's clock is cut to milliseconds */
}

static void on_drip(uv_timer_t *timer)
{
    say(timer->data, "x");
}

static void on_huge_written(uv_write_t *write, int status);

static void send_huge_piece(struct peer *peer)
{
    uint64_t length = peer->left < PIECE_SIZE ? peer->left : PIECE_SIZE;
    uv_buf_t buf = uv_buf_init(peer->server->piece, (unsigned)length);

    if (length == 0)
        return;
    peer->left -= length;
    peer->write.data = peer;
    uv_write(&peer->write, (uv_stream_t *)&peer->tcp, &buf, 1, on_huge_written);
}

static void on_huge_written(uv_write_t *write, int status)
{
    if (status == 0)
        send_huge_piece(write->data);
}

static void send_huge(struct peer *peer)
{
    char head[128];

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %ju\r\n\r\n", (uintmax_t)HUGE_BODY);
    say(peer, head);
    peer->left = HUGE_BODY;
    send_huge_piece(peer);
}

static void on_endless(uv_timer_t *timer)
{
    struct peer *peer = timer->data;

    for (int i = 0; i < 100; i++)
        say(peer, "X-Filler: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
}

static void stand_still(unsigned ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * NS_PER_MS};

    while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
        ;
}

static void serve(struct peer *peer, size_t length)
{
    struct load_server *server = peer->server;
    uint64_t number = atomic_fetch_add(&server->requests, 1);

    uv_mutex_lock(&server->lock);
    buffer_clear(&server->last_request);
    buffer_append(&server->last_request, peer->received.data, length);
    uv_mutex_unlock(&server->lock);
    if (server->options.freezes_at > 0 && number + 1 == server->options.freezes_at)
        stand_still(server->options.freeze_ms);
    switch (server->options.kind) {
    case SERVER_ANSWERS:
        answer_in_time(peer, number);
        break;
    case SERVER_NEVER:
        break;
    case SERVER_GARBAGE:
        say(peer, "220 mail.example.com ESMTP\r\n");
        break;
    case SERVER_ENDLESS_HEAD:
        say(peer, "HTTP/1.1 200 OK\r\n");
        uv_timer_start(&peer->timer, on_endless, 1, 1);
        break;
    case SERVER_HANGS_UP:
    case SERVER_HANGS_UP_EARLY:
        hang_up(peer);
        break;
    case SERVER_CUTS:
        say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
        hang_up(peer);
        break;
    case SERVER_DRIPS:
        say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        uv_timer_start(&peer->timer, on_drip, 5, 5);
        break;
    case SERVER_HUGE:
        send_huge(peer);
        break;
    }
}

/* The length of the first whole request; 0 when there is none yet. */
static size_t whole_request(const struct buffer *received)
{
    const char *end = received->length > 0 ? strstr(received->data, "\r\n\r\n") : NULL;
    const char *field = end ? strstr(received->data, "Content-Length: ") : NULL;

    if (!end)
        return 0;
    size_t length = (size_t)(end + 4 - received->data);
    if (field && field < end)
        length += strtoul(field + strlen("Content-Length: "), NULL, 10);
    return received->length >= length ? length : 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct peer *peer = handle->data;

    (void)suggested;
    *buf = uv_buf_init(peer->server->input, sizeof(peer->server->input));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct peer *peer = stream->data;
    size_t length;

    if (n < 0 || peer->server->options.kind == SERVER_HANGS_UP_EARLY) {
        hang_up(peer);
        return;
    }
    buffer_append(&peer->received, buf->base, (size_t)n);
    while (!uv_is_closing((uv_handle_t *)stream) && (length = whole_request(&peer->received)) > 0) {
        serve(peer, length);
        memmove(peer->received.data, peer->received.data + length, peer->received.length - length + 1);
        peer->received.length -= length;
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct load_server *server = listener->data;
    struct peer *peer = xcalloc(1, sizeof(*peer));

    (void)status;
    peer->server = server;
    peer->handles = 2;
    peer->tcp.data = peer->timer.data = peer;
    uv_tcp_init(&server->loop, &peer->tcp);
    uv_timer_init(&server->loop, &peer->timer);
    uv_accept(listener, (uv_stream_t *)&peer->tcp);
    uv_tcp_nodelay(&peer->tcp, 1);
    atomic_fetch_add(&server->connections, 1);
    uv_read_start((uv_stream_t *)&peer->tcp, on_alloc, on_read);
}

/* --- the server --- */

static void on_stop(uv_async_t *stop)
{
    die(stop->data);
}

/* This thread alone bears writing to who has gone: the engine's must not need it. */
static void serve_all(void *server)
{
    sigset_t pipe;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    uv_run(&((struct load_server *)server)->loop, UV_RUN_DEFAULT);
}

/* Its connections take these over. A peer's send buffer follows the segment size, which on loopback is large enough for
 * any request. */
static void take_in_little(struct load_server *server)
{
    int fd, buffer = 4096, segment = 1000;

    uv_fileno((uv_handle_t *)&server->listener, &fd);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
}

struct load_server *load_server_start(const struct load_server_options *options)
{
    struct load_server *server = xcalloc(1, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int length = sizeof(address);

    if (options)
        server->options = *options;
    server->listener.data = server->stop.data = server;
    uv_mutex_init(&server->lock);
    uv_loop_init(&server->loop);
    uv_async_init(&server->loop, &server->stop, on_stop);
    uv_tcp_init(&server->loop, &server->listener);
    assert_int_equal(uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0), 0);
    if (server->options.small_window)
        take_in_little(server);
    assert_int_equal(uv_listen((uv_stream_t *)&server->listener, 1024, on_connection), 0);
    uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &length);
    server->port = ntohs(address.sin_port);
    uv_thread_create(&server->thread, serve_all, server);
    return server;
}

void load_server_stop(struct load_server *server)
{
    uv_async_send(&server->stop);
    uv_thread_join(&server->thread);
    uv_loop_close(&server->loop);
    uv_mutex_destroy(&server->lock);
    buffer_done(&server->last_request);
    buffer_done(&server->last_copy);
    free(server);
}

uint16_t load_server_port(const struct load_server *server)
{
    return server->port;
}

uint64_t load_server_requests(const struct load_server *server)
{
    return atomic_load(&server->requests);
}

uint64_t load_server_connections(const struct load_server *server)
{
    return atomic_load(&server->connections);
}

const char *load_server_last_request(struct load_server *server)
{
    buffer_clear(&server->last_copy);
    uv_mutex_lock(&server->lock);
    buffer_append(&server->last_copy, server->last_request.data, server->last_request.length);
    uv_mutex_unlock(&server->lock);
    return server->last_copy.data;
}

uint16_t load_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* --- a run --- */

struct load_seen load_seen;

static struct {
    struct load_run *run;
    struct load_result *result;
    uv_timer_t deadline;
} under_test;

struct load_plan load_plan_for(const uint16_t *ports, size_t count)
{
    static struct load_target targets[LOAD_TEST_TARGETS];
    static char hosts[LOAD_TEST_TARGETS][32];
    struct load_plan plan = load_plan_defaults();

    assert_in_range(count, 1, LOAD_TEST_TARGETS);
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(ports[i])};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        snprintf(hosts[i], sizeof(hosts[i]), "127.0.0.1:%u", ports[i]);
        targets[i] = (struct load_target){
            .id = (int)i + 1, .name = hosts[i], .host = hosts[i], .address_length = sizeof(address)};
        memcpy(&targets[i].address, &address, sizeof(address));
    }
    plan.targets = targets;
    plan.target_count = count;
    plan.connections = 4;
    plan.threads = 1;
    plan.give_up_ns = 0;
    return plan;
}

struct load_plan load_plan_for_server(const struct load_server *server)
{
    return load_plan_for(&server->port, 1);
}

static void on_point(void *data, const struct load_point *point, const struct load_progress *so_far)
{
    (void)data;
    assert_int_equal(point->second, load_seen.points);
    load_seen.points++;
    load_seen.sum.requests += point->requests;
    load_seen.sum.answered += point->answered;
    load_seen.sum.failed += point->failed;
    load_seen.sum.bytes_received += point->bytes_received;
    assert_true(so_far->total.answered >= load_seen.sum.answered);
    assert_true(point->p50_ns <= point->p99_ns && point->p99_ns <= point->max_ns);
    if (load_seen.points != load_seen.stop_at_point)
        return;
    if (load_seen.abandon_instead) {
        uv_close((uv_handle_t *)&under_test.deadline, NULL);
        load_run_abandon(under_test.run);
    } else {
        load_run_stop(under_test.run);
    }
}

static void on_done(void *data, struct load_result *result)
{
    (void)data;
    under_test.result = result;
    uv_close((uv_handle_t *)&under_test.deadline, NULL);
}

static void on_deadline(uv_timer_t *deadline)
{
    (void)deadline;
    fail_msg("the run did not end");
}

struct load_result *load_run_to_end(const struct load_plan *plan)
{
    const struct load_events events = {.on_point = on_point, .on_done = on_done};
    struct error err = {0};
    uv_loop_t loop;

    load_seen.points = 0;
    memset(&load_seen.sum, 0, sizeof(load_seen.sum));
    under_test.result = NULL;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &under_test.deadline);
    uv_timer_start(&under_test.deadline, on_deadline, LOAD_TEST_DEADLINE_MS, 0);
    if (load_plan_check(plan, &err) < 0 || load_run_start(&loop, plan, &events, &under_test.run, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    load_seen.stop_at_point = 0;
    load_seen.abandon_instead = false;
    if (under_test.result)
        load_expect_consistent(plan, under_test.result);
    return under_test.result;
}

static void expect_counts_add_up(const struct load_counts *counts)
{
    uint64_t by_class = 0;

    for (unsigned i = 0; i < LOAD_STATUS_CLASSES; i++)
        by_class += counts->status_class[i];
    assert_int_equal(counts->requests, counts->answered + load_counts_broken(counts) + counts->unfinished);
    assert_int_equal(counts->answered, by_class);
    assert_true(counts->status_200 <= counts->status_class[1]);
}

void load_expect_consistent(const struct load_plan *plan, const struct load_result *result)
{
    struct load_counts targets = {0};
    struct latency merged;
    uint64_t by_status = 0, dropped = 0;

    latency_init(&merged, LATENCY_COARSE_BITS);
    for (size_t i = 0; i < result->target_count; i++) {
        expect_counts_add_up(&result->targets[i].counts);
        load_counts_add(&targets, &result->targets[i].counts);
        latency_merge(&merged, &result->targets[i].latency);
        dropped += result->targets[i].dropped;
    }
    for (unsigned i = 0; i < LOAD_STATUS_MAX; i++)
        by_status += result->status[i];
    assert_int_equal(result->target_count, plan->target_count);
    assert_memory_equal(&targets, &result->counts, sizeof(targets));
    assert_int_equal(dropped, result->dropped);
    assert_int_equal(by_status, result->counts.answered);
    assert_int_equal(result->latency.count, result->counts.answered + result->counts.errors[LOAD_TIMEOUT]);
    assert_int_equal(merged.count, result->latency.count);
    assert_int_equal(merged.max_ns, result->latency.max_ns);
    assert_true(merged.sum_ns == result->latency.sum_ns);
    if (plan->model != LOAD_CLOSED) {
        assert_int_equal(result->asked, result->counts.requests + result->dropped);
        assert_int_equal(result->service.count, result->latency.count);
        assert_int_equal(result->send_delay.count, result->latency.count);
        assert_true(result->service.sum_ns + result->send_delay.sum_ns == result->latency.sum_ns);
    }
    assert_int_equal(load_seen.points, result->point_count);
    assert_int_equal(load_seen.sum.requests, result->counts.requests);
    assert_int_equal(load_seen.sum.answered, result->counts.answered);
    assert_int_equal(load_seen.sum.failed, load_counts_failed(&result->counts));
    assert_true(load_seen.sum.bytes_received <= result->counts.bytes_received);
    latency_done(&merged);
}
