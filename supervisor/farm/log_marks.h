/*
 * When a log was written: lines carry no time of their own, so the size of the file is noted with the time of its last
 * write, once a second while it grows. Bounded; older marks become coarser.
 */
#ifndef SUPERVISOR_FARM_LOG_MARKS_H
#define SUPERVISOR_FARM_LOG_MARKS_H

#include <stddef.h>
#include <stdint.h>

#define LOG_MARKS_MAX 128

struct log_mark {
    int64_t offset; /* everything before it … */
    int64_t at_us;  /* … was written by then; real time */
};

struct log_marks {
    struct log_mark *list; /* ascending; NULL while there are none */
    size_t count, room;
};

/* Notes a mark; one that says nothing new is dropped. A smaller offset than before is of a file that began anew. */
void log_marks_add(struct log_marks *marks, struct log_mark mark);
void log_marks_done(struct log_marks *marks);

/* The time by which the byte before `offset` had been written; `fallback` when no mark reaches so far. */
int64_t log_marks_time(const struct log_marks *marks, int64_t offset, int64_t fallback);

#endif
