/* supervisor/cli/top: what is drawn, line by line, on canvases of several sizes; and that text is harmless. */
#include "core/memory.h"
#include "supervisor/cli/top/draw.h"
#include "tests/unit/top_fixture.h"

#include <cjson/cJSON.h>
#include <locale.h>
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
    {.id = 1,
     .status = "running",
     .health = "degraded",
     .cpu = 98,
     .throttled = 61,
     .memory = 16,
     .rate = 96,
     .p99 = 2},
    {.id = 2,
     .status = "backoff",
     .health = "unknown",
     .error = "was OOM-killed (at its limit of 256 MB)",
     .rate = -1,
     .p99 = -1,
     .restarts = 4},
    TOP_IDLE(3),
};

static int set_up(void **state)
{
    struct scene *scene = xcalloc(1, sizeof(*scene));
    scene_init(scene, "http://localhost:8000", NULL);
    model_take(&scene->model, top_snapshot(some, ARRAY_SIZE(some), 3), true);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    scene_done(*state);
    free(*state);
    return 0;
}

static void assert_canvas_line(const struct canvas *canvas, int line, const char *expected)
{
    struct buffer out = BUFFER_EMPTY;
    canvas_append_line(canvas, line, &out);
    assert_string_equal(out.data, expected);
    buffer_done(&out);
}

static struct canvas draw(struct scene *scene, int lines, int columns, bool ascii)
{
    struct canvas canvas;
    canvas_init(&canvas, lines, columns, ascii);
    model_set_window(&scene->model, (size_t)draw_list_window(scene, lines));
    draw_screen(scene, &canvas);
    return canvas;
}

static bool has_text(const struct canvas *canvas, const char *text)
{
    bool found = false;
    for (int line = 0; line < canvas->lines && !found; line++) {
        struct buffer out = BUFFER_EMPTY;
        canvas_append_line(canvas, line, &out);
        found = strstr(out.data, text) != NULL;
        buffer_done(&out);
    }
    return found;
}

/* --- the canvas --- */

static void assert_put(int width, bool ascii, const char *text, const char *expected)
{
    struct canvas canvas;
    canvas_init(&canvas, 1, 20, ascii);
    int written = canvas_put(&canvas, 0, 0, width, PAINT_PLAIN, text);
    assert_true(written <= (width > 0 ? width : 0));
    assert_canvas_line(&canvas, 0, expected);
    canvas_done(&canvas);
}

static void puts_text(void **state)
{
    (void)state;
    assert_put(20, false, "server-7", "server-7");
    assert_put(5, false, "server-7", "serv…");
    assert_put(8, false, "server-7", "server-7");
    assert_put(5, true, "server-7", "serv~");
    assert_put(4, false, "äöüß", "äöüß");
    assert_put(4, true, "äb·c", "?b-c");
    assert_put(0, false, "x", "");
    assert_put(-3, false, "x", "");
    assert_put(5, false, "日本語", "日本…");
    assert_put(6, false, "日本語", "日本語");
}

static void text_steers_no_terminal(void **state)
{
    (void)state;
    assert_put(20, false, "a\033[2Jb", "a [2Jb");
    assert_put(20, false,
               "a\r\n\t\x07\x7f"
               "b",
               "a     b");
    assert_put(20, false,
               "a\xc2\x9b"
               "2Jb",
               "a 2Jb"); /* CSI as one character */
    assert_put(20, false, "a\xff\xc3(\xed\xa0\x80\xf5", "a��(����");
    assert_put(20, false, "\xc0\x9b\xe0\x80\x9b", "�����"); /* an overlong escape */
    assert_put(20, false,
               "a\xe2\x80\xae"
               "bc",
               "abc");                         /* right to left */
    assert_put(20, false, "e\xcc\x81x", "ex"); /* an accent of its own */
    assert_put(20, true, "a\033\xff\xe2\x80\xae", "a ??");
}

