/*
 * Probes against a small HTTP server in the test: what an answer means, when they come, what they lead to.
 */
#include "supervisor/farm/probe.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/farm/probe_private.h"
#include "tests/unit/farm_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX 512

/* Answers every request with `answer`, or never when that is empty. */
static struct {
    uv_tcp_t listener;
    uint16_t port;
    char answer[ANSWER_MAX];
    unsigned requests;
    char target[64]; /* of the last */
} http;

struct peer {
    uv_tcp_t tcp;
    uv_write_t write;
    char in[1024];
    size_t length;
};

static struct farm_fixture fixture;
static struct settings *settings;
static struct group_settings *group;

static void answer_with(int status, const char *body)
{
    snprintf(http.answer, ANSWER_MAX,
             "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
             status, strlen(body), body);
}

static void on_peer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct peer *peer = handle->data;
    *buf = uv_buf_init(peer->in + peer->length, (unsigned)(sizeof(peer->in) - peer->length - 1));
}

static void on_data(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct peer *peer = stream->data;
    if (n < 0) {
        uv_close((uv_handle_t *)stream, on_peer_closed);
        return;
    }
    peer->length += (size_t)n;
    peer->in[peer->length] = '\0';
    if (!strstr(peer->in, "\r\n\r\n"))
        return;
    http.requests++;
    sscanf(peer->in, "%*s %63s", http.target);
    peer->length = 0;
    if (http.answer[0]) {
        uv_buf_t out = uv_buf_init(http.answer, (unsigned)strlen(http.answer));
        uv_write(&peer->write, stream, &out, 1, NULL);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    assert_int_equal(status, 0);
    struct peer *peer = xcalloc(1, sizeof(*peer));
    uv_tcp_init(listener->loop, &peer->tcp);
    peer->tcp.data = peer;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&peer->tcp), 0);
    uv_read_start((uv_stream_t *)&peer->tcp, on_alloc, on_data);
}

static void listen_somewhere(void)
{
    struct sockaddr_in address;
    int length = sizeof(address);
    memset(&http, 0, sizeof(http));
    uv_tcp_init(&fixture.loop, &http.listener);
    uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(uv_tcp_bind(&http.listener, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&http.listener, 64, on_connection), 0);
    uv_tcp_getsockname(&http.listener, (struct sockaddr *)&address, &length);
    http.port = ntohs(address.sin_port);
}

static int begin(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    listen_somewhere();
    answer_with(200, "{\"status\":\"healthy\"}");
    settings = fixture_settings(&fixture, 1);
    group = &settings->groups[0];
    group->base_port = http.port;
    return 0;
}

static int end(void **state)
{
    (void)state;
    uv_close((uv_handle_t *)&http.listener, NULL);
    fixture_end(&fixture);
    return 0;
}

static void enable(enum probe_kind kind, int64_t interval_ms, int64_t timeout_ms)
{
    group->probes[kind].enabled = true;
    group->probes[kind].interval_ms = interval_ms;
    group->probes[kind].timeout_ms = timeout_ms;
}

static struct server *make_running(void)
{
    fixture_make(&fixture, settings);
    fixture_start(&fixture);
    return farm_server(fixture.farm, 1);
}

/* --- one probe --- */

struct answer {
    unsigned calls;
    int server_id;
    struct probe_result result;
};

static void on_probed(int server_id, const struct probe_result *result, void *data)
{
    struct answer *answer = data;
    answer->calls++;
    answer->server_id = server_id;
    answer->result = *result;
}

static struct answer probe(const struct server *server, int64_t timeout_ms)
{
    struct answer answer = {0};
    probe_once(&fixture.loop, server, timeout_ms, on_probed, &answer);
    assert_int_equal(answer.calls, 0); /* never from inside */
    run_until(&fixture, answer.calls);
    assert_int_equal(answer.server_id, server->id);
    return answer;
}

static void expect(int status, const char *body, enum probe_status probe_status, const char *error)
{
    answer_with(status, body);
    struct answer answer = probe(farm_server(fixture.farm, 1), 3000);
    assert_int_equal(answer.result.status, probe_status);
    assert_string_equal(answer.result.error, error);
}

