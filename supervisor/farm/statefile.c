/*
 * Reading, setting aside and replacing the state file.
 */
#include "supervisor/farm/statefile.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/farm/aside.h"
#include "supervisor/farm/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LEAST_DELAY_MS 10 /* from one write to the next: many changes come together */
#define MOST_DELAY_MS 1000
#define DELAY_SHARE 10 /* and composing takes at most this fraction of the time: nothing else happens meanwhile */
#define RETRY_MS 1000  /* after one that failed */
#define FILE_MAX (16 * 1024 * 1024) /* more than SETTINGS_MAX_SERVERS lines need */

/* --- reading --- */

/* The whole file as text: 1, or 0 when there is none, or a negative code. */
static int read_text(const char *path, struct buffer *text, struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_set_errno(err, errno, "cannot be opened");
    for (;;) {
        buffer_reserve(text, 65536);
        ssize_t n = read(fd, text->data + text->length, 65536);
        if (n < 0)
            return error_set_errno(err, errno, "cannot be read");
        text->length += (size_t)n;
        text->data[text->length] = '\0';
        if (n == 0)
            return 1;
        if (text->length > FILE_MAX)
            return error_set(err, EBADMSG, "is too large to be one");
    }
}

static int read_state(const char *path, struct state **state, struct error *why)
{
    struct buffer text = BUFFER_EMPTY;
    struct state *found = NULL;
    int code = read_text(path, &text, why);
    if (code > 0)
        code = state_parse(text.data, text.length, &found, why);
    buffer_done(&text);
    if (code < 0)
        return code;
    *state = found;
    return 0;
}

int statefile_load(const char *path, struct state **state, struct error *err)
{
    struct error why = {0};
    int code = read_state(path, state, &why);
    if (code < 0)
        free(aside_rename(path, "the state file", &why, err));
    return code;
}

int statefile_look(const char *path, struct state **state)
{
    struct error ignored = {0};
    return read_state(path, state, &ignored);
}

/* --- writing --- */

struct statefile {
    struct background background;
    char *path;
    char *temporary;
    const struct statefile_calls *calls;
    void *data;
    bool dirty, held, leave, failed;
    int64_t written_ms;  /* when it was begun last */
    int64_t delay_ms;    /* from then to the next */
    struct buffer text;  /* belongs to the thread while it works */
    struct error result; /* likewise */
};

/* In a thread: whole or not at all, and on the disk before it takes the old one's place. */
static int replace(const struct statefile *file, struct error *err)
{
    cleanup_close int fd = open(file->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return error_set_errno(err, errno, "writing %s", file->temporary);
    size_t done = 0;
    while (done < file->text.length) {
        ssize_t n = write(fd, file->text.data + done, file->text.length - done);
        if (n < 0 && errno != EINTR)
            return error_set_errno(err, errno, "writing %s", file->temporary);
        done += n > 0 ? (size_t)n : 0;
    }
    if (fsync(fd) < 0)
        return error_set_errno(err, errno, "writing %s", file->temporary);
    return rename(file->temporary, file->path) == 0 ? 0 : error_set_errno(err, errno, "replacing %s", file->path);
}

static void work(void *owner)
{
    struct statefile *file = owner;
    file->result = (struct error){0};
    if (replace(file, &file->result) < 0)
        unlink(file->temporary); /* what is on a full disk is in somebody's way */
}

/* The first change after a while is written at once: what was asked for by hand must not be lost. */
static void set_next(struct statefile *file)
{
    if (!file->dirty || file->held || background_is_set(&file->background))
        return;
    int64_t waited_ms = clock_monotonic_ms() - file->written_ms;
    int64_t delay_ms = file->failed ? RETRY_MS : file->delay_ms;
    background_set(&file->background, waited_ms < delay_ms ? (uint64_t)(delay_ms - waited_ms) : 0);
}

static void on_done(void *owner)
{
    struct statefile *file = owner;
    file->failed = file->result.code != 0;
    file->calls->report(file->failed ? &file->result : NULL, file->data);
    file->dirty |= file->failed;
    set_next(file);
}

static void prepare(void *owner)
{
    struct statefile *file = owner;
    int64_t began_ms = clock_monotonic_ms();
    buffer_clear(&file->text);
    file->calls->compose(&file->text, file->data);
    file->dirty = false;
    file->written_ms = clock_monotonic_ms();
    file->delay_ms = (file->written_ms - began_ms) * DELAY_SHARE;
    file->delay_ms = file->delay_ms < LEAST_DELAY_MS  ? LEAST_DELAY_MS
                     : file->delay_ms > MOST_DELAY_MS ? MOST_DELAY_MS
                                                      : file->delay_ms;
}

static void on_freed(void *owner)
{
    struct statefile *file = owner;
    unlink(file->temporary);
    if (!file->leave)
        unlink(file->path);
    file->calls->closed(file->data);
    buffer_done(&file->text);
    free(file->path);
    free(file->temporary);
    free(file);
}

static const struct background_calls background_calls = {
    .prepare = prepare, .work = work, .done = on_done, .freed = on_freed};

struct statefile *statefile_new(uv_loop_t *loop, const char *path, const struct statefile_calls *calls, void *data)
{
    struct statefile *file = xcalloc(1, sizeof(*file));
    file->path = xstrdup(path);
    file->temporary = xasprintf("%s.new", path);
    file->calls = calls;
    file->data = data;
    background_init(&file->background, loop, &background_calls, file);
    return file;
}

void statefile_touch(struct statefile *file)
{
    file->dirty = true;
    set_next(file);
}

void statefile_hold(struct statefile *file)
{
    file->held = true;
    background_cancel(&file->background);
}

void statefile_release(struct statefile *file, uint64_t delay_ms)
{
    file->held = false;
    if (file->dirty && !background_is_set(&file->background))
        background_set(&file->background, delay_ms);
}

void statefile_hurry(struct statefile *file)
{
    if (file->dirty && !file->held && !file->background.working)
        background_set(&file->background, 0);
}

int statefile_save(struct statefile *file, struct error *err)
{
    if (file->held || file->background.working)
        return error_set(err, EBUSY, "the state file is not to be written now");
    background_cancel(&file->background);
    prepare(file);
    int code = replace(file, err);
    if (code < 0)
        statefile_touch(file);
    return code;
}

void statefile_close(struct statefile *file, bool leave)
{
    file->leave = leave;
    background_close(&file->background);
}