static void nothing_is_drawn_outside(void **state)
{
    (void)state;
    struct canvas canvas;
    canvas_init(&canvas, 2, 4, false);
    canvas_put(&canvas, 0, 2, 100, PAINT_PLAIN, "abcdef");
    canvas_put(&canvas, 5, 0, 4, PAINT_PLAIN, "x");
    canvas_put(&canvas, -1, 0, 4, PAINT_PLAIN, "x");
    canvas_put(&canvas, 1, -1, 4, PAINT_PLAIN, "xy");
    canvas_put(&canvas, 1, 3, 4, PAINT_PLAIN, "日");
    assert_canvas_line(&canvas, 0, "  ab");
    assert_canvas_line(&canvas, 1, "y");
    canvas_done(&canvas);
}

static void draws_bars(void **state)
{
    (void)state;
    struct canvas canvas;
    static const struct {
        double share;
        const char *bar;
    } bars[] = {{0, "░░░░"},   {0.02, "█░░░"}, {0.5, "██░░"}, {1, "████"},
                {1.7, "████"}, {NAN, "░░░░"},  {-1, "░░░░"},  {INFINITY, "████"}};
    for (size_t i = 0; i < ARRAY_SIZE(bars); i++) {
        canvas_init(&canvas, 1, 4, false);
        canvas_bar(&canvas, 0, 0, 4, PAINT_GOOD, bars[i].share);
        assert_canvas_line(&canvas, 0, bars[i].bar);
        canvas_done(&canvas);
    }
}

/* --- the list --- */

static void draws_the_list(void **state)
{
    struct scene *scene = *state;
    struct canvas canvas = draw(scene, 24, 80, false);
    static const char *const lines[] = {
        "farmd top  http://localhost:8000                                            live",
        "3 servers: 3 healthy                                           limits by cgroup2",
        "CPU █░░░░░░░ 3.1 of 25    memory █░░░░░░░ 1.2 of 12.5 GB  812 req/s",
        "",
        " ID STATE▼   HEALTH    CPU           THROT MEMORY         REQ/S P99 ms RESTARTS",
        "  2 backoff  -         OOMKilled, next try in 3.2 s                           4",
        "  1 running  degraded  ████████  98%   61% █░░░░░░░  16%     96   2.00        0",
        "  3 running  healthy   ░░░░░░░░   0%    0% ░░░░░░░░   0%      0      -        0",
        "",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        assert_canvas_line(&canvas, (int)i, lines[i]);
    assert_true(canvas.cells[5 * 80].reverse && !canvas.cells[6 * 80].reverse);
    assert_int_equal(canvas.cells[6 * 80 + 13].paint, PAINT_WARN);
    canvas_done(&canvas);
}

static void wide_screens_show_more(void **state)
{
    struct scene *scene = *state;
    struct canvas canvas = draw(scene, 50, 200, false);
    assert_true(has_text(&canvas, "was OOM-killed (at its limit of 256 MB), next try in 3.2 s"));
    assert_true(has_text(&canvas, "3m12s") && has_text(&canvas, "ERR/S") && has_text(&canvas, "UP"));
    canvas_done(&canvas);
}

/* Whatever the width: every heading is whole, and a row's figures end where their heading does. */
static void assert_columns_stand_below_their_headings(struct scene *scene)
{
    for (int columns = SCENE_LEAST_COLUMNS; columns < 220; columns++) {
        struct canvas canvas = draw(scene, 24, columns, true);
        struct buffer heading = BUFFER_EMPTY, row = BUFFER_EMPTY;
        canvas_append_line(&canvas, 4, &heading);
        canvas_append_line(&canvas, 6, &row);
        const char *rate = strstr(heading.data, "REQ/S"), *throttled = strstr(heading.data, "THROT");
        assert_non_null(rate);
        assert_true(heading.length <= (size_t)columns);
        size_t end = (size_t)(rate - heading.data) + 5;
        assert_memory_equal(row.data + end - 3, " 96", 3);
        if (throttled)
            assert_memory_equal(row.data + (throttled - heading.data) + 5 - 4, " 61%", 4);
        buffer_done(&heading);
        buffer_done(&row);
        canvas_done(&canvas);
    }
}

static void columns_stand_below_their_headings(void **state)
{
    assert_columns_stand_below_their_headings(*state);
}

static void nodes_are_shown_where_there_are_some(void **state)
{
    static const struct top_server on_nodes[] = {
        {.id = 1, .status = "running", .health = "healthy", .cpu = 98, .throttled = 61, .rate = 96, .node = "farm-a"},
        {.id = 2, .status = "backoff", .health = "unknown", .error = "node farm-b is down", .rate = -1, .p99 = -1},
    };
    struct scene *scene = *state;
    struct canvas canvas = draw(scene, 24, 120, false);
    assert_false(has_text(&canvas, "NODE"));
    canvas_done(&canvas);
    model_take(&scene->model, top_snapshot(on_nodes, ARRAY_SIZE(on_nodes), 2), false);
    canvas = draw(scene, 24, 120, false);
    assert_true(has_text(&canvas, "HEALTH    NODE ") && has_text(&canvas, "healthy   farm-a ") &&
                has_text(&canvas, "backoff  -         - "));
    canvas_done(&canvas);
    assert_columns_stand_below_their_headings(scene);
}

static void draws_without_utf8(void **state)
{
    struct canvas canvas = draw(*state, 24, 80, true);
    assert_canvas_line(&canvas, 6, "  1 running  degraded  ########  98%   61% #.......  16%     96   2.00        0");
    canvas_done(&canvas);
}

static void says_that_it_needs_more(void **state)
{
    static const int sizes[][2] = {{5, 20}, {9, 80}, {24, 59}, {1, 1}, {2, 300}};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct canvas canvas = draw(*state, sizes[i][0], sizes[i][1], false);
        if (sizes[i][0] >= 5 && sizes[i][1] >= 20)
            assert_true(has_text(&canvas, "needs 60 × 10") && has_text(&canvas, "q quits"));
        canvas_done(&canvas);
    }
}

