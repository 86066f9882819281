/*
 * The file of --html, opened before the run: whoever waited an hour for a report should not hear then that there is no
 * such directory.
 */
#ifndef SUPERVISOR_CLI_LOAD_PAGE_FILE_H
#define SUPERVISOR_CLI_LOAD_PAGE_FILE_H

#include "core/buffer.h"
#include "core/error.h"

#include <stdbool.h>

struct page_file {
    const char *path; /* borrowed; NULL: none is wanted */
    int fd;
    bool created, written;
};

/* What is in the file stays until it is written. */
int page_file_open(const char *path, struct page_file *file, struct error *err);
int page_file_write(struct page_file *file, const struct buffer *text, struct error *err);
void page_file_done(struct page_file *file); /* removes a file that was made and never written */

#endif
