/* supervisor/cli/top: from an answer of the API to rows in order, the cursor and the selection. */
#include "core/memory.h"
#include "supervisor/cli/top/model.h"
#include "tests/unit/top_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct top_server some[] = {
    {.id = 3, .status = "running", .health = "healthy", .cpu = 30, .memory = 10, .rate = 5, .p99 = 9},
    {.id = 1, .status = "running", .health = "degraded", .cpu = 90, .throttled = 61, .memory = 5, .rate = 96, .p99 = 2},
    {.id = 2, .status = "backoff", .health = "unknown", .error = "crashed", .rate = -1, .p99 = -1, .restarts = 4},
    {.id = 5, .status = "stopped", .health = "unknown", .error = "stopped on request", .rate = -1, .p99 = -1},
    {.id = 4, .status = "running", .health = "healthy", .cpu = 30, .memory = 90, .rate = 0, .p99 = -1},
};

static int set_up(void **state)
{
    struct model *model = xcalloc(1, sizeof(*model));
    model_init(model);
    model_take(model, top_snapshot(some, ARRAY_SIZE(some), 5), true);
    *state = model;
    return 0;
}

static int tear_down(void **state)
{
    model_done(*state);
    free(*state);
    return 0;
}

static void assert_order(const struct model *model, const char *ids)
{
    char text[256] = "";
    for (size_t i = 0; i < model_count(model); i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d", i > 0 ? " " : "", model_row(model, i)->id);
    assert_string_equal(text, ids);
}

/* --- rows --- */

static void reads_rows(void **state)
{
    const struct model *model = *state;
    const struct snapshot_row *row = snapshot_find(model->snapshot, 1);
    assert_string_equal(row->name, "server-1");
    assert_string_equal(row->state, "running");
    assert_string_equal(row->health, "degraded");
    assert_string_equal(row->since, "3m12s");
    assert_true(row->cpu == 90 && row->throttled == 61 && row->memory == 5 && row->rate == 96 && row->p99_ms == 2);
    row = snapshot_find(model->snapshot, 2);
    assert_string_equal(row->health, "-");
    assert_string_equal(row->since, "crashed, next try in 3.2 s");
    assert_string_equal(row->brief, "OOMKilled, next try in 3.2 s");
    assert_true(isnan(row->cpu) && isnan(row->memory) && isnan(row->throttled) && row->restarts == 4);
    assert_null(snapshot_find(model->snapshot, 6));
}

static void refuses_what_is_no_list(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"servers\":5}",
                                        "{\"servers\":[",
                                        "<html>",
                                        "{\"servers\":[{\"id\":}]}",
                                        "{\"servers\":[]",
                                        "[{\"servers\":[]}]"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_null(snapshot_parse(texts[i], strlen(texts[i])));
}

static void survives_strange_entries(void **state)
{
    (void)state;
    static const char text[] = "{\"servers\":[null,5,\"x\",{\"id\":\"7\"},{\"id\":7,\"name\":5,\"status\":{}}]}";
    struct snapshot *snapshot = snapshot_parse(text, sizeof(text) - 1);
    assert_int_equal(snapshot->count, 5);
    assert_string_equal(snapshot_find(snapshot, 7)->state, "-");
    snapshot_free(snapshot);
}

static void finds_the_list_wherever_it_stands(void **state)
{
    (void)state;
    static const char text[] = " { \"a\" : {\"servers\":[{\"id\":1}]}, \"b\":\"\\\"servers\\\":[\", \"servers\" : "
                               "[ {\"id\":9,\"name\":\"]}\"} , {\"id\":8} ], \"total_servers\":7 } ";
    struct snapshot *snapshot = snapshot_parse(text, sizeof(text) - 1);
    assert_non_null(snapshot);
    assert_int_equal(snapshot->count, 2);
    assert_int_equal(snapshot->total, 7);
    assert_string_equal(snapshot_find(snapshot, 9)->name, "]}");
    assert_null(snapshot->single);
    snapshot_free(snapshot);
}

/* --- the order --- */

static void puts_trouble_first(void **state)
{
    assert_order(*state, "2 1 5 3 4");
}

static void sorts_by_each_column(void **state)
{
    struct model *model = *state;
    static const struct {
        enum model_sort sort;
        const char *order, *reversed;
    } sorts[] = {{SORT_ID, "1 2 3 4 5", "5 4 3 2 1"},       {SORT_STATE, "2 1 5 3 4", "3 4 5 1 2"},
                 {SORT_HEALTH, "1 3 4 2 5", "3 4 1 2 5"},   {SORT_CPU, "1 3 4 2 5", "3 4 1 2 5"},
                 {SORT_MEMORY, "4 3 1 2 5", "1 3 4 2 5"},   {SORT_RATE, "1 3 4 2 5", "4 3 1 2 5"},
                 {SORT_P99, "3 1 2 4 5", "1 3 2 4 5"},      {SORT_RESTARTS, "2 1 3 4 5", "1 3 4 5 2"},
                 {SORT_THROTTLED, "1 3 4 2 5", "3 4 1 2 5"}};
    for (size_t i = 0; i < ARRAY_SIZE(sorts); i++) {
        model_sort_by(model, sorts[i].sort, false);
        assert_order(model, sorts[i].order);
        model_sort_by(model, sorts[i].sort, true);
        assert_order(model, sorts[i].reversed);
    }
}

/* --- the cursor --- */

static void the_cursor_stays_at_its_server(void **state)
{
    struct model *model = *state;
    model_move(model, 3);
    assert_int_equal(model_current(model)->id, 3);
    model_sort_by(model, SORT_ID, false);
    assert_int_equal(model_current(model)->id, 3);
    model_take(model, top_snapshot(some, 2, 5), false);
    assert_int_equal(model_current(model)->id, 3);
}

/* On the first place one looks at what is first, whoever that is. */
static void the_first_place_is_kept(void **state)
{
    struct model *model = *state;
    assert_int_equal(model_current(model)->id, 2);
    model_sort_by(model, SORT_MEMORY, false);
    assert_int_equal(model_current(model)->id, 4);
    model_move(model, 1);
    model_move(model, -5);
    model_sort_by(model, SORT_ID, false);
    assert_int_equal(model_current(model)->id, 1);
}

static void a_server_that_is_gone_leaves_the_cursor_in_place(void **state)
{
    struct model *model = *state;
    model_move(model, 100);
    assert_int_equal(model_current(model)->id, 4);
    model_take(model, top_snapshot(some, 3, 3), true);
    assert_int_equal(model->cursor, 2);
    model_take(model, top_snapshot(some, 0, 0), true);
    assert_null(model_current(model));
    model_move(model, 1);
    model_take(model, top_snapshot(some, 5, 5), true);
    assert_non_null(model_current(model));
}

static void the_window_follows_the_cursor(void **state)
{
    struct model *model = *state;
    model_set_window(model, 2);
    assert_int_equal(model->top, 0);
    model_move(model, 2);
    assert_int_equal(model->top, 1);
    model_move(model, 1000000000);
    assert_int_equal(model->top, 3);
    model_move(model, -1);
    assert_int_equal(model->top, 3);
    model_set_window(model, 4);
    assert_int_equal(model->top, 1);
    model_take(model, top_snapshot(some, 2, 2), true);
    assert_int_equal(model->top, 0);
}

/* --- the selection --- */

static void assert_meant(const struct model *model, const char *description, size_t hidden)
{
    struct buffer out = BUFFER_EMPTY;
    size_t unseen;
    int *ids;
    size_t count = model_meant(model, &ids, &unseen);
    model_describe(ids, count, &out);
    assert_string_equal(out.data, description);
    assert_int_equal(unseen, hidden);
    buffer_done(&out);
    free(ids);
}

static void acts_on_the_selected_or_the_cursor(void **state)
{
    struct model *model = *state;
    assert_meant(model, "server-2", 0);
    model_toggle(model, 4);
    assert_meant(model, "server-4", 0);
    model_toggle(model, 3);
    model_toggle(model, 1);
    assert_meant(model, "3 servers (1, 3-4)", 0);
    assert_true(model_is_selected(model, 3) && !model_is_selected(model, 2));
    model_toggle(model, 3);
    assert_meant(model, "2 servers (1, 4)", 0);
    model_select_none(model);
    assert_meant(model, "server-2", 0);
    model_select_shown(model);
    assert_meant(model, "5 servers (1-5)", 0);
    model_select_shown(model);
    assert_int_equal(model->selected_count, 5);
}

static void the_selection_outlives_a_filter(void **state)
{
    struct model *model = *state;
    model_toggle(model, 1);
    model_toggle(model, 5);
    model_take(model, top_snapshot(some, 2, 5), false);
    assert_meant(model, "2 servers (1, 5)", 1);
    model_select_shown(model);
    assert_meant(model, "3 servers (1, 3, 5)", 1);
}

/* A server that takes the place of one that is gone was not selected. */
static void the_selection_forgets_servers_that_are_gone(void **state)
{
    struct model *model = *state;
    model_toggle(model, 1);
    model_toggle(model, 5);
    model_take(model, top_snapshot(some, 2, 2), true);
    model_take(model, top_snapshot(some, 5, 5), true);
    assert_meant(model, "server-1", 0);
}

static void describes_many_in_a_few_words(void **state)
{
    (void)state;
    int ids[60];
    struct buffer out = BUFFER_EMPTY;
    for (int i = 0; i < 60; i++)
        ids[i] = 2 * i + 1;
    model_describe(ids, 60, &out);
    assert_string_equal(out.data, "60 servers (1, 3, 5, 7, …)");
    buffer_done(&out);
}

static void takes_five_thousand(void **state)
{
    struct model *model = *state;
    struct top_server *many = xcalloc(5000, sizeof(*many));
    for (int i = 0; i < 5000; i++)
        many[i] = (struct top_server){
            .id = i + 1, .status = "running", .health = "healthy", .cpu = (i * 7919) % 101, .rate = 0, .p99 = -1};
    model_take(model, top_snapshot(many, 5000, 5000), true);
    model_sort_by(model, SORT_CPU, false);
    for (size_t i = 1; i < model_count(model); i++)
        assert_true(model_row(model, i - 1)->cpu >= model_row(model, i)->cpu);
    model_select_shown(model);
    assert_meant(model, "5000 servers (1-5000)", 0);
    free(many);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_rows),
        TEST(refuses_what_is_no_list),
        TEST(survives_strange_entries),
        TEST(finds_the_list_wherever_it_stands),
        TEST(puts_trouble_first),
        TEST(sorts_by_each_column),
        TEST(the_cursor_stays_at_its_server),
        TEST(the_first_place_is_kept),
        TEST(a_server_that_is_gone_leaves_the_cursor_in_place),
        TEST(the_window_follows_the_cursor),
        TEST(acts_on_the_selected_or_the_cursor),
        TEST(the_selection_outlives_a_filter),
        TEST(the_selection_forgets_servers_that_are_gone),
        TEST(describes_many_in_a_few_words),
        TEST(takes_five_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
