/*
 * A farm on the fake runtime for tests: made in a directory of its own, driven until a condition holds.
 */
#ifndef TESTS_UNIT_FARM_FIXTURE_H
#define TESTS_UNIT_FARM_FIXTURE_H

#include "supervisor/farm/farm.h"
#include "tests/unit/fake_runtime.h"

struct farm_fixture {
    uv_loop_t loop;
    struct farm *farm;
    char directory[64];
    struct farm_progress progress;
    bool stopped;
};

/* Settings of one group "default": worker, no probes, short times; to be changed and handed on. */
struct settings *fixture_settings(const struct farm_fixture *fixture, unsigned servers);
/* One more group behind the last. */
struct group_settings *fixture_add_group(struct settings *settings, const char *name, unsigned count,
                                         uint16_t base_port);

/* The directory and the loop; then the farm. */
void fixture_begin(struct farm_fixture *fixture);
void fixture_make(struct farm_fixture *fixture, struct settings *settings);
/* All servers ready. */
void fixture_start(struct farm_fixture *fixture);
void fixture_end(struct farm_fixture *fixture); /* stops the farm if need be; nothing is left */

/* Runs the loop until the expression holds; fails the test after 10 s. */
#define run_until(fixture, expression)                                                                                 \
    do {                                                                                                               \
        int64_t deadline_ = fixture_deadline();                                                                        \
        while (!(expression))                                                                                          \
            fixture_turn(fixture, deadline_, #expression, __FILE__, __LINE__);                                         \
    } while (0)
int64_t fixture_deadline(void);
void fixture_turn(struct farm_fixture *fixture, int64_t deadline_ms, const char *what, const char *file, int line);

enum server_state fixture_state(const struct farm_fixture *fixture, int id);
unsigned fixture_count_events(const struct farm_fixture *fixture, enum event_reason reason, int server_id);
const struct event *fixture_last_event(const struct farm_fixture *fixture, enum event_reason reason, int server_id);

/* What an action came to; a server_done_fn and its data. */
struct outcome {
    unsigned calls;
    int code; /* of the last */
    char message[ERROR_MESSAGE_MAX];
};
void fixture_on_server(struct server *server, const struct error *err, void *outcome);
void fixture_on_done(const struct error *err, void *outcome);

#endif
