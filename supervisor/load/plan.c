/*
 * Plans: defaults, copies, and the bytes of a request.
 */
#include "supervisor/load/plan.h"

#include "core/buffer.h"
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AUTOMATIC_THREADS_MAX 16

struct load_plan load_plan_defaults(void)
{
    return (struct load_plan){
        .model = LOAD_CLOSED,
        .connections = 10,
        .method = "GET",
        .path = "/",
        .timeout_ns = LOAD_DEFAULT_TIMEOUT_NS,
        .drain_ns = 0,
        .give_up_ns = LOAD_DEFAULT_GIVE_UP_NS,
    };
}

const char *load_model_name(enum load_model model)
{
    switch (model) {
    case LOAD_CLOSED:
        return "closed";
    case LOAD_OPEN_CONSTANT:
        return "constant";
    case LOAD_OPEN_POISSON:
        return "poisson";
    }
    return "unknown";
}

static unsigned connections_per_target(const struct load_plan *plan)
{
    bool fewer = plan->requests > 0 && plan->requests < plan->connections;

    return fewer ? (unsigned)plan->requests : plan->connections;
}

size_t load_plan_connections(const struct load_plan *plan)
{
    return plan->target_count * connections_per_target(plan);
}

/* By themselves half of the cores: the targets are on the same machine. */
unsigned load_plan_threads(const struct load_plan *plan)
{
    size_t connections = load_plan_connections(plan);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = plan->threads;

    if (threads == 0)
        threads = cores < 2 ? 1 : cores / 2 > AUTOMATIC_THREADS_MAX ? AUTOMATIC_THREADS_MAX : (unsigned)(cores / 2);
    return threads < connections ? threads : (unsigned)connections;
}

/* --- copies --- */

static void *copy_bytes(const void *bytes, size_t length)
{
    return length > 0 ? memcpy(xmalloc(length), bytes, length) : NULL;
}

static struct load_target *copy_targets(const struct load_plan *plan)
{
    struct load_target *targets = copy_bytes(plan->targets, plan->target_count * sizeof(*targets));

    for (size_t i = 0; i < plan->target_count; i++) {
        targets[i].name = xstrdup(targets[i].name);
        targets[i].host = xstrdup(targets[i].host);
    }
    return targets;
}

struct load_plan *load_plan_copy(const struct load_plan *plan)
{
    struct load_plan *copy = copy_bytes(plan, sizeof(*plan));

    copy->targets = copy_targets(plan);
    copy->stages = copy_bytes(plan->stages, plan->stage_count * sizeof(*plan->stages));
    copy->method = xstrdup(plan->method);
    copy->path = xstrdup(plan->path);
    copy->headers = xstrdup(plan->headers);
    copy->body = copy_bytes(plan->body, plan->body_length);
    copy->thresholds = copy_bytes(plan->thresholds, plan->threshold_count * sizeof(*plan->thresholds));
    if (copy->drain_ns == 0)
        copy->drain_ns = copy->timeout_ns;
    return copy;
}

/* The members of a plan are const for those who only read it. */
static void free_const(const void *memory)
{
    free((void *)(uintptr_t)memory);
}

void load_plan_free(struct load_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->target_count; i++) {
        free_const(plan->targets[i].name);
        free_const(plan->targets[i].host);
    }
    free_const(plan->targets);
    free_const(plan->stages);
    free_const(plan->method);
    free_const(plan->path);
    free_const(plan->headers);
    free_const(plan->body);
    free_const(plan->thresholds);
    free(plan);
}

/* --- the request --- */

static void append_path(struct buffer *out, const char *path, int id)
{
    static const char PLACE[] = "{server_id}";
    const char *place;

    for (; (place = strstr(path, PLACE)); path = place + strlen(PLACE)) {
        buffer_append(out, path, (size_t)(place - path));
        buffer_printf(out, "%d", id);
    }
    buffer_append_text(out, path);
}

static bool has_header(const char *headers, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = headers; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncasecmp(line, name, length) == 0 && line[length] == ':')
            return true;
    }
    return false;
}

static bool has_body(const struct load_plan *plan)
{
    return plan->body_length > 0 || strcmp(plan->method, "POST") == 0 || strcmp(plan->method, "PUT") == 0 ||
           strcmp(plan->method, "PATCH") == 0;
}

char *load_plan_compose(const struct load_plan *plan, const struct load_target *target, size_t *length)
{
    struct buffer out = BUFFER_EMPTY;

    buffer_printf(&out, "%s ", plan->method);
    append_path(&out, plan->path, target->id);
    buffer_append_text(&out, " HTTP/1.1\r\n");
    if (!has_header(plan->headers, "Host"))
        buffer_printf(&out, "Host: %s\r\n", target->host);
    if (plan->close)
        buffer_append_text(&out, "Connection: close\r\n");
    if (has_body(plan))
        buffer_printf(&out, "Content-Length: %zu\r\n", plan->body_length);
    if (plan->headers)
        buffer_append_text(&out, plan->headers);
    buffer_append_text(&out, "\r\n");
    buffer_append(&out, plan->body, plan->body_length);
    *length = out.length;
    return buffer_detach(&out);
}
