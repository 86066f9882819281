/*
 * The log of one server: its stdout and stderr in one O_APPEND file. At most LOGFILE_KEEP bytes of it stay on disk: the
 * head is punched out, so offsets only grow and serve as resume ids; where a file system can't, it is copied down once
 * and offsets begin anew.
 */
#ifndef SUPERVISOR_FARM_LOGFILE_H
#define SUPERVISOR_FARM_LOGFILE_H

#include "core/buffer.h"
#include "core/error.h"
#include "supervisor/farm/log_marks.h"

#include <stdint.h>

#define LOGFILE_KEEP (INT64_C(3) << 20)

/* Bounds the file; cheap (one stat) when there is nothing to do. 1 when something was cut, 0 when not, or a negative
 * code. `mark` (may be NULL) is how long the file was, and when it had last been written; zeroes without a file. */
int logfile_trim(const char *path, struct log_mark *mark, struct error *err);

/* The mark alone, which is what logfile_trim looks at first. */
struct log_mark logfile_mark(const char *path);

/* What logfile_trim does where holes cannot be punched: the last lines of `size` bytes go to the front. 1 or a
 * negative code. */
int logfile_copy_down(int fd, int64_t size, struct error *err);

struct logfile_part {
    int64_t start;      /* offset of the first byte returned */
    int64_t end;        /* offset behind the last one: the next `from` */
    int64_t first;      /* the oldest offset that is still there */
    int64_t written_us; /* real time of the last write to the file */
};

/* Whole lines from offset `from` on (or the oldest there is), at most max_bytes. */
int logfile_read(const char *path, int64_t from, size_t max_bytes, struct buffer *out, struct logfile_part *part,
                 struct error *err);

/* The last `lines` lines, at most max_bytes. A missing file reads as empty. */
int logfile_tail(const char *path, unsigned lines, size_t max_bytes, struct buffer *out, struct logfile_part *part,
                 struct error *err);

#endif
