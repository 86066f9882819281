/*
 * What RFC 9112 and RFC 9110 refuse in a request's head and the parser lets through. One function per rule; each
 * returns NULL or the sentence for the peer.
 */
#include "http/server_internal.h"

#include <string.h>
#include <strings.h>

/* What the passes over the headers found. */
struct findings {
    unsigned hosts;
    unsigned content_lengths;
    struct http_slice host;
    bool transfer_encoding;
    unsigned codings;
    bool last_is_chunked;
    bool close;
    bool keep_alive;
    bool expects;
    bool expects_continue;
};

/* Line ends are CR LF, no line is folded onto the next, no other control characters. */
static const char *check_octets(const char *head, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)head[i];
        if (c >= 0x20 && c != 0x7f)
            continue;
        if (c == '\t')
            continue;
        if (c != '\r')
            return c == '\n' ? "A line does not end with CR LF." : "The header has a control character in it.";
        if (++i >= length || head[i] != '\n')
            return "The header has a bare CR in it.";
        if (i + 1 < length && (head[i + 1] == ' ' || head[i + 1] == '\t'))
            return "A header is folded over more than one line.";
    }
    return NULL;
}

/* The request line is method SP target SP version CR LF with single spaces. */
static const char *check_request_line(struct http_request *request)
{
    const char *head = request->head;
    const char *space = memchr(head, ' ', request->head_length);
    size_t after = request->target_offset + request->target.length;
    request->method_length = (uint32_t)(space - head);
    if (request->method_length + 1 != request->target_offset || after + 11 > request->head_length ||
        memcmp(head + after, " HTTP/1.", 8) != 0 || head[after + 9] != '\r')
        return "The request line is not a method, a target and a version with one space between them.";
    return NULL;
}

/* --- the target --- */

static bool is_scheme(struct http_slice target, const char *scheme, size_t length)
{
    return target.length > length && strncasecmp(target.data, scheme, length) == 0;
}

static void split_query(struct http_request *request, struct http_slice rest)
{
    const char *mark = memchr(rest.data, '?', rest.length);
    request->path = rest;
    if (!mark)
        return;
    request->path.length = (size_t)(mark - rest.data);
    request->query = (struct http_slice){mark + 1, rest.length - request->path.length - 1};
}

static const char *check_absolute_form(struct http_request *request)
{
    struct http_slice target = request->target;
    size_t skip = is_scheme(target, "http://", 7) ? 7 : is_scheme(target, "https://", 8) ? 8 : 0;
    if (skip == 0)
        return "The request target is neither a path nor an http URL.";
    const char *authority = target.data + skip;
    size_t left = target.length - skip;
    size_t length = 0;
    while (length < left && authority[length] != '/' && authority[length] != '?')
        length++;
    request->host = (struct http_slice){authority, length};
    if (length == 0 || !request_authority_is_valid(request->host))
        return "The request target names an invalid host.";
    split_query(request, (struct http_slice){authority + length, left - length});
    if (request->path.length == 0) /* a URL without a path means its root; OPTIONS of it the server as a whole */
        request->path =
            (struct http_slice){request->method == HTTP_METHOD_OPTIONS && !request->query.data ? "*" : "/", 1};
    return NULL;
}

static const char *check_target(struct http_request *request)
{
    struct http_slice target = request->target;
    for (size_t i = 0; i < target.length; i++) {
        unsigned char c = (unsigned char)target.data[i];
        if (c <= 0x20 || c >= 0x7f || c == '#')
            return "The request target has characters that are not allowed in it.";
    }
    if (target.length == 0)
        return "The request line has no target.";
    if (target.data[0] == '/') {
        split_query(request, target);
        return NULL;
    }
    if (target.length == 1 && target.data[0] == '*') {
        request->path = target;
        return request->method == HTTP_METHOD_OPTIONS ? NULL : "The target * is for OPTIONS only.";
    }
    return check_absolute_form(request);
}

/* --- Host --- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* unreserved and sub-delims of RFC 3986; NUL is none */
static bool is_name_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-')
        return true;
    return c != '\0' && strchr("_~!$&'()*+,;=", c) != NULL;
}

static bool is_port(const char *text, size_t length)
{
    unsigned port = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
        if (port > UINT16_MAX)
            return false;
    }
    return true;
}

/* The length of "[…]" at the start of text, 0 when it holds no IPv6 address. */
static size_t ip_literal_length(const char *text, size_t length)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    const char *end = memchr(text, ']', length);
    size_t n = end ? (size_t)(end - text) - 1 : 0;
    if (n == 0 || n >= sizeof address)
        return 0;
    memcpy(address, text + 1, n);
    address[n] = '\0';
    return uv_inet_pton(AF_INET6, address, &parsed) == 0 ? n + 2 : 0;
}

bool request_authority_is_valid(struct http_slice authority)
{
    const char *text = authority.data;
    size_t length = authority.length;
    size_t n = 0;
    if (length > 0 && text[0] == '[') {
        n = ip_literal_length(text, length);
        if (n == 0)
            return false;
    } else {
        for (; n < length && text[n] != ':'; n++) {
            bool escape = text[n] == '%' && length - n > 2 && is_hex(text[n + 1]) && is_hex(text[n + 2]);
            if (!escape && !is_name_char(text[n]))
                return false;
        }
    }
    if (n == length)
        return true;
    return text[n] == ':' && is_port(text + n + 1, length - n - 1);
}

