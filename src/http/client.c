/*
 * The HTTP client. Two owners of handles: the client has the timer and lives until that is closed; a connection has the
 * socket and lives until that is closed. A connection that is given up is detached (its client pointer becomes NULL)
 * and dies alone, so nothing that still arrives for it can reach the client.
 *
 * One exchange ends in exactly one call of finish(), always from the loop: from the socket's callbacks or the timer's.
 */
#include "http/client.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/memory.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <llhttp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#define READ_SIZE ((size_t)64 * 1024)
#define MAX_HEAD ((size_t)256 * 1024) /* status line and headers, interim answers included */
#define MAX_KEPT_HEADER 64
#define MAX_KEPT_BODY ((size_t)64 * 1024) /* a larger buffer is given back after the exchange */

/* A text of the answer's head that comes in pieces; one that is too long is none. */
struct head_text {
    char text[MAX_KEPT_HEADER];
    size_t length; /* also of what didn't fit */
};

/* What a connection is made of: which one, the client's address says. */
union socket {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

struct connection {
    union socket socket;
    uv_connect_t connect;
    uv_write_t write;
    llhttp_t parser;
    struct http_client *client; /* NULL when given up */
    bool kept;                  /* has carried an exchange before this one */
    bool writing;               /* the request is not wholly with the kernel */
    bool answering;             /* a byte of the answer came */
    bool head_done;             /* the final answer's headers are whole */
    bool complete;              /* the answer is whole */
    bool reusable;              /* and the peer keeps the connection */
    size_t head_bytes;          /* received before head_done */
    struct head_text name;      /* of the header that is coming in, where one is wanted */
    struct head_text value;     /* of the one that is wanted */
    bool is_wanted;             /* the one that is coming in */
    enum http_outcome failure;  /* why a parser callback stopped */
};

struct http_client {
    uv_timer_t timer; /* the exchange's time limit, or the delayed report of a failure found at once */
    uv_loop_t *loop;
    struct connection *connection; /* NULL, the one in use, or an idle one */
    struct sockaddr_storage address;
    char authority[280]; /* a host name has at most 253 characters */
    bool once;
    bool closing;
    bool in_flight;
    bool idempotent;
    bool head;
    bool close;
    int local_error;
    bool overdue; /* the time limit passed; what has already arrived is still looked at */
    const char *keep_header;
    size_t max_body;
    size_t *body_room;
    struct budget *memory;
    size_t room_taken;
    uint64_t started_ns;
    struct buffer request; /* its head as sent; kept for a replay, as the body is by the caller */
    const char *request_body;
    size_t request_body_length;
    struct buffer body;
    void (*on_piece)(void *data, const char *piece, size_t length);
    void (*on_done)(void *data, const struct http_client_response *response);
    void *data;
};

const char *http_outcome_text(enum http_outcome outcome)
{
    switch (outcome) {
    case HTTP_OK:
        return "ok";
    case HTTP_REFUSED:
        return "refused";
    case HTTP_TIMEOUT:
        return "timeout";
    case HTTP_RESET:
        return "reset";
    case HTTP_BAD_RESPONSE:
        return "bad response";
    case HTTP_TOO_LARGE:
        return "answer too large";
    case HTTP_NO_ROOM:
        return "no room for the answer";
    case HTTP_LOCAL_ERROR:
        return "local error";
    }
    return "unknown";
}

static bool is_unix(const struct http_client *client)
{
    return client->address.ss_family == AF_UNIX;
}

/* --- ending an exchange --- */

static void on_connection_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void give_room_back(struct http_client *client)
{
    if (client->body_room)
        *client->body_room += client->room_taken;
    budget_give(client->memory, client->room_taken);
    client->room_taken = 0;
}

/* Gives the connection up; safe from its own callbacks. */
static void drop_connection(struct http_client *client)
{
    struct connection *connection = client->connection;
    if (!connection)
        return;
    client->connection = NULL;
    connection->client = NULL;
    uv_close(&connection->socket.handle, on_connection_closed);
}

static void finish(struct http_client *client, enum http_outcome outcome, int status)
{
    struct connection *connection = client->connection;
    const struct head_text kept = connection ? connection->value : (struct head_text){0};
    if (connection && outcome == HTTP_OK && connection->reusable && !connection->writing && !client->close) {
        connection->kept = true;
        uv_unref(&connection->socket.handle); /* an idle connection doesn't keep the loop running */
    } else {
        drop_connection(client);
    }
    uv_timer_stop(&client->timer);
    client->in_flight = false;

    /* Taken out of the client, because on_done may send again. */
    struct buffer body = client->body;
    client->body = BUFFER_EMPTY;
    bool whole = outcome == HTTP_OK && body.data;
    if (outcome != HTTP_OK)
        give_room_back(client);
    client->room_taken = 0; /* the caller's from here on */
    struct http_client_response response = {
        .outcome = outcome,
        .status = status,
        .error = outcome == HTTP_LOCAL_ERROR ? client->local_error : 0,
        .header = outcome == HTTP_OK ? kept.text : "",
        .body = whole ? body.data : "",
        .body_length = whole ? body.length : 0,
        .duration_ns = (uint64_t)clock_monotonic_ns() - client->started_ns,
    };
    client->on_done(client->data, &response);

    /* The client's memory is there even if on_done freed it: its timer is not closed yet. */
    if (!client->closing && !client->body.data && body.capacity <= MAX_KEPT_BODY) {
        buffer_clear(&body);
        client->body = body;
    } else {
        buffer_done(&body);
    }
    if (client->once && !client->closing)
        http_client_free(client);
}

static enum http_outcome outcome_of(int error, bool connected)
{
    switch (error) {
    case UV_ECONNREFUSED:
        return HTTP_REFUSED;
    case UV_EOF:
    case UV_EPIPE:
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
        return HTTP_RESET;
    case UV_ETIMEDOUT:
        return HTTP_TIMEOUT;
    default:
        return connected ? HTTP_RESET : HTTP_LOCAL_ERROR;
    }
}

static bool is_local(int error)
{
    return error == UV_ENOMEM || error == UV_ENOBUFS || error == UV_EMFILE || error == UV_ENFILE;
}

static void connect_and_send(struct http_client *client);

/* The exchange failed with `error`: once more on a new connection where that is harmless, else the end. Only an
 * exchange on a kept connection is repeated, and the new one is not kept yet: so it happens once. */
static void fail(struct connection *connection, int error, bool connected)
{
    struct http_client *client = connection->client;
    if (connection->kept && !connection->answering && client->idempotent && !is_local(error)) {
        drop_connection(client);
        connect_and_send(client);
        return;
    }
    client->local_error = error;
    finish(client, is_local(error) ? HTTP_LOCAL_ERROR : outcome_of(error, connected), 0);
}

/* --- the answer --- */

static void head_text_add(struct head_text *text, const char *at, size_t length)
{
    size_t before = text->length;
    text->length += length;
    if (text->length < sizeof(text->text)) {
        memcpy(text->text + before, at, length);
        text->text[text->length] = '\0';
    } else {
        text->text[0] = '\0';
    }
}

static int on_header_name(llhttp_t *parser, const char *at, size_t length)
{
    struct connection *connection = parser->data;
    head_text_add(&connection->name, at, length);
    return 0;
}

static int on_header_name_complete(llhttp_t *parser)
{
    struct connection *connection = parser->data;
    connection->is_wanted = strcasecmp(connection->name.text, connection->client->keep_header) == 0;
    connection->name = (struct head_text){0};
    if (connection->is_wanted)
        connection->value = (struct head_text){0};
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t length)
{
    struct connection *connection = parser->data;
    if (connection->is_wanted)
        head_text_add(&connection->value, at, length);
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct connection *connection = parser->data;
    bool interim = parser->status_code < 200;
    if (!interim)
        connection->head_done = true;
    /* These have no body, whatever Content-Length says; the parser knows only some of them. */
    return interim || connection->client->head || parser->status_code == 204 || parser->status_code == 304;
}

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
    struct connection *connection = parser->data;
    struct http_client *client = connection->client;
    if (client->on_piece && parser->status_code == 200) {
        client->on_piece(client->data, at, length);
        return client->closing ? HPE_USER : 0; /* freed meanwhile, but its memory is there */
    }
    if (client->max_body == 0)
        return 0;
    if (length > client->max_body - client->body.length) {
        connection->failure = HTTP_TOO_LARGE;
        return HPE_USER;
    }
    if (client->body_room && length > *client->body_room) {
        connection->failure = HTTP_NO_ROOM;
        return HPE_USER;
    }
    if (!budget_has(client->memory, length) || !buffer_try_reserve(&client->body, length)) {
        client->local_error = budget_has(client->memory, length) ? -ENOMEM : -ENOBUFS;
        connection->failure = HTTP_LOCAL_ERROR;
        return HPE_USER;
    }
    buffer_append(&client->body, at, length);
    budget_take(client->memory, length);
    if (client->body_room)
        *client->body_room -= length;
    client->room_taken += length;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct connection *connection = parser->data;
    if (parser->status_code < 200) {
        if (parser->status_code != 101)
            return 0;
        connection->failure = HTTP_BAD_RESPONSE; /* an upgrade that nobody asked for */
        return HPE_USER;
    }
    connection->complete = true;
    connection->reusable = llhttp_should_keep_alive(parser);
    return HPE_PAUSED;
}

