/*
 * What a plan may ask for. Every refusal names the field as the API and the command line call it, and its range.
 */
#include "supervisor/load/plan.h"

#include "core/clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#define DESCRIPTORS_BESIDES 64u   /* what a process has open besides its connections */
#define DESCRIPTORS_PER_THREAD 5u /* a loop's and its timer */
#define SECONDS(ns) ((double)(ns) / 1e9)

static int check_range(const char *field, const char *unit, double value, double least, double most, struct error *err)
{
    if (value >= least && value <= most) /* false for NaN */
        return 0;
    return error_set(err, EINVAL, "%s must be from %.15g to %.15g%s", field, least, most, unit);
}

static int check_time(const char *field, int64_t ns, bool may_be_zero, int64_t most_ns, struct error *err)
{
    if (may_be_zero && ns == 0)
        return 0;
    return check_range(field, " seconds", SECONDS(ns), 0.001, SECONDS(most_ns), err);
}

static int check_stages(const struct load_plan *plan, struct error *err)
{
    int64_t length = 0;
    double arrivals = 0;

    for (size_t i = 0; i < plan->stage_count; i++) {
        const struct load_stage *stage = &plan->stages[i];
        bool without_end = stage->duration_ns == 0 && i + 1 == plan->stage_count && plan->requests > 0;
        bool pause = stage->rate == 0 && plan->stage_count > 1;
        int rc =
            pause ? 0 : check_range("rate", " requests per second", stage->rate, LOAD_MIN_RATE, LOAD_MAX_RATE, err);
        if (rc == 0 && !without_end)
            rc = check_time("the duration of a stage", stage->duration_ns, false, LOAD_MAX_DURATION_NS, err);
        if (rc < 0)
            return rc;
        length += stage->duration_ns;
        arrivals = without_end ? HUGE_VAL : arrivals + stage->rate * SECONDS(stage->duration_ns);
    }
    if (length > LOAD_MAX_DURATION_NS)
        return error_set(err, EINVAL, "the stages together must be at most %.15g seconds",
                         SECONDS(LOAD_MAX_DURATION_NS));
    if (arrivals < 0.5)
        return error_set(err, EINVAL, "rate × duration makes no request; make one of them larger");
    return 0;
}

/* An open run without a duration lasts as long as its requests need. */
static int check_open_length(const struct load_plan *plan, struct error *err)
{
    const struct load_stage *last = &plan->stages[plan->stage_count - 1];
    double seconds = (double)plan->requests * (double)plan->target_count / (last->rate > 0 ? last->rate : 1);

    if (last->duration_ns == 0 && seconds > SECONDS(LOAD_MAX_DURATION_NS))
        return error_set(err, EINVAL, "so many requests at this rate last %.0f seconds; at most %.15g are allowed",
                         seconds, SECONDS(LOAD_MAX_DURATION_NS));
    return 0;
}

static int check_extent(const struct load_plan *plan, struct error *err)
{
    int rc = 0;

    if (plan->requests > LOAD_MAX_RUN_REQUESTS / plan->target_count)
        return error_set(err, EINVAL, "requests must be from 1 to %" PRIu64 " to each of %zu targets",
                         LOAD_MAX_RUN_REQUESTS / plan->target_count, plan->target_count);
    if (plan->model != LOAD_CLOSED) {
        rc = plan->stage_count > 0 ? check_stages(plan, err) : error_set(err, EINVAL, "an open model needs a rate");
        if (rc == 0)
            rc = check_open_length(plan, err);
    } else if (plan->stage_count > 0) {
        rc = error_set(err, EINVAL, "the closed model has no rate: its connections are as fast as they are answered");
    } else if (plan->requests == 0 || plan->duration_ns != 0) {
        rc = check_time("duration", plan->duration_ns, false, LOAD_MAX_DURATION_NS, err);
    }
    if (rc == 0)
        rc = check_time("warmup", plan->warmup_ns, true, LOAD_MAX_DURATION_NS, err);
    return rc;
}

static int check_times(const struct load_plan *plan, struct error *err)
{
    int rc = check_time("timeout", plan->timeout_ns, false, LOAD_MAX_TIMEOUT_NS, err);
    if (rc == 0)
        rc = check_time("drain", plan->drain_ns, true, LOAD_MAX_TIMEOUT_NS, err);
    if (rc == 0)
        rc = check_time("give_up", plan->give_up_ns, true, LOAD_MAX_DURATION_NS, err);
    return rc;
}

/* --- the request --- */

static bool is_token(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr("!#$%&'*+-.^_`|~", text[i]))
            return false;
    }
    return length > 0;
}

static bool is_printable(const char *text, size_t length, bool spaces)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == 0x7f || (c < 0x20 && !(spaces && c == '\t')) || (c == ' ' && !spaces))
            return false;
    }
    return true;
}

