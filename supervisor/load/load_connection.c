/*
 * One connection of the engine. Its descriptor is armed for reading from the moment it is connected until it is closed,
 * and requests are written straight into the socket: an exchange costs one send, one recv and its share of one
 * epoll_wait. Only a request that doesn't fit the socket's buffer is armed for writing.
 *
 * Nothing here calls back into its caller with the same connection before the loop has turned, except that an answer
 * leads straight to the next request.
 */
#include "supervisor/load/engine.h"

#include "core/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events);

static struct worker *worker_of(const struct load_connection *connection)
{
    return connection->lane->worker;
}

static void arm(struct load_connection *connection, int events)
{
    uv_poll_start(&connection->poll, events, on_poll);
}

/* --- without a request --- */

/* It may take a request: at once in the closed model, when one is due in an open one. */
void load_connection_free_again(struct load_connection *connection)
{
    struct lane *lane = connection->lane;
    struct worker *worker = lane->worker;
    bool closed_model = worker->run->plan.model == LOAD_CLOSED;

    if (closed_model && worker->started && lane->open) {
        if (worker->now_ns < worker->stop_ns) {
            load_connection_begin(connection, worker->now_ns, worker->now_ns);
            return;
        }
        lane_close(lane);
    }
    TAILQ_INSERT_TAIL(&lane->idle, connection, link);
    connection->idle = true;
    connection->sent_ns = worker->now_ns;
    if (!closed_model && worker->started)
        pacing_lane_ready(lane);
}

static void on_retry(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    struct load_connection *first;

    worker->now_ns = clock_monotonic_ns();
    while ((first = TAILQ_FIRST(&worker->pausing)) && first->sent_ns <= worker->now_ns) {
        TAILQ_REMOVE(&worker->pausing, first, link);
        load_connection_free_again(first);
    }
    if (first)
        uv_timer_start(timer, on_retry, (uint64_t)((first->sent_ns - worker->now_ns) / NS_PER_MS) + 1, 0);
}

static void pause_connection(struct load_connection *connection)
{
    struct worker *worker = worker_of(connection);

    connection->pause = false;
    connection->sent_ns = clock_monotonic_ns() + ENGINE_RETRY_MS * NS_PER_MS;
    TAILQ_INSERT_TAIL(&worker->pausing, connection, link);
    if (!uv_is_active((const uv_handle_t *)&worker->retry))
        uv_timer_start(&worker->retry, on_retry, ENGINE_RETRY_MS, 0);
}

static void closed_now(struct load_connection *connection)
{
    connection->state = CONNECTION_CLOSED;
    connection->fd = -1;
    if (worker_of(connection)->ended)
        return;
    if (connection->in_flight)
        load_connection_open(connection); /* it was given a request meanwhile */
    else if (connection->pause)
        pause_connection(connection);
    else if (!connection->idle)
        load_connection_free_again(connection);
}

static void on_closed(uv_handle_t *handle)
{
    closed_now(handle->data);
}

void load_connection_close(struct load_connection *connection)
{
    connection->state = CONNECTION_CLOSING;
    uv_close((uv_handle_t *)&connection->poll, on_closed);
    close(connection->fd);
}

/* --- the end of a request --- */

static void leave_flight(struct load_connection *connection)
{
    TAILQ_REMOVE(&worker_of(connection)->in_flight, connection, link);
    connection->in_flight = false;
}

static void answered(struct load_connection *connection)
{
    struct worker *worker = worker_of(connection);
    bool keep = connection->answer.reusable && connection->sent == connection->lane->request_length;

    leave_flight(connection);
    tally_answered(connection, worker->now_ns);
    if (keep && !worker->run->plan.close) {
        connection->state = CONNECTION_READY;
        http_answer_next(&connection->answer);
        load_connection_free_again(connection);
    } else {
        load_connection_close(connection);
    }
    worker_check_end(worker);
}

/* In the closed model what failed is followed by a pause: a server that refuses is not asked in a busy loop. */
void load_connection_fail(struct load_connection *connection, enum load_error error)
{
    struct worker *worker = worker_of(connection);
    bool had_request = connection->in_flight;

    if (had_request) {
        leave_flight(connection);
        tally_broken(connection, error, worker->now_ns);
    }
    connection->pause = had_request && worker->run->plan.model == LOAD_CLOSED;
    if (connection->state == CONNECTION_CLOSED)
        closed_now(connection);
    else if (connection->state != CONNECTION_CLOSING)
        load_connection_close(connection);
    if (!worker->started)
        worker_connect_over(worker);
    worker_check_end(worker);
}

void load_connection_cut(struct load_connection *connection)
{
    leave_flight(connection);
    tally_unfinished(connection);
}

/* --- sending --- */

static enum load_error error_of_connect(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
        return LOAD_REFUSED;
    case ECONNRESET:
        return LOAD_RESET;
    case ETIMEDOUT:
        return LOAD_TIMEOUT;
    default:
        return LOAD_LOCAL;
    }
}