static void begin_parsing(struct connection *connection)
{
    static const llhttp_settings_t settings = {
        .on_headers_complete = on_headers_complete,
        .on_body = on_body,
        .on_message_complete = on_message_complete,
    };
    static const llhttp_settings_t with_header = {
        .on_header_field = on_header_name,
        .on_header_field_complete = on_header_name_complete,
        .on_header_value = on_header_value,
        .on_headers_complete = on_headers_complete,
        .on_body = on_body,
        .on_message_complete = on_message_complete,
    };
    llhttp_init(&connection->parser, HTTP_RESPONSE, connection->client->keep_header ? &with_header : &settings);
    connection->name = connection->value = (struct head_text){0};
    connection->is_wanted = false;
    connection->parser.data = connection;
    connection->answering = false;
    connection->head_done = false;
    connection->complete = false;
    connection->reusable = false;
    connection->head_bytes = 0;
    connection->failure = HTTP_BAD_RESPONSE;
}

static void receive(struct connection *connection, const char *data, size_t length)
{
    struct http_client *client = connection->client;
    connection->answering = true;
    if (!connection->head_done)
        connection->head_bytes += length;

    llhttp_errno_t rc = llhttp_execute(&connection->parser, data, length);
    if (client->closing)
        return;
    if (connection->complete) {
        if (llhttp_get_error_pos(&connection->parser) != data + length)
            connection->reusable = false; /* bytes behind the answer: the peer is confused */
        finish(client, HTTP_OK, connection->parser.status_code);
    } else if (rc != HPE_OK) {
        finish(client, connection->failure, 0);
    } else if (!connection->head_done && connection->head_bytes > MAX_HEAD) {
        finish(client, HTTP_BAD_RESPONSE, 0);
    }
}

