/*
 * Errors as RFC 9457 application/problem+json: type, title, status and detail (the key that older clients read).
 */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "core/buffer.h"
#include "http/server.h"

#define HTTP_PROBLEM_CONTENT_TYPE "application/problem+json"

void http_problem_write(struct buffer *out, int status, const char *detail);
void http_respond_problem(struct http_request *request, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
