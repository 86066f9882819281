/*
 * A path is walked folder by folder and no link is followed, so that nothing outside the folder can be named.
 */
#include "supervisor/api/web_dir.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/page.h"
#include "supervisor/api/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_READS 16 /* at once; over it 503 */
#define PATH_LENGTH_MAX 256

/* --- reading, in the thread pool --- */

/* Opens what `path`, without a slash in front, names below `folder`; -errno. */
static int open_below(const char *folder, const char *path)
{
    char segment[PATH_LENGTH_MAX];
    cleanup_close int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

    while (at >= 0) {
        const char *slash = strchr(path, '/');
        size_t length = slash != NULL ? (size_t)(slash - path) : strlen(path);
        /* Names with a dot in front are "." and "..", and files that are no part of a page. */
        if (length == 0 || length >= sizeof(segment) || path[0] == '.')
            return -ENOENT;
        snprintf(segment, sizeof(segment), "%.*s", (int)length, path);
        int flags = slash != NULL ? O_PATH | O_DIRECTORY : O_RDONLY | O_NONBLOCK | O_NOCTTY;
        int next = openat(at, segment, flags | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0 || slash == NULL)
            return next < 0 ? -errno : next;
        close(at);
        at = next;
        path = slash + 1;
    }
    return -errno;
}

static int read_file(int fd, const char *path, struct buffer *out, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(err, ENOENT, "%s: no such file", path);
    if (st.st_size < 0 || (size_t)st.st_size > WEB_DIR_FILE_MAX)
        return error_set(err, EFBIG, "%s: larger than %zu MB", path, WEB_DIR_FILE_MAX >> 20);
    size_t size = (size_t)st.st_size;
    if (!buffer_try_reserve(out, size + 1))
        return error_set(err, ENOMEM, "%s: there is no memory for it", path);
    while (out->length < size) {
        ssize_t n = read(fd, out->data + out->length, size - out->length);
        if (n < 0 && errno != EINTR)
            return error_set_errno(err, errno, "reading %s", path);
        if (n == 0)
            break;
        out->length += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* The files that a path may mean, one after the other. */
static int open_first(const char *folder, const char *path)
{
    static const char *const ENDS[] = {"", "/index.html", ".html"};
    char name[PATH_LENGTH_MAX + 16];

    if (strcmp(path, "/") == 0)
        return open_below(folder, "index.html");
    for (size_t i = 0; i < ARRAY_SIZE(ENDS); i++) {
        struct stat st;
        snprintf(name, sizeof(name), "%s%s", path + 1, ENDS[i]);
        int fd = open_below(folder, name);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
            return fd;
        if (fd >= 0)
            close(fd);
    }
    return -ENOENT;
}

int web_dir_read(const char *folder, const char *path, struct buffer *out, struct error *err)
{
    cleanup_close int fd = path[0] == '/' ? open_first(folder, path) : -ENOENT;

    if (fd < 0)
        return error_set(err, ENOENT, "%s: no such file", path);
    return read_file(fd, path, out, err);
}

/* --- answering --- */

struct reading {
    uv_work_t work;
    struct reply reply;
    struct api *api;
    char *folder, *path;
    struct buffer contents;
    char tag[PAGE_TAG_MAX];
    struct error err;
};

/* FNV-1a */
static uint64_t hash_of(const struct buffer *contents)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < contents->length; i++)
        hash = (hash ^ (unsigned char)contents->data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static void read_it(uv_work_t *work)
{
    struct reading *reading = work->data;

    if (web_dir_read(reading->folder, reading->path, &reading->contents, &reading->err) == 0)
        snprintf(reading->tag, sizeof(reading->tag), "%016" PRIx64, hash_of(&reading->contents));
}

static void answer(struct reading *reading)
{
    struct http_request *request = reading->reply.request;
    struct page page = {.tag = reading->tag, .caching = "no-cache"};

    reply_release(&reading->reply);
    if (reading->err.code == ENOENT)
        http_respond_problem(request, 404, "No such path");
    else if (reading->err.code != 0)
        respond_error(request, &reading->err);
    else if (!page_is_known(request, &page))
        http_respond_buffer(request, 200, page_content_type(reading->path), &reading->contents);
}

static void on_read(uv_work_t *work, int status)
{
    struct reading *reading = work->data;

    (void)status;
    reading->api->page_reads--;
    if (reply_is_open(&reading->reply))
        answer(reading);
    api_unref(reading->api);
    buffer_done(&reading->contents);
    free(reading->folder);
    free(reading->path);
    free(reading);
}

void web_dir_serve(struct http_request *request, struct api *api, const char *folder, const char *path)
{
    if (api->page_reads >= MAX_READS) {
        respond_overload(request, "too many files are being read; try again in a moment");
        return;
    }
    struct reading *reading = xcalloc(1, sizeof(*reading));
    reading->work.data = reading;
    reading->api = api_ref(api);
    reading->folder = xstrdup(folder);
    reading->path = xstrdup(path);
    api->page_reads++;
    reply_hold(&reading->reply, request, NULL);
    uv_queue_work(farm_loop(api->farm), &reading->work, read_it, on_read);
}
