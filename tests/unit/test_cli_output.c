/* supervisor/cli/frame: addresses, text on a terminal, tables that fit, and the forms of output. */
#include "core/memory.h"
#include "supervisor/cli/frame/address.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/render.h"
#include "supervisor/cli/frame/table.h"
#include "supervisor/cli/frame/text.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* --- addresses --- */

static void understands_addresses(void **state)
{
    (void)state;
    static const char *const forms[][2] = {
        {"http://localhost:8000", "http://localhost:8000"},
        {"http://build-box:9000/", "http://build-box:9000"},
        {"build-box", "http://build-box:8000"},
        {":9001", "http://localhost:9001"},
        {"9001", "http://localhost:9001"},
        {"10.1.2.3:80", "http://10.1.2.3:80"},
        {"[::1]:8000", "http://[::1]:8000"},
        {"http://[fe80::1]/", "http://[fe80::1]:8000"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct address address;
        struct error err;
        if (address_parse(forms[i][0], "--api", &address, &err) < 0)
            fail_msg("%s", err.message);
        assert_string_equal(address.url, forms[i][1]);
    }
    static const char *const bad[] = {
        "",        "http://",       "ftp://x",         "https://x",       "x:0",  "x:65536", "x:port",
        "x:80/v1", "http://x/path", "http://u@x:8000", "http://x y:8000", "[::1", "x?y",     "x:",
        "0",       "65536",         "9001/v1"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct address address;
        struct error err;
        if (address_parse(bad[i], "--api", &address, &err) == 0)
            fail_msg("\"%s\" became %s", bad[i], address.url);
        assert_memory_equal(err.message, "--api: \"", 8);
    }
}

static void reaches_listeners_on_every_address(void **state)
{
    (void)state;
    static const char *const hosts[][2] = {{"0.0.0.0", "http://localhost:8000"},
                                           {"::", "http://localhost:8000"},
                                           {"localhost", "http://localhost:8000"},
                                           {"::1", "http://[::1]:8000"}};
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        struct address address;
        address_of_listener(hosts[i][0], 8000, &address);
        assert_string_equal(address.url, hosts[i][1]);
    }
}

/* --- text --- */

static void assert_cut(const char *text, size_t columns, const char *expected)
{
    struct buffer out = BUFFER_EMPTY;
    buffer_append_text(&out, "");
    text_append(&out, text, columns);
    assert_string_equal(out.data, expected);
    assert_true(text_columns(out.data) <= columns);
    buffer_done(&out);
}

static void cuts_text_by_characters(void **state)
{
    (void)state;
    assert_cut("plain", 5, "plain");
    assert_cut("plain", 4, "pla…");
    assert_cut("plain", 1, "…");
    assert_cut("plain", 0, "");
    assert_cut("größer", 6, "größer");
    assert_cut("größer", 4, "grö…");
    assert_cut("\033[31mred\a\n", 20, " [31mred  "); /* nothing of it steers the terminal */
}

static void reads_times_of_the_api(void **state)
{
    (void)state;
    assert_true(text_parse_time("1970-01-01T00:00:01.250000+00:00") == 1250000);
    assert_true(text_parse_time("2026-11-23T08:30:00.123456+00:00") == INT64_C(1795422600123456));
    assert_true(text_parse_time("2026-11-23") == 0);
    assert_true(text_parse_time("soon") == 0);
}

static int64_t ago_ms(const char *text)
{
    int64_t age_ms = -1; /* as of 2026-11-23 08:30:00.5 */
    int code = text_parse_ago(text, INT64_C(1795422600500000), &age_ms);
    assert_true(code == 0 || (code == -EINVAL && age_ms == -1));
    return age_ms;
}

