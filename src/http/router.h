/*
 * From method and path to a handler, by one table of routes: `{name}` in a pattern matches one non-empty segment.
 * A path that a pattern without parameters names belongs to it alone; such a pattern stands before the others.
 * 404 for an unknown path, 405 with Allow for a wrong method, OPTIONS answered with Allow, HEAD wherever GET is.
 */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "http/server.h"

#define HTTP_ROUTE_MAX_PARAMS 2
#define HTTP_ANY_METHOD HTTP_METHOD_COUNT /* a route for every method */

/* What matched: the segments behind `{…}`, raw, in the pattern's order. Valid while the request is. */
struct http_match {
    struct http_slice params[HTTP_ROUTE_MAX_PARAMS];
    void *data; /* http_router_dispatch's */
};

struct http_route {
    enum http_method method;
    const char *pattern;
    void (*handler)(struct http_request *request, const struct http_match *match);
};

/* Finds the route and calls its handler, or answers 404, 405 or OPTIONS by itself. The table is static. */
void http_router_dispatch(const struct http_route *routes, size_t count, struct http_request *request, void *data);

#endif
