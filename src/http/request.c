/*
 * What handlers see of a request.
 */
#include "http/server_internal.h"

#include <string.h>

void request_drop_body(struct http_request *request)
{
    budget_give(request->connection->server->options.memory, request->collected.length);
    buffer_done(&request->collected);
}

void request_reset(struct http_request *request)
{
    struct connection *conn = request->connection;
    request_drop_body(request);
    buffer_done(&request->extra_headers);
    memset(request, 0, sizeof *request);
    request->connection = conn;
}

enum http_method http_request_method(const struct http_request *request)
{
    return request->method;
}

struct http_slice http_request_method_name(const struct http_request *request)
{
    return (struct http_slice){request->head, request->method_length};
}

struct http_slice http_request_target(const struct http_request *request)
{
    return request->target;
}

struct http_slice http_request_path(const struct http_request *request)
{
    return request->path;
}

struct http_slice http_request_query(const struct http_request *request)
{
    return request->query;
}

struct http_slice http_request_host(const struct http_request *request)
{
    return request->host;
}

int http_request_minor_version(const struct http_request *request)
{
    return request->minor_version;
}

unsigned http_request_header_count(const struct http_request *request)
{
    return request->header_count;
}

struct http_header http_request_header_at(const struct http_request *request, unsigned index)
{
    if (index >= request->header_count)
        return (struct http_header){{"", 0}, {"", 0}};
    const struct header_ref *ref = &request->connection->input->headers[index];
    return (struct http_header){
        .name = {request->head + ref->name, ref->name_length},
        .value = {request->head + ref->value, ref->value_length},
    };
}

bool http_request_header(const struct http_request *request, const char *name, struct http_slice *value)
{
    size_t length = strlen(name);
    const struct header_ref *refs = request->header_count > 0 ? request->connection->input->headers : NULL;
    for (unsigned i = 0; i < request->header_count; i++) {
        if (refs[i].name_length != length || strncasecmp(request->head + refs[i].name, name, length) != 0)
            continue;
        *value = (struct http_slice){request->head + refs[i].value, refs[i].value_length};
        return true;
    }
    return false;
}

bool http_request_has_body(const struct http_request *request)
{
    return request->framing != BODY_NONE;
}

void http_request_peer(const struct http_request *request, struct sockaddr_storage *address)
{
    int length = sizeof *address;
    memset(address, 0, sizeof *address);
    if (request->connection->state != CONNECTION_CLOSED)
        uv_tcp_getpeername(&request->connection->tcp, (struct sockaddr *)address, &length);
}

int http_request_socket(const struct http_request *request)
{
    const struct connection *conn = request->connection;
    return conn->state == CONNECTION_CLOSED ? -1 : conn->fd;
}

void http_request_set_context(struct http_request *request, void *context)
{
    request->context = context;
}

void *http_request_context(const struct http_request *request)
{
    return request->context;
}

void http_request_on_abort(struct http_request *request, void (*on_abort)(struct http_request *request))
{
    request->on_abort = on_abort;
}
