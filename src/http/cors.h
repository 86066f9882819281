/*
 * Browser origins (CORS): which pages may read answers and send changing requests. The same rules for every server
 * here: pages of this machine are allowed, any other origin must be configured, and a changing request from one that
 * isn't is refused, whether the browser asked first (preflight) or not.
 */
#ifndef HTTP_CORS_H
#define HTTP_CORS_H

#include "http/server.h"

#include <stdbool.h>
#include <stddef.h>

/* An origin is "scheme://host" or "scheme://host:port"; a port written "*" means any port and none. "*" alone allows
 * every origin. */
struct http_cors {
    const char *const *origins; /* allowed beside those of this machine; may be NULL when count is 0 */
    size_t count;
};

/* Whether `origin` (a header's value) is http://localhost, http://127.0.0.1 or http://[::1] with any port, or in the
 * list. Scheme and host are compared without case. */
bool http_cors_allows(const struct http_cors *cors, struct http_slice origin);

/* Call first for each request. Adds the headers that an allowed origin needs to the answer to come and returns true:
 * go on with the request. Returns false when the request was answered here: a preflight, or 403 for a changing request
 * of another origin. Requests without Origin pass at the cost of a look over the header names. */
bool http_cors_admit(const struct http_cors *cors, struct http_request *request);

#endif
