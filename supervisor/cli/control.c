/*
 * See control.h. One peer at a time: the next waits in the backlog.
 */
#include "supervisor/cli/control.h"

#include "core/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16
#define SILENCE_MS 5000      /* for a peer that connects and asks nothing */
#define ACCEPT_PAUSE_MS 1000 /* when there are no descriptors left */

struct control {
    uv_poll_t listener, peer;
    uv_timer_t timer; /* of the peer's silence; without a peer, of the pause */
    unsigned open_handles;
    char *path;
    int listener_fd, peer_fd; /* -1: none */
    const struct control_calls *calls;
    void *data;
};

/* --- messages --- */

union descriptor_space {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int control_send(int socket, int fd, const char *text)
{
    union descriptor_space space = {0};
    struct iovec part = {.iov_base = (char *)text, .iov_len = strnlen(text, CONTROL_MESSAGE_MAX - 1)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        header.msg_control = space.bytes;
        header.msg_controllen = sizeof(space.bytes);
        struct cmsghdr *control = CMSG_FIRSTHDR(&header);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(control), &fd, sizeof(int));
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int control_receive(int socket, struct control_message *message)
{
    union descriptor_space space = {0};
    struct iovec part = {.iov_base = message->text, .iov_len = sizeof(message->text) - 1};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof(space.bytes)};
    message->fd = -1;
    ssize_t n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0)
        return -errno;
    message->text[n] = '\0';
    struct cmsghdr *control = CMSG_FIRSTHDR(&header);
    if (control && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS)
        memcpy(&message->fd, CMSG_DATA(control), sizeof(int));
    return n > 0 ? 1 : 0;
}

/* --- addresses --- */

static int address_of(const char *path, struct sockaddr_un *address, struct error *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address->sun_path))
        return error_set(err, ENAMETOOLONG, "%s is too long for a socket", path);
    memcpy(address->sun_path, path, strlen(path));
    return 0;
}

static int new_socket(struct error *err)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? error_set_errno(err, errno, "cannot make a Unix socket") : fd;
}

/* The kernel's word for who is at the other end. */
static int peer_of(int socket, struct ucred *peer)
{
    socklen_t length = sizeof(*peer);
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, peer, &length) < 0 ? -errno : 0;
}

/* --- the side of a command --- */

int control_connect(const char *path, pid_t *pid, struct error *err)
{
    struct sockaddr_un address;
    struct ucred peer;
    int code = address_of(path, &address, err);
    if (code < 0)
        return code;
    cleanup_close int fd = new_socket(err);
    if (fd < 0)
        return fd;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        code = errno == ENOENT || errno == ECONNREFUSED ? ESRCH : errno;
        return error_set_errno(err, code, "cannot connect to %s", path);
    }
    code = peer_of(fd, &peer);
    if (code < 0)
        return error_set_errno(err, -code, "cannot see who serves %s", path);
    *pid = peer.pid;
    int kept = fd;
    fd = -1;
    return kept;
}

/* --- the side of the running farmd --- */

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void on_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    if (--control->open_handles == 0) {
        free(control->path);
        free(control);
    }
}

static void on_peer_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    if (control->listener_fd >= 0)
        uv_poll_start(&control->listener, UV_READABLE, on_acceptable);
    on_closed(handle);
}

static void drop_peer(struct control *control)
{
    if (control->peer_fd < 0)
        return;
    uv_timer_stop(&control->timer);
    uv_close((uv_handle_t *)&control->peer, on_peer_closed);
    close(control->peer_fd);
    control->peer_fd = -1;
}

static void on_timer(uv_timer_t *timer)
{
    struct control *control = timer->data;
    if (control->peer_fd >= 0)
        drop_peer(control);
    else
        uv_poll_start(&control->listener, UV_READABLE, on_acceptable);
}

static void on_peer_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct control *control = poll->data;
    struct control_message message = {.fd = -1};
    int code = control_receive(control->peer_fd, &message);
    if (code == -EAGAIN)
        return;
    if (code <= 0) {
        drop_peer(control);
        control->calls->on_gone(control->data);
        return;
    }
    uv_timer_stop(&control->timer);
    control->calls->on_message(&message, control->data);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct control *control = poll->data;
    int fd = accept4(control->listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) {
            uv_poll_stop(poll);
            uv_timer_start(&control->timer, on_timer, ACCEPT_PAUSE_MS, 0);
        }
        return;
    }
    struct ucred peer;
    bool may = peer_of(fd, &peer) == 0 && (peer.uid == 0 || peer.uid == geteuid());
    if (!may || uv_poll_init(poll->loop, &control->peer, fd) < 0) {
        close(fd);
        return;
    }
    uv_poll_stop(&control->listener);
    control->peer_fd = fd;
    control->peer.data = control;
    control->open_handles++;
    uv_poll_start(&control->peer, UV_READABLE | UV_DISCONNECT, on_peer_readable);
    uv_timer_start(&control->timer, on_timer, SILENCE_MS, 0);
}

/* Nobody may connect before the mode is set, so listening comes last. */
static int listen_on(const char *path, struct error *err)
{
    struct sockaddr_un address;
    int code = address_of(path, &address, err);
    if (code < 0)
        return code;
    cleanup_close int fd = new_socket(err);
    if (fd < 0)
        return fd;
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0600) < 0 || listen(fd, BACKLOG) < 0)
        return error_set_errno(err, errno, "cannot listen on %s", path);
    int kept = fd;
    fd = -1;
    return kept;
}

int control_listen(uv_loop_t *loop, const char *path, const struct control_calls *calls, void *data,
                   struct control **control, struct error *err)
{
    int fd = listen_on(path, err);
    if (fd < 0)
        return fd;
    struct control *made = xcalloc(1, sizeof(*made));
    int code = uv_poll_init(loop, &made->listener, fd);
    if (code < 0) {
        close(fd);
        unlink(path);
        free(made);
        return error_set_errno(err, -code, "cannot watch %s", path);
    }
    uv_timer_init(loop, &made->timer);
    made->open_handles = 2;
    made->listener.data = made->timer.data = made;
    made->path = xstrdup(path);
    made->listener_fd = fd;
    made->peer_fd = -1;
    made->calls = calls;
    made->data = data;
    uv_poll_start(&made->listener, UV_READABLE, on_acceptable);
    *control = made;
    return 0;
}

int control_peer(const struct control *control)
{
    return control->peer_fd;
}

void control_answer(struct control *control, const char *text)
{
    if (control->peer_fd >= 0)
        (void)control_send(control->peer_fd, -1, text); /* a peer that does not listen misses it */
    drop_peer(control);
}

void control_close(struct control *control)
{
    if (!control)
        return;
    unlink(control->path);
    uv_close((uv_handle_t *)&control->listener, on_closed);
    uv_close((uv_handle_t *)&control->timer, on_closed);
    close(control->listener_fd);
    control->listener_fd = -1;
    drop_peer(control);
}
