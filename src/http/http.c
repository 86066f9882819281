/*
 * Tables of methods and status codes, and the text work that server, client and handlers share.
 */
#include "http/http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

const char *http_method_name(enum http_method method)
{
    static const char *const names[HTTP_METHOD_COUNT] = {
        [HTTP_METHOD_UNKNOWN] = "UNKNOWN", [HTTP_METHOD_GET] = "GET",         [HTTP_METHOD_HEAD] = "HEAD",
        [HTTP_METHOD_POST] = "POST",       [HTTP_METHOD_PUT] = "PUT",         [HTTP_METHOD_PATCH] = "PATCH",
        [HTTP_METHOD_DELETE] = "DELETE",   [HTTP_METHOD_OPTIONS] = "OPTIONS", [HTTP_METHOD_TRACE] = "TRACE",
        [HTTP_METHOD_CONNECT] = "CONNECT",
    };
    return (unsigned)method < HTTP_METHOD_COUNT ? names[method] : names[HTTP_METHOD_UNKNOWN];
}

#define FIRST_STATUS 100
#define LAST_STATUS 511

const char *http_status_text(int status)
{
    static const char *const phrases[LAST_STATUS - FIRST_STATUS + 1] = {
#define PHRASE(code, text) [code - FIRST_STATUS] = text
        PHRASE(100, "Continue"),
        PHRASE(101, "Switching Protocols"),
        PHRASE(102, "Processing"),
        PHRASE(103, "Early Hints"),
        PHRASE(200, "OK"),
        PHRASE(201, "Created"),
        PHRASE(202, "Accepted"),
        PHRASE(203, "Non-Authoritative Information"),
        PHRASE(204, "No Content"),
        PHRASE(205, "Reset Content"),
        PHRASE(206, "Partial Content"),
        PHRASE(207, "Multi-Status"),
        PHRASE(208, "Already Reported"),
        PHRASE(226, "IM Used"),
        PHRASE(300, "Multiple Choices"),
        PHRASE(301, "Moved Permanently"),
        PHRASE(302, "Found"),
        PHRASE(303, "See Other"),
        PHRASE(304, "Not Modified"),
        PHRASE(305, "Use Proxy"),
        PHRASE(307, "Temporary Redirect"),
        PHRASE(308, "Permanent Redirect"),
        PHRASE(400, "Bad Request"),
        PHRASE(401, "Unauthorized"),
        PHRASE(402, "Payment Required"),
        PHRASE(403, "Forbidden"),
        PHRASE(404, "Not Found"),
        PHRASE(405, "Method Not Allowed"),
        PHRASE(406, "Not Acceptable"),
        PHRASE(407, "Proxy Authentication Required"),
        PHRASE(408, "Request Timeout"),
        PHRASE(409, "Conflict"),
        PHRASE(410, "Gone"),
        PHRASE(411, "Length Required"),
        PHRASE(412, "Precondition Failed"),
        PHRASE(413, "Content Too Large"),
        PHRASE(414, "URI Too Long"),
        PHRASE(415, "Unsupported Media Type"),
        PHRASE(416, "Range Not Satisfiable"),
        PHRASE(417, "Expectation Failed"),
        PHRASE(421, "Misdirected Request"),
        PHRASE(422, "Unprocessable Content"),
        PHRASE(423, "Locked"),
        PHRASE(424, "Failed Dependency"),
        PHRASE(425, "Too Early"),
        PHRASE(426, "Upgrade Required"),
        PHRASE(428, "Precondition Required"),
        PHRASE(429, "Too Many Requests"),
        PHRASE(431, "Request Header Fields Too Large"),
        PHRASE(451, "Unavailable For Legal Reasons"),
        PHRASE(500, "Internal Server Error"),
        PHRASE(501, "Not Implemented"),
        PHRASE(502, "Bad Gateway"),
        PHRASE(503, "Service Unavailable"),
        PHRASE(504, "Gateway Timeout"),
        PHRASE(505, "HTTP Version Not Supported"),
        PHRASE(506, "Variant Also Negotiates"),
        PHRASE(507, "Insufficient Storage"),
        PHRASE(508, "Loop Detected"),
        PHRASE(511, "Network Authentication Required"),
#undef PHRASE
    };
    const char *text = status >= FIRST_STATUS && status <= LAST_STATUS ? phrases[status - FIRST_STATUS] : NULL;
    return text ? text : "Unknown";
}

bool http_slice_equal(struct http_slice slice, const char *text)
{
    size_t length = strlen(text);
    return slice.length == length && (length == 0 || memcmp(slice.data, text, length) == 0);
}

bool http_slice_equal_nocase(struct http_slice slice, const char *text)
{
    size_t length = strlen(text);
    return slice.length == length && (length == 0 || strncasecmp(slice.data, text, length) == 0);
}

/* The value of a hexadecimal digit, -1 when it is none. */
int http_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int http_percent_decode(struct http_slice in, bool plus_is_space, char *out, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < in.length; i++) {
        char c = in.data[i];
        if (c == '%') {
            int high = in.length - i > 2 ? http_hex_value(in.data[i + 1]) : -1;
            int low = high >= 0 ? http_hex_value(in.data[i + 2]) : -1;
            if (low < 0)
                return -EINVAL;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == '\0')
            return -EINVAL;
        if (length + 1 >= size)
            return -ENAMETOOLONG;
        out[length++] = c;
    }
    if (size == 0)
        return -ENAMETOOLONG;
    out[length] = '\0';
    return (int)length;
}

bool http_query_get(struct http_slice query, const char *name, struct http_slice *value)
{
    size_t name_length = strlen(name);
    const char *p = query.data;
    const char *end = query.length ? query.data + query.length : query.data;

    while (p < end) {
        const char *amp = memchr(p, '&', (size_t)(end - p));
        const char *pair_end = amp ? amp : end;
        const char *equals = memchr(p, '=', (size_t)(pair_end - p));
        const char *name_end = equals ? equals : pair_end;

        if ((size_t)(name_end - p) == name_length && memcmp(p, name, name_length) == 0) {
            value->data = equals ? equals + 1 : pair_end;
            value->length = (size_t)(pair_end - value->data);
            return true;
        }
        p = amp ? amp + 1 : end;
    }
    return false;
}
