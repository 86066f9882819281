/* http/answer: where an answer ends, however its bytes come, and what is none. */
#include "http/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static enum http_answer_state feed(struct http_answer *answer, const char *text)
{
    return http_answer_feed(answer, text, strlen(text));
}

static void a_whole_answer_at_once(void **state)
{
    (void)state;
    struct http_answer answer;
    http_answer_init(&answer, false);
    assert_int_equal(feed(&answer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), HTTP_ANSWER_DONE);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_bytes, 2);
    assert_true(answer.reusable);
}

static void byte_by_byte_and_one_after_the_other(void **state)
{
    (void)state;
    static const char TEXT[] = "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    struct http_answer answer;
    http_answer_init(&answer, false);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i + 1 < strlen(TEXT); i++)
            assert_int_equal(http_answer_feed(&answer, TEXT + i, 1), HTTP_ANSWER_MORE);
        assert_int_equal(http_answer_feed(&answer, TEXT + strlen(TEXT) - 1, 1), HTTP_ANSWER_DONE);
        assert_int_equal(answer.status, 503);
        assert_int_equal(answer.body_bytes, 3);
        assert_true(answer.reusable);
        http_answer_next(&answer);
    }
}

static void some_have_no_body(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n",
                                        "HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct http_answer answer;
        http_answer_init(&answer, false);
        assert_int_equal(feed(&answer, TEXTS[i]), HTTP_ANSWER_DONE);
    }
    struct http_answer head;
    http_answer_init(&head, true);
    assert_int_equal(feed(&head, "HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n"), HTTP_ANSWER_DONE);
    assert_true(head.reusable);
}

static void interim_answers_are_not_the_answer(void **state)
{
    (void)state;
    struct http_answer answer;
    http_answer_init(&answer, false);
    assert_int_equal(feed(&answer, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: a\r\n\r\n"), HTTP_ANSWER_MORE);
    assert_int_equal(answer.status, 0);
    assert_int_equal(feed(&answer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), HTTP_ANSWER_DONE);
    assert_int_equal(answer.status, 200);

    http_answer_next(&answer);
    assert_int_equal(feed(&answer, "HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), HTTP_ANSWER_BAD);
}

static void the_peer_may_not_keep_the_connection(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                                        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more"};
    for (size_t i = 0; i < 3; i++) {
        struct http_answer answer;
        http_answer_init(&answer, false);
        assert_int_equal(feed(&answer, TEXTS[i]), HTTP_ANSWER_DONE);
        assert_false(answer.reusable);
    }
}

static void closing_ends_a_body_without_a_length(void **state)
{
    (void)state;
    struct http_answer answer;
    http_answer_init(&answer, false);
    assert_int_equal(feed(&answer, "HTTP/1.1 200 OK\r\n\r\nsome"), HTTP_ANSWER_MORE);
    assert_int_equal(http_answer_end(&answer), HTTP_ANSWER_DONE);
    assert_int_equal(answer.body_bytes, 4);
    assert_false(answer.reusable);
}

static void closing_cuts_everything_else(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"};
    for (size_t i = 0; i < 4; i++) {
        struct http_answer answer;
        http_answer_init(&answer, false);
        if (TEXTS[i][0] != '\0')
            assert_int_equal(feed(&answer, TEXTS[i]), HTTP_ANSWER_MORE);
        assert_int_equal(answer.begun, TEXTS[i][0] != '\0');
        assert_int_equal(http_answer_end(&answer), HTTP_ANSWER_BAD);
    }
}

static void garbage_is_no_answer(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"hello\r\n", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "\x16\x03\x01"};
    for (size_t i = 0; i < 5; i++) {
        struct http_answer answer;
        http_answer_init(&answer, false);
        assert_int_equal(feed(&answer, TEXTS[i]), HTTP_ANSWER_BAD);
    }
}

static void an_endless_head_is_no_answer(void **state)
{
    (void)state;
    static const char LINE[] = "X-Filler: 0123456789012345678901234567890123456789\r\n";
    struct http_answer answer;
    http_answer_init(&answer, false);
    size_t fed = 0;
    assert_int_equal(feed(&answer, "HTTP/1.1 200 OK\r\n"), HTTP_ANSWER_MORE);
    while (feed(&answer, LINE) == HTTP_ANSWER_MORE) {
        fed += strlen(LINE);
        assert_true(fed <= HTTP_ANSWER_MAX_HEAD);
    }
    assert_true(fed > HTTP_ANSWER_MAX_HEAD - 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_answer_at_once),
        cmocka_unit_test(byte_by_byte_and_one_after_the_other),
        cmocka_unit_test(some_have_no_body),
        cmocka_unit_test(interim_answers_are_not_the_answer),
        cmocka_unit_test(the_peer_may_not_keep_the_connection),
        cmocka_unit_test(closing_ends_a_body_without_a_length),
        cmocka_unit_test(closing_cuts_everything_else),
        cmocka_unit_test(garbage_is_no_answer),
        cmocka_unit_test(an_endless_head_is_no_answer),
    };
    return cmocka_run_group_tests_name("http answer", tests, NULL, NULL);
}
