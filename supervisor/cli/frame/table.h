/*
 * An aligned table that fits the terminal: on a narrow one the columns that matter least are left out, then those that
 * can be are cut.
 */
#ifndef SUPERVISOR_CLI_FRAME_TABLE_H
#define SUPERVISOR_CLI_FRAME_TABLE_H

#include "supervisor/cli/frame/output.h"

#include <stdbool.h>
#include <stddef.h>

struct table_column {
    const char *title;
    bool right;           /* aligned so: numbers */
    bool wide;            /* with -o wide only */
    unsigned dispensable; /* 0: always there; else left out on a narrow terminal, the highest first */
    unsigned least;       /* may be cut to so many columns; 0: never cut */
};

struct table;

struct table *table_new(const struct table_column *columns, size_t count); /* `columns` must outlive it */
void table_free(struct table *table);

/* The next cell, row by row. */
void table_cell(struct table *table, enum paint paint, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
size_t table_rows(const struct table *table);

void table_append(const struct table *table, const struct output *output, struct buffer *out);

#endif
