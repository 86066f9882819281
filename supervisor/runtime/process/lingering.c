/*
 * A list and a timer that runs while it is not empty.
 */
#include "supervisor/runtime/process/lingering.h"

#include "core/log.h"
#include "core/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 500
#define TRIES_AT_ONCE 8 /* each is some ms of system calls */

struct lingerer {
    struct leaf leaf;
    struct lingerer *next;
};

struct lingering {
    uv_timer_t timer;
    struct slice *slice;
    struct lingerer *first, **end;
    unsigned count;
};

static void tell(struct lingering *lingering, const struct leaf *leaf, int code)
{
    struct error err;
    error_set(&err, -code, "the one of %s cannot be removed (%s); farmd goes on trying", leaf->name, strerror(-code));
    slice_trouble(lingering->slice, RUNTIME_TROUBLE_CGROUPS, &err);
}

static int try_to_remove(struct leaf *leaf)
{
    const struct slice_ops *ops = leaf->slice->ops;
    int rc = ops->kill(leaf);
    return rc == 0 ? ops->remove(leaf) : rc;
}

static void push(struct lingering *lingering, struct lingerer *lingerer)
{
    lingerer->next = NULL;
    *lingering->end = lingerer;
    lingering->end = &lingerer->next;
    lingering->count++;
}

/* Takes the one that `link` points to out of the list. */
static struct lingerer *take(struct lingering *lingering, struct lingerer **link)
{
    struct lingerer *lingerer = *link;
    *link = lingerer->next;
    if (*link == NULL) {
        lingering->end = link;
    }
    lingering->count--;
    return lingerer;
}

static void stop_when_empty(struct lingering *lingering)
{
    if (lingering->count == 0) {
        uv_timer_stop(&lingering->timer);
        slice_trouble(lingering->slice, RUNTIME_TROUBLE_CGROUPS, NULL);
    }
}

/* Those that have waited longest; what stays joins the end again. */
static void on_retry(uv_timer_t *timer)
{
    struct lingering *lingering = timer->data;
    unsigned tries = lingering->count < TRIES_AT_ONCE ? lingering->count : TRIES_AT_ONCE;
    while (tries-- > 0 && lingering->first != NULL) {
        struct lingerer *lingerer = take(lingering, &lingering->first);
        int rc = try_to_remove(&lingerer->leaf);
        if (rc != 0) {
            tell(lingering, &lingerer->leaf, rc);
            push(lingering, lingerer);
        } else {
            free(lingerer);
        }
    }
    stop_when_empty(lingering);
}

void lingering_add(struct lingering *lingering, const struct leaf *leaf, int code)
{
    struct lingerer *lingerer = xcalloc(1, sizeof(*lingerer));
    lingerer->leaf = *leaf;
    lingerer->leaf.stats_open = false;
    lingerer->leaf.stats_retry_ns = 0;
    lingerer->leaf.pidfd = -1;
    push(lingering, lingerer);
    tell(lingering, leaf, code);
    if (!uv_is_active((uv_handle_t *)&lingering->timer)) {
        uv_timer_start(&lingering->timer, on_retry, RETRY_MS, RETRY_MS);
    }
}

int lingering_reuse(struct lingering *lingering, const char *name, struct error *err)
{
    struct lingerer **link = &lingering->first;
    while (*link != NULL && strcmp((*link)->leaf.name, name) != 0) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        return 0;
    }
    struct leaf *leaf = &(*link)->leaf;
    if (leaf->slice->ops->kill(leaf) != 0) {
        return error_set(err, EBUSY, "processes of its last run are still there; they are being ended");
    }
    leaf_reserve(leaf, NULL);
    free(take(lingering, link));
    stop_when_empty(lingering);
    return 0;
}

struct lingering *lingering_new(uv_loop_t *loop, struct slice *slice)
{
    struct lingering *lingering = xcalloc(1, sizeof(*lingering));
    lingering->slice = slice;
    lingering->end = &lingering->first;
    uv_timer_init(loop, &lingering->timer);
    lingering->timer.data = lingering;
    uv_unref((uv_handle_t *)&lingering->timer);
    return lingering;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void lingering_free(struct lingering *lingering)
{
    while (lingering->first != NULL) {
        struct lingerer *lingerer = take(lingering, &lingering->first);
        int rc = try_to_remove(&lingerer->leaf);
        if (rc != 0) {
            log_warning("the cgroup of %s is left behind (%s); the next farmd removes it", lingerer->leaf.name,
                        strerror(-rc));
        }
        free(lingerer);
    }
    uv_close((uv_handle_t *)&lingering->timer, on_closed);
}
