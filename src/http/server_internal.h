/*
 * What the files of the HTTP server share and nobody else includes: the server, its connections and their requests.
 *
 * A connection reads into an input buffer that it holds only while bytes are waiting or a request is being handled, so
 * an idle one costs less than a kilobyte. While a connection is worked on ("corked"), what it sends is collected in the
 * server's one output buffer and leaves with a single write when the work is done.
 */
#ifndef HTTP_SERVER_INTERNAL_H
#define HTTP_SERVER_INTERNAL_H

#include "core/buffer.h"
#include "core/clock.h"
#include "http/chunked.h"
#include "http/server.h"

#include <llhttp.h>
#include <sys/queue.h>

#define INPUT_CAPACITY (64 * 1024)  /* bytes read at once, unless the header limit asks for more */
#define INPUTS_KEPT 4               /* free input buffers that wait for the next connection */
#define OUTPUT_CAPACITY (16 * 1024) /* answers collected before a write; grows for a larger head */
#define OUTPUT_COPY_MAX (4 * 1024)  /* pieces up to here are copied behind the head, longer ones are gathered */
#define DISCARD_MAX (256 * 1024)    /* bytes of an unread body that are thrown away to keep the connection */
#define LINGER_MS 2000              /* for a peer that still sends after its last answer */
#define BATCH_MAX 64                /* requests of one connection before others have their turn */
#define OVERFLOW_MAX 128 /* connections over the limit that are told so, rather than just closed: ¼ of it, … */
#define OVERFLOW_MIN 8   /* … within these bounds */
#define DATE_LINE_LENGTH (6 + CLOCK_HTTP_DATE_LENGTH + 2) /* "Date: …\r\n" */

struct connection;

/* Where a header lies, in bytes from the start of its request's head. */
struct header_ref {
    uint32_t name;
    uint32_t name_length;
    uint32_t value;
    uint32_t value_length;
};

/* Received bytes and where the headers in them are; one allocation, the bytes behind the table. */
struct input {
    struct input *next; /* in the server's list of free ones */
    char *data;
    struct header_ref headers[]; /* limits.max_headers + 1 */
};

enum body_framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED };

enum body_use {
    BODY_UNASKED, /* the handler has not said yet: it waits in the input buffer */
    BODY_COLLECT,
    BODY_STREAM,
    BODY_DISCARD,
};

struct http_request {
    struct connection *connection;
    bool active; /* on_request saw it and on_done did not yet */

    /* The head. Slices point into the connection's input buffer, which stays in place while the request is active. */
    const char *head;
    size_t head_length;
    struct http_slice target;
    struct http_slice path;
    struct http_slice query;
    struct http_slice host;
    uint32_t method_length;
    uint32_t target_offset;
    unsigned header_count;
    enum http_method method;
    int minor_version;
    bool keep_alive; /* the peer's wish */
    uint64_t started_ns;

    /* The body. */
    enum body_framing framing;
    enum body_use use;
    bool body_done;
    bool expects_continue;
    uint64_t body_left;     /* BODY_LENGTH: bytes to come */
    uint64_t body_consumed; /* bytes taken from the input, for BODY_DISCARD's bound */
    struct chunked chunked_body;
    size_t body_max;
    struct buffer collected;
    void (*on_body)(struct http_request *request, const char *body, size_t length);
    void (*on_data)(struct http_request *request, const char *data, size_t length);

    /* The answer. */
    int status;
    bool begun;
    bool ended;
    bool close; /* the connection closes after it */
    bool chunked;
    bool bodiless;              /* HEAD, 204, 205, 304: body bytes are dropped */
    bool want_drain;            /* http_respond_write returned false */
    bool endless;               /* http_respond_endless */
    int64_t announced;          /* Content-Length, -1 when not known beforehand */
    uint64_t sent;              /* bytes of the body */
    size_t output_start;        /* where the answer begins in the output buffer, while … */
    uint64_t output_generation; /* … that is of this generation */
    struct buffer extra_headers;
    void (*on_drain)(struct http_request *request);
    void (*on_abort)(struct http_request *request);
    void *context;
};

enum connection_state {
    CONNECTION_HEAD,    /* between requests, or in the middle of a head */
    CONNECTION_REQUEST, /* a handler has the request and its answer has not ended */
    CONNECTION_FINISH,  /* the answer has ended; its bytes or the rest of the request's body are on their way */
    CONNECTION_LINGER,  /* our side is shut; what the peer still sends is thrown away */
    CONNECTION_CLOSED,  /* being closed; an unanswered request may keep the memory */
};

struct connection {
    uv_tcp_t tcp;
    int fd; /* tcp's, -1 when it could not take it */
    struct http_server *server;
    LIST_ENTRY(connection) link;        /* server->connections */
    TAILQ_ENTRY(connection) ready_link; /* server->ready */
    enum connection_state state;
    bool ready;
    bool reading;
    bool eof;      /* the peer sends no more */
    bool corked;   /* what is sent stays in the output buffer until the work on this connection is done */
    bool on_spare; /* its descriptor was the server's last one */
    bool orphan;   /* closed, but its handler has yet to answer */

