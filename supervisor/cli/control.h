/*
 * The private line between a running farmd and the commands that need more of it than its API gives: a Unix socket in
 * its runtime directory, for the user that it runs as and root. A packet is a message of text, maybe with a descriptor.
 */
#ifndef SUPERVISOR_CLI_CONTROL_H
#define SUPERVISOR_CLI_CONTROL_H

#include "core/error.h"

#include <sys/types.h>
#include <uv.h>

#define CONTROL_MESSAGE_MAX 1024 /* with the NUL; longer ones are cut */

struct control_message {
    char text[CONTROL_MESSAGE_MAX];
    int fd; /* that came with it, the receiver's to close; -1: none */
};

/* Both on a socket of either side, waiting for nothing. control_send takes fd -1 for none. control_receive returns 1, 0
 * when the peer has closed, -EAGAIN when nothing is there, or another negative code. */
int control_send(int socket, int fd, const char *text);
int control_receive(int socket, struct control_message *message);

/* --- the side of the running farmd --- */

struct control;

/* Both from the loop; `message->fd` is the callee's. on_gone: the peer went before it was answered. */
struct control_calls {
    void (*on_message)(struct control_message *message, void *data);
    void (*on_gone)(void *data);
};

/* Listens on `path`, whose leftover is removed: the caller holds the farm's lock. */
int control_listen(uv_loop_t *loop, const char *path, const struct control_calls *calls, void *data,
                   struct control **control, struct error *err);
int control_peer(const struct control *control);                /* its descriptor, or -1: nobody asks */
void control_answer(struct control *control, const char *text); /* and lets the peer go; the next may come */
void control_close(struct control *control);                    /* removes the socket; NULL is fine */

/* --- the side of a command --- */

/* Returns a connected descriptor and the farmd's pid, or -ESRCH when nobody listens there. */
int control_connect(const char *path, pid_t *pid, struct error *err);

#endif
