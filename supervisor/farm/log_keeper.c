/*
 * One piece of work at a time over all logs. The thread works on its own copy of the paths, which is made anew only when
 * servers came or went.
 */
#include "supervisor/farm/log_keeper.h"

#include "core/memory.h"
#include "supervisor/farm/background.h"
#include "supervisor/farm/logfile.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#define INTERVAL_MS 1000
#define BUSY_INTERVAL_MS 50 /* for a while after a cut: a loop that prints fills the bound several times a second */
#define BUSY_ROUNDS 20
#define ROOM_MIN (UINT64_C(64) << 10) /* a file system with less is full: what is left may be of no use to a log */

struct kept_log {
    int server_id;
    char *path;
    struct log_mark mark; /* what the thread has seen */
};

struct log_keeper {
    struct farm *farm;
    struct background background;
    char *directory;
    char *own_log;         /* of a farmd in the background */
    struct kept_log *logs; /* the thread's while it works */
    size_t count;
    bool stale, closed;
    unsigned busy_rounds; /* still to come at the short interval */
    struct error result;
};

static void free_logs(struct log_keeper *keeper)
{
    for (size_t i = 0; i < keeper->count; i++)
        free(keeper->logs[i].path);
    free(keeper->logs);
    keeper->logs = NULL;
    keeper->count = 0;
}

static void copy_logs(struct log_keeper *keeper)
{
    free_logs(keeper);
    keeper->count = farm_server_count(keeper->farm);
    keeper->logs = xcalloc(keeper->count, sizeof(*keeper->logs));
    for (size_t i = 0; i < keeper->count; i++) {
        const struct server *server = farm_server_at(keeper->farm, i);
        keeper->logs[i] = (struct kept_log){.server_id = server->id, .path = xstrdup(server->log_path)};
    }
    keeper->stale = false;
}

static void set_next(struct log_keeper *keeper)
{
    background_set(&keeper->background, keeper->busy_rounds ? BUSY_INTERVAL_MS : INTERVAL_MS);
}

/* Servers write by themselves, so nobody but they sees that there is no room; what most of them do then is to lose it. */
static int check_room(const char *directory, struct error *err)
{
    struct statvfs space;
    if (statvfs(directory, &space) < 0 || space.f_frsize == 0)
        return 0; /* a file system that cannot tell */
    if ((uint64_t)space.f_bavail >= ROOM_MIN / space.f_frsize)
        return 0;
    return error_set(err, ENOSPC,
                     "the file system of %s is full, so what servers print is lost; make room there, or start farmd "
                     "with another --state-dir",
                     directory);
}

static void work(void *owner)
{
    struct log_keeper *keeper = owner;
    keeper->result = (struct error){0};
    if (keeper->busy_rounds > 0)
        keeper->busy_rounds--;
    for (size_t i = 0; i < keeper->count; i++) {
        if (logfile_trim(keeper->logs[i].path, &keeper->logs[i].mark, &keeper->result) > 0)
            keeper->busy_rounds = BUSY_ROUNDS;
    }
    if (logfile_trim(keeper->own_log, NULL, &keeper->result) > 0)
        keeper->busy_rounds = BUSY_ROUNDS;
    if (keeper->result.code == 0)
        check_room(keeper->directory, &keeper->result);
}

static void on_done(void *owner)
{
    struct log_keeper *keeper = owner;
    for (size_t i = 0; i < keeper->count; i++) {
        struct server *server = farm_server(keeper->farm, keeper->logs[i].server_id);
        if (server && keeper->logs[i].mark.offset > 0)
            log_marks_add(&server->log_marks, keeper->logs[i].mark);
    }
    farm_trouble(keeper->farm, TROUBLE_LOGS, keeper->result.code ? &keeper->result : NULL);
    set_next(keeper);
}

static void prepare(void *owner)
{
    struct log_keeper *keeper = owner;
    if (keeper->stale)
        copy_logs(keeper);
}

static void on_freed(void *owner)
{
    struct log_keeper *keeper = owner;
    free_logs(keeper);
    free(keeper->directory);
    free(keeper->own_log);
    free(keeper);
}

static const struct background_calls calls = {.prepare = prepare, .work = work, .done = on_done, .freed = on_freed};

struct log_keeper *log_keeper_new(struct farm *farm)
{
    struct log_keeper *keeper = xcalloc(1, sizeof(*keeper));
    keeper->farm = farm;
    keeper->stale = true;
    keeper->directory = xasprintf("%s/logs", farm_settings(farm)->state_dir);
    keeper->own_log = xasprintf("%s/farmd.log", keeper->directory);
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
