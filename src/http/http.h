/*
 * Words that the HTTP server, the client and their users share: methods, limits, header look-up.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_method {
    HTTP_METHOD_UNKNOWN, /* a token that is no known method: 501 */
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_TRACE,
    HTTP_METHOD_CONNECT,
    HTTP_METHOD_COUNT
};

/* Bytes that are not NUL-terminated and not owned. */
struct http_slice {
    const char *data;
    size_t length;
};

struct http_header {
    struct http_slice name;
    struct http_slice value; /* without white space around it */
};

const char *http_method_name(enum http_method method);
const char *http_status_text(int status); /* "OK"; "Unknown" for a code without a registered phrase */

bool http_slice_equal(struct http_slice slice, const char *text);
bool http_slice_equal_nocase(struct http_slice slice, const char *text);

int http_hex_value(char c); /* 0 to 15, or -1 */

/* Percent-decodes into out (size bytes with the NUL); '+' becomes a space when `plus_is_space`. Returns the length, or
 * -EINVAL for a broken escape or a NUL byte, -ENAMETOOLONG when it doesn't fit. */
int http_percent_decode(struct http_slice in, bool plus_is_space, char *out, size_t size);

/* The raw value of `name` in a query string ("a=1&b=2"); false when absent. */
bool http_query_get(struct http_slice query, const char *name, struct http_slice *value);

#endif