static void says_what_is_chosen(void **state)
{
    struct scene *scene = *state;
    model_toggle(&scene->model, 1);
    scene->filter = xstrdup("cpu>80");
    model_take(&scene->model, top_snapshot(some, 1, 3), false);
    struct canvas canvas = draw(scene, 24, 80, false);
    assert_canvas_line(&canvas, 3, "1 selected  1 of 3: cpu>80");
    assert_true(has_text(&canvas, "* 1 running"));
    canvas_done(&canvas);
    model_take(&scene->model, top_snapshot(some, 0, 3), false);
    canvas = draw(scene, 24, 80, false);
    assert_true(has_text(&canvas, "no server is cpu>80"));
    canvas_done(&canvas);
}

static void says_that_the_farm_is_gone(void **state)
{
    struct scene *scene = *state;
    scene->silent_ms = 5400;
    snprintf(scene->trouble, sizeof(scene->trouble), "no farm answers");
    struct canvas canvas = draw(scene, 24, 80, false);
    assert_true(has_text(&canvas, "no answer for 5 s") && !has_text(&canvas, "live"));
    assert_canvas_line(&canvas, 22, "no farm answers");
    assert_int_equal(canvas.cells[6 * 80 + 13].paint, PAINT_FAINT);
    canvas_done(&canvas);
}

static void shows_a_prompt_and_its_end(void **state)
{
    struct scene *scene = *state;
    scene->prompt.kind = PROMPT_FILTER;
    snprintf(scene->prompt.label, sizeof(scene->prompt.label), "filter: ");
    memset(scene->prompt.text, 'a', 200);
    memcpy(scene->prompt.text + 190, "the end", 8);
    struct canvas canvas = draw(scene, 24, 80, false);
    assert_true(has_text(&canvas, "filter: aaaa") && has_text(&canvas, "the end_"));
    canvas_done(&canvas);
}

/* --- keys --- */

static void shows_every_key(void **state)
{
    struct scene *scene = *state;
    scene->screen = SCREEN_HELP;
    struct canvas canvas = draw(scene, 50, 80, false);
    for (size_t i = 0; i < keys_count; i++)
        assert_true(has_text(&canvas, keys_table[i].what));
    canvas_done(&canvas);
}

