/*
 * The program's own messages. A line is put together in memory and leaves with one write.
 */
#include "core/log.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/streams.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 3072 /* so that a line fits PIPE_BUF and leaves with one write that cannot block halfway */

struct level_look {
    const char *name;   /* in JSON; Python's */
    const char *prefix; /* in text */
    const char *colour; /* of the prefix on a terminal */
};

static const struct level_look looks[] = {
    [LOG_LEVEL_DEBUG] = {"DEBUG", "debug: ", "\033[2m"},
    [LOG_LEVEL_INFO] = {"INFO", "", ""},
    [LOG_LEVEL_WARNING] = {"WARNING", "warning: ", "\033[33m"},
    [LOG_LEVEL_ERROR] = {"ERROR", "error: ", "\033[31m"},
};

static enum log_level least = LOG_LEVEL_INFO;
static enum log_format chosen_format = LOG_FORMAT_TEXT;
static bool colour;

void log_setup(enum log_level level, enum log_format format)
{
    least = level;
    chosen_format = format;
    colour = streams_colour(STDERR_FILENO);
}

bool log_enabled(enum log_level level)
{
    return level >= least;
}

enum log_format log_format(void)
{
    return chosen_format;
}

int log_level_parse(const char *text, enum log_level *level)
{
    static const struct {
        const char *name;
        enum log_level level;
    } names[] = {
        {"DEBUG", LOG_LEVEL_DEBUG},  {"INFO", LOG_LEVEL_INFO},   {"WARNING", LOG_LEVEL_WARNING},
        {"WARN", LOG_LEVEL_WARNING}, {"ERROR", LOG_LEVEL_ERROR}, {"CRITICAL", LOG_LEVEL_ERROR},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(text, names[i].name) == 0) {
            *level = names[i].level;
            return 0;
        }
    }
    return -EINVAL;
}

static void compose_json(struct buffer *line, enum log_level level, const struct log_field *fields, size_t count,
                         const char *message)
{
    struct json_writer w = json_writer_to(line);
    json_begin_object(&w);
    json_member_timestamp(&w, "timestamp", clock_realtime_us());
    json_member_string(&w, "level", looks[level].name);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].text)
            json_member_string(&w, fields[i].key, fields[i].text);
        else
            json_member_int(&w, fields[i].key, fields[i].number);
    }
    json_member_string(&w, "message", message);
    json_end_object(&w);
}

static void append_time_of_day(struct buffer *line)
{
    time_t now = time(NULL);
    struct tm tm;
    char text[16];
    if (localtime_r(&now, &tm) && strftime(text, sizeof(text), "%H:%M:%S ", &tm) > 0)
        buffer_append_text(line, text);
}

static bool steers_terminal(unsigned char c, unsigned char next)
{
    bool c0 = c < 0x20 && c != '\n' && c != '\t';
    bool c1 = c == 0xC2 && next >= 0x80 && next < 0xA0; /* U+0080 to U+009F in UTF-8 */
    return c0 || c1 || c == 0x7F;
}

/* What came from outside must not steer the terminal; newlines stay, for a "fix:" on a line of its own. */
static void append_printable(struct buffer *line, const char *message)
{
    size_t start = line->length;
    buffer_append_text(line, message);
    for (size_t i = start; i < line->length; i++) {
        unsigned char *at = (unsigned char *)&line->data[i];
        if (steers_terminal(at[0], at[1])) {
            at[1] = at[0] == 0xC2 ? '?' : at[1];
            at[0] = '?';
        }
    }
}

static void compose_text(struct buffer *line, enum log_level level, const char *message)
{
    const struct level_look *look = &looks[level];
    if (level == LOG_LEVEL_INFO) {
        append_time_of_day(line);
    } else if (colour) {
        buffer_append_text(line, look->colour);
        buffer_append_text(line, look->prefix);
        buffer_append_text(line, "\033[0m");
    } else {
        buffer_append_text(line, look->prefix);
    }
    append_printable(line, message);
}

/* Whether a write of up to PIPE_BUF bytes goes through at once. Regular files are always ready. */
static bool takes_output(int fd)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    return poll(&writable, 1, 0) == 1 && (writable.revents & POLLOUT) != 0;
}

/* 0, or why the rest from *written on was not taken: -EAGAIN, nobody reads, or the error of write(2). */
static int write_pieces(int fd, const char *data, size_t length, size_t *written)
{
    *written = 0;
    while (*written < length) {
        size_t left = length - *written;
        if (!takes_output(fd))
            return -EAGAIN;
        ssize_t n = write(fd, data + *written, left < PIPE_BUF ? left : PIPE_BUF);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EAGAIN;
        *written += (size_t)n;
    }
    return 0;
}

/* What was lost on the way out, and why; told with the next line that gets through. */
static struct {
    unsigned lines;
    int code;
    bool torn; /* the last one got through in part: it is to be ended first */
} lost;

static void compose_lost(struct buffer *out)
{
    char text[128];
    snprintf(text, sizeof(text), "… %u line%s dropped: %s", lost.lines, lost.lines == 1 ? " was" : "s were",
             lost.code == -EAGAIN ? "nobody read them" : strerror(-lost.code));
    if (lost.torn)
        buffer_append_char(out, '\n');
    if (chosen_format == LOG_FORMAT_JSON)
        compose_json(out, LOG_LEVEL_WARNING, NULL, 0, text);
    else
        buffer_append_text(out, text);
    buffer_append_char(out, '\n');
}

void log_emit(int fd, const char *data, size_t length)
{
    struct buffer out = BUFFER_EMPTY;
    size_t written;
    if (lost.lines > 0)
        compose_lost(&out);
    buffer_append(&out, data, length);
    int code = write_pieces(fd, out.data, out.length, &written);
    lost.lines = code == 0 ? 0 : lost.lines + 1;
    lost.code = code;
    if (written > 0)
        lost.torn = out.data[written - 1] != '\n';
    buffer_done(&out);
}

static void write_line(enum log_level level, const struct log_field *fields, size_t count, const char *fmt,
                       va_list args) __attribute__((format(printf, 4, 0)));

static void write_line(enum log_level level, const struct log_field *fields, size_t count, const char *fmt,
                       va_list args)
{
    if (!log_enabled(level))
        return;
    int saved = errno;

    char message[MESSAGE_MAX];
    vsnprintf(message, sizeof(message), fmt, args);

    struct buffer line = BUFFER_EMPTY;
    if (chosen_format == LOG_FORMAT_JSON)
        compose_json(&line, level, fields, count, message);
    else
        compose_text(&line, level, message);
    buffer_append_char(&line, '\n');
    log_emit(STDERR_FILENO, line.data, line.length);
    buffer_done(&line);

    errno = saved;
}

void log_write(enum log_level level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    write_line(level, NULL, 0, fmt, args);
    va_end(args);
}

void log_write_with(enum log_level level, const struct log_field *fields, size_t count, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    write_line(level, fields, count, fmt, args);
    va_end(args);
}