static const char *check_host(struct http_request *request, const struct findings *found)
{
    if (found->hosts > 1)
        return "Host is there more than once.";
    if (found->hosts == 0)
        return request->minor_version == 0 ? NULL : "Host is missing.";
    if (!request_authority_is_valid(found->host))
        return "Host is not a host name or address with an optional port.";
    if (request->host.length == 0)
        request->host = found->host;
    return NULL;
}

/* --- the other headers --- */

/* The next element of a comma-separated list, without the white space around it; false at the end. */
static bool next_element(struct http_slice *rest, struct http_slice *element)
{
    if (rest->length == 0)
        return false;
    const char *comma = memchr(rest->data, ',', rest->length);
    size_t length = comma ? (size_t)(comma - rest->data) : rest->length;
    *element = (struct http_slice){rest->data, length};
    size_t step = comma ? length + 1 : length;
    rest->data += step;
    rest->length -= step;
    while (element->length > 0 && (element->data[0] == ' ' || element->data[0] == '\t')) {
        element->data++;
        element->length--;
    }
    while (element->length > 0 &&
           (element->data[element->length - 1] == ' ' || element->data[element->length - 1] == '\t'))
        element->length--;
    return true;
}

static void scan_connection(struct findings *found, struct http_slice value)
{
    struct http_slice element;
    while (next_element(&value, &element)) {
        found->close |= http_slice_equal_nocase(element, "close");
        found->keep_alive |= http_slice_equal_nocase(element, "keep-alive");
    }
}

static void scan_transfer_encoding(struct findings *found, struct http_slice value)
{
    struct http_slice element;
    found->transfer_encoding = true;
    while (next_element(&value, &element)) {
        if (element.length == 0)
            continue; /* an empty element is no element (RFC 9110, 5.6.1.2) */
        found->codings++;
        found->last_is_chunked = http_slice_equal_nocase(element, "chunked");
    }
}

static void scan_header(struct findings *found, const char *name, size_t name_length, struct http_slice value)
{
    switch (name_length) {
    case 4:
        if (strncasecmp(name, "host", 4) == 0) {
            found->hosts++;
            found->host = value;
        }
        break;
    case 6:
        if (strncasecmp(name, "expect", 6) == 0) {
            found->expects = true;
            found->expects_continue = http_slice_equal_nocase(value, "100-continue");
        }
        break;
    case 10:
        if (strncasecmp(name, "connection", 10) == 0)
            scan_connection(found, value);
        break;
    case 14:
        if (strncasecmp(name, "content-length", 14) == 0)
            found->content_lengths++;
        break;
    case 17:
        if (strncasecmp(name, "transfer-encoding", 17) == 0)
            scan_transfer_encoding(found, value);
        break;
    default:
        break;
    }
}

static const char *scan_headers(const struct http_request *request, struct findings *found)
{
    const struct header_ref *refs = request->connection->input->headers;
    for (unsigned i = 0; i < request->header_count; i++) {
        if (refs[i].name_length == 0)
            return "A header has no name.";
        struct http_slice value = {request->head + refs[i].value, refs[i].value_length};
        scan_header(found, request->head + refs[i].name, refs[i].name_length, value);
    }
    return NULL;
}

static const char *check_framing(struct http_request *request, const struct findings *found, int *status)
{
    request->body_done = true;
    if (found->content_lengths > 1)
        return "Content-Length is there more than once.";
    if (found->content_lengths > 0 && found->transfer_encoding)
        return "Content-Length is there together with Transfer-Encoding.";
    if (found->transfer_encoding) {
        if (request->minor_version == 0)
            return "Transfer-Encoding does not exist in HTTP/1.0.";
        if (!found->last_is_chunked)
            return "Transfer-Encoding does not end with chunked.";
        if (found->codings > 1) {
            *status = 501;
            return "Of the transfer codings only chunked, once, is known here.";
        }
        request->framing = BODY_CHUNKED;
        chunked_init(&request->chunked_body, request->connection->server->options.limits.max_header_bytes);
        request->body_done = false;
        return NULL;
    }
    uint64_t length = request->connection->parser.content_length;
    if (found->content_lengths > 0 && length > 0) {
        request->framing = BODY_LENGTH;
        request->body_left = length;
        request->body_done = false;
    }
    return NULL;
}

static const char *check_expect(struct http_request *request, const struct findings *found, int *status)
{
    if (!found->expects || request->minor_version == 0)
        return NULL;
    if (!found->expects_continue) {
        *status = 417;
        return "Expect asks for something other than 100-continue.";
    }
    request->expects_continue = !request->body_done;
    return NULL;
}

const char *request_check(struct http_request *request, int *status)
{
    struct findings found = {0};
    const char *objection = check_octets(request->head, request->head_length);
    if (!objection)
        objection = check_request_line(request);
    if (!objection)
        objection = scan_headers(request, &found);
    if (!objection)
        objection = check_target(request);
    if (!objection)
        objection = check_host(request, &found);
    if (!objection)
        objection = check_framing(request, &found, status);
    if (!objection)
        objection = check_expect(request, &found, status);
    request->keep_alive = request->minor_version > 0 ? !found.close : found.keep_alive && !found.close;
    return objection;
}