static void on_end(struct connection *connection, int error)
{
    /* Where the peer's closing marks the end of the body, the answer is whole only now. */
    if (error == UV_EOF && connection->answering) {
        llhttp_finish(&connection->parser);
        if (connection->complete) {
            connection->reusable = false;
            finish(connection->client, HTTP_OK, connection->parser.status_code);
            return;
        }
    }
    fail(connection, error, true);
}

/* One buffer for all: libuv fills it and hands it back before it asks again. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static _Thread_local char space[READ_SIZE];
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(space, sizeof(space));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *connection = stream->data;
    struct http_client *client = connection->client;
    if (!client || n == 0)
        return;
    if (!client->in_flight)
        drop_connection(client); /* idle: its end, or bytes that nobody asked for */
    else if (n > 0)
        receive(connection, buf->base, (size_t)n);
    else
        on_end(connection, (int)n);
}

/* --- the request --- */

static void on_written(uv_write_t *req, int status)
{
    struct connection *connection = req->data;
    if (!connection->client)
        return;
    /* A peer may answer and close without reading all. Then reading tells how it went, and the connection is not kept
     * because `writing` stays set. */
    if (status == UV_EPIPE || status == UV_ECONNRESET)
        return;
    connection->writing = false;
    if (status < 0)
        fail(connection, status, true);
}

