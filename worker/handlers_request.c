/*
 * /request: what of a request arrived here, for people who test what stands in front.
 */
#include "core/clock.h"
#include "worker/handlers.h"
#include "worker/peer.h"
#include "worker/worker.h"

#include <stdio.h>

static void member_slice(struct json_writer *w, const char *key, struct http_slice value)
{
    json_key(w, key);
    json_string_n(w, value.data, value.length);
}

static void write_headers(struct json_writer *w, const struct http_request *request)
{
    unsigned count = http_request_header_count(request);

    json_key(w, "headers");
    json_begin_array(w);
    for (unsigned i = 0; i < count; i++) {
        struct http_header header = http_request_header_at(request, i);
        json_begin_array(w);
        json_string_n(w, header.name.data, header.name.length);
        json_string_n(w, header.value.data, header.value.length);
        json_end_array(w);
    }
    json_end_array(w);
}

void handle_request(struct http_request *request, const struct http_match *match)
{
    struct worker *worker = match->data;
    struct json_writer w = worker_begin_answer(worker);
    char address[INET6_ADDRSTRLEN];
    uint16_t port;

    member_slice(&w, "method", http_request_method_name(request));
    member_slice(&w, "target", http_request_target(request));
    member_slice(&w, "path", http_request_path(request));
    member_slice(&w, "query", http_request_query(request));
    json_member_string(&w, "http_version", http_request_minor_version(request) == 0 ? "1.0" : "1.1");
    write_headers(&w, request);
    peer_address(request, address, &port);
    json_key(&w, "peer");
    json_begin_object(&w);
    json_member_string(&w, "address", address);
    json_member_uint(&w, "port", port);
    json_end_object(&w);
    json_member_timestamp(&w, "timestamp", clock_realtime_us());
    worker_end_answer(worker, &w, request);
}
