/*
 * Selections of servers, good and bad: ids, conditions and both together.
 */
#include "supervisor/farm/selector.h"

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

/* Ids 1 to 10, 20 and 21: the odd ones are of zone a, the even ones of zone b; 20 and 21 are of a group without labels. */
static struct key_value zone_a[] = {{"zone", "a"}, {"tier", "web"}}, zone_b[] = {{"zone", "b"}};
static struct group_settings groups[] = {{.name = "odd", .labels = zone_a, .label_count = 2},
                                         {.name = "even", .labels = zone_b, .label_count = 1},
                                         {.name = "plain"}};
static const int known[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 21};
#define KNOWN (sizeof(known) / sizeof(known[0]))
static struct server servers[KNOWN];
static struct server *farm[KNOWN];

static int make_farm(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN; i++) {
        struct server *server = farm[i] = &servers[i];
        *server = (struct server){.id = known[i], .port = (uint16_t)(8000 + known[i])};
        server->group = &groups[known[i] > 10 ? 2 : known[i] % 2 ? 0 : 1];
        server->lifecycle.state = SERVER_RUNNING;
        server->health = HEALTH_HEALTHY;
        server->stats =
            (struct server_stats){.cpu_percent = 10.0 * (double)i, .memory = i << 20, .have_requests = true};
        server->stats.memory_percent = (double)i;
        server->restarts = (unsigned)i % 3;
    }
    return 0;
}