static int check_header(const char *line, size_t length, struct error *err)
{
    static const char *const OURS[] = {"Connection", "Content-Length", "Transfer-Encoding", "Expect", "Upgrade"};
    const char *colon = memchr(line, ':', length);
    size_t name = colon ? (size_t)(colon - line) : 0;

    if (!is_token(line, name) || !is_printable(line + name, length - name, true))
        return error_set(err, EINVAL, "headers: \"%.*s\" is not a header; write Name: value",
                         length < 100 ? (int)length : 100, line);
    for (size_t i = 0; i < sizeof(OURS) / sizeof(OURS[0]); i++) {
        if (strlen(OURS[i]) == name && strncasecmp(line, OURS[i], name) == 0)
            return error_set(err, EINVAL, "headers: %s is set by the engine itself", OURS[i]);
    }
    return 0;
}

static int check_headers(const char *headers, struct error *err)
{
    if (strlen(headers) > LOAD_MAX_HEADERS)
        return error_set(err, EINVAL, "headers must be at most %u bytes together", LOAD_MAX_HEADERS);
    while (*headers) {
        const char *end = strstr(headers, "\r\n");
        if (!end)
            return error_set(err, EINVAL, "headers: every line ends in CR LF");
        int rc = check_header(headers, (size_t)(end - headers), err);
        if (rc < 0)
            return rc;
        headers = end + 2;
    }
    return 0;
}

static int check_request(const struct load_plan *plan, struct error *err)
{
    size_t method = strlen(plan->method), path = strlen(plan->path);

    if (method > 32 || !is_token(plan->method, method) || strcmp(plan->method, "CONNECT") == 0)
        return error_set(err, EINVAL, "method must be an HTTP method such as GET or POST, not CONNECT");
    if (path > LOAD_MAX_PATH)
        return error_set(err, EINVAL, "path must be at most %u bytes", LOAD_MAX_PATH);
    if (plan->path[0] != '/' || !is_printable(plan->path, path, false))
        return error_set(err, EINVAL, "path must begin with / and have no spaces; write a space as %%20");
    if (plan->body_length > LOAD_MAX_BODY)
        return error_set(err, EINVAL, "body must be at most %u bytes", LOAD_MAX_BODY);
    return plan->headers ? check_headers(plan->headers, err) : 0;
}

/* --- what the machine has --- */

static int check_descriptors(const struct load_plan *plan, struct error *err)
{
    size_t needed =
        load_plan_connections(plan) + DESCRIPTORS_BESIDES + (size_t)DESCRIPTORS_PER_THREAD * load_plan_threads(plan);
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed)
        return 0;
    return error_set(err, EMFILE,
                     "%zu connections need %zu file descriptors and this process may open %ju; raise the limit with "
                     "ulimit -n %zu, or take fewer connections",
                     load_plan_connections(plan), needed, (uintmax_t)limit.rlim_cur, needed);
}

static int check_size(const struct load_plan *plan, struct error *err)
{
    if (plan->target_count < 1 || plan->target_count > LOAD_MAX_TARGETS)
        return error_set(err, EINVAL, "targets must be from 1 to %u", LOAD_MAX_TARGETS);
    int rc = check_range("connections", " to each target", plan->connections, 1, LOAD_MAX_RUN_CONNECTIONS, err);
    if (rc < 0)
        return rc;
    if (load_plan_connections(plan) > LOAD_MAX_RUN_CONNECTIONS)
        return error_set(err, EINVAL, "connections must be at most %zu to each of %zu targets: %u in all",
                         LOAD_MAX_RUN_CONNECTIONS / plan->target_count, plan->target_count, LOAD_MAX_RUN_CONNECTIONS);
    if (plan->threads > LOAD_MAX_THREADS)
        return error_set(err, EINVAL, "threads must be from 1 to %u", LOAD_MAX_THREADS);
    return 0;
}

static int check_thresholds(const struct load_plan *plan, struct error *err)
{
    if (plan->threshold_count > LOAD_MAX_THRESHOLDS)
        return error_set(err, EINVAL, "thresholds must be at most %u", LOAD_MAX_THRESHOLDS);
    for (size_t i = 0; i < plan->threshold_count; i++) {
        const struct threshold *threshold = &plan->thresholds[i];
        bool of_schedule = threshold->of == THRESHOLD_OF_DELAY || threshold->metric == THRESHOLD_DROPPED;
        if (of_schedule && plan->model == LOAD_CLOSED)
            return error_set(err, EINVAL, "threshold \"%s\" needs an open model: give a rate", threshold->text);
    }
    return 0;
}

int load_plan_check(const struct load_plan *plan, struct error *err)
{
    int rc = check_size(plan, err);
    if (rc == 0)
        rc = check_extent(plan, err);
    if (rc == 0)
        rc = check_times(plan, err);
    if (rc == 0)
        rc = check_request(plan, err);
    if (rc == 0)
        rc = check_thresholds(plan, err);
    if (rc == 0)
        rc = check_descriptors(plan, err);
    return rc;
}
