/*
 * supervisor/runtime/docker/engine: calls over a Unix socket to an Engine played by a thread, which answers each connection
 * by a script.
 */
#include "supervisor/runtime/docker/engine.h"

#include "core/memory.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    char directory[32], path[64];
    int listener;
    pthread_t thread;
    const char *answer;              /* to every request; NULL: the connection is closed */
    const char *answer_to_versioned; /* to those whose path has a version in front; NULL: likewise `answer` */
    bool by_bytes;
    char requests[4096];
} fake;

static struct engine_address address;

static void send_all(int fd, const char *text)
{
    size_t length = strlen(text), step = fake.by_bytes ? 1 : length;

    for (size_t i = 0; i < length; i += step)
        if (send(fd, text + i, step, MSG_NOSIGNAL) < 0)
            return;
}

/* Requests of tests have no body, or come in one piece. */
static void *serve(void *data)
{
    char request[2048];
    int fd;

    (void)data;
    while ((fd = accept4(fake.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        ssize_t n;
        while ((n = recv(fd, request, sizeof(request) - 1, 0)) > 0) {
            request[n] = '\0';
            strncat(fake.requests, request, sizeof(fake.requests) - strlen(fake.requests) - 1);
            if (!fake.answer)
                break;
            bool versioned = strstr(request, " /v") && fake.answer_to_versioned;
            send_all(fd, versioned ? fake.answer_to_versioned : fake.answer);
        }
        close(fd);
    }
    return NULL;
}

static int set_up(void **state)
{
    (void)state;
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    struct error err;

    memset(&fake, 0, sizeof(fake));
    snprintf(fake.directory, sizeof(fake.directory), "/tmp/farmd-engine-XXXXXX");
    assert_non_null(mkdtemp(fake.directory));
    snprintf(fake.path, sizeof(fake.path), "%s/s", fake.directory);
    snprintf(where.sun_path, sizeof(where.sun_path), "%s", fake.path);
    fake.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fake.listener, (struct sockaddr *)&where, sizeof(where)), 0);
    assert_int_equal(listen(fake.listener, 16), 0);
    assert_int_equal(pthread_create(&fake.thread, NULL, serve, NULL), 0);
    char *host = xasprintf("unix://%s", fake.path);
    assert_int_equal(engine_find(host, &address, &err), 0);
    free(host);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    shutdown(fake.listener, SHUT_RDWR);
    pthread_join(fake.thread, NULL);
    close(fake.listener);
    unlink(fake.path);
    rmdir(fake.directory);
    return 0;
}

#define ANSWER(STATUS, LENGTH, BODY) "HTTP/1.1 " STATUS "\r\nContent-Length: " LENGTH "\r\n\r\n" BODY

static int ask(const char *method, struct error *err)
{
    const struct engine_call call = {.method = method, .path = "/x", .timeout_ms = 5000};
    return engine_ask(&address, &call, NULL, err);
}

/* --- where it is --- */

