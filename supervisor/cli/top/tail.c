/*
 * See tail.h.
 */
#include "supervisor/cli/top/tail.h"

#include "core/clock.h"
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

#define SILENCE_MS 20000 /* farmd gives a sign of life every 5 s */

static bool on_sse(const struct sse_event *event, void *data)
{
    struct tail *tail = data;
    if (event->id[0] != '\0') {
        free(tail->last_id);
        tail->last_id = xstrdup(event->id);
    }
    tail->on_event(event, tail->data);
    return true;
}

static void on_piece(void *data, const char *piece, size_t length)
{
    struct asker *asker = data;
    struct tail *tail = asker->data;
    tail->heard_ms = clock_monotonic_ms();
    sse_read(&tail->reader, piece, length, on_sse, tail);
}

static void on_answer(const struct http_client_response *response, void *data)
{
    struct tail *tail = data;
    tail->refused = asker_is_refused(response);
}

static void connect_again(struct tail *tail)
{
    sse_reader_done(&tail->reader);
    tail->reader = SSE_READER_EMPTY;
    tail->heard_ms = clock_monotonic_ms();
    tail->asker.on_answer = on_answer;
    tail->asker.data = tail;
    asker_ask(&tail->asker,
              &(struct asker_question){
                  .target = tail->target, .last_id = tail->last_id, .max_body = 65536, .on_piece = on_piece});
}

void tail_end(struct tail *tail)
{
    asker_forget(&tail->asker);
    sse_reader_done(&tail->reader);
    free(steal(&tail->target));
    free(steal(&tail->last_id));
    tail->refused = false;
}

void tail_begin(struct tail *tail, const char *target)
{
    tail_end(tail);
    tail->target = xstrdup(target);
    connect_again(tail);
}

void tail_tick(struct tail *tail)
{
    if (!tail->target || tail->refused)
        return;
    if (tail->asker.busy && clock_monotonic_ms() - tail->heard_ms > SILENCE_MS)
        asker_forget(&tail->asker);
    if (!tail->asker.busy)
        connect_again(tail);
}
