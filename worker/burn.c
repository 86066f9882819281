/*
 * The memory is mapped and unmapped by the burning thread itself: it goes back to the system at once, and if touching it
 * goes past the limit, it is this process that the kernel ends, which is what it was asked for.
 */
#include "worker/burn.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define STACK_SIZE (128 * 1024)
#define LEAST_PRIORITY 19
#define SPINS_PER_LOOK 20000 /* some 20 µs between two looks at the clock */

struct burn {
    struct burn_pool *pool;
    struct burn *next; /* in the list of finished ones */
    int64_t until_ns;
    uint64_t bytes;
    atomic_bool cancelled;
    int error;
    void (*on_end)(void *data, int error);
    void *data;
};

static bool is_cancelled(struct burn *burn)
{
    return atomic_load_explicit(&burn->cancelled, memory_order_relaxed);
}

static void touch(struct burn *burn, char *memory, uint64_t page)
{
    for (uint64_t i = 0; i < burn->bytes; i += page) {
        if (i % MIB == 0 && is_cancelled(burn))
            return;
        ((volatile char *)memory)[i] = 1;
    }
}

static void spin(struct burn *burn)
{
    volatile uint64_t sink;
    uint64_t x = 1;

    while (!is_cancelled(burn) && clock_monotonic_ns() < burn->until_ns) {
        for (int i = 0; i < SPINS_PER_LOOK; i++)
            x = x * UINT64_C(6364136223846793005) + 1;
        sink = x;
    }
    (void)sink;
}

static void *burn_thread(void *data)
{
    struct burn *burn = data;
    struct burn_pool *pool = burn->pool;

    /* For this thread alone, so that the loop's goes first. Not SCHED_IDLE, which would give way to every other process
     * of the machine and fall short of the group's limit. */
    setpriority(PRIO_PROCESS, (id_t)gettid(), LEAST_PRIORITY);
    char *memory = NULL;
    if (burn->bytes > 0) {
        memory = mmap(NULL, burn->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            burn->error = errno;
        else
            touch(burn, memory, (uint64_t)sysconf(_SC_PAGESIZE));
    }
    if (burn->error == 0)
        spin(burn);
    if (memory && memory != MAP_FAILED)
        munmap(memory, burn->bytes);

    burn->next = atomic_load(&pool->finished);
    while (!atomic_compare_exchange_weak(&pool->finished, &burn->next, burn))
        ;
    uv_async_send(&pool->finished_async);
    return NULL;
}

static void on_finished(uv_async_t *async)
{
    struct burn_pool *pool = async->data;
    struct burn *burn = atomic_exchange(&pool->finished, NULL);

    while (burn) {
        struct burn *next = burn->next;
        pool->running--;
        if (!is_cancelled(burn))
            burn->on_end(burn->data, burn->error);
        free(burn);
        burn = next;
    }
}

void burn_pool_init(struct burn_pool *pool, uv_loop_t *loop)
{
    *pool = (struct burn_pool){0};
    uv_async_init(loop, &pool->finished_async, on_finished);
    pool->finished_async.data = pool;
    uv_unref((uv_handle_t *)&pool->finished_async);
}

int burn_start(struct burn_pool *pool, double seconds, uint64_t bytes, void (*on_end)(void *data, int error),
               void *data, struct burn **burn, struct error *err)
{
    pthread_attr_t attr;
    pthread_t thread;

    if (pool->running >= BURN_MAX)
        return error_set(err, EBUSY, "%d loads are running already, try again later", BURN_MAX);

    struct burn *new_burn = xcalloc(1, sizeof(*new_burn));
    new_burn->pool = pool;
    new_burn->until_ns = clock_monotonic_ns() + (int64_t)(seconds * (double)NS_PER_SECOND);
    new_burn->bytes = bytes;
    new_burn->on_end = on_end;
    new_burn->data = data;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&thread, &attr, burn_thread, new_burn);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        free(new_burn);
        return error_set_errno(err, EAGAIN, "No thread could be started for the load");
    }
    pool->running++;
    *burn = new_burn;
    return 0;
}

void burn_cancel(struct burn *burn)
{
    atomic_store_explicit(&burn->cancelled, true, memory_order_relaxed);
}
