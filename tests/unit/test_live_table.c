/*
 * supervisor/api/live_table: what a reader makes of a snapshot and deltas is what the table holds, and what a tick of
 * 5,000 servers costs. The farm is played.
 */
#include "supervisor/api/live_table.h"

#include "core/clock.h"
#include "core/memory.h"
#include "http/gzip.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 5000
#define TICK_BYTES_MAX (20 * 1024)

static struct server *servers;
static size_t server_count;
static char group_name[] = "web", other_name[] = "db", label_key[] = "zone", label_value[] = "a";
static struct key_value labels[] = {{label_key, label_value}};
static const struct group_settings WEB = {.name = group_name, .labels = labels, .label_count = 1};
static const struct group_settings OTHER = {.name = other_name};

size_t farm_server_count(const struct farm *farm)
{
    (void)farm;
    return server_count;
}

struct server *farm_server_at(const struct farm *farm, size_t index)
{
    (void)farm;
    return &servers[index];
}

static bool played_limits(const struct runtime_process *process, struct runtime_limits_in_force *limits)
{
    (void)process;
    *limits = (struct runtime_limits_in_force){.cpu = 0.5, .memory = 256 << 20};
    return true;
}

static const struct runtime_ops PLAYED = {.kind = "played", .limits_in_force = played_limits};

const struct runtime_ops *farm_runtime_ops(const struct farm *farm)
{
    (void)farm;
    return &PLAYED;
}

/* --- */

static struct live_table *table;

static void play(size_t count)
{
    server_count = count;
    servers = xcalloc(count, sizeof(*servers));
    for (size_t i = 0; i < count; i++) {
        servers[i] = (struct server){.id = (int)i + 1, .port = (uint16_t)(8001 + i), .group = &WEB};
        servers[i].lifecycle.state = SERVER_RUNNING;
        servers[i].health = HEALTH_HEALTHY;
        servers[i].process = (struct runtime_process *)&servers[i];
        servers[i].state_since_us = INT64_C(1700000000) * US_PER_SECOND;
        servers[i].stats = (struct server_stats){.have = ~0U, .have_requests = true, .at_us = 1};
    }
    table = live_table_new();
}

static int end(void **state)
{
    (void)state;
    live_table_free(steal(&table));
    free(steal(&servers));
    return 0;
}

static struct buffer written(uint32_t since)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    json_begin_object(&w);
    if (since == 0)
        live_table_write_all(&w, table);
    else
        live_table_write_changes(&w, table, since);
    json_end_object(&w);
    return out;
}

static size_t deflated_bytes(uint32_t since, size_t *plain)
{
    struct gzip_piece piece = {.plain = written(since)};
    gzip_piece_deflate(&piece);
    size_t bytes = piece.deflated.length;
    *plain = piece.plain.length;
    gzip_piece_done(&piece);
    return bytes;
}

static unsigned random_below(unsigned n)
{
    static uint64_t seed = UINT64_C(88172645463325252);

    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % n;
}

/* --- a reader, as docs/stream.md describes one --- */

#define READER_UNKNOWN (-1e18)

struct reader {
    cJSON *strings;
    cJSON *columns; /* each an array of numbers and nulls */
};

static double number_of(const cJSON *item)
{
    return cJSON_IsNumber(item) ? item->valuedouble : READER_UNKNOWN;
}

static void set(cJSON *column, int row, double value)
{
    cJSON_ReplaceItemInArray(column, row, value == READER_UNKNOWN ? cJSON_CreateNull() : cJSON_CreateNumber(value));
}

static void apply_differences(cJSON *column, const cJSON *differences)
{
    int row = 0;

    for (const cJSON *d = differences->child; d != NULL; d = d->next, row++) {
        double before = number_of(cJSON_GetArrayItem(column, row));
        if (cJSON_IsNull(d))
            set(column, row, READER_UNKNOWN);
        else
            set(column, row, (before == READER_UNKNOWN ? 0 : before) + d->valuedouble);
    }
    assert_int_equal(row, cJSON_GetArraySize(column));
}

static void apply_sparse(cJSON *column, const cJSON *rows, const cJSON *values)
{
    int row = 0;
    const cJSON *value = values->child;

    for (const cJSON *step = rows->child; step != NULL; step = step->next, value = value->next) {
        assert_non_null(value);
        row += step->valueint;
        set(column, row, number_of(value));
    }
    assert_null(value);
}

static void apply_column(struct reader *reader, cJSON *changes)
{
    cJSON *column = cJSON_GetObjectItem(reader->columns, changes->string);

    if (cJSON_IsArray(changes))
        cJSON_ReplaceItemInObject(reader->columns, changes->string, cJSON_Duplicate(changes, true));
    else if (cJSON_GetObjectItem(changes, "d") != NULL)
        apply_differences(column, cJSON_GetObjectItem(changes, "d"));
    else
        apply_sparse(column, cJSON_GetObjectItem(changes, "i"), cJSON_GetObjectItem(changes, "v"));
}

