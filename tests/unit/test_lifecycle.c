/*
 * The state machine against its table: every state, what follows a stopping, every event, every verdict. The same table
 * is in docs/lifecycle.md, which is held to it here.
 */
#include "supervisor/farm/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 10

static const struct lifecycle columns[COLUMNS] = {
    {.state = SERVER_STOPPED},
    {.state = SERVER_STARTING, .queued = true},
    {.state = SERVER_STARTING},
    {.state = SERVER_RUNNING},
    {.state = SERVER_PAUSED},
    {.state = SERVER_STOPPING, .after = AFTER_STOP},
    {.state = SERVER_STOPPING, .after = AFTER_START},
    {.state = SERVER_STOPPING, .after = AFTER_POLICY},
    {.state = SERVER_BACKOFF},
    {.state = SERVER_FAILED},
};

/* A cell: the state that follows and the actions; "=" changes nothing; "no" is refused; "policy" asks the verdict. What
 * follows a stopping is in brackets, and so is a start whose turn has not come. */
static const char *const table[EVENT_COUNT][COLUMNS] = {
    [EVENT_START] = {"starting(queued): queue, reset", "=", "=", "=", "running: thaw", "stopping(start): reset", "=",
                     "stopping(start): reset", "starting(queued): queue, reset", "starting(queued): queue, reset"},
    [EVENT_STOP] = {"=", "stopped", "stopping(stop): terminate", "stopping(stop): terminate",
                    "stopping(stop): terminate, thaw", "=", "stopping(stop)", "stopping(stop)", "stopped", "stopped"},
    [EVENT_RESTART] = {"starting(queued): queue, reset", "=", "=", "stopping(start): terminate, reset",
                       "stopping(start): terminate, thaw, reset", "stopping(start): reset", "=",
                       "stopping(start): reset", "starting(queued): queue, reset", "starting(queued): queue, reset"},
    [EVENT_KILL] = {"=", "=", "stopping(policy): kill", "stopping(policy): kill", "stopping(policy): kill",
                    "stopping(stop): kill", "stopping(start): kill", "stopping(policy): kill", "=", "="},
    [EVENT_PAUSE] = {"no", "no", "no", "paused: freeze", "=", "no", "no", "no", "no", "no"},
    [EVENT_RESUME] = {"no", "no", "no", "=", "running: thaw", "no", "no", "no", "no", "no"},
    [EVENT_TURN] = {"=", "starting: spawn", "=", "=", "=", "=", "=", "=", "=", "="},
    [EVENT_READY] = {"=", "=", "running", "=", "=", "=", "=", "=", "=", "="},
    [EVENT_START_TIMEOUT] = {"=", "=", "stopping(policy): kill", "=", "=", "=", "=", "=", "=", "="},
    [EVENT_EXITED] = {"=", "=", "policy", "policy", "policy", "stopped", "starting(queued): queue", "policy", "=", "="},
    [EVENT_SPAWN_FAILED] = {"=", "=", "policy", "=", "=", "stopped", "starting(queued): queue", "policy", "=", "="},
    [EVENT_LIVENESS_FAILED] = {"=", "=", "=", "stopping(policy): kill", "=", "=", "=", "=", "=", "="},
    [EVENT_BACKOFF_ELAPSED] = {"=", "=", "=", "=", "=", "=", "=", "=", "starting(queued): queue", "="},
    [EVENT_STOP_TIMEOUT] = {"=", "=", "=", "=", "=", "stopping(stop): kill", "stopping(start): kill",
                            "stopping(policy): kill", "=", "="},
    [EVENT_ADOPTED] = {"running", "=", "=", "=", "=", "=", "=", "=", "=", "="},
    [EVENT_ADOPTED_STARTING] = {"starting", "=", "=", "=", "=", "=", "=", "=", "=", "="},
    [EVENT_ADOPTED_PAUSED] = {"paused", "=", "=", "=", "=", "=", "=", "=", "=", "="},
};

static const char *const by_verdict[] = {
    [VERDICT_RETRY_NOW] = "starting(queued): queue",
    [VERDICT_RETRY_LATER] = "backoff",
    [VERDICT_GIVE_UP] = "failed",
    [VERDICT_STAY_DOWN] = "stopped",
};
#define VERDICTS (sizeof(by_verdict) / sizeof(by_verdict[0]))

static void write_state(struct lifecycle now, char *out, size_t size)
{
    static const char *const after[] = {[AFTER_STOP] = "stop", [AFTER_START] = "start", [AFTER_POLICY] = "policy"};
    if (now.state == SERVER_STOPPING)
        snprintf(out, size, "stopping(%s)", after[now.after]);
    else if (now.queued)
        snprintf(out, size, "starting(queued)");
    else
        snprintf(out, size, "%s", server_state_name(now.state));
}

