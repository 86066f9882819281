/*
 * Following a load test.
 */
#ifndef SUPERVISOR_API_LOAD_FOLLOW_H
#define SUPERVISOR_API_LOAD_FOLLOW_H

#include "core/buffer.h"
#include "http/server.h"
#include "supervisor/api/load_tests.h"

/* Answers with server-sent events, from the second behind Last-Event-ID on; 503 when there are too many streams. */
void load_follow(struct http_request *request, struct api *api, struct load_test *test);
/* The same of one that has ended and is no longer in memory: its `report` is taken. */
void load_follow_report(struct http_request *request, struct api *api, struct buffer *report);

#endif