static void reads_times_of_people(void **state)
{
    (void)state;
    const int64_t day_ms = INT64_C(86400000), half_ms = 500;
    setenv("TZ", "UTC", 1);
    tzset();
    assert_int_equal(ago_ms("08:00"), 30 * 60000 + half_ms);
    assert_int_equal(ago_ms("08:29:59"), 1000 + half_ms);
    assert_int_equal(ago_ms("09:30"), day_ms - 60 * 60000 + half_ms); /* yesterday's, the last one that was */
    assert_int_equal(ago_ms("2026-11-22"), day_ms + 510 * 60000 + half_ms);
    assert_int_equal(ago_ms("2026-11-22 08:30"), day_ms + half_ms);
    assert_int_equal(ago_ms("2026-11-22T08:30:30"), day_ms - 30000 + half_ms);
    assert_int_equal(ago_ms("2026-11-23T08:30:00.250000+00:00"), 250);
    setenv("TZ", "XXX-2", 1); /* two hours before UTC: 10:30 there */
    tzset();
    assert_int_equal(ago_ms("10:00"), 30 * 60000 + half_ms);
    static const char *const bad[] = {"", "soon", "25:00", "08:60", "2026-13-01", "2027-01-01", "08:00 ", "1", "08"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(ago_ms(bad[i]), -1);
    unsetenv("TZ");
    tzset();
}

/* --- tables --- */

static const struct table_column columns[] = {
    {.title = "ID", .right = true},
    {.title = "NAME", .dispensable = 2},
    {.title = "PORT", .right = true, .wide = true},
    {.title = "STATE"},
    {.title = "RESTARTS", .right = true, .dispensable = 1},
    {.title = "UP", .least = 6},
};

static void assert_table(const struct output *output, const char *expected)
{
    struct table *table = table_new(columns, ARRAY_SIZE(columns));
    struct buffer out = BUFFER_EMPTY;
    static const char *const cells[] = {"7",  "server-7",  "8007", "running", "0",  "3m12s",
                                        "12", "server-12", "8012", "backoff", "14", "OOMKilled, next try in 3.2 s"};
    for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
        table_cell(table, i % 6 == 3 ? PAINT_GOOD : PAINT_PLAIN, "%s", cells[i]);
    assert_int_equal(table_rows(table), 2);
    table_append(table, output, &out);
    assert_string_equal(out.data, expected);
    table_free(table);
    buffer_done(&out);
}

static void aligns_tables(void **state)
{
    (void)state;
    assert_table(&(struct output){.format = OUTPUT_TABLE, .headers = true},
                 "ID  NAME       STATE    RESTARTS  UP\n"
                 " 7  server-7   running         0  3m12s\n"
                 "12  server-12  backoff        14  OOMKilled, next try in 3.2 s\n");
    assert_table(&(struct output){.format = OUTPUT_WIDE},
                 " 7  server-7   8007  running   0  3m12s\n"
                 "12  server-12  8012  backoff  14  OOMKilled, next try in 3.2 s\n");
}

static void fits_tables_to_the_terminal(void **state)
{
    (void)state;
    struct output output = {.format = OUTPUT_TABLE, .headers = true, .width = 50};
    assert_table(&output, "ID  NAME       STATE    RESTARTS  UP\n"
                          " 7  server-7   running         0  3m12s\n"
                          "12  server-12  backoff        14  OOMKilled, next…\n");
    output.width = 38; /* the name matters less than the restarts */
    assert_table(&output, "ID  STATE    RESTARTS  UP\n"
                          " 7  running         0  3m12s\n"
                          "12  backoff        14  OOMKilled, nex…\n");
    output.width = 20;
    assert_table(&output, "ID  STATE    UP\n"
                          " 7  running  3m12s\n"
                          "12  backoff  OOMKil…\n");
    output.width = 5; /* nothing is left to be left out */
    assert_table(&output, "ID  STATE    UP\n"
                          " 7  running  3m12s\n"
                          "12  backoff  OOMKi…\n");
}

static void paints_on_a_terminal_only(void **state)
{
    (void)state;
    struct output output = {.format = OUTPUT_TABLE, .colour = true};
    assert_table(&output, " 7  server-7   \033[32mrunning\033[0m   0  3m12s\n"
                          "12  server-12  \033[32mbackoff\033[0m  14  OOMKilled, next try in 3.2 s\n");
}

/* --- forms --- */

static const char answer_text[] =
    "{\"total\":2,\"list\":[{\"name\":\"server-1\",\"n\":1.50,\"nested\":{\"a\":[],\"b\":{}}},"
    "{\"server_id\":2,\"text\":\"x: \\\"y\\\"\\n\",\"no\":null,\"yes\":true}]}";

static void assert_form(enum output_format format, const char *list, const char *expected)
{
    struct output output = {.format = format};
    struct buffer out = BUFFER_EMPTY;
    cJSON *answer = cJSON_Parse(answer_text);
    output_answer(&output, answer, list, &out);
    assert_string_equal(out.data ? out.data : "", expected);
    cJSON_Delete(answer);
    buffer_done(&out);
}

static void writes_every_machine_form(void **state)
{
    (void)state;
    assert_form(OUTPUT_NAME, "list", "server-1\nserver-2\n");
    assert_form(OUTPUT_JSONL, "list",
                "{\"name\":\"server-1\",\"n\":1.5,\"nested\":{\"a\":[],\"b\":{}}}\n"
                "{\"server_id\":2,\"text\":\"x: \\\"y\\\"\\n\",\"no\":null,\"yes\":true}\n");
    assert_form(
        OUTPUT_JSON, "list",
        "{\n  \"total\": 2,\n  \"list\": [\n    {\n      \"name\": \"server-1\",\n      \"n\": 1.5,\n"
        "      \"nested\": {\n        \"a\": [],\n        \"b\": {}\n      }\n    },\n    {\n      \"server_id\": 2,\n"
        "      \"text\": \"x: \\\"y\\\"\\n\",\n      \"no\": null,\n      \"yes\": true\n    }\n  ]\n}\n");
    assert_form(OUTPUT_YAML, "list",
                "total: 2\nlist:\n  - name: server-1\n    n: 1.5\n    nested:\n      a: []\n      b: {}\n"
                "  - server_id: 2\n    text: \"x: \\\"y\\\"\\u000A\"\n    \"no\": null\n    \"yes\": true\n");
    assert_form(OUTPUT_NAME, NULL, "");
}

static void keeps_numbers(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0",      "-1",  "1795422600", "9007199254740991", "0.25", "99.99",
                                          "1e+300", "0.1", "-2.5",       "123456.78"};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        struct buffer out = BUFFER_EMPTY;
        cJSON *item = cJSON_Parse(numbers[i]);
        render_json_line(&out, item);
        assert_string_equal(out.data, numbers[i]);
        cJSON_Delete(item);
        buffer_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_addresses),       cmocka_unit_test(reaches_listeners_on_every_address),
        cmocka_unit_test(cuts_text_by_characters),     cmocka_unit_test(reads_times_of_the_api),
        cmocka_unit_test(reads_times_of_people),       cmocka_unit_test(aligns_tables),
        cmocka_unit_test(fits_tables_to_the_terminal), cmocka_unit_test(paints_on_a_terminal_only),
        cmocka_unit_test(writes_every_machine_form),   cmocka_unit_test(keeps_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