/* One key, one meaning: the first row would hide the second. */
static void no_key_means_two_things(void **state)
{
    (void)state;
    static const enum top_screen screens[] = {SCREEN_LIST, SCREEN_SERVER, SCREEN_HELP};
    for (size_t s = 0; s < ARRAY_SIZE(screens); s++) {
        for (size_t i = 0; i < keys_count; i++) {
            for (size_t n = 0; n < 4 && keys_table[i].keys[n]; n++) {
                if (keys_table[i].screens & screens[s])
                    assert_int_equal(keys_command(screens[s], keys_table[i].keys[n]), keys_table[i].command);
            }
        }
    }
    assert_int_equal(keys_command(SCREEN_LIST, 0), COMMAND_NONE);
    assert_int_equal(keys_command(SCREEN_SERVER, '/'), COMMAND_NONE);
}

/* --- a server --- */

static void draws_a_server(void **state)
{
    struct scene *scene = *state;
    struct snapshot *snapshot = top_snapshot(&some[1], 1, 3);
    scene_open(scene, 2);
    scene->opened.policy = cJSON_Parse("{\"restart\":\"always\",\"restart_profile\":\"farm\"}");
    scene_take_server(scene, steal(&snapshot->single), snapshot->at_us);
    snapshot_free(snapshot);
    pane_add(&scene->opened.log, 1, PAINT_PLAIN, "hello \033[31mred");
    struct canvas canvas = draw(scene, 24, 80, false);
    assert_true(has_text(&canvas, "backoff: was OOM-killed (at its limit of 256 MB), next t"));
    assert_true(has_text(&canvas, "last end  OOMKilled 0 ms ago (signal 9); 4 restarts, 0 OOM kills"));
    assert_true(has_text(&canvas, "next      next try in 3.2 s (profile farm); farmd start 2 tries at once"));
    assert_true(has_text(&canvas, "hello  [31mred") && has_text(&canvas, "nothing has happened to it yet"));
    canvas_done(&canvas);
}

static void a_servers_node_is_told(void **state)
{
    static const struct top_server there = {.id = 1, .status = "running", .health = "healthy", .node = "farm-b"};
    struct scene *scene = *state;
    struct snapshot *snapshot = top_snapshot(&there, 1, 3);
    scene_open(scene, 1);
    scene_take_server(scene, steal(&snapshot->single), snapshot->at_us);
    snapshot_free(snapshot);
    struct canvas canvas = draw(scene, 24, 100, false);
    assert_true(has_text(&canvas, ", node farm-b"));
    canvas_done(&canvas);
}

static void a_server_may_be_unknown_yet(void **state)
{
    struct scene *scene = *state;
    scene_open(scene, 2);
    for (int lines = SCENE_LEAST_LINES; lines < 30; lines++) {
        struct canvas canvas = draw(scene, lines, 80, false);
        assert_true(has_text(&canvas, "server-2") && has_text(&canvas, "quit"));
        canvas_done(&canvas);
    }
}

/* --- panes --- */

static void assert_pane(const struct pane *pane, int lines, const char *const *expected)
{
    struct canvas canvas;
    canvas_init(&canvas, lines + 2, 31, false); /* 1 + "1970-01-01 00:00:00" + 1 + 10 */
    pane_draw(pane, &canvas, 1, lines, "nothing");
    assert_canvas_line(&canvas, 0, "");
    assert_canvas_line(&canvas, lines + 1, "");
    for (int i = 0; i < lines; i++) {
        struct buffer out = BUFFER_EMPTY;
        canvas_append_line(&canvas, 1 + i, &out);
        const char *text = out.length > 21 ? out.data + 21 : out.data;
        assert_string_equal(text, expected[i]);
        buffer_done(&out);
    }
    canvas_done(&canvas);
}

static void panes_follow_and_scroll(void **state)
{
    (void)state;
    struct pane pane = {.count = 0};
    assert_pane(&pane, 2, (const char *const[]){" nothing", ""});
    for (int i = 0; i < 6; i++) {
        char text[16];
        snprintf(text, sizeof(text), "line %d", i);
        pane_add(&pane, 1, PAINT_PLAIN, text);
    }
    assert_pane(&pane, 2, (const char *const[]){"line 4", "line 5"});
    pane_scroll(&pane, 1, 2, 31);
    assert_pane(&pane, 2, (const char *const[]){"line 3", "line 4"});
    pane_add(&pane, 1, PAINT_PLAIN, "new");
    assert_pane(&pane, 2, (const char *const[]){"line 3", "line 4"});
    pane_scroll(&pane, 1000, 2, 31);
    assert_pane(&pane, 2, (const char *const[]){"line 0", "line 1"});
    pane_scroll(&pane, -1000, 2, 31);
    assert_pane(&pane, 2, (const char *const[]){"line 5", "new"});
    pane_done(&pane);
}