static void write_cell(struct lifecycle now, const struct lifecycle_step *step, char *out, size_t size)
{
    static const struct {
        enum lifecycle_action action;
        const char *word;
    } words[] = {{ACTION_QUEUE, "queue"},        {ACTION_SPAWN, "spawn"},   {ACTION_TERMINATE, "terminate"},
                 {ACTION_KILL, "kill"},          {ACTION_FREEZE, "freeze"}, {ACTION_THAW, "thaw"},
                 {ACTION_RESET_BACKOFF, "reset"}};
    bool same = step->next.state == now.state && step->next.queued == now.queued &&
                (now.state != SERVER_STOPPING || step->next.after == now.after);
    if (step->refused || (same && !step->actions)) {
        snprintf(out, size, "%s", step->refused ? "no" : "=");
        return;
    }
    write_state(step->next, out, size);
    const char *separator = ": ";
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!(step->actions & words[i].action))
            continue;
        snprintf(out + strlen(out), size - strlen(out), "%s%s", separator, words[i].word);
        separator = ", ";
    }
}

static void test_every_pair(void **state)
{
    (void)state;
    for (int event = 0; event < EVENT_COUNT; event++) {
        for (size_t c = 0; c < COLUMNS; c++) {
            for (size_t verdict = 0; verdict < VERDICTS; verdict++) {
                struct lifecycle_step step = lifecycle_next(columns[c], event, verdict);
                const char *expected = table[event][c];
                bool asks = strcmp(expected, "policy") == 0;
                char got[80];
                write_cell(columns[c], &step, got, sizeof(got));
                if (strcmp(got, asks ? by_verdict[verdict] : expected) != 0)
                    fail_msg("%s in %s, verdict %zu: %s instead of %s", lifecycle_event_name(event),
                             server_state_name(columns[c].state), verdict, got, asks ? by_verdict[verdict] : expected);
                assert_int_equal(lifecycle_needs_verdict(columns[c], event), asks);
            }
        }
    }
}

/* A refusal and an ignored event leave everything as it is, and no step leaves a trace in `after` or `queued` where it means nothing. */
static void test_nothing_changes_by_the_way(void **state)
{
    (void)state;
    for (int event = 0; event < EVENT_COUNT; event++) {
        for (size_t c = 0; c < COLUMNS; c++) {
            struct lifecycle_step step = lifecycle_next(columns[c], event, VERDICT_RETRY_LATER);
            if (step.refused) {
                assert_int_equal(step.actions, 0);
                assert_int_equal(step.next.state, columns[c].state);
                assert_int_equal(step.next.after, columns[c].after);
            }
            if (step.next.state != SERVER_STARTING)
                assert_false(step.next.queued);
            if (step.next.state != SERVER_STOPPING)
                assert_int_equal(step.next.after, AFTER_STOP);
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < SERVER_STATE_COUNT; i++)
        assert_string_not_equal(server_state_name(i), "unknown");
    for (int i = 0; i < EVENT_COUNT; i++)
        assert_string_not_equal(lifecycle_event_name(i), "unknown");
    assert_string_equal(server_state_name(SERVER_STATE_COUNT), "unknown");
}

static char *read_doc(void)
{
    FILE *file = fopen("docs/lifecycle.md", "re");
    assert_non_null(file); /* the programs run from the top of the source tree */
    static char text[65536];
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    return text;
}

static void test_the_document_has_the_same_table(void **state)
{
    (void)state;
    const char *doc = read_doc();
    for (int event = 0; event < EVENT_COUNT; event++) {
        char row[512];
        int n = snprintf(row, sizeof(row), "\n| %s |", lifecycle_event_name(event));
        for (size_t c = 0; c < COLUMNS; c++)
            n += snprintf(row + n, sizeof(row) - (size_t)n, " %s |", table[event][c]);
        if (!strstr(doc, row))
            fail_msg("docs/lifecycle.md has no row:%s", row);
    }
    for (size_t verdict = 0; verdict < VERDICTS; verdict++) {
        char cell[64];
        snprintf(cell, sizeof(cell), "| %s |", by_verdict[verdict]);
        if (!strstr(doc, cell))
            fail_msg("docs/lifecycle.md does not say what follows a verdict: %s", cell);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair),
        cmocka_unit_test(test_nothing_changes_by_the_way),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_the_document_has_the_same_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
