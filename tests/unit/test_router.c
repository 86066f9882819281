/*
 * Routing, with a request and answers of the test's own in place of the server.
 */
#include "http/router.h"

#include "http/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct http_request {
    enum http_method method;
    const char *path;
    int status;
    char allow[128];
    char content_type[64];
    char body[256];
};

enum http_method http_request_method(const struct http_request *request)
{
    return request->method;
}

struct http_slice http_request_path(const struct http_request *request)
{
    return (struct http_slice){request->path, strlen(request->path)};
}

void http_respond_header(struct http_request *request, const char *name, const char *value)
{
    assert_string_equal(name, "Allow");
    snprintf(request->allow, sizeof request->allow, "%s", value);
}

void http_respond(struct http_request *request, int status, const char *content_type, const void *body, size_t length)
{
    assert_int_equal(request->status, 0); /* one answer only */
    request->status = status;
    snprintf(request->content_type, sizeof request->content_type, "%s", content_type ? content_type : "");
    snprintf(request->body, sizeof request->body, "%.*s", (int)length, length > 0 ? (const char *)body : "");
}

static int marker;

/* Answers with which route it was and what the parameters are. */
static void answer(struct http_request *request, const struct http_match *match, const char *route)
{
    char text[128];
    assert_ptr_equal(match->data, &marker);
    int n = snprintf(text, sizeof text, "%s|%.*s|%.*s", route, (int)match->params[0].length,
                     match->params[0].data ? match->params[0].data : "", (int)match->params[1].length,
                     match->params[1].data ? match->params[1].data : "");
    http_respond(request, 200, "text/plain", text, (size_t)n);
}

#define HANDLER(name)                                                                                                  \
    static void name(struct http_request *request, const struct http_match *match)                                     \
    {                                                                                                                  \
        answer(request, match, #name);                                                                                 \
    }
HANDLER(root)
HANDLER(list)
HANDLER(create)
HANDLER(one)
HANDLER(remove_one)
HANDLER(fixed)
HANDLER(part)
HANDLER(echo)
HANDLER(own_options)

static const struct http_route ROUTES[] = {
    {HTTP_METHOD_GET, "/", root},
    {HTTP_METHOD_GET, "/items", list},
    {HTTP_METHOD_POST, "/items", create},
    {HTTP_METHOD_GET, "/items/fixed", fixed},
    {HTTP_METHOD_GET, "/items/{id}", one},
    {HTTP_METHOD_DELETE, "/items/{id}", remove_one},
    {HTTP_METHOD_PUT, "/items/{id}/parts/{part}", part},
    {HTTP_ANY_METHOD, "/echo", echo},
    {HTTP_METHOD_OPTIONS, "/own", own_options},
};

static struct http_request dispatch(enum http_method method, const char *path)
{
    struct http_request request = {.method = method, .path = path};
    http_router_dispatch(ROUTES, sizeof ROUTES / sizeof ROUTES[0], &request, &marker);
    return request;
}

static void check(enum http_method method, const char *path, const char *expected)
{
    struct http_request request = dispatch(method, path);
    assert_int_equal(request.status, 200);
    assert_string_equal(request.body, expected);
}

static void routes(void **state)
{
    (void)state;
    check(HTTP_METHOD_GET, "/", "root||");
    check(HTTP_METHOD_GET, "/items", "list||");
    check(HTTP_METHOD_POST, "/items", "create||");
    check(HTTP_METHOD_GET, "/items/7", "one|7|");
    check(HTTP_METHOD_GET, "/items/a%2Fb", "one|a%2Fb|");
    check(HTTP_METHOD_GET, "/items/fixed", "fixed||");
    check(HTTP_METHOD_PUT, "/items/x/parts/y", "part|x|y");
    check(HTTP_METHOD_TRACE, "/echo", "echo||");
    check(HTTP_METHOD_OPTIONS, "/echo", "echo||");
    check(HTTP_METHOD_OPTIONS, "/own", "own_options||");
}

static void head_goes_to_get(void **state)
{
    (void)state;
    check(HTTP_METHOD_HEAD, "/", "root||");
    check(HTTP_METHOD_HEAD, "/items/7", "one|7|");
    assert_int_equal(dispatch(HTTP_METHOD_HEAD, "/items/x/parts/y").status, 405);
}

static void unknown_paths(void **state)
{
    static const char *const paths[] = {
        "/item",           "/items/",         "/items//", "/items/7/",          "/items/7/x", "//",
        "/items/7/parts/", "/items//parts/y", "/Items",   "/items/x/parts/y/z", "/echo/",     "/x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct http_request request = dispatch(HTTP_METHOD_GET, paths[i]);
        if (request.status != 404)
            fail_msg("%s: %d", paths[i], request.status);
        assert_string_equal(request.content_type, HTTP_PROBLEM_CONTENT_TYPE);
        assert_non_null(strstr(request.body, "\"detail\":\"Not Found\""));
        assert_string_equal(request.allow, "");
    }
}

static void wrong_methods(void **state)
{
    (void)state;
    struct http_request request = dispatch(HTTP_METHOD_DELETE, "/items");
    assert_int_equal(request.status, 405);
    assert_string_equal(request.allow, "GET, HEAD, POST, OPTIONS");
    assert_string_equal(request.content_type, HTTP_PROBLEM_CONTENT_TYPE);
    request = dispatch(HTTP_METHOD_POST, "/items/7");
    assert_int_equal(request.status, 405);
    assert_string_equal(request.allow, "GET, HEAD, DELETE, OPTIONS");
    /* a name of its own is nobody's parameter */
    request = dispatch(HTTP_METHOD_DELETE, "/items/fixed");
    assert_int_equal(request.status, 405);
    assert_string_equal(request.allow, "GET, HEAD, OPTIONS");
}

static void options(void **state)
{
    (void)state;
    struct http_request request = dispatch(HTTP_METHOD_OPTIONS, "/items");
    assert_int_equal(request.status, 204);
    assert_string_equal(request.allow, "GET, HEAD, POST, OPTIONS");
    assert_string_equal(request.body, "");
    request = dispatch(HTTP_METHOD_OPTIONS, "*");
    assert_int_equal(request.status, 204);
    assert_string_equal(request.allow, "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    assert_int_equal(dispatch(HTTP_METHOD_OPTIONS, "/nowhere").status, 404);
}

static void problem_text(void **state)
{
    (void)state;
    struct buffer out = BUFFER_EMPTY;
    http_problem_write(&out, 418, "no \"tea\"");
    assert_string_equal(out.data, "{\"type\":\"about:blank\",\"title\":\"Unknown\",\"status\":418,"
                                  "\"detail\":\"no \\\"tea\\\"\"}");
    buffer_done(&out);
    struct http_request request = {.path = "/"};
    http_respond_problem(&request, 422, "%s must be at most %d", "memory_mb", 7);
    assert_int_equal(request.status, 422);
    assert_non_null(strstr(request.body, "\"detail\":\"memory_mb must be at most 7\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes),        cmocka_unit_test(head_goes_to_get), cmocka_unit_test(unknown_paths),
        cmocka_unit_test(wrong_methods), cmocka_unit_test(options),          cmocka_unit_test(problem_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
