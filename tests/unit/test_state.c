/*
 * The text of a state: everything comes back as it was written, and nothing else is taken for one.
 */
#include "supervisor/farm/state.h"

#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error err;

static struct state_server full_server(void)
{
    return (struct state_server){
        .id = 7,
        .group = "web",
        .wanted = STATE_PAUSED,
        .fingerprint = UINT64_C(0xfedcba9876543210),
        .port = 8007,
        .pid = 4242,
        .start_time = INT64_MAX,
        .started_at_us = 1,
        .started_at_ms = 2,
        .running_since_ms = 3,
        .healthy_since_ms = 4,
        .not_ready = 1,
        .restarts = UINT32_MAX,
        .failures = 5,
        .streak_began_ms = 9,
        .oom_kills = 6,
        .oom_seen = 10,
        .exit_known = true,
        .exit_reason = REASON_OOM_KILLED,
        .exit_code = 0,
        .exit_signal = 9,
        .exit_oom_killed = 1,
        .exit_at_us = 8,
        .limits_by_hand = 1,
        .limits = {.cpu = 1.0 / 3, .memory = 300 << 20, .cpu_reservation = 0.1, .memory_reservation = 5, .pids = 77},
        .error = "was OOM-killed (at its limit of 256 MB) pid=1 = \xc3\xa4",
    };
}

static char *write_state(const struct state_server *servers, size_t count)
{
    struct buffer out = BUFFER_EMPTY;
    state_begin(&out, 1234567890123456, true, "cgroup1");
    state_add_place(&out, "/sys/fs/cgroup/a b/farmd");
    state_add_group(&out, &(struct state_group){.name = "web", .count = 52, .scaled_from = 50});
    for (size_t i = 0; i < count; i++)
        state_add_server(&out, &servers[i]);
    state_end(&out);
    return buffer_detach(&out);
}

static int parse(const char *text, struct state **state)
{
    cleanup_free char *copy = xstrdup(text);
    return state_parse(copy, strlen(copy), state, &err);
}

static void test_comes_back_as_it_was(void **state)
{
    (void)state;
    struct state_server servers[] = {full_server(), state_server_empty()};
    servers[1].id = 8;
    servers[1].port = 1;
    servers[1].wanted = STATE_STOPPED;
    strcpy(servers[1].group, "a");
    servers[1].limits = servers[0].limits;
    cleanup_free char *text = write_state(servers, 2);
    struct state *found = NULL;
    assert_int_equal(parse(text, &found), 0);
    assert_int_equal(found->farm_started_at_us, 1234567890123456);
    assert_string_equal(found->enforcement, "cgroup1");
    assert_true(found->stopping);
    assert_int_equal(found->place_count, 1);
    assert_string_equal(found->places[0], "/sys/fs/cgroup/a b/farmd");
    assert_int_equal(found->group_count, 1);
    assert_string_equal(found->groups[0].name, "web");
    assert_int_equal(found->groups[0].count, 52);
    assert_int_equal(found->groups[0].scaled_from, 50);
    assert_int_equal(found->server_count, 2);
    assert_memory_equal(&found->servers[0], &servers[0], sizeof(servers[0]));
    assert_memory_equal(&found->servers[1], &servers[1], sizeof(servers[1]));
    state_free(found);
}

static void test_a_text_cannot_leave_its_line(void **state)
{
    (void)state;
    struct state_server server = full_server();
    strcpy(server.error, "one\nserver 9 x running\tend");
    cleanup_free char *text = write_state(&server, 1);
    struct state *found = NULL;
    assert_int_equal(parse(text, &found), 0);
    assert_int_equal(found->server_count, 1);
    assert_string_equal(found->servers[0].error, "one server 9 x running end");
    state_free(found);
}

static void test_cut_off_anywhere(void **state)
{
    (void)state;
    struct state_server server = full_server();
    cleanup_free char *text = write_state(&server, 1);
    for (size_t length = strlen(text) - 1; length > 0; length--) {
        struct state *found = NULL;
        text[length] = '\0';
        if (parse(text, &found) >= 0)
            fail_msg("taken for whole: %s", text);
        assert_null(found);
    }
    assert_int_equal(parse("", &(struct state *){NULL}), -EBADMSG);
    assert_string_equal(err.message, "is empty");
}

