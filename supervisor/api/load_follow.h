/*
 * Following a load test.
 */
#ifndef SUPERVISOR_API_LOAD_FOLLOW_H
#define SUPERVISOR_API_LOAD_FOLLOW_H

#include "http/server.h"
#include "supervisor/api/load_tests.h"

/* Answers with server-sent events, from the second behind Last-Event-ID on; 503 when there are too many streams. */
void load_follow(struct http_request *request, struct api *api, struct load_test *test);

#endif
