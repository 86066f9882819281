/*
 * See page_file.h. It may be a pipe or a terminal as well.
 */
#include "supervisor/cli/load/page_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define MODE 0666 /* less what the user's umask takes */

int page_file_open(const char *path, struct page_file *file, struct error *err)
{
    *file = (struct page_file){.path = path, .fd = -1};
    if (!path)
        return 0;
    file->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
    file->created = file->fd >= 0;
    if (file->fd < 0 && errno == EEXIST)
        file->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, MODE);
    return file->fd >= 0 ? 0 : error_set_errno(err, errno, "--html: cannot write %s", path);
}

int page_file_write(struct page_file *file, const struct buffer *text, struct error *err)
{
    if (ftruncate(file->fd, 0) < 0 && errno != EINVAL) /* of what has no length */
        return error_set_errno(err, errno, "--html: cannot write %s", file->path);
    file->written = true;
    for (size_t at = 0; at < text->length;) {
        ssize_t n = write(file->fd, text->data + at, text->length - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "--html: cannot write %s", file->path);
        at += (size_t)n;
    }
    return 0;
}

void page_file_done(struct page_file *file)
{
    if (file->created && !file->written)
        unlink(file->path);
    if (file->path && file->fd >= 0)
        close(file->fd);
    *file = (struct page_file){.fd = -1};
}
