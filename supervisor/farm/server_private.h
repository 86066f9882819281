/*
 * What the files of a server share and nobody else reads: server.c (what is asked and what follows), server_waiting.c (who
 * is told of it), server_run.c (one run: environment, start, signals), server_ending.c (why a run ended and what the policy
 * says).
 */
#ifndef SUPERVISOR_FARM_SERVER_PRIVATE_H
#define SUPERVISOR_FARM_SERVER_PRIVATE_H

#include "supervisor/farm/server.h"
#include "supervisor/farm/state.h"

#define STOPPED_ON_REQUEST "stopped on request"  /* the error of one that was stopped by hand */
#define STOPPED_BY_HAND "stopped through Docker" /* likewise, not through farmd */

/* An event on its way and, when somebody asked for it, whom to tell. */
struct server_request {
    struct server_request *next;
    enum lifecycle_event event;
    enum server_action action; /* with `done` */
    server_done_fn done;
    void *data;
};

/* What the runtime has been asked for and not answered yet; the state is entered when it has. */
enum frozen_asked { FROZEN_NOT_ASKED, FROZEN_PAUSE, FROZEN_RESUME };

struct server_private {
    uv_timer_t timer; /* start timeout, grace period or backoff: the state tells which */
    unsigned refs;
    bool retired;      /* leaves the farm: takes no start any more */
    bool starts_later; /* stopped only to be started otherwise */
    bool freed;

    /* Events are handled one after another, never one inside another. */
    bool busy;
    struct server_request *queue;
    struct server_request *queue_end;
    struct server_request *waiting;
    struct server_request **waiting_end; /* where the next one is linked */
    unsigned asked;                      /* requests that somebody waits for, in either list */

    /* The farm's queue of starts. */
    struct server *next_to_start;
    bool in_start_queue;
    enum server_state start_from; /* what it was when its start was asked for */
    bool stopped_by_hand;         /* in SERVER_STOPPED: the policy had no say */

    const char *frozen_why; /* while one is handled: who paused or resumed it, if not the user of farmd */
    enum frozen_asked frozen_asked;
    struct error frozen_error; /* while those who waited for it are told: why it was refused */

    struct limits limits_asked; /* likewise, with limits_pending */
    bool limits_pending;
    struct server_request *limits_waiting; /* the latest first */

    struct runtime_exit exit; /* belongs to EVENT_EXITED */
    struct error spawn_error; /* belongs to EVENT_SPAWN_FAILED */
    bool has_cause;           /* farmd ended the run itself, and not for a stop: */
    enum event_reason cause;  /* killed by hand, liveness or start timeout */
    bool killed;              /* a kill was sent; what comes later only repeats it */
    int64_t killed_at_ms;     /* with `killed` */
    bool ever_started;
    uint64_t fingerprint; /* of the settings that its process was started with */
    bool is_restart;      /* the run replaces an earlier one: its Ready tells how long it took */

    int64_t started_at_ms;
    int64_t healthy_since_ms;        /* 0: it is not */
    int64_t healthy_best_ms;         /* the longest healthy stretch of this run before that */
    int64_t streak_began_ms;         /* of the failures that the backoff counts */
    enum event_reason streak_reason; /* of the last one */
    bool streak_is_mixed;            /* they were not all of one reason */
    int64_t retry_delay_ms;
    int ending_code;  /* errno for those who waited for a start */
    char ending[240]; /* "crashed (exit 1)" */
};

/* As server_event; `why`, which may be NULL, tells people who it was, if not the user of farmd. */
void server_event_because(struct server *server, enum lifecycle_event event, const char *why);

/* What the runtime was asked for was done, or was refused: those who wait are told. */
void server_frozen_answered(struct server *server, const struct error *err);

extern const struct runtime_events server_runtime_events; /* owner: struct server */

/* Keeps the memory of a server that may leave the farm meanwhile. */
struct server *server_ref(struct server *server);
void server_unref(struct server *server);

/* It leaves the farm: starts are refused from now on. */
void server_retire(struct server *server);

/* New settings for it; what runs goes on. Another port only while nothing runs. */
void server_adopt_settings(struct server *server, const struct group_settings *group);
void server_set_port(struct server *server, uint16_t port);

/* From the prober. `error` is "" unless unhealthy. */
void server_set_health(struct server *server, enum server_health health, const char *error);
void server_set_ready(struct server *server, bool ready);
void server_probes_changed(struct server *server); /* forgets what no probe tells any more */

void server_arm(struct server *server, int64_t delay_ms); /* its timer; the state says for what */
void server_set_error(struct server *server, const char *text);
void server_set_paused_error(struct server *server);

char *server_log_path(const struct farm *farm, int id); /* the caller frees */

/* server_adopt.c */
void server_restore(struct server *server, const struct state_server *was); /* what goes on; nothing runs yet */
/* Takes over the process of an earlier farmd. Negative when that is gone (it is told as an exit then) or cannot be taken. */
int server_adopt(struct server *server, const struct state_server *was, struct error *err);
/* The same of one that the runtime finds by itself; `was` may be NULL. */
int server_find(struct server *server, const struct state_server *was, struct error *err);
void server_start_again(struct server *server); /* what was restored without a process, as its restart policy would */
void server_go_on(struct server *server);       /* it was adopted */
void server_record(const struct server *server, struct state_server *out); /* for the next farmd */

/* server_waiting.c; a request is freed when it has been told */
void server_wait(struct server *server, struct server_request *request);
void server_settle(struct server *server); /* tells all whose outcome is known */
void server_finish(struct server *server, struct server_request *request, const struct error *err); /* NULL: done */
void server_tell_of_kill(struct server *server); /* that it takes too long, if it does */
void server_cancel(struct server *server);       /* all that is asked of it: it is no longer part of the farm */

/* server_run.c */
void server_spawn(struct server *server);
/* Whether it will be known when it serves: it says so, or a probe asks. Else it counts as ready when it runs. */
bool server_is_asked(const struct server *server);
void server_terminate(struct server *server);
void server_kill(struct server *server);
int server_freeze(struct server *server, struct error *err);
int server_thaw(struct server *server, struct error *err);
char **server_environment(const struct server *server); /* server_environment_free */
void server_environment_free(char **env);

/* server_limits.c */
void server_limits_answered(struct server *server, const struct error *err);
void server_limits_end(struct server *server); /* its run is over: what was asked for holds for the next one */
void server_limits_cancel(struct server *server, const struct error *err);

/* server_ending.c */
void server_note_cause(struct server *server, enum lifecycle_event event);
void server_note_ending(struct server *server, enum lifecycle_event event);
void server_forget_run(struct server *server); /* after the verdict on its ending */
enum lifecycle_verdict server_judge(struct server *server);
void server_report_wait(struct server *server);    /* entered backoff */
void server_report_give_up(struct server *server); /* entered failed */
bool server_was_unavailable(
    const struct server *server); /* what runs servers did not answer, so nothing is its fault */
int64_t server_healthy_ms(const struct server *server, int64_t now_ms);

#endif
