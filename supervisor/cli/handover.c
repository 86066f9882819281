/*
 * See handover.h. Text, a line for each thing; the bytes that were read ahead of a connection follow its line. The last
 * line is "end".
 */
#include "supervisor/cli/handover.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "core/units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE "FARMD_HANDOVER"
#define TEXT_MAX (INT64_C(1) << 30) /* far above 8192 connections with full buffers */

void handover_init(struct handover *handover)
{
    *handover = (struct handover){.lock_fd = -1, .reply_fd = -1};
}

void handover_done(struct handover *handover)
{
    free(handover->sockets);
    free(handover->text);
    handover_init(handover);
}

void handover_add(struct handover *handover, const struct api_socket *socket)
{
    size_t n = handover->socket_count;
    if ((n & (n - 1)) == 0) /* full at each power of two */
        handover->sockets = xrealloc(handover->sockets, (n ? n * 2 : 1) * sizeof(*socket));
    handover->sockets[handover->socket_count++] = *socket;
}

/* --- giving --- */

static void compose(const struct handover *handover, struct buffer *text)
{
    buffer_printf(text, "farmd-handover pid %d\nversion %s\npaused %" PRId64 "\nlock %d\n", (int)getpid(),
                  handover->version, handover->paused_ns, handover->lock_fd);
    if (handover->reply_fd >= 0)
        buffer_printf(text, "reply %d\n", handover->reply_fd);
    for (size_t i = 0; i < handover->socket_count; i++) {
        const struct http_socket *socket = &handover->sockets[i].socket;
        buffer_printf(text, "socket %d dashboard %d listens %d served %d input %zu\n", socket->fd,
                      handover->sockets[i].dashboard, socket->listens, socket->served, socket->length);
        if (socket->length > 0)
            buffer_append(text, socket->input, socket->length);
    }
    buffer_printf(text, "events %zu\n", handover->events_length);
    if (handover->events_length > 0)
        buffer_append(text, handover->events, handover->events_length);
    buffer_append_text(text, "end\n");
}

static void set_close_on_exec(const struct handover *handover, bool on)
{
    int flags = on ? FD_CLOEXEC : 0;
    fcntl(handover->lock_fd, F_SETFD, flags);
    if (handover->reply_fd >= 0)
        fcntl(handover->reply_fd, F_SETFD, flags);
    for (size_t i = 0; i < handover->socket_count; i++)
        fcntl(handover->sockets[i].socket.fd, F_SETFD, flags);
}

static int write_all(int fd, const struct buffer *text)
{
    for (size_t done = 0; done < text->length;) {
        ssize_t n = write(fd, text->data + done, text->length - done);
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int handover_give(const struct handover *handover, struct error *err)
{
    int fd = memfd_create("farmd-handover", 0); /* for the next program */
    if (fd < 0)
        return error_set_errno(err, errno, "cannot make a memory file");
    struct buffer text = BUFFER_EMPTY;
    compose(handover, &text);
    int code = write_all(fd, &text);
    buffer_done(&text);
    char number[16];
    snprintf(number, sizeof(number), "%d", fd);
    if (code == 0 && setenv(VARIABLE, number, 1) < 0)
        code = -errno;
    if (code < 0) {
        close(fd);
        return error_set_errno(err, -code, "cannot write down what the next farmd needs");
    }
    set_close_on_exec(handover, false);
    return fd;
}

void handover_withdraw(const struct handover *handover, int fd)
{
    set_close_on_exec(handover, true);
    unsetenv(VARIABLE);
    close(fd);
}

/* --- taking --- */

struct cursor {
    const char *at, *end;
};

/* Past `word` when it comes next. */
static bool take_word(struct cursor *cursor, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

/* Past `word` and the number behind it. */
static bool take_number(struct cursor *cursor, const char *word, int64_t max, int64_t *value)
{
    char digits[24];
    if (!take_word(cursor, word))
        return false;
    size_t n = 0;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9' && n < sizeof(digits) - 1)
        digits[n++] = *cursor->at++;
    digits[n] = '\0';
    return units_parse_int(digits, 0, max, value) == 0;
}

static bool take_int(struct cursor *cursor, const char *word, int *value)
{
    int64_t number;
    if (!take_number(cursor, word, INT_MAX, &number))
        return false;
    *value = (int)number;
    return true;
}

static bool take_version(struct cursor *cursor, char *version, size_t size)
{
    if (!take_word(cursor, "\nversion "))
        return false;
    size_t n = 0;
    while (cursor->at < cursor->end && *cursor->at != '\n' && n < size - 1)
        version[n++] = *cursor->at++;
    version[n] = '\0';
    return true;
}

static bool take_socket(struct cursor *cursor, struct handover *handover)
{
    int dashboard, listens, served, length;
    struct api_socket made = {0};
    if (!take_int(cursor, "socket ", &made.socket.fd) || !take_int(cursor, " dashboard ", &dashboard) ||
        !take_int(cursor, " listens ", &listens) || !take_int(cursor, " served ", &served) ||
        !take_int(cursor, " input ", &length) || !take_word(cursor, "\n") || length > cursor->end - cursor->at)
        return false;
    made.dashboard = dashboard != 0;
    made.socket.listens = listens != 0;
    made.socket.served = served != 0;
    made.socket.length = (size_t)length;
    made.socket.input = cursor->at;
    cursor->at += length;
    handover_add(handover, &made);
    return true;
}

static bool take_events(struct cursor *cursor, struct handover *handover)
{
    int length;
    if (!take_int(cursor, "events ", &length) || !take_word(cursor, "\n") || length > cursor->end - cursor->at)
        return false;
    handover->events = cursor->at;
    handover->events_length = (size_t)length;
    cursor->at += length;
    return true;
}

static bool parse(struct handover *handover, struct cursor cursor)
{
    int pid;
    if (!take_int(&cursor, "farmd-handover pid ", &pid) || pid != getpid() ||
        !take_version(&cursor, handover->version, sizeof(handover->version)) ||
        !take_number(&cursor, "\npaused ", INT64_MAX, &handover->paused_ns) ||
        !take_int(&cursor, "\nlock ", &handover->lock_fd) || !take_word(&cursor, "\n"))
        return false;
    if (take_int(&cursor, "reply ", &handover->reply_fd) && !take_word(&cursor, "\n"))
        return false;
    while (!take_events(&cursor, handover)) {
        if (!take_socket(&cursor, handover))
            return false;
    }
    return take_word(&cursor, "end\n");
}

/* The whole file, NULL when it is none of ours. */
static char *read_all(int fd, size_t *length)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > TEXT_MAX)
        return NULL;
    size_t size = (size_t)status.st_size, done = 0;
    char *text = xmalloc(size + 1);
    while (done < size) {
        ssize_t n = pread(fd, text + done, size - done, (off_t)done);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    *length = done;
    return text;
}

int handover_take(struct handover *handover, struct error *err)
{
    handover_init(handover);
    const char *number = getenv(VARIABLE);
    int64_t fd;
    if (!number)
        return 0;
    size_t length = 0;
    if (units_parse_int(number, 0, INT_MAX, &fd) == 0)
        handover->text = read_all((int)fd, &length);
    if (!handover->text || !parse(handover, (struct cursor){handover->text, handover->text + length})) {
        handover_done(handover);
        return error_set(err, EINVAL, VARIABLE " is set in the environment, and not by this farmd; unset it");
    }
    unsetenv(VARIABLE);
    close((int)fd);
    set_close_on_exec(handover, true);
    return 1;
}