static void panes_wrap_long_lines(void **state)
{
    (void)state;
    struct pane pane = {.count = 0};
    pane_add(&pane, 1, PAINT_PLAIN, "before");
    pane_add(&pane, 1, PAINT_PLAIN, "0123456789abcdefghijKL");
    assert_pane(&pane, 4, (const char *const[]){"before", "0123456789", "abcdefghij", "KL"});
    assert_pane(&pane, 2, (const char *const[]){"abcdefghij", "KL"});
    pane_scroll(&pane, 1, 2, 31);
    assert_pane(&pane, 2, (const char *const[]){"0123456789", "abcdefghij"});
    pane_scroll(&pane, 1000, 4, 31);
    assert_false(pane.scrolled); /* all of it is in the window */
    pane_scroll(&pane, 1000, 1, 31);
    assert_pane(&pane, 1, (const char *const[]){"before"});
    pane_done(&pane);
}

/* Also while the oldest lines go. */
static void a_scrolled_pane_stands_still(void **state)
{
    (void)state;
    struct pane pane = {.count = 0};
    for (unsigned i = 0; i < PANE_LINES + 20; i++) {
        char text[16];
        snprintf(text, sizeof(text), "line %u", i);
        pane_add(&pane, 1, PAINT_PLAIN, text);
        if (i == PANE_LINES - 1)
            pane_scroll(&pane, 10, 2, 31);
    }
    assert_pane(&pane, 2, (const char *const[]){"line 1988", "line 1989"});
    pane_done(&pane);
}

static void panes_are_bounded(void **state)
{
    (void)state;
    struct pane pane = {.count = 0};
    char *megabyte = xcalloc(1, 1 << 20);
    memset(megabyte, 'x', (1 << 20) - 1);
    for (unsigned i = 0; i < PANE_LINES + 10; i++)
        pane_add(&pane, 1, PAINT_PLAIN, i < 5 ? megabyte : "short");
    assert_int_equal(pane.count, PANE_LINES);
    pane_add(&pane, 1, PAINT_PLAIN, megabyte);
    pane_scroll(&pane, 1000000, 2, 31);
    for (unsigned i = 0; i < PANE_LINES; i++)
        pane_add(&pane, 1, PAINT_PLAIN, "newer");
    assert_pane(&pane, 2, (const char *const[]){"newer", "newer"});
    pane_add(&pane, 1, PAINT_PLAIN, megabyte);
    pane_scroll(&pane, -1000000, 2, 31);
    struct canvas canvas;
    canvas_init(&canvas, 4, 31, false);
    pane_draw(&pane, &canvas, 0, 4, "");
    assert_true(has_text(&canvas, "…"));
    canvas_done(&canvas);
    free(megabyte);
    pane_done(&pane);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(puts_text),
        TEST(text_steers_no_terminal),
        TEST(nothing_is_drawn_outside),
        TEST(draws_bars),
        TEST(draws_the_list),
        TEST(wide_screens_show_more),
        TEST(columns_stand_below_their_headings),
        TEST(nodes_are_shown_where_there_are_some),
        TEST(draws_without_utf8),
        TEST(says_that_it_needs_more),
        TEST(says_what_is_chosen),
        TEST(says_that_the_farm_is_gone),
        TEST(shows_a_prompt_and_its_end),
        TEST(shows_every_key),
        TEST(no_key_means_two_things),
        TEST(draws_a_server),
        TEST(a_servers_node_is_told),
        TEST(a_server_may_be_unknown_yet),
        TEST(panes_follow_and_scroll),
        TEST(panes_wrap_long_lines),
        TEST(a_scrolled_pane_stands_still),
        TEST(panes_are_bounded),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