static void expect(const char *text, const char *ids)
{
    int chosen[KNOWN];
    struct error err = {0};
    struct selector *selector;
    char got[128] = "";
    if (selector_parse(text, &selector, &err) < 0)
        fail_msg("\"%s\": %s", text, err.message);
    int count = selector_choose(selector, farm, KNOWN, chosen, &err);
    selector_free(selector);
    if (count < 0)
        fail_msg("\"%s\": %s", text, err.message);
    for (int i = 0; i < count; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%d", i ? " " : "", chosen[i]);
    if (strcmp(got, ids) != 0)
        fail_msg("\"%s\" chooses %s and not %s", text, got, ids);
}

static void expect_refused(const char *text, int code, const char *message)
{
    int chosen[KNOWN];
    struct error err = {0};
    struct selector *selector;
    int rc = selector_parse(text, &selector, &err);
    if (rc == 0) {
        rc = selector_choose(selector, farm, KNOWN, chosen, &err);
        selector_free(selector);
    }
    if (rc != -code || !strstr(err.message, message))
        fail_msg("\"%s\": %d \"%s\" does not say \"%s\"", text, rc, err.message, message);
}

static void test_ids(void **state)
{
    (void)state;
    expect("7", "7");
    expect("server-7", "7");
    expect("1-3", "1 2 3");
    expect("1-3,20", "1 2 3 20");
    expect("server-1-server-3", "1 2 3");
    expect("20, 3 - 5 ,4", "3 4 5 20");
    expect("5,5,5-5", "5");
    expect("all", "1 2 3 4 5 6 7 8 9 10 20 21");
    expect("all,3", "1 2 3 4 5 6 7 8 9 10 20 21");
    expect("007", "7");
}

static void test_not_of_the_farm(void **state)
{
    (void)state;
    expect_refused("11", ENOENT, "no such server: 11; there are 1-10, 20-21");
    expect_refused("9-21", ENOENT, "no such server: 11-19");
    expect_refused("0-2,11,22-99", ENOENT, "no such server: 0, 11, 22-99");
    expect_refused("1-999999999", ENOENT, "11-19, 22-999999999");
    expect_refused("99999999999999999999999", ENOENT, "no such server");
    expect_refused("30,31,32,33,34,35,36,37,38,39", ENOENT, "30, 31, 32, 33, 34, 35, 36, 37, …");
    expect_refused("99,state:running", ENOENT, "no such server: 99");
}

static void test_not_understood(void **state)
{
    (void)state;
    const char *const bad[] = {"",    " ",   ",",       "1,",      ",1", "-1",   "1-",  "1--2", "x",     "1x",
                               "1.5", "1 2", "server-", "server7", "+1", "alle", "ALL", "0x1",  "1-2-3", "1;2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_refused(bad[i], EINVAL, "");
    expect_refused("10-1", EINVAL, "write it as 1-10");
    expect_refused("1,frog", EINVAL, "\"frog\"");
}

static void test_words(void **state)
{
    (void)state;
    servers[1].lifecycle.state = SERVER_BACKOFF;
    servers[1].health = HEALTH_UNKNOWN;
    servers[2].lifecycle.state = SERVER_FAILED;
    servers[3].health = HEALTH_UNHEALTHY;
    expect("state:backoff", "2");
    expect("state:backoff,state:failed", "2 3");
    expect("state:unhealthy", "4");
    expect("state=Unhealthy", "4");
    expect("health:unknown", "2");
    expect("1-4,state:running", "1 4");
    expect("1-4,state!=running", "2 3");
    expect("1-4,state:running,health:healthy", "1");
    expect("group:plain", "20 21");
    expect("group:web", "");
    expect("state:stopped", "");
    make_farm(NULL);
}

static void test_labels(void **state)
{
    (void)state;
    expect("zone=a", "1 3 5 7 9");
    expect("zone=a,zone=b", "1 2 3 4 5 6 7 8 9 10");
    expect("zone=a,tier=web", "1 3 5 7 9");
    expect("zone=b,tier=web", "");
    expect("zone!=a", "2 4 6 8 10 20 21");
    expect("zone!=a,zone!=b", "20 21");
    expect("zone=", "");
    expect("1-5,zone=a", "1 3 5");
    expect("label:zone=a", "1 3 5 7 9");
    expect("label:cpu=a", "");
    expect("label:zone!=a,zone!=b", "20 21");
    expect_refused("label:zone", EINVAL, "\"zone\" is not a label; write zone=a");
    expect_refused("label:zone:a", EINVAL, "is not a label");
    expect_refused("label:cpu>5", EINVAL, "is not a label");
    expect_refused("label:=a", EINVAL, "is not a label");
}

static void test_figures(void **state)
{
    (void)state;
    servers[11].lifecycle.state = SERVER_STOPPED; /* has no figures, so no comparison holds */
    expect("cpu>80", "10 20");
    expect("cpu>=80%", "9 10 20");
    expect("cpu>10,cpu<40", "3 4");
    expect("cpu=0", "1");
    expect("memory>8", "10 20");
    expect("memory>8M", "10 20");
    expect("memory<=1M", "1 2");
    expect("restarts>1,1-6", "3 6");
    expect("restarts!=0,1-3", "2 3");
    expect("port=8007", "7");
    expect("uptime>5m", "");
    servers[0].stats.p99_us = 12500;
    expect("p99>10", "1");
    expect("p99>10ms", "1");
    expect("p99>1s", "");
    make_farm(NULL);
}

static void test_bad_conditions(void **state)
{
    (void)state;
    expect_refused("state:unhelthy", EINVAL, "did you mean state:unhealthy?");
    expect_refused("state:x", EINVAL, "there are running, starting");
    expect_refused("state:", EINVAL, "the state is missing");
    expect_refused("state>3", EINVAL, "state is no number");
    expect_refused("cpu:80", EINVAL, "write 'cpu>80' in quotes");
    expect_refused("cpu>lots", EINVAL, "\"lots\" is not a number");
    expect_refused("cpu>", EINVAL, "is not a number");
    expect_refused("cpu>-1", EINVAL, "is not a number");
    expect_refused("cpu>nan", EINVAL, "is not a number");
    expect_refused("cpu>5m", EINVAL, "is not a number");
    expect_refused("cpu", EINVAL, "the shell takes a bare >");
    expect_refused("cup>80", EINVAL, "did you mean cpu?");
    expect_refused("colour>80", EINVAL, "there is no \"colour\" to select by");
    expect_refused("colour:red", EINVAL, "there is no \"colour\" to select by");
}

static void test_bounds(void **state)
{
    (void)state;
    char many[SELECTOR_TEXT_MAX + 10] = "1";
    for (int i = 0; i < 33; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), ",cpu>1");
    expect_refused(many, EINVAL, "more than 32 conditions");
    memset(many, '1', sizeof(many) - 1);
    expect_refused(many, EINVAL, "at most 4000 characters");
    many[300] = '\0';
    expect_refused(many, EINVAL, "longer than");
    many[100] = '=';
    expect_refused(many, EINVAL, "longer than");
    many[255] = '\0';
    expect_refused(many, EINVAL, "the name is longer than 63");
}

static void test_words_to_offer(void **state)
{
    (void)state;
    struct error err;
    size_t count = 0;
    for (; selector_word(count); count++) {
        const char *word = selector_word(count);
        size_t length = strlen(word);
        char text[64];
        snprintf(text, sizeof(text), "%s%s", word, word[length - 1] == '>' ? "1" : word[length - 1] == ':' ? "x" : "");
        struct selector *selector;
        assert_int_equal(selector_parse(text, &selector, &err), 0);
        assert_true(selector_is_filter(selector));
        selector_free(selector);
    }
    assert_true(count > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),    cmocka_unit_test(test_not_of_the_farm), cmocka_unit_test(test_not_understood),
        cmocka_unit_test(test_words),  cmocka_unit_test(test_labels),          cmocka_unit_test(test_figures),
        cmocka_unit_test(test_bounds), cmocka_unit_test(test_bad_conditions),  cmocka_unit_test(test_words_to_offer),
    };
    return cmocka_run_group_tests(tests, make_farm, NULL);
}
