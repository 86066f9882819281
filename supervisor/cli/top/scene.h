/*
 * All that `farmd top` shows, whichever screen: app.c changes it, draw.c draws it.
 */
#ifndef SUPERVISOR_CLI_TOP_SCENE_H
#define SUPERVISOR_CLI_TOP_SCENE_H

#include "core/error.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/top/keys.h"
#include "supervisor/cli/top/model.h"
#include "supervisor/cli/top/pane.h"

#include <stdbool.h>
#include <stdint.h>

struct cJSON;

#define SCENE_LEAST_LINES 10
#define SCENE_LEAST_COLUMNS 60
#define SCENE_PROMPT 512

/* A question at the bottom of the screen. */
enum prompt_kind { PROMPT_NONE, PROMPT_FILTER, PROMPT_CONFIRM, PROMPT_LIMITS, PROMPT_LOAD, PROMPT_END_LOAD };

struct prompt {
    enum prompt_kind kind;
    char label[160];
    char text[SCENE_PROMPT];       /* what is typed */
    char error[ERROR_MESSAGE_MAX]; /* why that will not do; "" while nobody has said so */
    enum command command;          /* PROMPT_CONFIRM: what is done on yes */
    int *ids;                      /* and to which servers; owned */
    size_t count;
};

/* The server that is open. */
struct opened {
    int id;               /* 0: none */
    struct cJSON *policy; /* GET /api/servers/{id}, for its restart policy; NULL before it came */
    struct cJSON *server; /* its entry, NULL before the first */
    int64_t at_us;        /* the farm's time then */
    struct cJSON *history;
    struct pane log, events;
    bool events_larger; /* and scrolled; else the log is */
};

/* The load test that was begun here last. */
struct load {
    struct cJSON *run;  /* GET /api/load-tests/{id}; NULL: none was */
    struct pane report; /* as `farmd load` prints it, of one that has ended */
};

struct scene {
    const char *url;
    enum top_screen screen, before_help;
    struct model model;
    char *filter; /* a selector; NULL: all */
    struct opened opened;
    struct load load;
    struct prompt prompt;
    size_t help_top; /* first line of the keys that is shown */

    char message[ERROR_MESSAGE_MAX]; /* of the last action; "" for none */
    enum paint message_paint;
    int64_t message_ms;              /* monotonic, since when */
    char trouble[ERROR_MESSAGE_MAX]; /* why the farm does not answer; "" while it does */
    int64_t silent_ms;               /* for how long there was no answer */
};

void scene_init(struct scene *scene, const char *url, const char *filter); /* `url` must outlive it */
void scene_done(struct scene *scene);

/* At the bottom, until something else is said. */
void scene_say(struct scene *scene, enum paint paint, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

void scene_open(struct scene *scene, int server_id); /* the screen of a server; 0: the list */
void scene_take_server(struct scene *scene, struct cJSON *server, int64_t at_us); /* of the open one; taken over */
void scene_take_load(struct scene *scene, struct cJSON *run);                     /* taken over */
bool scene_is_loading(const struct scene *scene);
void scene_close_prompt(struct scene *scene);

#endif
