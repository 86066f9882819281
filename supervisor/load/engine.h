/*
 * What the files of the engine share and nobody else includes.
 *
 * A run has workers (threads with a loop each). A worker has lanes: its share of one target, with connections, a request
 * ready to be sent and a tally of its own. So nothing that happens for a request is seen by another thread; what is
 * counted is handed to the run once a second and at the end.
 */
#ifndef SUPERVISOR_LOAD_ENGINE_H
#define SUPERVISOR_LOAD_ENGINE_H

#include "http/answer.h"
#include "supervisor/load/load.h"
#include "supervisor/load/series.h"

#include <sys/queue.h>

#define ENGINE_READ_SIZE ((size_t)64 * 1024)
#define ENGINE_RETRY_MS 10     /* before a closed loop tries again what failed, so that a dead server costs no core */
#define ENGINE_CONNECT_MS 3000 /* how long a run waits for its connections before it begins all the same */
#define ENGINE_GRACE_MS 1000   /* what is overdue when the time of an open run is over may still be sent so long */
#define ENGINE_STOP_MS 5000    /* for answers under way when the run is stopped from outside, at most */
#define ENGINE_LATE_NS                                                                                                 \
    (INT64_C(1) * 1000000) /* a request sent later than this with a connection free was not its fault */
#define ENGINE_NEVER INT64_MAX

struct lane;
struct worker;

enum load_connection_state {
    CONNECTION_CLOSED,
    CONNECTION_CONNECTING,
    CONNECTION_READY,   /* open, no request under way */
    CONNECTION_BUSY,    /* a request is being sent or its answer awaited */
    CONNECTION_CLOSING, /* until libuv lets go of it */
};

struct load_connection {
    uv_poll_t poll;
    struct lane *lane;
    int fd;
    enum load_connection_state state;
    bool in_flight;             /* it has a request, counted as begun and not yet as ended */
    bool idle;                  /* it stands in its lane's list: it may take a request */
    bool pause;                 /* when it is closed: wait before the next request */
    size_t sent;                /* bytes of the request that the kernel has */
    size_t received;            /* bytes of its answer */
    struct load_counts *counts; /* where its request counts: its lane's or those of the warm-up */
    int64_t due_ns;             /* when its request was meant to be sent … */
    int64_t sent_ns;            /* … and was; while it pauses, until when; while it is idle, since when */
    struct http_answer answer;
    TAILQ_ENTRY(load_connection) link; /* in its lane's idle, or its worker's in_flight or pausing */
};

TAILQ_HEAD(load_connection_list, load_connection);

struct lane {
    struct worker *worker;
    size_t target; /* in the plan */
    const struct sockaddr *address;
    socklen_t address_length;
    char *request;
    size_t request_length;
    struct load_connection *connections;
    unsigned connection_count;
    struct load_connection_list idle;

    bool open; /* it may still begin requests */
    bool gave_up;
    uint64_t quota; /* closed model: requests that it may still begin */

    /* open model */
    uint64_t slot;
    struct arrivals arrivals;
    int64_t arrivals_start_ns;
    int64_t next_due_ns;
    size_t heap_place; /* in the worker's heap, from 1; 0: not in it */
    uint64_t dropped;

    struct load_counts counts;
    struct latency latency, service;
    int64_t last_answer_ns, last_end_ns; /* of a request, answered or not */
};

/* Of a thread, all counted from some instant. */
struct usage {
    int64_t wall_ns, cpu_ns;
    int64_t waited_ns; /* it could have run and was not let */
};

struct worker {
    struct load_run *run;
    uv_thread_t thread;
    uv_loop_t loop;
    uv_async_t wake;    /* from the other threads: the start is fixed, or stop */
    uv_poll_t alarm;    /* a timerfd: the start, then the next arrival */
    uv_prepare_t pacer; /* open model */
    uv_timer_t phase;   /* connections made; then the end of sending; then the end of waiting */
    uv_timer_t timeout; /* of the oldest request under way */
    uv_timer_t retry;
    uv_timer_t second_over;
    int alarm_fd;
    int64_t alarm_ns; /* what the timerfd is set to; ENGINE_NEVER: nothing */

