/*
 * Reading and writing the state file. Its last line is "end": a file without one was cut off.
 */
#include "supervisor/farm/statefile.h"

#include "core/log.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/farm/background.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER "farmd-state 1"
#define BOOT "boot "
#define DELAY_MS 100           /* many changes come together */
#define RETRY_MS 2000          /* after a failure */
#define FILE_MAX (1024 * 1024) /* more than SETTINGS_MAX_SERVERS lines need */
#define BOOT_ID_LENGTH 36

/* --- reading --- */

static void read_boot_id(char out[BOOT_ID_LENGTH + 1])
{
    cleanup_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, BOOT_ID_LENGTH) : 0;
    out[n > 0 ? n : 0] = '\0';
}

/* The whole file as text: 1, or 0 when there is none, or a negative code. */
static int read_text(const char *path, struct buffer *text, struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_set_errno(err, errno, "opening the state file %s", path);
    for (;;) {
        buffer_reserve(text, 4096);
        ssize_t n = read(fd, text->data + text->length, 4096);
        if (n < 0)
            return error_set_errno(err, errno, "reading the state file %s", path);
        text->length += (size_t)n;
        text->data[text->length] = '\0';
        if (n == 0)
            return 1;
        if (text->length > FILE_MAX)
            return error_set(err, EBADMSG, "the state file %s is too large to be one", path);
    }
}

struct reader {
    bool of_this_boot;
    bool whole;
    struct runtime_leftover *leftovers;
    size_t count;
};

/* Reads `word` and the number behind it, and moves past them. */
static bool read_number(const char **line, const char *word, int64_t max, int64_t *value)
{
    size_t length = strlen(word);
    if (strncmp(*line, word, length) != 0)
        return false;
    const char *digits = *line + length;
    size_t count = strspn(digits, "0123456789");
    cleanup_free char *text = xstrndup(digits, count);
    *line = digits + count;
    return units_parse_int(text, 0, max, value) == 0;
}

static bool read_line(struct reader *reader, unsigned number, const char *line, const char *boot_id)
{
    int64_t server, pid, start_time;
    if (number == 0)
        return strcmp(line, HEADER) == 0;
    if (number == 1) {
        bool is_boot = strncmp(line, BOOT, strlen(BOOT)) == 0;
        reader->of_this_boot = is_boot && strcmp(line + strlen(BOOT), boot_id) == 0;
        return is_boot;
    }
    if (strcmp(line, "end") == 0) {
        reader->whole = true;
        return true;
    }
    if (reader->whole || !read_number(&line, "server ", INT_MAX, &server) ||
        !read_number(&line, " pid ", INT_MAX, &pid) || !read_number(&line, " start ", INT64_MAX, &start_time) ||
        line[0] != '\0' || pid <= 1)
        return false;
    reader->leftovers = xrealloc(reader->leftovers, (reader->count + 1) * sizeof(*reader->leftovers));
    reader->leftovers[reader->count++] =
        (struct runtime_leftover){.pid = (pid_t)pid, .start_time = (uint64_t)start_time};
    return true;
}

static bool read_lines(struct reader *reader, struct buffer *text)
{
    char boot_id[BOOT_ID_LENGTH + 1];
    read_boot_id(boot_id);
    if (strlen(text->data) != text->length)
        return false;
    char *rest = text->data;
    for (unsigned number = 0; rest[0]; number++) {
        char *newline = strchr(rest, '\n');
        if (!newline)
            return false;
        *newline = '\0';
        if (!read_line(reader, number, rest, boot_id))
            return false;
        rest = newline + 1;
    }
    return reader->whole;
}

static int set_aside(const char *path, struct error *err)
{
    cleanup_free char *aside = xasprintf("%s.broken", path);
    if (rename(path, aside) < 0)
        unlink(path);
    return error_set(err, EBADMSG, "the state file %s is not whole; it is set aside as %s", path, aside);
}

int statefile_load(const char *path, struct runtime_leftover **leftovers, size_t *count, struct error *err)
{
    struct buffer text = BUFFER_EMPTY;
    struct reader reader = {0};
    int code = read_text(path, &text, err);
    if (code > 0)
        code = read_lines(&reader, &text) ? 0 : set_aside(path, err);
    else if (code < 0)
        set_aside(path, NULL);
    buffer_done(&text);
    if (code < 0 || !reader.of_this_boot) {
        free(reader.leftovers);
        reader.leftovers = NULL;
        reader.count = 0;
    }
    if (code == 0) {
        *leftovers = reader.leftovers;
        *count = reader.count;
    }
    return code;
}

/* --- writing --- */

struct statefile {
    struct background background;
    char *path;
    char *temporary;
    const struct statefile_calls *calls;
    void *data;
    bool dirty, held, closed;
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

static void on_done(void *owner)
{
    struct statefile *file = owner;
    bool failed = file->result.code != 0;
    file->calls->report(failed ? &file->result : NULL, file->data);
    file->dirty |= failed;
    if (file->dirty && !file->held)
        background_set(&file->background, failed ? RETRY_MS : DELAY_MS);
}

static void prepare(void *owner)
{
    struct statefile *file = owner;
    char boot_id[BOOT_ID_LENGTH + 1];
    read_boot_id(boot_id);
    buffer_clear(&file->text);
    buffer_printf(&file->text, HEADER "\n" BOOT "%s\n", boot_id);
    file->calls->compose(&file->text, file->data);
    buffer_append_text(&file->text, "end\n");
    file->dirty = false;
}

static void on_freed(void *owner)
{
    struct statefile *file = owner;
    unlink(file->temporary);
    unlink(file->path);
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

void statefile_add(struct buffer *out, int server_id, pid_t pid, uint64_t start_time)
{
    buffer_printf(out, "server %d pid %d start %" PRIu64 "\n", server_id, (int)pid, start_time);
}

void statefile_touch(struct statefile *file)
{
    file->dirty = true;
    if (!file->held && !background_is_set(&file->background))
        background_set(&file->background, DELAY_MS);
}

void statefile_hold(struct statefile *file)
{
    file->held = true;
    background_cancel(&file->background);
}

void statefile_free(struct statefile *file)
{
    if (!file || file->closed)
        return;
    file->closed = true;
    unlink(file->path); /* now, and again behind a write that is under way */
    background_close(&file->background);
}