static void test_what_an_answer_means(void **state)
{
    (void)state;
    make_running();
    expect(200, "{\"status\":\"healthy\"}", PROBE_STATUS_HEALTHY, "");
    expect(200, "{\"status\": \"degraded\", \"server_id\": \"server-1\"}", PROBE_STATUS_DEGRADED, "");
    expect(200, "{ \"a\":{\"status\":1},\n\"status\"\t:\n\"degraded\"}", PROBE_STATUS_DEGRADED, "");
    expect(200, "degraded", PROBE_STATUS_HEALTHY, "");
    expect(200, "{\"status\":\"degradedly\"}", PROBE_STATUS_HEALTHY, "");
    expect(200, "\"status\"", PROBE_STATUS_HEALTHY, "");
    expect(200, "\"status\":", PROBE_STATUS_HEALTHY, "");
    expect(204, "", PROBE_STATUS_HEALTHY, "");
    expect(302, "", PROBE_STATUS_HEALTHY, "");
    expect(404, "{}", PROBE_STATUS_ERROR, "HTTP 404");
    expect(503, "{\"status\":\"degraded\"}", PROBE_STATUS_ERROR, "HTTP 503");
    assert_string_equal(http.target, "/health");
}

static void test_no_answer(void **state)
{
    (void)state;
    struct server *server = make_running();
    http.answer[0] = '\0';
    struct answer answer = probe(server, 30);
    assert_int_equal(answer.result.status, PROBE_STATUS_ERROR);
    assert_string_equal(answer.result.error, "timeout");
}

static void test_a_server_that_does_not_run_is_not_asked(void **state)
{
    (void)state;
    struct server *server = make_running();
    struct outcome outcome = {0};
    server_act(server, SERVER_ACTION_PAUSE, fixture_on_server, &outcome);
    assert_string_equal(probe(server, 3000).result.error, "paused");
    server_act(server, SERVER_ACTION_STOP, fixture_on_server, &outcome);
    run_until(&fixture, outcome.calls == 2);
    assert_string_equal(probe(server, 3000).result.error, "stopped");
    assert_int_equal(http.requests, 0);
}

/* --- the schedule --- */

static void test_one_request_serves_both(void **state)
{
    (void)state;
    enable(PROBE_LIVENESS, 40, 1000);
    enable(PROBE_READINESS, 40, 1000);
    struct server *server = make_running();
    int64_t began_ms = clock_monotonic_ms();
    run_until(&fixture, http.requests >= 5);
    assert_true(http.requests <= (clock_monotonic_ms() - began_ms) / 40 + 3);
    assert_int_equal(server->health, HEALTH_HEALTHY);
    assert_true(server->ready);
}

static void test_health_follows_the_answers(void **state)
{
    (void)state;
    enable(PROBE_LIVENESS, 20, 1000);
    group->probes[PROBE_LIVENESS].retries = 1000000;
    struct server *server = make_running();
    assert_int_equal(server->health, HEALTH_UNKNOWN); /* nothing is claimed before it was seen */
    run_until(&fixture, server->health == HEALTH_HEALTHY);
    answer_with(200, "{\"status\":\"degraded\"}");
    run_until(&fixture, server->health == HEALTH_DEGRADED);
    answer_with(500, "");
    run_until(&fixture, server->health == HEALTH_UNHEALTHY);
    assert_string_equal(server->health_error, "HTTP 500");
    answer_with(200, "");
    run_until(&fixture, server->health == HEALTH_HEALTHY);
    assert_string_equal(server->health_error, "");
    assert_int_equal(fixture_count_events(&fixture, REASON_UNHEALTHY, 1), 1);
    assert_int_equal(fixture_count_events(&fixture, REASON_HEALTHY, 1), 1);
    struct farm_totals totals;
    farm_totals(fixture.farm, &totals);
    assert_int_equal(totals.healthy, 1);
}