/* 0, or what uv_write says. */
static int write_request(struct connection *connection)
{
    struct http_client *client = connection->client;
    begin_parsing(connection);
    connection->writing = true;
    connection->write.data = connection;
    uv_buf_t pieces[2] = {uv_buf_init(client->request.data, (unsigned)client->request.length),
                          uv_buf_init((char *)client->request_body, (unsigned)client->request_body_length)};
    unsigned count = client->request_body_length > 0 ? 2 : 1;
    return uv_write(&connection->write, &connection->socket.stream, pieces, count, on_written);
}

/* Two ends of one socket: connecting to a free port of the range that the kernel picks local ports from can meet
 * itself. */
static bool is_connected_to_itself(const struct connection *connection)
{
    struct sockaddr_storage local, peer;
    int local_length = sizeof(local), peer_length = sizeof(peer);
    const uv_tcp_t *tcp = &connection->socket.tcp;
    return !is_unix(connection->client) && uv_tcp_getsockname(tcp, (struct sockaddr *)&local, &local_length) == 0 &&
           uv_tcp_getpeername(tcp, (struct sockaddr *)&peer, &peer_length) == 0 && local_length == peer_length &&
           memcmp(&local, &peer, (size_t)local_length) == 0;
}

static void on_connected(uv_connect_t *req, int status)
{
    struct connection *connection = req->data;
    if (!connection->client)
        return;
    if (status == 0 && is_connected_to_itself(connection))
        status = UV_ECONNREFUSED;
    if (status < 0) {
        fail(connection, status, false);
        return;
    }
    int rc = uv_read_start(&connection->socket.stream, on_alloc, on_read);
    if (rc == 0)
        rc = write_request(connection);
    if (rc < 0)
        fail(connection, rc, true);
}

/* --- timers and connecting --- */

static void on_failed_at_once(uv_timer_t *timer)
{
    finish(timer->data, HTTP_LOCAL_ERROR, 0);
}

/* A millisecond and not 0: a caller that tries again at once leaves the loop time for other things. */
static void fail_later(struct http_client *client, int error)
{
    client->local_error = error;
    uv_timer_start(&client->timer, on_failed_at_once, 1, 0);
}

static void on_time_limit(uv_timer_t *timer)
{
    struct http_client *client = timer->data;
    if (client->overdue) {
        finish(client, HTTP_TIMEOUT, 0);
        return;
    }
    /* Timers run before sockets are read. If the loop was busy elsewhere the answer may be lying there; it gets one
     * round. */
    client->overdue = true;
    uv_timer_start(timer, on_time_limit, 1, 0);
}

/* 0 or a negative code; on_connected tells the rest. */
static int connect_socket(struct connection *connection)
{
    const struct http_client *client = connection->client;
    if (is_unix(client)) {
        const struct sockaddr_un *address = (const struct sockaddr_un *)&client->address;
        uv_pipe_connect(&connection->connect, &connection->socket.pipe, address->sun_path, on_connected);
        return 0;
    }
    uv_tcp_nodelay(&connection->socket.tcp, 1);
    return uv_tcp_connect(&connection->connect, &connection->socket.tcp, (const struct sockaddr *)&client->address,
                          on_connected);
}

static void connect_and_send(struct http_client *client)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection) {
        fail_later(client, -ENOMEM);
        return;
    }
    int rc = is_unix(client) ? uv_pipe_init(client->loop, &connection->socket.pipe, 0)
                             : uv_tcp_init(client->loop, &connection->socket.tcp);
    if (rc < 0) {
        free(connection);
        fail_later(client, rc);
        return;
    }
    connection->socket.handle.data = connection;
    connection->client = client;
    connection->connect.data = connection;
    client->connection = connection;
    rc = connect_socket(connection);
    if (rc < 0) {
        drop_connection(client);
        fail_later(client, rc);
    }
}

