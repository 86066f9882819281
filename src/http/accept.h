/*
 * Content negotiation by the Accept headers (RFC 9110, 12.5): how much a client wants a media type, whether it takes gzip.
 */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "http/server.h"

#include <stdbool.h>

/* Of one media type while Accept lines are looked at: the quality that the most specific range so far gives it. */
struct http_accept {
    int specificity;  /* 0: no range matched yet */
    unsigned quality; /* in thousandths */
};

/* Looks at one Accept line for `type` ("text/plain"). Parameters of a range other than q are not compared. */
void http_accept_scan(struct http_slice line, const char *type, struct http_accept *found);

/* The quality of `type` for a request in thousandths, over all its Accept lines; 1000 when it has none. */
unsigned http_accept_quality(const struct http_request *request, const char *type);

/* Whether the request takes an answer with `Content-Encoding: gzip` (RFC 9110, 12.5.3). */
bool http_accept_gzip(const struct http_request *request);

#endif
