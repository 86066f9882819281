/*
 * See load_body.h. Types and what excludes what are checked here, ranges of several fields together by load_plan_check.
 */
#include "supervisor/api/load_body.h"

#include "core/clock.h"
#include "core/memory.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#define DEFAULT_SECONDS 10.0 /* where neither a duration nor a number of requests is given */
#define LEAST_SECONDS 0.001
#define STAGES_TEXT_MAX 4096u
#define METHOD_MAX 32u
#define MAX_SECONDS(ns) ((double)(ns) / 1e9)

static int read_seconds(const struct body *body, const char *key, double least, int64_t most_ns, int64_t *ns,
                        struct error *err)
{
    double seconds = 0;

    int rc = body_number(body, key, least, MAX_SECONDS(most_ns), &seconds, err);
    if (rc > 0)
        *ns = llround(seconds * 1e6) * (NS_PER_SECOND / 1000000);
    return rc;
}

static int read_bool(const struct body *body, const char *key, bool *value, struct error *err)
{
    const cJSON *item = body_get(body, key);

    if (item == NULL)
        return 0;
    if (!cJSON_IsBool(item))
        return error_set(err, EINVAL, "%s must be true or false", key);
    *value = cJSON_IsTrue(item);
    return 1;
}

/* --- the schedule --- */

/* {"rate": 1000, "duration": 10} */
static int read_stage(const cJSON *item, size_t number, struct load_stage *stage, struct error *err)
{
    const struct body body = {.root = (cJSON *)(uintptr_t)item};
    struct error wrong = {0};

    if (!cJSON_IsObject(item))
        return error_set(err, EINVAL, "stages: entry %zu must be an object with rate and duration", number);
    int rate = body_number(&body, "rate", 0, LOAD_MAX_RATE, &stage->rate, &wrong);
    int duration =
        rate < 0 ? rate
                 : read_seconds(&body, "duration", LEAST_SECONDS, LOAD_MAX_DURATION_NS, &stage->duration_ns, &wrong);
    if (rate < 0 || duration < 0)
        return error_set(err, EINVAL, "stages: entry %zu: %s", number, wrong.message);
    if (rate == 0 || duration == 0)
        return error_set(err, EINVAL, "stages: entry %zu must have both rate and duration", number);
    return 0;
}

static int read_stage_list(const cJSON *list, struct load_body *read, struct error *err)
{
    const cJSON *item;
    size_t count = 0;

    if (cJSON_GetArraySize(list) < 1 || cJSON_GetArraySize(list) > (int)SCHEDULE_MAX_STAGES)
        return error_set(err, EINVAL, "stages must have from 1 to %u entries", SCHEDULE_MAX_STAGES);
    cJSON_ArrayForEach(item, list)
    {
        int rc = read_stage(item, count + 1, &read->stages[count], err);
        if (rc < 0)
            return rc;
        count++;
    }
    return (int)count;
}

static int read_stages(const struct body *body, struct load_body *read, struct error *err)
{
    const cJSON *item = body_get(body, "stages");
    struct error wrong = {0};

    if (item == NULL)
        return 0;
    if (cJSON_IsArray(item))
        return read_stage_list(item, read, err);
    if (!cJSON_IsString(item) || strlen(item->valuestring) > STAGES_TEXT_MAX)
        return error_set(err, EINVAL,
                         "stages must be a text such as \"10s@1000,30s@5000\", or a list of objects with rate and "
                         "duration");
    int count = schedule_parse_stages(item->valuestring, read->stages, &wrong);
    return count < 0 ? error_set(err, EINVAL, "stages: %s", wrong.message) : count;
}

static int read_model(const struct body *body, bool has_rate, enum load_model *model, struct error *err)
{
    static const enum load_model MODELS[] = {LOAD_CLOSED, LOAD_OPEN_CONSTANT, LOAD_OPEN_POISSON};
    const cJSON *item = body_get(body, "model");

    *model = has_rate ? LOAD_OPEN_CONSTANT : LOAD_CLOSED;
    if (item == NULL)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(MODELS); i++) {
        if (!cJSON_IsString(item) || strcmp(item->valuestring, load_model_name(MODELS[i])) != 0)
            continue;
        *model = MODELS[i];
        if ((*model == LOAD_CLOSED) != has_rate)
            return 0;
        return has_rate
                   ? error_set(err, EINVAL, "model closed has no rate; leave rate and stages out, or take constant")
                   : error_set(err, EINVAL, "model %s needs a rate or stages", item->valuestring);
    }
    return error_set(err, EINVAL, "model must be closed, constant or poisson");
}

static int read_extent(const struct body *body, struct load_body *read, struct error *err)
{
    struct load_plan *plan = &read->plan;
    int64_t requests = 0, duration_ns = 0;
    double rate = 0;

    int has_rate = body_number(body, "rate", LOAD_MIN_RATE, LOAD_MAX_RATE, &rate, err);
    int stages = has_rate < 0 ? has_rate : read_stages(body, read, err);
    int has_duration =
        stages < 0 ? stages : read_seconds(body, "duration", LEAST_SECONDS, LOAD_MAX_DURATION_NS, &duration_ns, err);
    if (has_duration < 0 || body_int(body, "requests", 1, (int64_t)LOAD_MAX_RUN_REQUESTS, &requests, err) < 0 ||
        read_model(body, has_rate > 0 || stages > 0, &plan->model, err) < 0)
        return -EINVAL;
    if (stages > 0 && (has_rate > 0 || has_duration > 0))
        return error_set(err, EINVAL, "stages have their own rates and durations; leave rate and duration out");
    plan->requests = (uint64_t)requests;
    if (duration_ns == 0 && requests == 0)
        duration_ns = llround(DEFAULT_SECONDS) * NS_PER_SECOND;
    if (plan->model == LOAD_CLOSED) {
        plan->duration_ns = duration_ns;
        return 0;
    }
    if (has_rate > 0) {
        read->stages[0] = (struct load_stage){.duration_ns = duration_ns, .rate = rate};
        stages = 1;
    }
    plan->stages = read->stages;
    plan->stage_count = (size_t)stages;
    return 0;
}

