/*
 * See many.h. Freed when the work is done and, where it is followed, its stream is gone as well.
 */
#include "supervisor/api/many.h"

#include "core/memory.h"
#include "supervisor/api/query.h"
#include "supervisor/api/view.h"

#include <stdlib.h>

static struct many *many_of(struct stream *stream)
{
    return (struct many *)((char *)stream - offsetof(struct many, stream));
}

static void write_answer(const struct many *many, struct buffer *out)
{
    struct json_writer w = json_writer_to(out);

    json_begin_object(&w);
    many->write_head(many, &w);
    results_write_members(many->results, &w);
    view_timestamp(&w);
    json_end_object(&w);
}

/* --- followed --- */

/* {"total": 50}, so that whoever waits can be told how far it is. False when the reader has to be waited for. */
static bool send_begin(struct many *many, struct buffer *out)
{
    struct json_writer w = json_writer_to(out);

    json_begin_object(&w);
    json_member_uint(&w, "total", results_count(many->results));
    json_end_object(&w);
    return stream_send(&many->stream, NULL, "begin", out);
}

static void send_results(struct stream *stream)
{
    struct many *many = many_of(stream);
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w;

    if (!many->begun) {
        many->begun = true;
        if (!send_begin(many, &out))
            return;
    }
    for (;;) {
        w = json_writer_to(&out);
        if (!results_take(many->results, &w))
            break;
        if (!stream_send(stream, NULL, "result", &out))
            return;
    }
    if (!many->done)
        return;
    write_answer(many, &out);
    stream_send(stream, NULL, "done", &out);
    stream_end(stream, NULL);
}

static void on_freed(struct stream *stream)
{
    struct many *many = many_of(stream);

    many->streaming = false;
    if (many->done)
        many_drop(many);
}

/* --- both --- */

bool many_prepare(struct many *many, struct http_request *request, struct api *api, const struct targets *targets)
{
    struct error err = {0};

    many->results = results_new(targets->ids, targets->count);
    bool fine = query_bool(http_request_query(request), "follow", &many->follow, &err) >= 0;
    if (!fine)
        respond_error(request, &err);
    else if (many->follow)
        fine = stream_has_room(request, api);
    if (!fine)
        many_drop(many);
    return fine;
}

void many_drop(struct many *many)
{
    results_free(many->results);
    free(many);
}

static void answer(struct many *many)
{
    struct buffer out = BUFFER_EMPTY;

    write_answer(many, &out);
    reply_json(&many->stream.reply, 200, &out);
    many_drop(many);
}

void many_hold(struct many *many, struct http_request *request, struct api *api)
{
    static const struct stream_calls CALLS = {.more = send_results, .freed = on_freed};

    many->held = true;
    if (many->follow) {
        many->streaming = true;
        stream_begin(&many->stream, request, api, 0, &CALLS);
        return;
    }
    reply_hold(&many->stream.reply, request, NULL);
    if (many->done)
        answer(many);
}

void many_result(struct many *many, int server_id, const struct error *err)
{
    results_set(many->results, server_id, err);
    if (many->streaming)
        stream_wake(&many->stream);
}

void many_done(struct many *many)
{
    many->done = true;
    if (many->streaming)
        stream_wake(&many->stream);
    else if (many->follow && many->held)
        many_drop(many); /* its reader has left */
    else if (many->held)
        answer(many);
}
