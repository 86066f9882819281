/*
 * Small kernel files; see kernel_file.h.
 */
#include "supervisor/runtime/process/kernel_file.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t kernel_file_pread(int fd, char *text, size_t size)
{
    ssize_t n;
    do {
        n = pread(fd, text, size - 1, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return -errno;
    }
    text[n] = '\0';
    return n;
}

ssize_t kernel_file_read(const char *path, char *text, size_t size)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : kernel_file_pread(fd, text, size);
}

char *kernel_file_read_all(const char *path, size_t *length)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    size_t capacity = 4096, used = 0;
    char *text = xmalloc(capacity);
    for (;;) {
        ssize_t n = read(fd, text + used, capacity - used - 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            int code = errno;
            free(text);
            errno = code;
            return NULL;
        }
        if (n == 0) {
            break;
        }
        used += (size_t)n;
        if (capacity - used < 2) {
            capacity *= 2;
            text = xrealloc(text, capacity);
        }
    }
    text[used] = '\0';
    if (length != NULL) {
        *length = used;
    }
    return text;
}

int kernel_file_write(const char *path, const char *text)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    /* One write: the kernel takes each write to these files as a whole command. */
    ssize_t n;
    do {
        n = write(fd, text, strlen(text));
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

uint64_t kernel_text_number(const char *text, uint64_t otherwise)
{
    if (*text < '0' || *text > '9') {
        return otherwise;
    }
    uint64_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (uint64_t)(*text - '0');
    }
    return value;
}

bool kernel_text_field(const char *text, const char *key, uint64_t *value)
{
    size_t length = strlen(key);
    for (const char *line = text; line != NULL && *line != '\0';) {
        if (strncmp(line, key, length) == 0 && line[length] == ' ') {
            *value = kernel_text_number(line + length + 1, 0);
            return true;
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return false;
}