static cJSON *parsed(uint32_t since)
{
    struct buffer text = written(since);
    cJSON *json = cJSON_Parse(text.data);

    assert_non_null(json);
    buffer_done(&text);
    return json;
}

static void read_all(struct reader *reader)
{
    cJSON *all = parsed(0);

    cJSON_Delete(reader->strings);
    cJSON_Delete(reader->columns);
    reader->strings = cJSON_DetachItemFromObject(all, "strings");
    reader->columns = cJSON_DetachItemFromObject(all, "columns");
    cJSON_Delete(all);
}

static void read_changes(struct reader *reader, uint32_t since)
{
    cJSON *changes = parsed(since);
    cJSON *string;

    cJSON_ArrayForEach(string, cJSON_GetObjectItem(changes, "strings"))
        cJSON_AddItemToArray(reader->strings, cJSON_Duplicate(string, true));
    for (cJSON *column = cJSON_GetObjectItem(changes, "columns")->child; column != NULL; column = column->next)
        apply_column(reader, column);
    cJSON_Delete(changes);
}

static void assert_up_to_date(const struct reader *reader)
{
    struct reader now = {0};

    read_all(&now);
    assert_true(cJSON_Compare(reader->strings, now.strings, true));
    assert_true(cJSON_Compare(reader->columns, now.columns, true));
    cJSON_Delete(now.strings);
    cJSON_Delete(now.columns);
}

static void reader_done(struct reader *reader)
{
    cJSON_Delete(reader->strings);
    cJSON_Delete(reader->columns);
}

static double cell(const struct reader *reader, const char *column, int row)
{
    return number_of(cJSON_GetArrayItem(cJSON_GetObjectItem(reader->columns, column), row));
}

static const char *text_cell(const struct reader *reader, const char *column, int row)
{
    return cJSON_GetArrayItem(reader->strings, (int)cell(reader, column, row))->valuestring;
}

/* --- tests --- */

static void change_one(struct server *server)
{
    struct server_stats *stats = &server->stats;

    server->lifecycle.state = (enum server_state)random_below(SERVER_STATE_COUNT);
    server->health = (enum server_health)random_below(4);
    server->last_exit.known = random_below(2);
    server->last_exit.reason = (enum event_reason)random_below(REASON_COUNT);
    server->group = random_below(2) ? &WEB : &OTHER;
    stats->have_requests = random_below(4) > 0;
    stats->cpu_percent = random_below(10000) / 100.0;
    stats->memory_percent = random_below(10000) / 100.0;
    stats->requests_per_second = random_below(100000);
    stats->p50_us = random_below(5000);
    stats->p99_us = stats->p50_us * 2;
    server->restarts += random_below(2);
}

/* Few, some, most and all rows change; one reader reads every tick, the other every third. */
static void test_changes_add_up(void **state)
{
    (void)state;
    struct reader each = {0}, seldom = {0};
    uint32_t seldom_at = 1;
    const unsigned shares[] = {100, 10, 2, 1};

    play(200);
    live_table_refresh(table, NULL, 1);
    read_all(&each);
    read_all(&seldom);
    for (uint32_t tick = 2; tick < 60; tick++) {
        for (size_t i = 0; i < server_count; i++) {
            if (random_below(shares[tick % ARRAY_SIZE(shares)]) == 0)
                change_one(&servers[i]);
        }
        live_table_refresh(table, NULL, tick);
        read_changes(&each, tick - 1);
        assert_up_to_date(&each);
        if (tick % 3 != 0)
            continue;
        read_changes(&seldom, seldom_at);
        assert_up_to_date(&seldom);
        seldom_at = tick;
    }
    reader_done(&each);
    reader_done(&seldom);
}

