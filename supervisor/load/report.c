/*
 * The members of a report. docs/openapi.json describes them.
 */
#include "supervisor/load/report.h"

#include "core/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define NS_PER_US 1000.0
#define SECONDS(ns) ((double)(ns) / 1e9)

static const struct {
    const char *key;
    double q;
} QUANTILES[] = {{"p50_us", 0.5},  {"p75_us", 0.75},    {"p90_us", 0.9},      {"p95_us", 0.95},
                 {"p99_us", 0.99}, {"p99_9_us", 0.999}, {"p99_99_us", 0.9999}};

static void member_us(struct json_writer *w, const char *key, double ns)
{
    json_member_fixed2(w, key, ns / NS_PER_US);
}

/* --- the plan --- */

static void write_stages(struct json_writer *w, const struct load_plan *plan)
{
    json_key(w, "stages");
    json_begin_array(w);
    for (size_t i = 0; i < plan->stage_count; i++) {
        json_begin_object(w);
        json_member_fixed2(w, "rate", plan->stages[i].rate);
        json_key(w, "duration_seconds");
        if (plan->stages[i].duration_ns > 0)
            json_fixed2(w, SECONDS(plan->stages[i].duration_ns));
        else
            json_null(w);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_targets_of_plan(struct json_writer *w, const struct load_plan *plan)
{
    json_key(w, "targets");
    json_begin_array(w);
    for (size_t i = 0; i < plan->target_count; i++) {
        json_begin_object(w);
        json_member_int(w, "id", plan->targets[i].id);
        json_member_string(w, "name", plan->targets[i].name);
        json_end_object(w);
    }
    json_end_array(w);
}

/* Reports are kept and handed on, so they are no place for what lets its bearer in. */
static bool is_secret(const char *header)
{
    static const char *const SECRETS[] = {"Authorization:", "Proxy-Authorization:", "Cookie:"};

    for (size_t i = 0; i < ARRAY_SIZE(SECRETS); i++) {
        if (strncasecmp(header, SECRETS[i], strlen(SECRETS[i])) == 0)
            return true;
    }
    return false;
}

static void write_headers(struct json_writer *w, const char *lines)
{
    struct buffer line = BUFFER_EMPTY;

    json_key(w, "headers");
    json_begin_array(w);
    for (const char *end; lines != NULL && (end = strstr(lines, "\r\n")) != NULL; lines = end + 2) {
        buffer_clear(&line);
        if (is_secret(lines))
            buffer_printf(&line, "%.*s: (not kept)", (int)strcspn(lines, ":"), lines);
        else
            buffer_append(&line, lines, (size_t)(end - lines));
        json_string(w, line.data);
    }
    json_end_array(w);
    buffer_done(&line);
}

/* By its length and a checksum: enough to tell whether two runs sent the same. */
static void write_body(struct json_writer *w, const struct load_plan *plan)
{
    char checksum[9];

    json_key(w, "body");
    if (plan->body_length == 0) {
        json_null(w);
        return;
    }
    snprintf(checksum, sizeof(checksum), "%08" PRIx32, (uint32_t)crc32(0, plan->body, (uInt)plan->body_length));
    json_begin_object(w);
    json_member_uint(w, "bytes", plan->body_length);
    json_member_string(w, "crc32", checksum);
    json_end_object(w);
}

/* The time of sending; 0 for a run by count alone. */
static int64_t plan_duration_ns(const struct load_plan *plan)
{
    int64_t duration_ns = plan->duration_ns;

    if (plan->model == LOAD_CLOSED)
        return duration_ns;
    duration_ns = 0;
    for (size_t i = 0; i < plan->stage_count; i++) {
        if (plan->stages[i].duration_ns == 0)
            return 0;
        duration_ns += plan->stages[i].duration_ns;
    }
    return duration_ns;
}

static void number_or_null(struct json_writer *w, const char *key, bool known, double value)
{
    json_key(w, key);
    if (known)
        json_fixed2(w, value);
    else
        json_null(w);
}

void report_plan(struct json_writer *w, const struct load_plan *plan)
{
    int64_t duration_ns = plan_duration_ns(plan);

    json_begin_object(w);
    json_member_string(w, "model", load_model_name(plan->model));
    json_member_uint(w, "connections", plan->connections);
    json_key(w, "requests");
    if (plan->requests > 0)
        json_uint(w, plan->requests);
    else
        json_null(w);
    number_or_null(w, "duration_seconds", duration_ns > 0, SECONDS(duration_ns));
    json_member_fixed2(w, "warmup_seconds", SECONDS(plan->warmup_ns));
    write_stages(w, plan);
    json_member_string(w, "method", plan->method);
    json_member_string(w, "path", plan->path);
    write_headers(w, plan->headers);
    write_body(w, plan);
    json_member_bool(w, "keep_alive", !plan->close);
    json_member_fixed2(w, "timeout_seconds", SECONDS(plan->timeout_ns));
    json_key(w, "thresholds");
    json_begin_array(w);
    for (size_t i = 0; i < plan->threshold_count; i++)
        json_string(w, plan->thresholds[i].text);
    json_end_array(w);
    json_member_uint(w, "threads", load_plan_threads(plan));
    json_key(w, "seed");
    if (plan->model == LOAD_OPEN_POISSON)
        json_uint(w, plan->seed);
    else
        json_null(w);
    write_targets_of_plan(w, plan);
    json_end_object(w);
}

/* --- times and counts --- */

static void write_times(struct json_writer *w, const char *key, const struct latency *times)
{
    json_key(w, key);
    if (times->count == 0) {
        json_null(w);
        return;
    }
    json_begin_object(w);
    json_member_uint(w, "count", times->count);
    member_us(w, "mean_us", latency_mean(times));
    for (size_t i = 0; i < ARRAY_SIZE(QUANTILES); i++)
        member_us(w, QUANTILES[i].key, latency_quantile(times, QUANTILES[i].q));
    member_us(w, "max_us", (double)times->max_ns);
    json_end_object(w);
}

static void write_counts(struct json_writer *w, const struct load_counts *counts)
{
    json_member_uint(w, "requests", counts->requests);
    json_member_uint(w, "answered", counts->answered);
    json_member_uint(w, "failed", load_counts_failed(counts));
    json_member_uint(w, "unfinished", counts->unfinished);
    json_member_uint(w, "connects", counts->connects);
    json_member_uint(w, "bytes_sent", counts->bytes_sent);
    json_member_uint(w, "bytes_received", counts->bytes_received);
    json_key(w, "errors");
    json_begin_object(w);
    for (unsigned i = 0; i < LOAD_ERRORS; i++)
        json_member_uint(w, load_error_name((enum load_error)i), counts->errors[i]);
    json_end_object(w);
    json_key(w, "status_classes");
    json_begin_object(w);
    for (unsigned i = 0; i < LOAD_STATUS_CLASSES; i++) {
        char class[4] = {(char)('1' + i), 'x', 'x', '\0'};
        json_member_uint(w, class, counts->status_class[i]);
    }
    json_end_object(w);
}

static void write_status_codes(struct json_writer *w, const struct load_result *result)
{
    json_key(w, "status_codes");
    json_begin_object(w);
    for (unsigned status = 0; status < LOAD_STATUS_MAX; status++) {
        char code[8];
        snprintf(code, sizeof(code), "%u", status);
        if (result->status[status] > 0)
            json_member_uint(w, code, result->status[status]);
    }
    json_end_object(w);
}

void report_point(struct json_writer *w, const struct load_point *point)
{
    json_begin_object(w);
    json_member_uint(w, "second", point->second);
    json_member_uint(w, "requests", point->requests);
    json_member_uint(w, "answered", point->answered);
    json_member_uint(w, "failed", point->failed);
    json_member_uint(w, "bytes_received", point->bytes_received);
    member_us(w, "p50_us", point->p50_ns);
    member_us(w, "p90_us", point->p90_ns);
    member_us(w, "p99_us", point->p99_ns);
    member_us(w, "max_us", point->max_ns);
    member_us(w, "service_p99_us", point->service_p99_ns);
    json_end_object(w);
}

/* --- the result --- */

static const char *end_name(enum load_end end)
{
    switch (end) {
    case LOAD_END_COUNT:
        return "count";
    case LOAD_END_TIME:
        return "time";
    case LOAD_END_STOPPED:
        return "stopped";
    case LOAD_END_GAVE_UP:
        return "gave_up";
    }
    return "unknown";
}

static void string_or_null(struct json_writer *w, const char *key, const char *text)
{
    json_member_string(w, key, text[0] != '\0' ? text : NULL);
}

static void write_engine(struct json_writer *w, const struct load_result *result)
{
    json_key(w, "engine");
    json_begin_object(w);
    json_member_uint(w, "threads", result->threads);
    json_member_uint(w, "connections", result->connections);
    json_member_fixed2(w, "cpu_cores", result->cpu_cores);
    json_member_uint(w, "memory_bytes", result->memory_bytes);
    json_member_bool(w, "saturated", result->saturated);
    string_or_null(w, "saturated_why", result->saturated_why);
    json_end_object(w);
}

static void write_verdicts(struct json_writer *w, const struct load_result *result)
{
    json_member_bool(w, "passed", result->passed);
    json_key(w, "verdicts");
    json_begin_array(w);
    for (size_t i = 0; i < result->verdict_count; i++) {
        const struct load_verdict *verdict = &result->verdicts[i];
        char actual[32];
        threshold_format(&verdict->threshold, verdict->actual, actual);
        json_begin_object(w);
        json_member_string(w, "threshold", verdict->threshold.text);
        json_member_bool(w, "passed", verdict->passed);
        number_or_null(w, "actual", !isnan(verdict->actual), verdict->actual);
        json_member_string(w, "actual_text", actual);
        json_member_string(w, "worst_target",
                           verdict->threshold.per_target ? result->targets[verdict->worst_target].name : NULL);
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_target(struct json_writer *w, const struct load_result *result, size_t index, report_more_fn *more,
                         void *data)
{
    const struct load_target_result *target = &result->targets[index];
    const struct latency *service = result->model == LOAD_CLOSED ? &target->latency : &target->service;

    json_begin_object(w);
    json_member_int(w, "id", target->id);
    json_member_string(w, "name", target->name);
    write_counts(w, &target->counts);
    json_member_uint(w, "dropped", target->dropped);
    json_member_fixed2(w, "achieved_rate", result->seconds > 0 ? (double)target->counts.answered / result->seconds : 0);
    write_times(w, "latency", &target->latency);
    write_times(w, "service_time", service);
    json_member_bool(w, "gave_up", target->gave_up);
    string_or_null(w, "stands_out", target->stands_out);
    if (more)
        more(w, index, data);
    json_end_object(w);
}

static void write_lists(struct json_writer *w, const struct load_result *result, report_more_fn *more, void *data)
{
    json_key(w, "targets");
    json_begin_array(w);
    for (size_t i = 0; i < result->target_count; i++)
        write_target(w, result, i, more, data);
    json_end_array(w);
    json_key(w, "series");
    json_begin_array(w);
    for (size_t i = 0; i < result->point_count; i++)
        report_point(w, &result->points[i]);
    json_end_array(w);
}

void report_result(struct json_writer *w, const struct load_result *result, report_more_fn *more, void *data)
{
    json_begin_object(w);
    json_member_timestamp(w, "measured_from", result->started_at_us);
    json_member_fixed2(w, "seconds", result->seconds);
    json_member_string(w, "ended_by", end_name(result->end));
    write_counts(w, &result->counts);
    write_status_codes(w, result);
    json_key(w, "asked");
    if (result->asked > 0)
        json_uint(w, result->asked);
    else
        json_null(w);
    json_member_uint(w, "dropped", result->dropped);
    number_or_null(w, "asked_rate", result->model != LOAD_CLOSED, result->asked_rate);
    json_member_fixed2(w, "achieved_rate", result->achieved_rate);
    json_member_uint(w, "warmup_requests", result->warmup.requests);
    write_times(w, "latency", &result->latency);
    write_times(w, "service_time", load_result_service(result));
    write_times(w, "send_delay", &result->send_delay);
    write_engine(w, result);
    write_verdicts(w, result);
    write_lists(w, result, more, data);
    json_end_object(w);
}
