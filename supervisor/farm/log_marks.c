/*
 * See log_marks.h.
 */
#include "supervisor/farm/log_marks.h"

#include "core/clock.h"
#include "core/memory.h"

#include <stdbool.h>
#include <stdlib.h>

/* Every second one of the older half goes: what is left of it is twice as coarse. */
static void thin_out(struct log_marks *marks)
{
    size_t half = marks->count / 2, kept = 0;
    for (size_t i = 0; i < marks->count; i++) {
        if (i >= half || i % 2 == 1)
            marks->list[kept++] = marks->list[i];
    }
    marks->count = kept;
}

/* Most logs are quiet: thousands of servers do not have all of it. */
static void make_room(struct log_marks *marks)
{
    if (marks->count < marks->room)
        return;
    marks->room = marks->room ? marks->room * 2 : 2;
    marks->list = xrealloc(marks->list, marks->room * sizeof(*marks->list));
}

void log_marks_add(struct log_marks *marks, struct log_mark mark)
{
    size_t count = marks->count;
    if (count > 0 && mark.offset < marks->list[count - 1].offset)
        count = marks->count = 0;
    if (count > 0 && mark.offset == marks->list[count - 1].offset)
        return;
    /* A log that is looked at more often than once a second needs no more marks for it. */
    bool again = count >= 2 && mark.at_us - marks->list[count - 2].at_us < US_PER_SECOND;
    if (!again && count == LOG_MARKS_MAX)
        thin_out(marks);
    if (again)
        marks->count--;
    make_room(marks);
    marks->list[marks->count++] = mark;
}

void log_marks_done(struct log_marks *marks)
{
    free(marks->list);
    *marks = (struct log_marks){0};
}

int64_t log_marks_time(const struct log_marks *marks, int64_t offset, int64_t fallback)
{
    size_t low = 0, high = marks->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (marks->list[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < marks->count ? marks->list[low].at_us : fallback;
}
