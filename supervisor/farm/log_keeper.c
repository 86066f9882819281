/*
 * One piece of work at a time over all logs. The thread works on its own copy of the paths, which is made anew only when
 * servers came or went.
 */
#include "supervisor/farm/log_keeper.h"

#include "core/log.h"
#include "core/memory.h"
#include "supervisor/farm/background.h"
#include "supervisor/farm/logfile.h"

#include <stdlib.h>

#define INTERVAL_MS 1000
#define BUSY_INTERVAL_MS 50 /* for a while after a cut: a loop that prints fills the bound several times a second */
#define BUSY_ROUNDS 20

struct log_keeper {
    struct farm *farm;
    struct background background;
    char **paths; /* the thread's while it works */
    size_t count;
    bool stale, closed, failed_before;
    unsigned busy_rounds; /* still to come at the short interval */
    struct error result;
};

static void free_paths(struct log_keeper *keeper)
{
    for (size_t i = 0; i < keeper->count; i++)
        free(keeper->paths[i]);
    free(keeper->paths);
    keeper->paths = NULL;
    keeper->count = 0;
}

static void copy_paths(struct log_keeper *keeper)
{
    free_paths(keeper);
    keeper->count = farm_server_count(keeper->farm);
    keeper->paths = xcalloc(keeper->count, sizeof(char *));
    for (size_t i = 0; i < keeper->count; i++)
        keeper->paths[i] = xstrdup(farm_server_at(keeper->farm, i)->log_path);
    keeper->stale = false;
}

static void set_next(struct log_keeper *keeper)
{
    background_set(&keeper->background, keeper->busy_rounds ? BUSY_INTERVAL_MS : INTERVAL_MS);
}

static void work(void *owner)
{
    struct log_keeper *keeper = owner;
    keeper->result = (struct error){0};
    if (keeper->busy_rounds > 0)
        keeper->busy_rounds--;
    for (size_t i = 0; i < keeper->count; i++) {
        if (logfile_trim(keeper->paths[i], &keeper->result) > 0)
            keeper->busy_rounds = BUSY_ROUNDS;
    }
}

static void on_done(void *owner)
{
    struct log_keeper *keeper = owner;
    if (keeper->result.code && !keeper->failed_before)
        log_warning("%s; logs may grow beyond their bound", keeper->result.message);
    keeper->failed_before = keeper->result.code != 0;
    set_next(keeper);
}

static void prepare(void *owner)
{
    struct log_keeper *keeper = owner;
    if (keeper->stale)
        copy_paths(keeper);
}

static void on_freed(void *owner)
{
    free_paths(owner);
    free(owner);
}

static const struct background_calls calls = {.prepare = prepare, .work = work, .done = on_done, .freed = on_freed};

struct log_keeper *log_keeper_new(struct farm *farm)
{
    struct log_keeper *keeper = xcalloc(1, sizeof(*keeper));
    keeper->farm = farm;
    keeper->stale = true;
    background_init(&keeper->background, farm_loop(farm), &calls, keeper);
    set_next(keeper);
    return keeper;
}

void log_keeper_servers_changed(struct log_keeper *keeper)
{
    keeper->stale = true;
}

void log_keeper_free(struct log_keeper *keeper)
{
    if (!keeper || keeper->closed)
        return;
    keeper->closed = true;
    background_close(&keeper->background);
}
