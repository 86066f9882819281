/*
 * CORS as the fetch standard has it, for servers whose allowed origins are a short list.
 */
#include "http/cors.h"

#include "core/memory.h"
#include "http/problem.h"

#include <string.h>
#include <strings.h>

#define CORS_METHODS "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
#define CORS_MAX_AGE "600"
#define CORS_ORIGIN_MAX 255   /* a longer Origin is no allowed one */
#define CORS_HEADERS_MAX 1023 /* a longer list of asked-for headers is not granted */

static const char *const LOOPBACK_ORIGINS[] = {"http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"};

static bool is_port(const char *text, size_t length)
{
    if (length == 0 || length > 5)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return true;
}

static bool origin_matches(const char *pattern, struct http_slice origin)
{
    size_t length = strlen(pattern);

    if (length == 1 && pattern[0] == '*')
        return true;
    if (length > 2 && strcmp(pattern + length - 2, ":*") == 0) {
        size_t host = length - 2;
        if (origin.length < host || strncasecmp(origin.data, pattern, host) != 0)
            return false;
        if (origin.length == host)
            return true;
        return origin.data[host] == ':' && is_port(origin.data + host + 1, origin.length - host - 1);
    }
    return http_slice_equal_nocase(origin, pattern);
}

bool http_cors_allows(const struct http_cors *cors, struct http_slice origin)
{
    for (size_t i = 0; i < ARRAY_SIZE(LOOPBACK_ORIGINS); i++) {
        if (origin_matches(LOOPBACK_ORIGINS[i], origin))
            return true;
    }
    for (size_t i = 0; i < cors->count; i++) {
        if (origin_matches(cors->origins[i], origin))
            return true;
    }
    return false;
}

/* The Origin header; one that stands there twice is none that can be allowed, so it comes back empty. */
static bool find_origin(const struct http_request *request, struct http_slice *origin)
{
    unsigned count = http_request_header_count(request);
    bool found = false;

    for (unsigned i = 0; i < count; i++) {
        struct http_header header = http_request_header_at(request, i);
        if (header.name.length != strlen("Origin") || !http_slice_equal_nocase(header.name, "Origin"))
            continue;
        *origin = header.value;
        if (found)
            origin->length = 0;
        found = true;
    }
    return found;
}

static bool changes_something(const struct http_request *request)
{
    enum http_method method = http_request_method(request);

    return method != HTTP_METHOD_GET && method != HTTP_METHOD_HEAD && method != HTTP_METHOD_OPTIONS;
}

static void add_header(struct http_request *request, const char *name, struct http_slice value, size_t max)
{
    char text[CORS_HEADERS_MAX + 1];

    if (value.length == 0 || value.length > max || value.length >= sizeof(text))
        return;
    memcpy(text, value.data, value.length);
    text[value.length] = '\0';
    http_respond_header(request, name, text);
}

static void answer_preflight(struct http_request *request, struct http_slice origin)
{
    struct http_slice headers = {0};

    http_respond_header(request, "Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    add_header(request, "Access-Control-Allow-Origin", origin, CORS_ORIGIN_MAX);
    http_respond_header(request, "Access-Control-Allow-Methods", CORS_METHODS);
    if (http_request_header(request, "Access-Control-Request-Headers", &headers))
        add_header(request, "Access-Control-Allow-Headers", headers, CORS_HEADERS_MAX);
    http_respond_header(request, "Access-Control-Max-Age", CORS_MAX_AGE);
    http_respond(request, 204, NULL, NULL, 0);
}

bool http_cors_admit(const struct http_cors *cors, struct http_request *request)
{
    struct http_slice origin = {0};
    struct http_slice asked;

    if (!find_origin(request, &origin))
        return true;

    bool allowed = origin.length <= CORS_ORIGIN_MAX && http_cors_allows(cors, origin);
    bool preflight = http_request_method(request) == HTTP_METHOD_OPTIONS &&
                     http_request_header(request, "Access-Control-Request-Method", &asked);
    if (!allowed && (preflight || changes_something(request))) {
        http_respond_header(request, "Vary", "Origin");
        http_respond_problem(request, 403, "Requests from this Origin are not allowed");
        return false;
    }
    if (preflight) {
        answer_preflight(request, origin);
        return false;
    }
    http_respond_header(request, "Vary", "Origin");
    if (allowed)
        add_header(request, "Access-Control-Allow-Origin", origin, CORS_ORIGIN_MAX);
    return true;
}
