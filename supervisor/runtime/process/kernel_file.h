/*
 * The small text files of /proc and /sys/fs/cgroup: read whole, written in one write(2), and picked apart by hand, since
 * some of them are read for every server every second.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_KERNEL_FILE_H
#define SUPERVISOR_RUNTIME_PROCESS_KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads up to size - 1 bytes and ends them with NUL. Returns the length or a negative errno. */
ssize_t kernel_file_read(const char *path, char *text, size_t size);
ssize_t kernel_file_pread(int fd, char *text, size_t size); /* from the start of a descriptor held open */

/* The whole file, however long, NUL-terminated; the caller frees. NULL when it cannot be read (errno tells). */
char *kernel_file_read_all(const char *path, size_t *length);

int kernel_file_write(const char *path, const char *text); /* 0 or a negative errno */

/* The number at the start of `text`; "max" and anything else that is no number give `otherwise`. */
uint64_t kernel_text_number(const char *text, uint64_t otherwise);

/* The number behind `key` and one blank at the start of a line ("oom_kill 3"). False when there is none. */
bool kernel_text_field(const char *text, const char *key, uint64_t *value);

#endif