static void send_request(struct load_connection *connection)
{
    struct lane *lane = connection->lane;
    size_t left = lane->request_length - connection->sent;
    bool was_partial = connection->sent > 0;

    ssize_t n = send(connection->fd, lane->request + connection->sent, left, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        load_connection_fail(connection, LOAD_RESET);
        return;
    }
    connection->state = CONNECTION_BUSY;
    if (n > 0) {
        connection->sent += (size_t)n;
        connection->counts->bytes_sent += (uint64_t)n;
    }
    if (n < (ssize_t)left)
        arm(connection, UV_READABLE | UV_WRITABLE);
    else if (was_partial)
        arm(connection, UV_READABLE);
}

/* Two ends of one socket: connecting to a free port of the range that the kernel picks local ports from can meet
 * itself. */
static bool is_connected_to_itself(const struct load_connection *connection)
{
    const struct lane *lane = connection->lane;
    struct sockaddr_storage local = {0};
    socklen_t length = sizeof(local);

    return getsockname(connection->fd, (struct sockaddr *)&local, &length) == 0 && length == lane->address_length &&
           memcmp(&local, lane->address, length) == 0;
}

static void connected(struct load_connection *connection)
{
    struct worker *worker = worker_of(connection);

    if (is_connected_to_itself(connection)) {
        load_connection_fail(connection, LOAD_REFUSED);
        return;
    }
    connection->counts->connects++;
    http_answer_next(&connection->answer);
    arm(connection, UV_READABLE);
    if (connection->in_flight) {
        send_request(connection);
        return;
    }
    connection->state = CONNECTION_READY;
    load_connection_free_again(connection);
    if (!worker->started)
        worker_connect_over(worker);
}

static int new_socket(int family)
{
    int on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

void load_connection_open(struct load_connection *connection)
{
    struct lane *lane = connection->lane;
    int fd = new_socket(lane->address->sa_family);
    int error = fd < 0 || connect(fd, lane->address, lane->address_length) < 0 ? errno : 0;

    if (error == 0 || error == EINPROGRESS) {
        int rc = uv_poll_init(&lane->worker->loop, &connection->poll, fd);
        if (rc == 0) {
            connection->fd = fd;
            connection->state = CONNECTION_CONNECTING;
            if (error == 0)
                connected(connection);
            else
                arm(connection, UV_WRITABLE);
            return;
        }
        error = -rc;
    }
    if (fd >= 0)
        close(fd);
    load_connection_fail(connection, error_of_connect(error));
}

void load_connection_begin(struct load_connection *connection, int64_t due_ns, int64_t now_ns)
{
    struct worker *worker = worker_of(connection);

    connection->due_ns = due_ns;
    connection->sent_ns = now_ns;
    connection->sent = connection->received = 0;
    connection->in_flight = true;
    TAILQ_INSERT_TAIL(&worker->in_flight, connection, link);
    tally_begun(connection);
    if (connection->state == CONNECTION_READY)
        send_request(connection);
    else if (connection->state == CONNECTION_CLOSED)
        load_connection_open(connection); /* else when it is closed */
}

/* --- receiving --- */

static enum load_error error_of_end(const struct load_connection *connection)
{
    return connection->answer.begun ? LOAD_SHORT_BODY : LOAD_RESET;
}

static void received(struct load_connection *connection, size_t length)
{
    connection->counts->bytes_received += length;
    connection->received += length;
    switch (http_answer_feed(&connection->answer, worker_of(connection)->buffer, length)) {
    case HTTP_ANSWER_MORE:
        return;
    case HTTP_ANSWER_DONE:
        answered(connection);
        return;
    case HTTP_ANSWER_BAD:
        load_connection_fail(connection, LOAD_BAD_HTTP);
        return;
    }
}

void load_connection_receive(struct load_connection *connection)
{
    struct worker *worker = worker_of(connection);
    ssize_t n = recv(connection->fd, worker->buffer, ENGINE_READ_SIZE, MSG_DONTWAIT);
    int error = errno;

    worker->now_ns = clock_monotonic_ns();
    if (n < 0 && (error == EAGAIN || error == EINTR))
        return;
    if (connection->state == CONNECTION_READY)
        load_connection_close(connection); /* the peer has closed it, or says something that nobody asked for */
    else if (n > 0)
        received(connection, (size_t)n);
    else if (n == 0 && http_answer_end(&connection->answer) == HTTP_ANSWER_DONE)
        answered(connection);
    else
        load_connection_fail(connection, error_of_end(connection));
}

static void on_connect_over(struct load_connection *connection)
{
    int error = 0;
    socklen_t length = sizeof(error);

    worker_of(connection)->now_ns = clock_monotonic_ns();
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        error = errno;
    if (error == 0)
        connected(connection);
    else
        load_connection_fail(connection, error_of_connect(error));
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct load_connection *connection = poll->data;
    struct worker *worker = worker_of(connection);

    if (connection->state == CONNECTION_CONNECTING) {
        on_connect_over(connection);
    } else {
        /* What the peer has to say comes first: it may have answered before it had the whole request. */
        if (status < 0 || (events & UV_READABLE))
            load_connection_receive(connection);
        if ((events & UV_WRITABLE) && connection->state == CONNECTION_BUSY &&
            connection->sent < connection->lane->request_length)
            send_request(connection);
    }
    if (worker->next_due_ns <= worker->now_ns)
        pacing_dispatch(worker);
}
