/*
 * The head of a request: fed to the parser as it arrives, its parts recorded as places in the input buffer, and the
 * parser's refusals turned into status codes.
 */
#include "http/server_internal.h"

#include "core/memory.h"

#include <string.h>

#define BLANK_LINES_MAX 2 /* empty lines before a request line, which RFC 9112 (2.2) asks to put up with */

/* --- parser callbacks --- */

static struct connection *connection_of(llhttp_t *parser)
{
    return parser->data;
}

static uint32_t offset_of(const struct connection *conn, const char *at)
{
    return (uint32_t)(at - (conn->input->data + conn->start));
}

/* A part may come in pieces; they lie side by side, because the input buffer keeps a head in one run. */
static void extend(uint32_t *offset, uint32_t *length, uint32_t at, size_t n)
{
    if (*length == 0)
        *offset = at;
    *length = at + (uint32_t)n - *offset;
}

static int on_url(llhttp_t *parser, const char *at, size_t length)
{
    struct connection *conn = connection_of(parser);
    extend(&conn->target.value, &conn->target.value_length, offset_of(conn, at), length);
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t length)
{
    struct connection *conn = connection_of(parser);
    if (conn->request.header_count >= conn->server->options.limits.max_headers) {
        conn->refusal = 431;
        return HPE_USER;
    }
    struct header_ref *ref = &conn->input->headers[conn->request.header_count];
    extend(&ref->name, &ref->name_length, offset_of(conn, at), length);
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t length)
{
    struct connection *conn = connection_of(parser);
    struct header_ref *ref = &conn->input->headers[conn->request.header_count];
    extend(&ref->value, &ref->value_length, offset_of(conn, at), length);
    return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct connection *conn = connection_of(parser);
    struct header_ref *ref = &conn->input->headers[conn->request.header_count++];
    const char *value = conn->input->data + conn->start + ref->value;
    while (ref->value_length > 0 && (value[ref->value_length - 1] == ' ' || value[ref->value_length - 1] == '\t'))
        ref->value_length--;
    memset(ref + 1, 0, sizeof *ref); /* the table has one more row than there may be headers */
    return 0;
}

/* The parser's work ends here: bodies are read without it, and handlers run outside of it. */
static int on_headers_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t PARSER_SETTINGS = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
};

/* --- refusals --- */

/* Whether the request line begins with a well-formed method that is none of ours, as far as it is there. */
static bool is_foreign_method(const char *line, size_t length)
{
    size_t n = 0;
    while (n < length && http_is_token_char(line[n]))
        n++;
    if (n == 0 || (n < length && line[n] != ' '))
        return false;
    for (enum http_method method = HTTP_METHOD_GET; method < HTTP_METHOD_CONNECT; method++) {
        if (http_slice_equal((struct http_slice){line, n}, http_method_name(method)))
            return false;
    }
    return true;
}

/* Whether the request line names a well-formed version that is neither 1.0 nor 1.1. */
static bool is_foreign_version(const char *line, size_t length)
{
    const char *end = memchr(line, '\r', length);
    size_t n = end ? (size_t)(end - line) : length;
    const char *at = memmem(line, n, " HTTP/", 6);
    if (!at || n - (size_t)(at - line) < 9)
        return false;
    const char *version = at + 6;
    bool well_formed =
        version[0] >= '0' && version[0] <= '9' && version[1] == '.' && version[2] >= '0' && version[2] <= '9';
    return well_formed && memcmp(version, "1.0", 3) != 0 && memcmp(version, "1.1", 3) != 0;
}

static const char FOREIGN_METHOD[] = "The method is not one that this server knows.";
static const char FOREIGN_VERSION[] = "Only HTTP/1.1 and HTTP/1.0 are spoken here.";

static const char LINE_END[] = "A line does not end with CR LF.";

static const char *parse_error_detail(llhttp_errno_t code)
{
    static const struct {
        llhttp_errno_t code;
        const char *detail;
    } details[] = {
        {HPE_INVALID_METHOD, "The request line does not begin with a method."},
        {HPE_INVALID_URL, "The request target has characters that are not allowed in it."},
        {HPE_INVALID_CONSTANT, "The request line does not end with the HTTP version."},
        {HPE_INVALID_VERSION, "The request line does not end with the HTTP version."},
        {HPE_INVALID_HEADER_TOKEN, "A header has characters that are not allowed in it."},
        {HPE_INVALID_CONTENT_LENGTH, "Content-Length is not one decimal number."},
        {HPE_UNEXPECTED_CONTENT_LENGTH, "Content-Length is there twice or together with Transfer-Encoding."},
        {HPE_INVALID_TRANSFER_ENCODING, "Transfer-Encoding does not end with chunked."},
        {HPE_LF_EXPECTED, LINE_END},
        {HPE_CR_EXPECTED, LINE_END},
        {HPE_STRICT, LINE_END},
    };
    for (size_t i = 0; i < ARRAY_SIZE(details); i++) {
        if (details[i].code == code)
            return details[i].detail;
    }
    return "The header is malformed.";
}

static enum head_result refuse(struct connection *conn, int status, const char *detail)
{
    connection_refuse(conn, status, detail);
    return HEAD_REFUSED;
}

/* Whether the parser stopped at a LF that no CR stands before, which it takes for a bad character of something. */
static bool stopped_at_bare_lf(const struct connection *conn)
{
    const char *at = llhttp_get_error_pos(&conn->parser);
    const char *begin = conn->input->data + conn->start;
    return at && at > begin && at < conn->input->data + conn->end && *at == '\n' && at[-1] != '\r';
}

