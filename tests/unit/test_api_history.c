/* supervisor/api/history: one answer of several servers is bounded by its points. Farm, request and answer are played. */
#include "core/clock.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/targets.h"
#include "supervisor/farm/sampler.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct server servers[64];
static size_t chosen;
static int answered;      /* status */
static char refusal[256]; /* the sentence */
static size_t servers_in_answer, points_in_answer;

struct api *api_of(const struct http_match *match)
{
    static struct api api;

    (void)match;
    return &api;
}

bool api_match_server(struct http_request *request, const struct http_match *match, struct server **server)
{
    (void)request;
    (void)match;
    *server = &servers[0];
    return true;
}

struct server *farm_server(const struct farm *farm, int id)
{
    (void)farm;
    return &servers[id - 1];
}

/* Each has all that is ever kept. */
size_t sampler_points(const struct server *server, const struct sample_range *range, struct sample_point *out,
                      size_t max)
{
    size_t count = sample_resolution_keep(range->resolution);

    (void)server;
    assert_true(count <= max);
    for (size_t i = 0; out != NULL && i < count; i++)
        out[i] = (struct sample_point){.at_s = (uint32_t)i};
    return count;
}

bool targets_read_query(struct http_request *request, const struct farm *farm, struct targets *targets)
{
    (void)request;
    (void)farm;
    *targets = (struct targets){.ids = xcalloc(chosen, sizeof(int)), .count = chosen};
    for (size_t i = 0; i < chosen; i++)
        targets->ids[i] = (int)i + 1;
    return true;
}

void targets_done(struct targets *targets)
{
    free(targets->ids);
}

struct http_slice http_request_query(const struct http_request *request)
{
    (void)request;
    return (struct http_slice){"", 0};
}

void http_respond_problem(struct http_request *request, int status, const char *fmt, ...)
{
    va_list args;

    (void)request;
    answered = status;
    va_start(args, fmt);
    vsnprintf(refusal, sizeof(refusal), fmt, args);
    va_end(args);
}

void respond_error(struct http_request *request, const struct error *err)
{
    http_respond_problem(request, 500, "%s", err->message);
}

bool respond_reserve(struct http_request *request, struct buffer *out, size_t bytes)
{
    (void)request;
    return buffer_try_reserve(out, bytes);
}

void respond_json(struct http_request *request, int status, struct buffer *body)
{
    cJSON *json = cJSON_Parse(body->data);
    const cJSON *entry;

    (void)request;
    assert_non_null(json);
    answered = status;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(json, "servers"))
    {
        servers_in_answer++;
        points_in_answer += (size_t)cJSON_GetArraySize(cJSON_GetObjectItem(cJSON_GetObjectItem(entry, "points"), "at"));
    }
    cJSON_Delete(json);
    buffer_done(body);
}

/* What view.c reads of a farm for other answers. */
#define UNASKED(type, name, value)                                                                                     \
    type name(const struct farm *farm)                                                                                 \
    {                                                                                                                  \
        (void)farm;                                                                                                    \
        fail();                                                                                                        \
        return value;                                                                                                  \
    }
UNASKED(const struct runtime_ops *, farm_runtime_ops, NULL)
UNASKED(const char *, farm_enforcement, NULL)
UNASKED(const char *, farm_enforcement_warning, NULL)
UNASKED(struct runtime_enforced, farm_enforced, ((struct runtime_enforced){0}))

void farm_totals(const struct farm *farm, struct farm_totals *totals)
{
    (void)farm;
    (void)totals;
    fail();
}

static void ask(size_t count)
{
    chosen = count;
    answered = 0;
    servers_in_answer = points_in_answer = 0;
    history_list(NULL, NULL);
}

static void test_the_default_farm_fits_and_more_does_not(void **state)
{
    (void)state;
    ask(50);
    assert_int_equal(answered, 200);
    assert_int_equal(servers_in_answer, 50);
    assert_int_equal(points_in_answer, 50 * SAMPLE_KEEP_1S);
    ask(51);
    assert_int_equal(answered, 422);
    assert_non_null(strstr(refusal, "30600"));
    assert_non_null(strstr(refusal, "30000"));
    assert_non_null(strstr(refusal, "select"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_default_farm_fits_and_more_does_not)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
