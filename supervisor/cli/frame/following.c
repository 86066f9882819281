/*
 * See following.h. A reader that stood still (a pager, a stopped terminal) is cut off by farmd and comes back with the
 * last id that it has seen.
 */
#include "supervisor/cli/frame/following.h"

#include "core/memory.h"
#include "supervisor/cli/frame/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 10
#define AGAIN_MS 200
#define SILENT_TRIES 2 /* a farm that takes connections and says nothing on them hangs; each is long */
#define ENDED (-2)     /* no exit code: the farm has said that it stops */
#define MOVED (-3)     /* or that another farmd takes over */

struct following {
    client_event_fn *on_event;
    void *data;
    char *last_id;
    bool connected;
};

static int on_event(const struct client_event *event, void *data)
{
    struct following *following = data;
    following->connected = true;
    if (strcmp(event->name, "end") == 0)
        return strstr(view_text(event->json, "reason"), "takes over") ? MOVED : ENDED;
    if (event->id[0] != '\0') {
        free(following->last_id);
        following->last_id = xstrdup(event->id);
    }
    return following->on_event(event, following->data);
}

int following_run(struct client *client, const char *target, client_event_fn *each, void *data, struct error *err)
{
    struct following following = {.on_event = each, .data = data};
    const struct client_question question = {.target = target};
    bool once_connected = false;
    unsigned tries = 0, silent = 0;
    int code;
    for (;;) {
        following.connected = false;
        code = client_follow(client, &question, following.last_id, on_event, &following, err);
        once_connected = once_connected || following.connected;
        tries = following.connected ? 0 : tries + 1;
        silent = code == CLI_UNREACHABLE && err->code == ETIMEDOUT ? silent + 1 : 0;
        bool again =
            code == MOVED || (code == CLI_UNREACHABLE && once_connected && tries < TRIES && silent < SILENT_TRIES);
        if (!again)
            break;
        if (client_sleep(client, AGAIN_MS) == CLI_INTERRUPTED) {
            code = CLI_INTERRUPTED;
            break;
        }
    }
    free(following.last_id);
    if (code != ENDED)
        return code;
    fprintf(stderr, "farmd: the farm has stopped\n");
    return CLI_DONE;
}