static enum head_result refuse_parse_error(struct connection *conn, llhttp_errno_t code)
{
    const char *line = conn->input->data + conn->start;
    size_t length = conn->end - conn->start;
    if (conn->refusal == 431)
        return refuse(conn, 431, "The header has too many fields.");
    if (code == HPE_PAUSED_H2_UPGRADE)
        return refuse(conn, 505, FOREIGN_VERSION);
    if (is_foreign_method(line, length))
        return refuse(conn, 501, FOREIGN_METHOD);
    if (is_foreign_version(line, length))
        return refuse(conn, 505, FOREIGN_VERSION);
    return refuse(conn, 400, stopped_at_bare_lf(conn) ? LINE_END : parse_error_detail(code));
}

/* --- parsing --- */

/* Skips empty lines before the request line; returns false when more must come to tell. */
static bool skip_blank_lines(struct connection *conn)
{
    const char *data = conn->input->data;
    while (conn->blank_lines < BLANK_LINES_MAX && conn->end - conn->start >= 2 && data[conn->start] == '\r' &&
           data[conn->start + 1] == '\n') {
        conn->start += 2;
        conn->blank_lines++;
    }
    bool lone_cr = conn->end - conn->start == 1 && data[conn->start] == '\r';
    return conn->start < conn->end && !(lone_cr && !conn->eof);
}

static void begin_head(struct connection *conn)
{
    conn->head_started = true;
    conn->since_ms = uv_now(conn->server->loop);
    conn->parsed = conn->start;
    conn->refusal = 0;
    conn->request.started_ns = (uint64_t)clock_monotonic_ns();
    memset(&conn->target, 0, sizeof conn->target);
    memset(conn->input->headers, 0, sizeof conn->input->headers[0]);
    llhttp_init(&conn->parser, HTTP_REQUEST, &PARSER_SETTINGS);
    llhttp_set_lenient_transfer_encoding(&conn->parser, 1); /* request_check looks at it more closely */
    conn->parser.data = conn;
}

static enum head_result check_incomplete(struct connection *conn)
{
    const char *head = conn->input->data + conn->start;
    size_t length = conn->end - conn->start;
    bool in_request_line = !memchr(head, '\n', length);
    if (length > conn->server->options.limits.max_header_bytes) {
        if (in_request_line)
            return refuse(conn, 414, "The request line is too long.");
        return refuse(conn, 431, "The header is too large.");
    }
    if (!in_request_line && conn->parser.http_major != 1)
        return is_foreign_version(head, length) ? refuse(conn, 505, FOREIGN_VERSION)
                                                : refuse(conn, 400, parse_error_detail(HPE_INVALID_VERSION));
    return HEAD_INCOMPLETE;
}

static enum http_method known_method(uint8_t parsed)
{
    static const uint8_t methods[] = {
        [HTTP_GET] = HTTP_METHOD_GET,         [HTTP_HEAD] = HTTP_METHOD_HEAD,   [HTTP_POST] = HTTP_METHOD_POST,
        [HTTP_PUT] = HTTP_METHOD_PUT,         [HTTP_PATCH] = HTTP_METHOD_PATCH, [HTTP_DELETE] = HTTP_METHOD_DELETE,
        [HTTP_OPTIONS] = HTTP_METHOD_OPTIONS, [HTTP_TRACE] = HTTP_METHOD_TRACE,
    };
    return parsed < sizeof methods ? (enum http_method)methods[parsed] : HTTP_METHOD_UNKNOWN;
}

static enum head_result head_complete(struct connection *conn)
{
    struct http_request *request = &conn->request;
    size_t end = (size_t)(llhttp_get_error_pos(&conn->parser) - conn->input->data);
    request->head = conn->input->data + conn->start;
    request->head_length = end - conn->start;
    if (request->head_length > conn->server->options.limits.max_header_bytes) {
        bool line_too_long = conn->target.value_length >= conn->server->options.limits.max_header_bytes;
        return line_too_long ? refuse(conn, 414, "The request line is too long.")
                             : refuse(conn, 431, "The header is too large.");
    }
    request->target = (struct http_slice){request->head + conn->target.value, conn->target.value_length};
    request->target_offset = conn->target.value;
    request->method = known_method(conn->parser.method);
    if (conn->parser.http_major != 1)
        return is_foreign_version(request->head, request->head_length)
                   ? refuse(conn, 505, FOREIGN_VERSION)
                   : refuse(conn, 400, parse_error_detail(HPE_INVALID_VERSION));
    if (request->method == HTTP_METHOD_UNKNOWN)
        return refuse(conn, 501, FOREIGN_METHOD);
    request->minor_version = conn->parser.http_minor;

    int status = 400;
    const char *objection = request_check(request, &status);
    if (objection)
        return refuse(conn, status, objection);
    conn->start = end;
    conn->head_started = false;
    return HEAD_COMPLETE;
}

enum head_result request_head_parse(struct connection *conn)
{
    if (!conn->head_started) {
        if (!skip_blank_lines(conn))
            return HEAD_INCOMPLETE;
        begin_head(conn);
        if (conn->input->data[conn->start] == '\r' || conn->input->data[conn->start] == '\n')
            return refuse(conn, 400,
                          conn->blank_lines == BLANK_LINES_MAX
                              ? "There are too many empty lines before the request line."
                              : LINE_END);
    }
    const char *from = conn->input->data + conn->parsed;
    llhttp_errno_t code = llhttp_execute(&conn->parser, from, conn->end - conn->parsed);
    if (code == HPE_PAUSED)
        return head_complete(conn);
    conn->parsed = conn->end;
    if (code != HPE_OK)
        return refuse_parse_error(conn, code);
    return check_incomplete(conn);
}
