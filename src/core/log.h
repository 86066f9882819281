/*
 * Messages of a program to stderr: text for people (`HH:MM:SS text`, "warning: …" and "error: …" first where due) or
 * one JSON object a line. Colour only on a terminal without NO_COLOR. One write(2) a line, so lines never interleave.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

void log_setup(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
enum log_format log_format(void);

/* Accepts DEBUG, INFO, WARNING, WARN, ERROR, CRITICAL in any case (Python's names). Returns 0, or -EINVAL. */
int log_level_parse(const char *text, enum log_level *level);

/* Writes finished lines to a descriptor without ever waiting for its reader (a stopped terminal, a pager): what does not
 * go through, or finds the disk full, is dropped and counted, and the next line that does says how many and why. */
void log_emit(int fd, const char *data, size_t length);

void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Facts of a message, which a program would otherwise have to cut out of the words: members of the line in JSON, left
 * out in text. */
struct log_field {
    const char *key;
    const char *text; /* NULL: the number */
    int64_t number;
};
void log_write_with(enum log_level level, const struct log_field *fields, size_t count, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
