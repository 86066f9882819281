/*
 * farm-worker: wires the parts together and says when it starts and stops.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "core/streams.h"
#include "worker/handlers.h"
#include "worker/ready.h"
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define DRAIN_MS 10000
#define SPARE_FDS 64 /* of the descriptor limit, for everything that is no connection */
#define EXIT_USAGE 2

struct program {
    struct worker worker;
    uv_loop_t loop;
    uv_signal_t signals[2];
    bool draining;
};

static struct program program;

/* One line to stdout, which farmd keeps as this server's log. */
static void say(const struct worker *worker, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct worker *worker, const char *fmt, ...)
{
    struct buffer line = BUFFER_EMPTY;
    char timestamp[CLOCK_ISO_LENGTH + 1], text[256];
    va_list args;

    if (!log_enabled(LOG_LEVEL_INFO))
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    clock_format_iso(timestamp, clock_realtime_us());
    buffer_printf(&line, "%s %s %s\n", timestamp, worker->options.server_id, text);
    ssize_t written = write(STDOUT_FILENO, line.data, line.length);
    (void)written;
    buffer_done(&line);
}

static void say_stopped(const struct worker *worker, const char *why)
{
    say(worker, "stopped%s: up %.1f s, %llu request%s", why, worker_uptime_seconds(worker),
        (unsigned long long)worker->requests, worker->requests == 1 ? "" : "s");
}

static void count_answer(struct counters *counters, int status, uint64_t duration_ns)
{
    if (status < 100 || status >= 100 * (COUNTERS_STATUS_CLASSES + 1))
        return;
    counters_add(&counters->requests, 1);
    counters_add(&counters->responses[status / 100 - 1], 1);
    counters_add(&counters->latency[histogram_bucket(duration_ns / 1000)], 1);
}

static void update_totals(struct worker *worker)
{
    uint64_t received, sent;

    http_server_bytes(worker->server, &received, &sent);
    atomic_store_explicit(&worker->counters->bytes_received, received, memory_order_relaxed);
    atomic_store_explicit(&worker->counters->bytes_sent, sent, memory_order_relaxed);
    atomic_store_explicit(&worker->counters->connections, http_server_connections(worker->server),
                          memory_order_relaxed);
}

static void on_done(struct http_request *request, const struct http_done *done, void *data)
{
    struct worker *worker = data;

    if (!handlers_is_watching(request))
        count_answer(worker->counters, done->status, done->duration_ns);
    update_totals(worker);
    if (worker->access_log.enabled)
        access_log_request(&worker->access_log, request, done);
}

static void on_refused(int status, void *data)
{
    struct worker *worker = data;

    worker->requests++;
    count_answer(worker->counters, status, 0);
    update_totals(worker);
}

static void on_disconnect(int socket, void *data)
{
    struct worker *worker = data;

    traffic_disconnect(&worker->traffic, socket);
    update_totals(worker);
}

static void on_drained(void *data)
{
    uv_stop(data);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct program *prog = handle->data;

    if (prog->draining) {
        access_log_flush(&prog->worker.access_log);
        say_stopped(&prog->worker, " at once by a second signal");
        _exit(128 + signum);
    }
    prog->draining = true;
    http_server_drain(prog->worker.server, DRAIN_MS, on_drained, &prog->loop);
}

static void handle_signals(struct program *prog)
{
    static const int numbers[ARRAY_SIZE(program.signals)] = {SIGTERM, SIGINT};

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        uv_signal_init(&prog->loop, &prog->signals[i]);
        prog->signals[i].data = prog;
        uv_signal_start(&prog->signals[i], on_signal, numbers[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a log at its limit (ulimit -f) loses lines */
}

/* Every connection is a descriptor: take what the limit allows. Returns how many connections that makes. */
static unsigned raise_descriptor_limit(unsigned wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return wanted;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit all = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &all) == 0)
            limit = all;
    }
    if (limit.rlim_cur >= (rlim_t)wanted + SPARE_FDS)
        return wanted;
    return limit.rlim_cur > 2 * SPARE_FDS ? (unsigned)limit.rlim_cur - SPARE_FDS : SPARE_FDS;
}

static int map_counters(struct worker *worker, struct error *err)
{
    if (worker->options.counters_fd < 0) {
        worker->counters = counters_map_private();
        return 0;
    }
    int rc = counters_map_writer(worker->options.counters_fd, &worker->counters, err);
    if (rc == 0)
        close(worker->options.counters_fd);
    return rc;
}

static void write_identity(struct worker *worker)
{
    struct json_writer w = json_writer_to(&worker->identity);

    json_begin_object(&w);
    json_member_string(&w, "server_id", worker->options.server_id);
    json_member_string(&w, "hostname", worker->hostname);
    json_member_uint(&w, "port", worker->options.public_port ? worker->options.public_port : worker->port);
}

static int worker_listen(struct worker *worker, struct error *err)
{
    struct http_server_options options = {
        .limits = HTTP_SERVER_DEFAULT_LIMITS,
        .on_request = handlers_dispatch,
        .on_done = on_done,
        .on_refused = on_refused,
        .on_disconnect = on_disconnect,
        .data = worker,
    };

    options.limits.max_connections = raise_descriptor_limit(options.limits.max_connections);
    worker->server = http_server_new(worker->loop, &options);
    int rc = http_server_listen(worker->server, worker->options.host, worker->options.port, err);
    if (rc == 0)
        worker->port = http_server_port(worker->server);
    return rc;
}

static int run(struct program *prog)
{
    struct worker *worker = &prog->worker;
    struct error err = {0};

    worker->loop = &prog->loop;
    worker->started_ns = clock_monotonic_ns();
    worker->cors = (struct http_cors){worker->options.origins, worker->options.origin_count};
    gethostname(worker->hostname, sizeof(worker->hostname) - 1);
    uv_loop_init(&prog->loop);
    handle_signals(prog);
    cpu_meter_init(&worker->cpu, &prog->loop);
    burn_pool_init(&worker->burns, &prog->loop);
    access_log_init(&worker->access_log, &prog->loop, worker->options.access_log);
    if (map_counters(worker, &err) < 0 || worker_listen(worker, &err) < 0) {
        ready_fail(worker->options.ready_fd, &err);
        log_error("%s", err.message);
        return 1;
    }
    write_identity(worker);
    ready_announce(worker->options.ready_fd);
    say(worker, "started: pid %d, %s port %u", getpid(), worker->options.host, worker->port);
    uv_run(&prog->loop, UV_RUN_DEFAULT);
    access_log_flush(&worker->access_log);
    say_stopped(worker, "");
    return 0;
}

int main(int argc, char **argv)
{
    struct error err;

    streams_hold();
    if (worker_options_parse(argc, argv, &program.worker.options, &err) < 0) {
        log_error("farm-worker: %s", err.message);
        return EXIT_USAGE;
    }
    switch (program.worker.options.mode) {
    case WORKER_READY_ONLY:
        ready_announce(program.worker.options.ready_fd);
        return 0;
    case WORKER_SHOW_HELP:
        worker_options_help();
        return 0;
    case WORKER_SHOW_VERSION: {
        static const char version[] = "farm-worker " FARMD_VERSION "\n";
        return write(STDOUT_FILENO, version, sizeof(version) - 1) < 0;
    }
    case WORKER_SERVE:
        break;
    }
    log_setup(program.worker.options.log_level, LOG_FORMAT_TEXT);
    prctl(PR_SET_NAME, "farm-worker");
    mallopt(M_ARENA_MAX, 1); /* the burning threads allocate nothing */
    return run(&program);
}