/* Whether the peer has closed (or sent something on) an idle connection without the loop having noticed yet. */
static bool is_stale(const struct connection *connection)
{
    int fd;
    char byte;
    if (uv_fileno(&connection->socket.handle, &fd) < 0)
        return true;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void start_exchange(struct http_client *client)
{
    /* Many requests cannot be replayed, and a late "408" must not be taken for the answer to this one. */
    if (client->connection && is_stale(client->connection))
        drop_connection(client);
    if (!client->connection) {
        connect_and_send(client);
        return;
    }
    uv_ref(&client->connection->socket.handle);
    if (write_request(client->connection) < 0) {
        drop_connection(client);
        connect_and_send(client);
    }
}

static bool is_one_of(const char *method, const char *const *methods)
{
    for (; *methods; methods++) {
        if (strcmp(method, *methods) == 0)
            return true;
    }
    return false;
}

static bool compose(struct http_client *client, const struct http_client_request *request)
{
    static const char *const with_body[] = {"POST", "PUT", "PATCH", NULL};
    struct buffer *out = &client->request;

    buffer_clear(out);
    if (request->body_length > UINT32_MAX / 2 || !buffer_try_reserve(out, 512))
        return false;
    buffer_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", request->method, request->target, client->authority);
    if (request->close)
        buffer_append_text(out, "Connection: close\r\n");
    if (request->content_type)
        buffer_printf(out, "Content-Type: %s\r\n", request->content_type);
    if (request->body_length > 0 || is_one_of(request->method, with_body))
        buffer_printf(out, "Content-Length: %zu\r\n", request->body_length);
    if (request->headers)
        buffer_append_text(out, request->headers);
    buffer_append(out, "\r\n", 2);
    return true;
}

/* --- the interface --- */

static size_t size_of_address(sa_family_t family)
{
    switch (family) {
    case AF_UNIX:
        return sizeof(struct sockaddr_un);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return sizeof(struct sockaddr_in);
    }
}

struct http_client *http_client_new_at(uv_loop_t *loop, const struct sockaddr *address, const char *authority)
{
    struct http_client *client = xcalloc(1, sizeof(*client));
    client->loop = loop;
    memcpy(&client->address, address, size_of_address(address->sa_family));
    snprintf(client->authority, sizeof(client->authority), "%s", authority);
    uv_timer_init(loop, &client->timer);
    client->timer.data = client;
    return client;
}

struct http_client *http_client_new(uv_loop_t *loop, uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    return http_client_new_in(loop, &address);
}

struct http_client *http_client_new_in(uv_loop_t *loop, const struct sockaddr_in *address)
{
    char host[INET_ADDRSTRLEN], authority[INET_ADDRSTRLEN + 8];
    inet_ntop(AF_INET, &address->sin_addr, host, sizeof(host));
    snprintf(authority, sizeof(authority), "%s:%u", host, ntohs(address->sin_port));
    return http_client_new_at(loop, (const struct sockaddr *)address, authority);
}

void http_client_send(struct http_client *client, const struct http_client_request *request,
                      void (*on_done)(void *data, const struct http_client_response *response), void *data)
{
    static const char *const idempotent[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", NULL};

    assert(!client->in_flight && !client->closing);
    client->in_flight = true;
    client->overdue = false;
    client->idempotent = is_one_of(request->method, idempotent);
    client->head = strcmp(request->method, "HEAD") == 0;
    client->close = request->close;
    client->keep_header = request->keep_header;
    client->max_body = request->max_body;
    client->body_room = request->body_room;
    client->memory = request->memory;
    client->request_body = request->body;
    client->request_body_length = request->body_length;
    client->started_ns = (uint64_t)clock_monotonic_ns();
    client->on_piece = request->on_piece;
    client->on_done = on_done;
    client->data = data;
    buffer_clear(&client->body);

    if (!compose(client, request)) {
        fail_later(client, -ENOMEM);
        return;
    }
    if (request->timeout_ms > 0) {
        uv_update_time(client->loop); /* the loop's clock stands still while callbacks run */
        uv_timer_start(&client->timer, on_time_limit, request->timeout_ms, 0);
    }
    start_exchange(client);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct http_client *client = handle->data;
    buffer_done(&client->request);
    buffer_done(&client->body);
    free(client);
}

void http_client_free(struct http_client *client)
{
    if (!client || client->closing)
        return;
    client->closing = true;
    give_room_back(client);
    drop_connection(client);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

struct http_client *http_client_once(uv_loop_t *loop, const struct sockaddr_in *address,
                                     const struct http_client_request *request,
                                     void (*on_done)(void *data, const struct http_client_response *response),
                                     void *data)
{
    struct http_client *client = http_client_new_in(loop, address);
    client->once = true;
    struct http_client_request alone = *request;
    alone.close = true;
    http_client_send(client, &alone, on_done, data);
    return client;
}
