/*
 * Errors as application/problem+json.
 */
#include "http/problem.h"

#include "core/json.h"

#include <stdarg.h>
#include <stdio.h>

#define DETAIL_MAX 1024

void http_problem_write(struct buffer *out, int status, const char *detail)
{
    struct json_writer w = json_writer_to(out);
    json_begin_object(&w);
    json_member_string(&w, "type", "about:blank");
    json_member_string(&w, "title", http_status_text(status));
    json_member_int(&w, "status", status);
    json_member_string(&w, "detail", detail);
    json_end_object(&w);
}

void http_respond_problem(struct http_request *request, int status, const char *fmt, ...)
{
    char detail[DETAIL_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);

    struct buffer body = BUFFER_EMPTY;
    http_problem_write(&body, status, detail);
    http_respond(request, status, HTTP_PROBLEM_CONTENT_TYPE, body.data, body.length);
    buffer_done(&body);
}
