/*
 * Lines out of the logs of several servers: read in the thread pool, written as JSON on the loop, with the time that the
 * farm knows for each (a log has none of its own).
 */
#ifndef SUPERVISOR_API_LOG_LINES_H
#define SUPERVISOR_API_LOG_LINES_H

#include "core/buffer.h"
#include "core/json.h"
#include "supervisor/farm/farm.h"
#include "supervisor/farm/logfile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_source {
    int server_id;
    char *path;
    bool begun;     /* `offset` says where it goes on; else the last `tail` lines are read */
    int64_t offset; /* where the next reading begins */
    struct buffer text;
    struct logfile_part part;
};

struct log_lines {
    struct log_source *sources; /* ascending ids */
    size_t count, room;
    unsigned tail;
    bool whole;            /* a last line that is still being written waits for its end */
    bool more;             /* some had more than fits one reading */
    int64_t not_before_us; /* older lines are left out; 0: none are */
    struct error err;      /* the first failure; code 0: none */
};

/* A server more, unless it is there; says whether it was not. */
bool log_lines_add(struct log_lines *lines, const struct server *server);
struct log_source *log_lines_find(const struct log_lines *lines, int server_id);
void log_lines_done(struct log_lines *lines);

/* Reads what is new of all of them. In a thread: touches nothing but `lines`. */
void log_lines_read(struct log_lines *lines);

/* Bytes of text that the last reading brought. */
size_t log_lines_bytes(const struct log_lines *lines);

/* The lines of the last reading as the elements of an array, by time; says how many. */
size_t log_lines_write(const struct log_lines *lines, const struct farm *farm, struct json_writer *w);

#endif