    struct lane **lanes;
    size_t lane_count;
    size_t lanes_open;
    struct lane **heap; /* open model: lanes with an idle connection and an arrival to come, by next_due_ns */
    size_t heap_count;
    int64_t next_due_ns; /* of the first in the heap */

    struct load_connection_list in_flight; /* in the order of sending, which is that of their time-outs */
    struct load_connection_list pausing;   /* likewise */
    size_t connecting;                     /* before the start */
    bool ready, started, stopping, ended;

    int64_t now_ns;                      /* the last clock reading */
    int64_t start_ns, begin_ns, stop_ns; /* measured time, warm-up included, end of sending */

    int second; /* -1: before the measured time */
    int64_t second_end_ns;
    struct load_second counted; /* in this second */
    struct load_counts warmup;
    uint64_t late; /* requests that were sent late though a connection was free */
    uint64_t status[LOAD_STATUS_MAX];
    struct usage usage_first, usage_last; /* when the measured time begins, and the sending ends */
    char *buffer;                         /* ENGINE_READ_SIZE */
};

struct load_run {
    struct load_plan *copy; /* of the caller's plan, with all that it points to */
    struct load_plan plan;  /* the same, at hand */
    bool heads_only;        /* every request is a HEAD */
    struct load_events events;
    uv_async_t news; /* on the caller's loop */
    struct schedule warmup_schedule, schedule;
    struct load_stage warmup_stage;
    struct lane *lanes;
    size_t lane_count;
    struct worker *workers;
    unsigned worker_count;

    uv_mutex_t lock; /* of what follows */
    unsigned workers_ready, workers_ended;
    int64_t start_ns; /* 0: not yet */
    int64_t started_at_us;
    bool stopped;   /* from outside */
    bool abandoned; /* likewise, and nobody waits for a result */
    struct series series;
    size_t points_told;
};

/* summary.c: the result of a run whose threads have ended. */
struct load_result *summary_make(struct load_run *run);

/* lanes.c */
void lanes_make(struct load_run *run);
void lanes_free(struct load_run *run);

/* worker.c */
int worker_init(struct worker *worker, struct load_run *run, struct error *err);
void worker_done(struct worker *worker);
void worker_main(void *worker);
void worker_wake_at(struct worker *worker, int64_t ns);
void worker_check_end(struct worker *worker);
void worker_connect_over(struct worker *worker); /* one of the connections made before the start */
void lane_close(struct lane *lane);              /* it begins nothing any more */

/* load_connection.c */
void load_connection_open(struct load_connection *connection); /* before the start, without a request */
void load_connection_begin(struct load_connection *connection, int64_t due_ns, int64_t now_ns);
void load_connection_receive(struct load_connection *connection);
void load_connection_fail(struct load_connection *connection, enum load_error error);
void load_connection_cut(struct load_connection *connection); /* its request stays unfinished */
void load_connection_free_again(struct load_connection *connection);
void load_connection_close(struct load_connection *connection);

/* pacing.c */
void pacing_begin(struct worker *worker);
void pacing_lane_ready(struct lane *lane); /* it has an idle connection */
void pacing_lane_closed(struct lane *lane);
void pacing_dispatch(struct worker *worker); /* sends what is due and can be */

/* tally.c */
void tally_begun(struct load_connection *connection);
void tally_answered(struct load_connection *connection, int64_t now_ns);
void tally_broken(struct load_connection *connection, enum load_error error, int64_t now_ns);
void tally_unfinished(struct load_connection *connection);
void tally_roll(struct worker *worker, int64_t now_ns); /* hands over the seconds that are over */
void tally_finish(struct worker *worker);               /* the last, incomplete one */
void tally_usage(struct worker *worker, struct usage *usage);

#endif
