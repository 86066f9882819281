/*
 * See log_lines.h.
 */
#include "supervisor/api/log_lines.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

#define READ_MAX ((size_t)1 << 20)       /* of one log at a time … */
#define READ_LEAST ((size_t)16 << 10)    /* … or less, when there are many … */
#define READ_TOGETHER ((size_t)16 << 20) /* … so that all of them stay below this */

static int compare_ids(const void *key, const void *entry)
{
    int wanted = *(const int *)key, here = ((const struct log_source *)entry)->server_id;

    return (wanted > here) - (wanted < here);
}

struct log_source *log_lines_find(const struct log_lines *lines, int server_id)
{
    if (lines->count == 0)
        return NULL;
    return bsearch(&server_id, lines->sources, lines->count, sizeof(lines->sources[0]), compare_ids);
}

bool log_lines_add(struct log_lines *lines, const struct server *server)
{
    size_t at = lines->count;

    if (log_lines_find(lines, server->id) != NULL)
        return false;
    if (lines->count == lines->room) {
        lines->room = lines->room > 0 ? lines->room * 2 : 16;
        lines->sources = xrealloc(lines->sources, lines->room * sizeof(lines->sources[0]));
    }
    for (; at > 0 && lines->sources[at - 1].server_id > server->id; at--)
        lines->sources[at] = lines->sources[at - 1];
    lines->sources[at] = (struct log_source){.server_id = server->id, .path = xstrdup(server->log_path)};
    lines->count++;
    return true;
}

void log_lines_done(struct log_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->sources[i].path);
        buffer_done(&lines->sources[i].text);
    }
    free(lines->sources);
    *lines = (struct log_lines){0};
}

/* --- reading --- */

/* A line without its end is dropped, and read again when it is whole. */
static void drop_unended(struct log_source *source)
{
    struct buffer *text = &source->text;
    const char *newline = text->length > 0 ? memrchr(text->data, '\n', text->length) : NULL;
    size_t whole = newline != NULL ? (size_t)(newline + 1 - text->data) : 0;

    source->part.end -= (int64_t)(text->length - whole);
    text->length = whole;
}

static int read_source(struct log_lines *lines, struct log_source *source, size_t max_bytes, struct error *err)
{
    int rc;

    buffer_done(&source->text);
    if (source->begun && logfile_mark(source->path).offset == source->offset)
        return 0; /* the usual case: nothing new */
    if (source->begun)
        rc = logfile_read(source->path, source->offset, max_bytes, &source->text, &source->part, err);
    else
        rc = logfile_tail(source->path, lines->tail, max_bytes, &source->text, &source->part, err);
    if (rc < 0)
        return rc;
    if (!source->begun && lines->whole)
        drop_unended(source);
    lines->more = lines->more || (source->begun && source->text.length >= max_bytes / 2);
    source->begun = true;
    source->offset = source->part.end;
    return 0;
}

void log_lines_read(struct log_lines *lines)
{
    size_t max_bytes = lines->count > 0 ? READ_TOGETHER / lines->count : READ_MAX;
    struct error err = {0};

    if (max_bytes > READ_MAX)
        max_bytes = READ_MAX;
    if (max_bytes < READ_LEAST)
        max_bytes = READ_LEAST;
    lines->more = false;
    lines->err.code = 0;
    for (size_t i = 0; i < lines->count; i++) {
        if (read_source(lines, &lines->sources[i], max_bytes, &err) < 0 && lines->err.code == 0)
            lines->err = err;
    }
}

size_t log_lines_bytes(const struct log_lines *lines)
{
    size_t bytes = 0;

    for (size_t i = 0; i < lines->count; i++)
        bytes += lines->sources[i].text.length;
    return bytes;
}

/* --- writing --- */

struct line {
    const char *text;
    size_t length;
    int64_t at_us;
    int server_id;
};

static size_t count_lines(const struct log_lines *lines)
{
    size_t count = 0;

    for (size_t i = 0; i < lines->count; i++) {
        const struct buffer *text = &lines->sources[i].text;
        for (size_t at = 0; at < text->length; at++)
            count += text->data[at] == '\n';
        count += text->length > 0 && text->data[text->length - 1] != '\n';
    }
    return count;
}

/* The lines of one log behind the others; returns how many there are then. */
static size_t split(const struct log_source *source, const struct server *server, int64_t not_before_us,
                    struct line *list, size_t count)
{
    static const struct log_marks none = {0};
    const struct log_marks *marks = server != NULL ? &server->log_marks : &none;
    const char *at = source->text.data, *end = at + source->text.length;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline != NULL ? newline : end;
        int64_t offset = source->part.start + (stop - source->text.data);
        int64_t at_us = log_marks_time(marks, offset, source->part.written_us);
        if (at_us >= not_before_us)
            list[count++] = (struct line){
                .text = at, .length = (size_t)(stop - at), .at_us = at_us, .server_id = source->server_id};
        at = newline != NULL ? newline + 1 : end;
    }
    return count;
}

/* By time; those of one time stay in the order of the servers, and of each log. They lie in memory in that order. */
static int compare_lines(const void *a, const void *b)
{
    const struct line *left = a, *right = b;

    if (left->at_us != right->at_us)
        return left->at_us < right->at_us ? -1 : 1;
    if (left->server_id != right->server_id)
        return left->server_id < right->server_id ? -1 : 1;
    return (left->text > right->text) - (left->text < right->text);
}

size_t log_lines_write(const struct log_lines *lines, const struct farm *farm, struct json_writer *w)
{
    cleanup_free struct line *list = xcalloc(count_lines(lines), sizeof(*list));
    size_t count = 0;

    for (size_t i = 0; i < lines->count; i++) {
        const struct log_source *source = &lines->sources[i];
        if (source->text.length > 0)
            count = split(source, farm_server(farm, source->server_id), lines->not_before_us, list, count);
    }
    qsort(list, count, sizeof(*list), compare_lines);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(w);
        json_member_int(w, "server_id", list[i].server_id);
        json_member_timestamp(w, "at", list[i].at_us);
        json_key(w, "text");
        json_string_n(w, list[i].text, list[i].length);
        json_end_object(w);
    }
    return count;
}