static void test_liveness_restarts(void **state)
{
    (void)state;
    enable(PROBE_LIVENESS, 20, 20);
    struct server *server = make_running();
    run_until(&fixture, server->health == HEALTH_HEALTHY);
    http.answer[0] = '\0';
    run_until(&fixture, server->restarts == 1);
    assert_int_equal(server->last_exit.reason, REASON_LIVENESS_FAILED);
    assert_null(strstr(fake_log(), "term"));
    assert_non_null(strstr(fixture_last_event(&fixture, REASON_LIVENESS_FAILED, 1)->message,
                           "server-1 unhealthy: 3 probes failed in a row (timeout, 20 ms each)"));
}

/* An answer that says no has not been waited for. */
static void test_liveness_that_is_refused_was_not_waited_for(void **state)
{
    (void)state;
    enable(PROBE_LIVENESS, 20, 1000);
    struct server *server = make_running();
    answer_with(500, "");
    run_until(&fixture, server->restarts == 1);
    assert_non_null(strstr(fixture_last_event(&fixture, REASON_LIVENESS_FAILED, 1)->message,
                           "server-1 unhealthy: 3 probes failed in a row (HTTP 500); killed"));
}

static void test_failures_in_the_start_period_do_not_count(void **state)
{
    (void)state;
    enable(PROBE_LIVENESS, 10, 100);
    group->probes[PROBE_LIVENESS].start_period_ms = 300;
    answer_with(500, "");
    struct server *server = make_running();
    int64_t began_ms = clock_monotonic_ms();
    run_until(&fixture, http.requests >= 6);
    if (clock_monotonic_ms() - began_ms < 290) {
        assert_int_equal(server->health, HEALTH_UNKNOWN);
        assert_int_equal(server->restarts, 0);
    }
    run_until(&fixture, server->restarts == 1);
    assert_true(clock_monotonic_ms() - began_ms >= 290);
}

static void test_readiness(void **state)
{
    (void)state;
    enable(PROBE_READINESS, 20, 1000);
    group->probes[PROBE_READINESS].retries = 2;
    struct server *server = make_running();
    assert_true(server->ready); /* it said so */
    answer_with(503, "");
    run_until(&fixture, !server->ready);
    assert_true(http.requests >= 2);
    assert_int_equal(server->health, HEALTH_UNHEALTHY); /* no liveness probe, so this one tells */
    answer_with(200, "");
    run_until(&fixture, server->ready);
    assert_int_equal(server->restarts, 0);
}

static void test_a_paused_server_is_not_probed(void **state)
{
    (void)state;
    enable(PROBE_LIVENESS, 10, 1000);
    struct server *server = make_running();
    run_until(&fixture, server->health == HEALTH_HEALTHY);
    struct outcome outcome = {0};
    server_act(server, SERVER_ACTION_PAUSE, fixture_on_server, &outcome);
    unsigned before = http.requests;
    int64_t until_ms = clock_monotonic_ms() + 100;
    run_until(&fixture, clock_monotonic_ms() >= until_ms);
    assert_true(http.requests <= before + 1); /* one may have been on its way */
    assert_int_equal(server->health, HEALTH_UNKNOWN);
    server_act(server, SERVER_ACTION_RESUME, fixture_on_server, &outcome);
    run_until(&fixture, server->health == HEALTH_HEALTHY);
}

/* What it was before it was paused says nothing; an interval later would be long. */
static void test_a_resumed_server_is_probed_at_once(void **state)
{
    (void)state;
    enable(PROBE_LIVENESS, 30000, 1000);
    enable(PROBE_READINESS, 30000, 1000);
    struct server *server = make_running();
    struct outcome outcome = {0};
    server_act(server, SERVER_ACTION_PAUSE, fixture_on_server, &outcome);
    assert_false(server->ready);
    unsigned before = http.requests;
    int64_t began_ms = clock_monotonic_ms();
    server_act(server, SERVER_ACTION_RESUME, fixture_on_server, &outcome);
    run_until(&fixture, server->ready);
    assert_int_equal(server->health, HEALTH_HEALTHY);
    assert_true(http.requests > before);
    assert_true(clock_monotonic_ms() - began_ms < 500);
}