static void finds_the_socket(void **state)
{
    (void)state;
    struct engine_address where;
    struct error err;

    assert_int_equal(engine_find(NULL, &where, &err), 0);
    assert_string_equal(where.socket, "/var/run/docker.sock");
    assert_int_equal(engine_find("", &where, &err), 0);
    assert_int_equal(engine_find("unix:///run/a.sock", &where, &err), 0);
    assert_string_equal(where.socket, "/run/a.sock");
    static const char *const refused[][2] = {
        {"tcp://1.2.3.4:2376", "with TLS"},      {"https://1.2.3.4:2376", "with TLS"},       {"ssh://host", "SSH"},
        {"unix://relative", "no absolute path"}, {"/var/run/docker.sock", "no Unix socket"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        assert_int_equal(engine_find(refused[i][0], &where, &err), -EINVAL);
        assert_non_null(strstr(err.message, refused[i][1]));
        assert_non_null(strstr(err.message, "fix:"));
    }
    char *too_long = xasprintf("unix:///%0120d", 0);
    assert_int_equal(engine_find(too_long, &where, &err), -EINVAL);
    free(too_long);
}

/* --- the version --- */

static void connect_to(const char *answer, int code, const char *version_or_words)
{
    struct error err = {0};

    fake.answer = answer;
    assert_int_equal(engine_connect(&address, &err), code);
    if (code == 0)
        assert_string_equal(address.version, version_or_words);
    else if (!strstr(err.message, version_or_words))
        fail_msg("\"%s\" lacks \"%s\"", err.message, version_or_words);
}

#define PONG(VERSION) "HTTP/1.1 200 OK\r\nApi-Version: " VERSION "\r\nContent-Length: 2\r\n\r\nOK"

static void settles_the_version(void **state)
{
    (void)state;
    connect_to(PONG("1.41"), 0, "1.41");
    connect_to(PONG("1.43"), 0, "1.43");
    connect_to(PONG("1.44"), 0, "1.44");
    connect_to(PONG("1.100"), 0, "1.44");
    connect_to("HTTP/1.1 200 OK\r\napi-version:1.42\r\nOstype: linux\r\nContent-Length: 2\r\n\r\nOK", 0, "1.42");
    connect_to(PONG("1.9"), -EPROTO, "1.41 is needed");
    connect_to(PONG("1.40"), -EPROTO, "1.41 is needed");
    connect_to(ANSWER("200 OK", "2", "OK"), -EPROTO, "tells no version");
    connect_to(PONG("x"), -EPROTO, "no Docker Engine");
    connect_to(PONG("1.44/../.."), -EPROTO, "no Docker Engine");
    connect_to(PONG("1.123456789012345678901234567890123456789012345678901234567890123456789"), -EPROTO,
               "no Docker Engine");
    connect_to(ANSWER("500 Oops", "20", "{\"message\":\"broken\"}"), -EPROTO, "broken");
}

static void follows_an_engine_that_has_given_old_versions_up(void **state)
{
    (void)state;
    fake.answer_to_versioned = ANSWER("400 Bad Request", "43", "{\"message\":\"client version 1.44 is too old\"}");
    connect_to(PONG("1.60"), 0, "1.60");
}

static void asks_for_the_version_without_one(void **state)
{
    (void)state;
    connect_to(PONG("1.41"), 0, "1.41");
    assert_non_null(strstr(fake.requests, "GET /_ping HTTP/1.1\r\n"));
    connect_to(PONG("1.44"), 0, "1.44"); /* also when one was settled before: another Engine may be there now */
    assert_null(strstr(fake.requests, "GET /v"));
}

static void every_path_has_the_version(void **state)
{
    (void)state;
    struct error err;

    connect_to(PONG("1.41"), 0, "1.41");
    fake.answer = ANSWER("200 OK", "2", "{}");
    assert_int_equal(ask("GET", &err), 0);
    assert_non_null(strstr(fake.requests, "GET /v1.41/x HTTP/1.1\r\n"));
}

/* --- answers --- */

static void tells_what_came_of_a_call(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int code;
        const char *words;
    } rows[] = {
        {ANSWER("200 OK", "2", "{}"), 0, ""},
        {"HTTP/1.1 204 No Content\r\n\r\n", 0, ""},
        {"HTTP/1.1 304 Not Modified\r\n\r\n", 0, ""},
        {ANSWER("404 Not Found", "24", "{\"message\":\"no such x\"} "), -ENOENT, "no such x"},
        {ANSWER("409 Conflict", "2", "{}"), -EBUSY, "HTTP 409"},
        {ANSWER("500 Oops", "4", "oops"), -EIO, "HTTP 500"},
        {NULL, -ENOTCONN, "does not answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{}", -ETIMEDOUT, "does not answer"},
        {"SSH-2.0-x\r\n\r\n", -EPROTO, "does not answer"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
            const struct engine_call call = {.method = "POST", .path = "/x", .timeout_ms = i == 7 ? 200 : 5000};
            struct error err = {0};
            fake.answer = rows[i].answer;
            fake.by_bytes = by_bytes;
            assert_int_equal(engine_ask(&address, &call, NULL, &err), rows[i].code);
            if (!strstr(err.message, rows[i].words))
                fail_msg("\"%s\" lacks \"%s\"", err.message, rows[i].words);
        }
    }
}

static void several_lines_are_an_array(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int lines; /* -1: it is no array */
    } rows[] = {
        {ANSWER("200 OK", "0", ""), -1},
        {ANSWER("200 OK", "9", "{\"a\":1} \n"), -1},
        {ANSWER("200 OK", "17", "{\"a\":1}\n{\"b\":2}\r\n"), 2},
        {ANSWER("200 OK", "21", "{\"a\":1}\n{\"b\":2}\n{\"cut"), 2},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct engine_call call = {.method = "GET", .path = "/x", .timeout_ms = 5000};
        cJSON *json = NULL;
        struct error err;
        fake.answer = rows[i].answer;
        assert_int_equal(engine_ask(&address, &call, &json, &err), 0);
        assert_int_equal(cJSON_IsArray(json) ? cJSON_GetArraySize(json) : -1, rows[i].lines);
        cJSON_Delete(json);
    }
}

/* --- many --- */

static unsigned answered;

static void on_answered(void *data, const struct engine_answer *answer)
{
    (void)data;
    answered += answer->code == 0;
}

static void a_call_of_many_is_answered_once(void **state)
{
    (void)state;
    const struct engine_call call = {.method = "GET", .path = "/x", .done = on_answered, .timeout_ms = 20000};
    struct engine_call urgent = call;
    uv_loop_t loop;

    urgent.urgent = true;
    answered = 0;
    fake.answer = ANSWER("200 OK", "2", "{}") "";
    uv_loop_init(&loop);
    struct engine *engine = engine_new(&loop, &address);
    engine_send(engine, &urgent);
    assert_int_equal(answered, 0); /* never from inside */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answered, 1);
    engine_send(engine, &call);
    engine_send(engine, &urgent);
    engine_free(engine); /* nothing comes any more */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answered, 1);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_socket),
        cmocka_unit_test_setup_teardown(settles_the_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(follows_an_engine_that_has_given_old_versions_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asks_for_the_version_without_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_path_has_the_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tells_what_came_of_a_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_lines_are_an_array, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_call_of_many_is_answered_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
