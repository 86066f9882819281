/*
 * Bounding and reading a server's log. The server appends meanwhile and is never waited for.
 */
#include "supervisor/farm/logfile.h"

#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP (INT64_C(64) << 10)      /* the head goes in whole steps: a multiple of every block size in use */
#define CUT_TO (LOGFILE_KEEP / 3 * 2) /* what a cut leaves, so that not every line makes another one */
#define COPY_TO (LOGFILE_KEEP / 2)    /* the same for a copy, which costs more */

static int64_t bytes_on_disk(const struct stat *st)
{
    return (int64_t)st->st_blocks * 512;
}

/* Where holes cannot be punched. The few lines that are appended between the read and the truncation are lost. */
int logfile_copy_down(int fd, int64_t size, struct error *err)
{
    int64_t keep = size < COPY_TO ? size : COPY_TO;
    cleanup_free char *tail = malloc((size_t)keep + 1);
    if (!tail)
        return error_set(err, ENOMEM, "no memory to shorten a log");
    ssize_t got = pread(fd, tail, (size_t)keep, size - keep);
    if (got < 0)
        return error_set_errno(err, errno, "reading a log to shorten it");
    /* Whole lines only. */
    const char *from = tail;
    if (size > keep) {
        const char *newline = memchr(tail, '\n', (size_t)got);
        from = newline ? newline + 1 : tail;
    }
    size_t length = (size_t)(tail + got - from);
    if (pwrite(fd, from, length, 0) != (ssize_t)length || ftruncate(fd, (off_t)length) < 0)
        return error_set_errno(err, errno, "shortening a log");
    return 1;
}

static int64_t written_us(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * US_PER_SECOND + st->st_mtim.tv_nsec / 1000;
}

struct log_mark logfile_mark(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return (struct log_mark){0};
    return (struct log_mark){.offset = st.st_size, .at_us = written_us(&st)};
}

int logfile_trim(const char *path, struct log_mark *mark, struct error *err)
{
    struct stat st;
    if (mark)
        *mark = (struct log_mark){0};
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : error_set_errno(err, errno, "looking at the log %s", path);
    if (mark)
        *mark = (struct log_mark){.offset = st.st_size, .at_us = written_us(&st)};
    if (bytes_on_disk(&st) <= LOGFILE_KEEP || st.st_size <= CUT_TO || !S_ISREG(st.st_mode))
        return 0;

    cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return error_set_errno(err, errno, "opening the log %s", path);
    int64_t head = (st.st_size - CUT_TO + STEP - 1) / STEP * STEP;
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, head) == 0)
        return 1;
    if (errno == EOPNOTSUPP || errno == ENOSYS)
        return logfile_copy_down(fd, st.st_size, err);
    return error_set_errno(err, errno, "shortening the log %s", path);
}

/* The first offset at or behind `from` that is not in a hole; `size` when there is none. */
static int64_t next_data(int fd, int64_t from, int64_t size)
{
    off_t data = lseek(fd, (off_t)from, SEEK_DATA);
    if (data >= 0)
        return data < size ? data : size;
    return errno == ENXIO ? size : from; /* a file system without SEEK_DATA has no holes */
}

static int64_t end_of_data(int fd, int64_t from, int64_t size)
{
    off_t hole = lseek(fd, (off_t)from, SEEK_HOLE);
    return hole > from && hole < size ? hole : size;
}

/* Appends the bytes of [from, to) that are there. `*start` becomes the offset of the first of them. */
static int read_range(int fd, int64_t from, int64_t to, struct buffer *out, int64_t *start, struct error *err)
{
    bool first = true;
    int64_t at = from;
    *start = to;
    while (at < to) {
        at = next_data(fd, at, to);
        if (at >= to)
            break;
        int64_t end = end_of_data(fd, at, to);
        if (!buffer_try_reserve(out, (size_t)(end - at)))
            return error_set(err, ENOMEM, "no memory for %lld bytes of a log", (long long)(end - at));
        ssize_t got = pread(fd, out->data + out->length, (size_t)(end - at), at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, errno, "reading a log");
        if (got == 0)
            break; /* cut short meanwhile */
        if (first)
            *start = at;
        first = false;
        out->length += (size_t)got;
        out->data[out->length] = '\0';
        at += got;
    }
    return 0;
}