static void test_a_resumed_server_without_a_readiness_probe_is_ready(void **state)
{
    (void)state;
    struct server *server = make_running();
    struct outcome outcome = {0};
    assert_true(server->ready);
    server_act(server, SERVER_ACTION_PAUSE, fixture_on_server, &outcome);
    server_act(server, SERVER_ACTION_RESUME, fixture_on_server, &outcome);
    assert_true(server->ready);
}

/* --- reload --- */

static struct settings *the_same(void)
{
    struct settings *again = fixture_settings(&fixture, 1);
    again->groups[0].base_port = group->base_port;
    for (size_t kind = 0; kind < PROBE_KIND_COUNT; kind++) {
        struct probe_settings *probe = &again->groups[0].probes[kind];
        free(probe->path);
        *probe = group->probes[kind];
        probe->path = xstrdup(group->probes[kind].path);
    }
    return again;
}

static void reload(struct settings *new_settings)
{
    struct outcome outcome = {0};
    farm_reload(fixture.farm, new_settings, fixture_on_done, &outcome);
    run_until(&fixture, outcome.calls > 0);
    assert_int_equal(outcome.code, 0);
    settings = new_settings;
    group = &settings->groups[0];
}

static void wait_ms(int64_t ms)
{
    int64_t end_ms = clock_monotonic_ms() + ms;
    run_until(&fixture, clock_monotonic_ms() >= end_ms);
}

static void test_a_reload_that_changes_no_probe_asks_nothing(void **state)
{
    (void)state;
    enable(PROBE_LIVENESS, 30000, 1000);
    make_running();
    run_until(&fixture, http.requests == 1);
    struct settings *again = the_same();
    again->groups[0].stop_grace_ms++;
    reload(again);
    wait_ms(1200); /* a schedule that begins anew asks within a second */
    assert_int_equal(http.requests, 1);

    again = the_same();
    again->groups[0].probes[PROBE_LIVENESS].retries++;
    reload(again);
    run_until(&fixture, http.requests == 2);
}

static void test_a_reload_that_ends_the_probes_ends_their_verdict(void **state)
{
    (void)state;
    enable(PROBE_LIVENESS, 20, 1000);
    enable(PROBE_READINESS, 30, 1000);
    group->probes[PROBE_LIVENESS].retries = 1000000;
    answer_with(503, "");
    struct server *server = make_running();
    run_until(&fixture, server->health == HEALTH_UNHEALTHY && !server->ready);

    struct settings *without = the_same();
    without->groups[0].probes[PROBE_READINESS].enabled = false;
    reload(without);
    assert_true(server->ready);
    assert_int_equal(server->health, HEALTH_UNHEALTHY);
    without = the_same();
    without->groups[0].probes[PROBE_LIVENESS].enabled = false;
    reload(without);
    assert_int_equal(server->health, HEALTH_UNKNOWN);
    assert_string_equal(server->health_error, "");
}

static void use_command(void)
{
    group->command = xcalloc(2, sizeof(char *));
    group->command[0] = xstrdup("/bin/any");
    fake_of(1)->stays_unready = true;
}

static void test_a_program_that_knows_no_pipe_is_probed_until_it_answers(void **state)
{
    (void)state;
    use_command();
    enable(PROBE_STARTUP, 30000, 3000);
    answer_with(503, "");
    fixture_make(&fixture, settings);
    farm_start(fixture.farm, NULL, NULL);
    run_until(&fixture, http.requests >= 3);
    assert_int_equal(fixture_state(&fixture, 1), SERVER_STARTING);
    answer_with(200, "");
    run_until(&fixture, fixture_state(&fixture, 1) == SERVER_RUNNING);
    assert_true(farm_server(fixture.farm, 1)->ready);
}

static void test_why_a_program_is_not_ready(void **state)
{
    (void)state;
    use_command();
    enable(PROBE_STARTUP, 30000, 3000);
    group->start_timeout_ms = 300;
    group->restart = RESTART_NEVER;
    answer_with(404, "");
    fixture_make(&fixture, settings);
    struct outcome outcome = {0};
    server_act(farm_server(fixture.farm, 1), SERVER_ACTION_START, fixture_on_server, &outcome);
    run_until(&fixture, outcome.calls);
    assert_string_equal(outcome.message,
                        "server-1 was not ready in time (300 ms; the probe of /health says: HTTP 404)");
}