/* One word of a good text replaced by another. */
static void expect_refused(const char *word, const char *by)
{
    struct state_server server = full_server();
    cleanup_free char *text = write_state(&server, 1);
    char *at = strstr(text, word);
    assert_non_null(at);
    cleanup_free char *changed = xasprintf("%.*s%s%s", (int)(at - text), text, by, at + strlen(word));
    struct state *found = NULL;
    if (parse(changed, &found) >= 0)
        fail_msg("taken: %s", changed);
}

static void test_what_no_farmd_writes(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"server 7", "server 0"},
        {"server 7", "server 9999999999"},
        {"server 7", "server -7"},
        {"server 7", "server  7"},
        {"server 7", "servers 7"},
        {" web paused", " paused"},
        {" web paused", " web sleeping"},
        {"settings=", "settings=g"},
        {"port=8007", "port=0"},
        {"port=8007", "port=65536"},
        {"port=8007", "port=8007 colour=3"},
        {"port=8007", "port=+8007"},
        {"pid=4242", "pid=1"},
        {"pid=4242", "pid=0"},
        {"pid=4242", "pid=99999999999"},
        {"pid=4242 ", ""},
        {"place /", "place "},
        {"started_ms=2", "started_ms=9000000000000000000"},
        {"running_ms=3", "running_ms=9000000000000000000"},
        {"healthy_ms=4", "healthy_ms=9000000000000000000"},
        {"streak_ms=9", "streak_ms=9000000000000000000"},
        {" started_us=1 ", " started_us=253402300800000000 "},
        {"exit_us=8", "exit_us=253402300800000000"},
        {"oom_kills=6", "oom_kills=9223372036854775807"},
        {"stopping=1", "stopping=2"},
        {"exit=OOMKilled", "exit=Sneezed"},
        {"limits=0.3", "limits=-0.3"},
        {"limits=0.3", "limits=nan"},
        {",77", ""},
        {"count=52", "count=52 x"},
        {"enforcement=cgroup1", "enforcement=12345678901234567890"},
        {"end\n", "end\nend\n"},
        {"end\n", "end\nx"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
        expect_refused(changes[i][0], changes[i][1]);
}

static void test_the_same_server_twice(void **state)
{
    (void)state;
    struct state_server servers[] = {full_server(), full_server()};
    cleanup_free char *text = write_state(servers, 2);
    struct state *found = NULL;
    assert_int_equal(parse(text, &found), -EBADMSG);
}

static void test_versions_and_boots(void **state)
{
    (void)state;
    struct state *found = NULL;
    assert_int_equal(parse("farmd-state 3\nsomething new\n", &found), -EPROTO);
    assert_non_null(strstr(err.message, "newer"));
    assert_int_equal(parse("farmd-state 1\nboot x\nend\n", &found), -EPROTO);
    assert_int_equal(parse("farmd-state 2\nboot 00000000-0000-0000-0000-000000000000\nend\n", &found), -ESTALE);
    assert_non_null(strstr(err.message, "boot"));
}

static void test_bytes_of_any_kind(void **state)
{
    (void)state;
    struct state_server server = full_server();
    struct state *found = NULL;
    unsigned random = 1;
    for (int round = 0; round < 2000; round++) {
        cleanup_free char *text = write_state(&server, 1);
        size_t length = strlen(text);
        for (int i = 0; i < 3; i++) {
            random = random * 1103515245 + 12345;
            text[(random >> 8) % length] = (char)(random >> 24);
        }
        if (state_parse(text, length, &found, &err) == 0) /* a changed figure is a figure */
            state_free(found);
    }
    assert_int_equal(state_parse((char[]){"farmd-state 2\n\0\n"}, 16, &found, &err), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back_as_it_was),  cmocka_unit_test(test_a_text_cannot_leave_its_line),
        cmocka_unit_test(test_cut_off_anywhere),      cmocka_unit_test(test_what_no_farmd_writes),
        cmocka_unit_test(test_the_same_server_twice), cmocka_unit_test(test_versions_and_boots),
        cmocka_unit_test(test_bytes_of_any_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