    struct input *input;
    size_t start; /* of the bytes in the input that nobody has taken yet; a head is taken when it is whole */
    size_t end;
    size_t parsed; /* up to where the parser has seen a head that is not whole */
    bool head_started;
    uint16_t refusal; /* a status that a parser callback decided on */
    unsigned blank_lines;
    bool served; /* at least one request */
    struct header_ref target;
    llhttp_t parser;

    size_t queued;     /* bytes that the kernel has not taken */
    size_t queue_seen; /* the same when the sweep last looked */
    uint64_t since_ms; /* the last progress, of which kind says the state */
    struct http_request request;
};

struct listener {
    uv_poll_t poll;
    struct http_server *server;
    struct listener *next;
    int fd;
};

struct output {
    char *data;
    size_t length;
    size_t capacity;
    struct connection *owner; /* whose bytes these are; NULL when empty */
    uint64_t generation;      /* grows whenever the bytes leave or are dropped */
};

struct http_server {
    uv_loop_t *loop;
    struct http_server_options options;
    uv_timer_t sweep; /* only while there are connections */
    uv_timer_t drain;
    uv_timer_t accept_pause;
    uv_idle_t turn;      /* only while a connection is ready */
    unsigned references; /* open handles and orphans */
    bool freed;
    bool draining;
    bool paused;
    bool accept_fails;
    int spare_fd; /* given up for telling a peer that there are no descriptors; -1: it is in use for that */
    uint64_t accept_warned_ms; /* when the log last said that connections cannot be accepted; 0: never */
    void (*on_drained)(void *data);
    void *drained_data;

    struct listener *listeners;
    uint16_t port;
    LIST_HEAD(connection_list, connection) connections; /* those not being closed */
    TAILQ_HEAD(ready_list, connection) ready;
    unsigned ready_count;
    unsigned open;
    unsigned existing; /* connections whose handle is not closed */
    uint64_t bytes_received;
    uint64_t bytes_sent;

    size_t input_capacity;
    struct input *free_inputs;
    unsigned free_input_count;
    struct output output;
    char date_line[DATE_LINE_LENGTH + 1];
    uint64_t date_until_ms;
};

/* server.c */
void server_release(struct http_server *server); /* one reference less */
void server_make_ready(struct connection *conn); /* process it in the next loop turn */
void server_make_unready(struct connection *conn);
void server_connection_closed(struct http_server *server);
void server_start_sweep(struct http_server *server);

/* listener.c */
int listeners_add(struct http_server *server, int fd, struct error *err); /* fd listens; owned on success */
void listeners_close(struct http_server *server);
void listeners_accept_backlog(struct http_server *server); /* once more before closing */
void listeners_on_accept_pause(uv_timer_t *timer);
void listeners_stop(struct http_server *server);  /* accept nothing; what comes waits in the backlog */
void listeners_start(struct http_server *server); /* again */
void listeners_spare_is_back(struct http_server *server);

/* connection.c */
struct connection *connection_open(struct http_server *server, int fd); /* NULL: it is not to be used */
void connection_open_refused(struct http_server *server, int spare_fd); /* only to be told that there is no room */
struct input *input_take(struct http_server *server);                   /* NULL: out of memory */
void connection_close(struct connection *conn); /* at once; the memory goes in the close callback */
void connection_process(struct connection *conn);
void connection_answered(struct connection *conn); /* the answer ended */
void connection_check_deadline(struct connection *conn, uint64_t now_ms);
void connection_close_if_idle(struct connection *conn);
bool connection_abort(struct connection *conn); /* tells the handler; false: it knows nothing yet and has to answer */
void connection_refuse(struct connection *conn, int status, const char *detail);

/* request_head.c: parsing. */
enum head_result { HEAD_INCOMPLETE, HEAD_COMPLETE, HEAD_REFUSED };
enum head_result request_head_parse(struct connection *conn);

/* request_check.c: what the parser lets through. NULL when fine, else the sentence for the peer, with *status set. */
const char *request_check(struct http_request *request, int *status);
bool request_authority_is_valid(struct http_slice authority);

/* request.c */
void request_reset(struct http_request *request);
void request_drop_body(struct http_request *request); /* what was collected of it */

/* request_body.c */
bool request_body_step(struct connection *conn); /* hands on what is there; false when there is nothing to do */
bool request_body_blocked(const struct http_request *request);
void request_fail(struct http_request *request, int status, const char *detail);

/* response.c, output.c */
void output_send(struct connection *conn, const void *data, size_t length);
void output_send_buffer(struct connection *conn, struct buffer *body); /* takes it over */
char *output_reserve(struct connection *conn, size_t length);          /* room; output_commit says how much was used */
void output_commit(struct connection *conn, size_t length);
void output_flush(struct connection *conn);
void output_disown(struct connection *conn);
void output_mark(struct http_request *request);               /* the request's answer begins here */
bool output_holds_answer(const struct http_request *request); /* all of it: nothing has been sent yet */
void output_take_back(struct http_request *request);          /* drops the answer that is held */

#endif