/* --- the request --- */

static int read_headers(const struct body *body, struct load_body *read, struct error *err)
{
    const cJSON *headers = body_get(body, "headers");
    const cJSON *item;

    if (headers == NULL)
        return 0;
    if (!cJSON_IsObject(headers))
        return error_set(err, EINVAL, "headers must be an object of names and strings");
    cJSON_ArrayForEach(item, headers)
    {
        if (!cJSON_IsString(item))
            return error_set(err, EINVAL, "headers: %.64s must be a string", item->string);
        if (strpbrk(item->string, "\r\n") != NULL || strpbrk(item->valuestring, "\r\n") != NULL)
            return error_set(err, EINVAL, "headers: %.64s must be one line", item->string);
        buffer_printf(&read->headers, "%s: %s\r\n", item->string, item->valuestring);
    }
    read->plan.headers = read->headers.data;
    return 0;
}

static int read_request(const struct body *body, struct load_body *read, struct error *err)
{
    struct load_plan *plan = &read->plan;
    const char *payload = NULL;
    bool keep_alive = true;

    if (body_text(body, "method", METHOD_MAX, &plan->method, err) < 0 ||
        body_text(body, "path", LOAD_MAX_PATH, &plan->path, err) < 0 ||
        body_text(body, "body", LOAD_MAX_BODY, &payload, err) < 0 ||
        read_bool(body, "keep_alive", &keep_alive, err) < 0 || read_headers(body, read, err) < 0)
        return -EINVAL;
    plan->close = !keep_alive;
    plan->body = payload;
    plan->body_length = payload != NULL ? strlen(payload) : 0;
    return 0;
}

/* --- the rest --- */

static int read_thresholds(const struct body *body, struct load_body *read, struct error *err)
{
    const cJSON *list = body_get(body, "thresholds");
    struct error wrong = {0};
    const cJSON *item;
    size_t count = 0;

    if (list == NULL)
        return 0;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > (int)LOAD_MAX_THRESHOLDS)
        return error_set(err, EINVAL, "thresholds must be a list of at most %u rules such as \"p99<10ms\"",
                         LOAD_MAX_THRESHOLDS);
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item))
            return error_set(err, EINVAL, "thresholds: entry %zu must be a rule such as \"p99<10ms\"", count + 1);
        if (threshold_parse(item->valuestring, &read->thresholds[count], &wrong) < 0)
            return error_set(err, EINVAL, "thresholds: %s", wrong.message);
        count++;
    }
    read->plan.thresholds = read->thresholds;
    read->plan.threshold_count = count;
    return 0;
}

/* `concurrency` is the word of the older endpoint. */
static int read_connections(const struct body *body, const struct settings *settings, struct load_body *read,
                            struct error *err)
{
    int64_t connections = settings->load_concurrency;

    int has = body_int(body, "connections", 1, LOAD_MAX_RUN_CONNECTIONS, &connections, err);
    int has_old = has < 0 ? has : body_int(body, "concurrency", 1, LOAD_MAX_RUN_CONNECTIONS, &connections, err);
    if (has_old < 0)
        return has_old;
    if (has > 0 && has_old > 0)
        return error_set(err, EINVAL, "connections and concurrency are the same; give one of them");
    read->plan.connections = (unsigned)connections;
    read->has_connections = has > 0 || has_old > 0;
    return 0;
}

int load_body_read(const struct body *body, const struct settings *settings, struct load_body *read, struct error *err)
{
    int64_t seed = 0, threads = 0;

    memset(read, 0, sizeof(*read));
    struct load_plan *plan = &read->plan;
    *plan = load_plan_defaults();
    int rc = body_text(body, "name", LOAD_TEST_NAME_MAX, &read->name, err);
    if (rc >= 0)
        rc = read_connections(body, settings, read, err);
    if (rc >= 0)
        rc = read_extent(body, read, err);
    if (rc >= 0)
        rc = read_seconds(body, "warmup", 0, LOAD_MAX_DURATION_NS, &plan->warmup_ns, err);
    if (rc >= 0)
        rc = read_seconds(body, "timeout", LEAST_SECONDS, LOAD_MAX_TIMEOUT_NS, &plan->timeout_ns, err);
    if (rc >= 0)
        rc = read_request(body, read, err);
    if (rc >= 0)
        rc = read_thresholds(body, read, err);
    if (rc >= 0)
        rc = body_int(body, "seed", 0, BODY_MAX_INT, &seed, err);
    if (rc >= 0)
        rc = body_int(body, "threads", 1, LOAD_MAX_THREADS, &threads, err);
    plan->seed = (uint64_t)seed;
    plan->threads = (unsigned)threads;
    return rc < 0 ? rc : 0;
}

void load_body_done(struct load_body *read)
{
    buffer_done(&read->headers);
}
