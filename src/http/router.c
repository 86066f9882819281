/*
 * Routes: a linear look through the table, which is short and whose first comparisons fail fast.
 */
#include "http/router.h"

#include "http/problem.h"

#include <string.h>

#define ALLOW_MAX 128 /* every method's name with a comma and a space */

/* Whether `path` is what the pattern describes, to the last byte; fills the parameters. */
static bool pattern_matches(const char *pattern, struct http_slice path, struct http_match *match)
{
    const char *at = path.data;
    const char *end = path.data + path.length;
    size_t params = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (at == end || *at != *pattern)
                return false;
            at++;
            pattern++;
            continue;
        }
        const char *slash = memchr(at, '/', (size_t)(end - at));
        const char *segment_end = slash ? slash : end;
        const char *close = strchr(pattern, '}');
        if (segment_end == at || !close || params == HTTP_ROUTE_MAX_PARAMS)
            return false;
        match->params[params++] = (struct http_slice){at, (size_t)(segment_end - at)};
        at = segment_end;
        pattern = close + 1;
    }
    return at == end;
}

static bool method_matches(enum http_method route, enum http_method method)
{
    return route == method || route == HTTP_ANY_METHOD || (route == HTTP_METHOD_GET && method == HTTP_METHOD_HEAD);
}

/* The methods of a set, for Allow. HEAD comes with GET, OPTIONS is always there. */
static void format_allow(char out[ALLOW_MAX], unsigned methods)
{
    size_t length = 0;
    if (methods & 1U << HTTP_METHOD_GET)
        methods |= 1U << HTTP_METHOD_HEAD;
    methods |= 1U << HTTP_METHOD_OPTIONS;
    out[0] = '\0';
    for (unsigned method = HTTP_METHOD_GET; method < HTTP_METHOD_COUNT; method++) {
        if (!(methods & 1U << method))
            continue;
        const char *name = http_method_name((enum http_method)method);
        size_t n = strlen(name);
        if (length + n + 3 > ALLOW_MAX)
            return;
        if (length > 0) {
            memcpy(out + length, ", ", 2);
            length += 2;
        }
        memcpy(out + length, name, n + 1);
        length += n;
    }
}

/* What no route takes: an unknown path, a wrong method, OPTIONS. */
static void respond_without_route(struct http_request *request, unsigned methods)
{
    char allow[ALLOW_MAX];
    if (methods == 0) {
        http_respond_problem(request, 404, "Not Found");
        return;
    }
    format_allow(allow, methods);
    http_respond_header(request, "Allow", allow);
    if (http_request_method(request) == HTTP_METHOD_OPTIONS)
        http_respond(request, 204, NULL, NULL, 0);
    else
        http_respond_problem(request, 405, "%s is not allowed here; allowed are %s.",
                             http_method_name(http_request_method(request)), allow);
}

void http_router_dispatch(const struct http_route *routes, size_t count, struct http_request *request, void *data)
{
    enum http_method method = http_request_method(request);
    struct http_slice path = http_request_path(request);
    struct http_match match = {.data = data};
    bool all_paths = path.length == 1 && path.data[0] == '*';
    bool named = false; /* by a pattern without parameters: then the path is no parameter's value */
    unsigned methods = 0;

    for (size_t i = 0; i < count; i++) {
        bool literal = strchr(routes[i].pattern, '{') == NULL;
        if (named && !literal)
            continue;
        if (!all_paths && !pattern_matches(routes[i].pattern, path, &match))
            continue;
        if (!all_paths && method_matches(routes[i].method, method)) {
            routes[i].handler(request, &match);
            return;
        }
        named = literal && !all_paths;
        if (routes[i].method != HTTP_ANY_METHOD)
            methods |= 1U << routes[i].method;
    }
    respond_without_route(request, methods);
}