static void test_figures(void **state)
{
    (void)state;
    struct reader reader = {0};

    play(3);
    servers[0].stats = (struct server_stats){
        .have = RUNTIME_HAVE_THROTTLED,
        .at_us = 1,
        .have_requests = true,
        .cpu_percent = 99.84,
        .throttled_percent = 61.2,
        .memory_percent = 16.06,
        .requests_per_second = 41234,
        .errors_per_second = 3.4,
        .p50_us = 207,
        .p99_us = 14336,
        .oom_kills = 2,
    };
    servers[1].stats.have_requests = false; /* a program without counters */
    servers[2].lifecycle.state = SERVER_BACKOFF;
    servers[2].group = &OTHER;
    servers[2].last_exit = (struct server_last_exit){.known = true, .reason = REASON_OOM_KILLED};
    servers[2].next_restart_at_us = INT64_C(1700000003456789);
    live_table_refresh(table, NULL, 1);
    read_all(&reader);

    static const struct {
        const char *column;
        double value;
    } FIRST[] = {
        {"id", 1},          {"port", 8001},           {"cpu", 998},          {"throttled", 612},
        {"memory", 161},    {"rate", 41200},          {"errors", 3},         {"p50", 210},
        {"p99", 14000},     {"oom_kills", 2},         {"restarts", 0},       {"ready", 0},
        {"cpu_limit", 500}, {"memory_limit", 262144}, {"since", 1700000000}, {"next_restart", READER_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(FIRST); i++) {
        if (cell(&reader, FIRST[i].column, 0) != FIRST[i].value)
            fail_msg("%s is %g", FIRST[i].column, cell(&reader, FIRST[i].column, 0));
    }
    assert_string_equal(text_cell(&reader, "status", 0), "running");
    assert_string_equal(text_cell(&reader, "labels", 0), "zone=a");
    assert_string_equal(text_cell(&reader, "reason", 0), "");
    assert_true(cell(&reader, "rate", 1) == READER_UNKNOWN);
    assert_true(cell(&reader, "cpu", 2) == READER_UNKNOWN);
    assert_string_equal(text_cell(&reader, "status", 2), "backoff");
    assert_string_equal(text_cell(&reader, "group", 2), "db");
    assert_string_equal(text_cell(&reader, "labels", 2), "");
    assert_string_equal(text_cell(&reader, "reason", 2), "OOMKilled");
    assert_true(cell(&reader, "next_restart", 2) == 1700000003456.0);
    reader_done(&reader);
}

/* Up to 1,000 servers tell all digits, more of them two. */
static void test_figures_of_many(void **state)
{
    (void)state;
    static const struct {
        size_t servers;
        double cpu, small, rate;
    } CASES[] = {{1000, 567, 7, 41200}, {1001, 570, 7, 41000}};

    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct reader reader = {0};
        play(CASES[i].servers);
        servers[0].stats.cpu_percent = 56.7;
        servers[0].stats.memory_percent = 0.7;
        servers[0].stats.requests_per_second = 41234;
        live_table_refresh(table, NULL, 1);
        read_all(&reader);
        assert_true(cell(&reader, "cpu", 0) == CASES[i].cpu);
        assert_true(cell(&reader, "memory", 0) == CASES[i].small);
        assert_true(cell(&reader, "rate", 0) == CASES[i].rate);
        assert_true(cell(&reader, "port", 0) == 8001);
        reader_done(&reader);
        end(NULL);
    }
}

static void test_other_servers_begin_anew(void **state)
{
    (void)state;
    play(10);
    live_table_refresh(table, NULL, 5);
    assert_int_equal(live_table_base(table), 5);
    servers[3].group = &OTHER;
    live_table_refresh(table, NULL, 6);
    assert_int_equal(live_table_base(table), 5);
    server_count = 9;
    live_table_refresh(table, NULL, 7);
    assert_int_equal(live_table_base(table), 7);
    servers[8].id = 99; /* as many, but others */
    live_table_refresh(table, NULL, 8);
    assert_int_equal(live_table_base(table), 8);
}

/* Three columns change for all, each around a level of its own with the noise of a loaded machine. */
static void test_bytes_of_a_tick(void **state)
{
    (void)state;
    size_t plain, most = 0;

    play(MANY);
    for (uint32_t tick = 1; tick <= 6; tick++) {
        for (size_t i = 0; i < MANY; i++) {
            struct server_stats *stats = &servers[i].stats;
            unsigned level = 10 + (unsigned)(i * 7919) % 80;
            stats->cpu_percent = level + random_below(500) / 100.0;
            stats->memory_percent = level + random_below(200) / 100.0;
            stats->requests_per_second = (double)level * (50 + random_below(6));
        }
        live_table_refresh(table, NULL, tick);
        size_t bytes = deflated_bytes(tick == 1 ? 0 : tick - 1, &plain);
        if (tick == 1)
            print_message("%d servers: snapshot %zu bytes, deflated %zu\n", MANY, plain, bytes);
        else if (bytes > most)
            most = bytes;
    }
    print_message("%d servers, three columns changing for all: %zu bytes a tick, deflated at most %zu\n", MANY, plain,
                  most);
    assert_in_range(most, 1, TICK_BYTES_MAX);
}

/* The worst case: each figure anywhere in its whole range, so that there is nothing to pack. */
static void test_bytes_of_a_tick_without_a_pattern(void **state)
{
    (void)state;
    size_t plain;

    play(MANY);
    for (uint32_t tick = 1; tick <= 2; tick++) {
        for (size_t i = 0; i < MANY; i++) {
            struct server_stats *stats = &servers[i].stats;
            stats->cpu_percent = random_below(10000) / 100.0;
            stats->memory_percent = random_below(10000) / 100.0;
            stats->requests_per_second = random_below(100000);
        }
        live_table_refresh(table, NULL, tick);
    }
    size_t bytes = deflated_bytes(1, &plain);
    print_message("%d servers, without any pattern: %zu bytes a tick, deflated %zu\n", MANY, plain, bytes);
    assert_in_range(bytes, 1, TICK_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_changes_add_up, end),
        cmocka_unit_test_teardown(test_figures, end),
        cmocka_unit_test_teardown(test_figures_of_many, end),
        cmocka_unit_test_teardown(test_other_servers_begin_anew, end),
        cmocka_unit_test_teardown(test_bytes_of_a_tick, end),
        cmocka_unit_test_teardown(test_bytes_of_a_tick_without_a_pattern, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