/* Opens for reading and finds the first offset that is kept, and when it was last written: 1, or 0 when there is no such file, or a negative code. */
static int open_log(const char *path, int *fd, struct logfile_part *part, int64_t *size, struct error *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (*fd < 0)
        return errno == ENOENT ? 0 : error_set_errno(err, errno, "opening the log %s", path);
    struct stat st;
    if (fstat(*fd, &st) < 0)
        return error_set_errno(err, errno, "looking at the log %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, EINVAL, "the log %s is not a file", path);
    *size = st.st_size;
    part->first = next_data(*fd, 0, *size);
    part->written_us = written_us(&st);
    return 1;
}

/* Drops the first `n` of the bytes from `mark` on. */
static void drop_front(struct buffer *out, size_t mark, size_t n)
{
    memmove(out->data + mark, out->data + mark + n, out->length - mark - n + 1);
    out->length -= n;
}

/* Behind the head that was punched out begins a piece of a line: it goes, if there is a whole one after it. */
static size_t torn_length(const struct buffer *out, size_t mark, int64_t start, int64_t first)
{
    if (start != first || first == 0 || out->length == mark)
        return 0;
    const char *text = out->data + mark;
    const char *newline = memchr(text, '\n', out->length - mark);
    return newline ? (size_t)(newline + 1 - text) : 0;
}

int logfile_read(const char *path, int64_t from, size_t max_bytes, struct buffer *out, struct logfile_part *part,
                 struct error *err)
{
    cleanup_close int fd = -1;
    int64_t size = 0;
    *part = (struct logfile_part){0};
    int code = open_log(path, &fd, part, &size, err);
    if (code <= 0)
        return code;

    int64_t first = part->first;
    if (from < first || from > size) /* trimmed away, or of a file that began anew */
        from = first;
    size_t mark = out->length;
    int64_t to = size - from > (int64_t)max_bytes ? from + (int64_t)max_bytes : size;
    int64_t start;
    code = read_range(fd, from, to, out, &start, err);
    if (code < 0)
        return code;

    size_t torn = torn_length(out, mark, start, first);
    if (torn > 0)
        drop_front(out, mark, torn);
    start += (int64_t)torn;

    /* The last line may be still being written; one that is longer than max_bytes comes in pieces. */
    size_t whole = out->length - mark;
    while (whole > 0 && out->data[mark + whole - 1] != '\n')
        whole--;
    if (whole > 0 || to == size) {
        to -= (int64_t)(out->length - mark - whole);
        out->length = mark + whole;
        if (out->data)
            out->data[out->length] = '\0';
    }
    part->start = start < to ? start : to;
    part->end = to;
    return 0;
}

/* Where the last `lines` lines begin in text; a last line without a newline is one too. */
static size_t tail_start(const char *text, size_t length, unsigned lines)
{
    size_t at = length;
    if (lines == 0 || length == 0)
        return length;
    if (text[at - 1] == '\n')
        at--;
    while (at > 0) {
        if (text[at - 1] == '\n' && --lines == 0)
            return at;
        at--;
    }
    return 0;
}

int logfile_tail(const char *path, unsigned lines, size_t max_bytes, struct buffer *out, struct logfile_part *part,
                 struct error *err)
{
    cleanup_close int fd = -1;
    int64_t size = 0;
    *part = (struct logfile_part){0};
    int code = open_log(path, &fd, part, &size, err);
    if (code <= 0)
        return code;

    int64_t first = part->first;
    int64_t from = size - first > (int64_t)max_bytes ? size - (int64_t)max_bytes : first;
    size_t mark = out->length;
    int64_t start;
    code = read_range(fd, from, size, out, &start, err);
    if (code < 0)
        return code;

    size_t length = out->length - mark;
    size_t cut = length ? tail_start(out->data + mark, length, lines) : 0;
    if (cut == 0) {
        /* Everything read is wanted, but its first line may have lost its head. */
        cut = torn_length(out, mark, start, from);
        cut = cut < length ? cut : 0;
    }
    if (cut > 0)
        drop_front(out, mark, cut);
    start += (int64_t)cut;
    part->start = start < size ? start : size;
    part->end = size;
    return 0;
}
