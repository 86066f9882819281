/*
 * A list and a timer that runs while it is not empty.
 */
#include "supervisor/runtime/process/lingering.h"

#include "core/log.h"
#include "core/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define RETRY_MS 500
#define TRIES_AT_ONCE 8 /* each is some ms of system calls */

struct lingerer {
    struct leaf leaf;
    TAILQ_ENTRY(lingerer) link;
};

struct lingering {
    uv_timer_t timer;
    struct slice *slice;
    TAILQ_HEAD(lingerers, lingerer) list;
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

static void drop(struct lingering *lingering, struct lingerer *lingerer)
{
    TAILQ_REMOVE(&lingering->list, lingerer, link);
    free(lingerer);
    if (!TAILQ_EMPTY(&lingering->list)) {
        return;
    }
    uv_timer_stop(&lingering->timer);
    slice_trouble(lingering->slice, RUNTIME_TROUBLE_CGROUPS, NULL);
}

/* Those that have waited longest; what stays joins the end again. */
static void on_retry(uv_timer_t *timer)
{
    struct lingering *lingering = timer->data;
    struct lingerer *last = TAILQ_LAST(&lingering->list, lingerers), *lingerer = NULL;
    for (unsigned n = 0; n < TRIES_AT_ONCE && lingerer != last; n++) {
        lingerer = TAILQ_FIRST(&lingering->list);
        int rc = try_to_remove(&lingerer->leaf);
        if (rc != 0) {
            tell(lingering, &lingerer->leaf, rc);
            TAILQ_REMOVE(&lingering->list, lingerer, link);
            TAILQ_INSERT_TAIL(&lingering->list, lingerer, link);
            continue;
        }
        bool was_last = lingerer == last;
        drop(lingering, lingerer);
        if (was_last) {
            return;
        }
    }
}

void lingering_add(struct lingering *lingering, const struct leaf *leaf, int code)
{
    struct lingerer *lingerer = xcalloc(1, sizeof(*lingerer));
    lingerer->leaf = *leaf;
    lingerer->leaf.stats_open = false;
    lingerer->leaf.stats_retry_ns = 0;
    lingerer->leaf.pidfd = -1;
    TAILQ_INSERT_TAIL(&lingering->list, lingerer, link);
    tell(lingering, leaf, code);
    if (!uv_is_active((uv_handle_t *)&lingering->timer)) {
        uv_timer_start(&lingering->timer, on_retry, RETRY_MS, RETRY_MS);
    }
}

int lingering_reuse(struct lingering *lingering, const char *name, struct error *err)
{
    struct lingerer *lingerer = TAILQ_FIRST(&lingering->list);
    while (lingerer != NULL && strcmp(lingerer->leaf.name, name) != 0) {
        lingerer = TAILQ_NEXT(lingerer, link);
    }
    if (lingerer == NULL) {
        return 0;
    }
    if (lingerer->leaf.slice->ops->kill(&lingerer->leaf) != 0) {
        return error_set(err, EBUSY, "processes of its last run are still there; they are being ended");
    }
    leaf_reserve(&lingerer->leaf, NULL);
    drop(lingering, lingerer);
    return 0;
}

struct lingering *lingering_new(uv_loop_t *loop, struct slice *slice)
{
    struct lingering *lingering = xcalloc(1, sizeof(*lingering));
    lingering->slice = slice;
    TAILQ_INIT(&lingering->list);
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
    struct lingerer *lingerer;
    while ((lingerer = TAILQ_FIRST(&lingering->list)) != NULL) {
        int rc = try_to_remove(&lingerer->leaf);
        if (rc != 0) {
            log_warning("the cgroup of %s is left behind (%s); the next farmd removes it", lingerer->leaf.name,
                        strerror(-rc));
        }
        TAILQ_REMOVE(&lingering->list, lingerer, link);
        free(lingerer);
    }
    uv_close((uv_handle_t *)&lingering->timer, on_closed);
}