static void test_a_program_that_fails_its_startup_probe_is_ended(void **state)
{
    (void)state;
    use_command();
    enable(PROBE_STARTUP, 10, 3000);
    group->probes[PROBE_STARTUP].retries = 3;
    group->start_timeout_ms = 60000;
    group->restart = RESTART_NEVER;
    answer_with(503, "");
    fixture_make(&fixture, settings);
    struct outcome outcome = {0};
    server_act(farm_server(fixture.farm, 1), SERVER_ACTION_START, fixture_on_server, &outcome);
    run_until(&fixture, outcome.calls);
    assert_int_equal(outcome.code, ETIMEDOUT);
    assert_int_equal(farm_server(fixture.farm, 1)->last_exit.reason, REASON_START_TIMEOUT);
}

static void test_a_program_that_knows_the_pipe(void **state)
{
    (void)state;
    use_command();
    enable(PROBE_STARTUP, 30000, 3000);
    answer_with(503, "");
    fixture_make(&fixture, settings);
    farm_start(fixture.farm, NULL, NULL);
    run_until(&fixture, fake_runs(1));
    fake_ready(1);
    run_until(&fixture, fixture_state(&fixture, 1) == SERVER_RUNNING);
    unsigned before = http.requests;
    int64_t until_ms = clock_monotonic_ms() + 100;
    run_until(&fixture, clock_monotonic_ms() >= until_ms);
    assert_true(http.requests <= before + 1);
}

static void test_a_program_without_a_startup_probe_is_ready_when_it_runs(void **state)
{
    (void)state;
    use_command();
    make_running();
    assert_int_equal(http.requests, 0);
}

static void test_phases_fill_the_interval(void **state)
{
    (void)state;
    make_running();
    unsigned slots[10] = {0};
    for (int id = 1; id <= 50; id++) {
        int64_t phase = probe_phase_ms(id, 30000);
        assert_in_range(phase, 0, 29999);
        slots[phase / 3000]++;
    }
    for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
        assert_in_range(slots[i], 4, 6);
}

static void on_stopped(void *data)
{
    *(bool *)data = true;
}

/* Leaving the farm with a probe on its way. */
static void test_a_probed_server_leaves(void **state)
{
    (void)state;
    enable(PROBE_LIVENESS, 10, 5000);
    http.answer[0] = '\0';
    make_running();
    run_until(&fixture, http.requests > 0);
    struct answer answer = {0};
    probe_once(&fixture.loop, farm_server(fixture.farm, 1), 50, on_probed, &answer);
    farm_stop(fixture.farm, on_stopped, &fixture.stopped);
    run_until(&fixture, fixture.stopped);
    farm_free(fixture.farm);
    fixture.farm = NULL;
    run_until(&fixture, answer.calls);
    assert_string_equal(answer.result.error, "timeout");
    assert_int_equal(answer.server_id, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_what_an_answer_means),
        TEST(test_no_answer),
        TEST(test_a_server_that_does_not_run_is_not_asked),
        TEST(test_one_request_serves_both),
        TEST(test_health_follows_the_answers),
        TEST(test_liveness_restarts),
        TEST(test_liveness_that_is_refused_was_not_waited_for),
        TEST(test_failures_in_the_start_period_do_not_count),
        TEST(test_readiness),
        TEST(test_a_paused_server_is_not_probed),
        TEST(test_a_resumed_server_is_probed_at_once),
        TEST(test_a_resumed_server_without_a_readiness_probe_is_ready),
        TEST(test_a_reload_that_changes_no_probe_asks_nothing),
        TEST(test_a_reload_that_ends_the_probes_ends_their_verdict),
        TEST(test_a_program_that_knows_no_pipe_is_probed_until_it_answers),
        TEST(test_why_a_program_is_not_ready),
        TEST(test_a_program_that_fails_its_startup_probe_is_ended),
        TEST(test_a_program_that_knows_the_pipe),
        TEST(test_a_program_without_a_startup_probe_is_ready_when_it_runs),
        TEST(test_phases_fill_the_interval),
        TEST(test_a_probed_server_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
