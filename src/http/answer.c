/*
 * The answer reader: llhttp with the exceptions that a client must know (bodies that aren't there, interim answers,
 * upgrades that nobody asked for).
 */
#include "http/answer.h"

static int on_headers_complete(llhttp_t *parser)
{
    struct http_answer *answer = parser->data;
    bool interim = parser->status_code < 200;

    if (!interim)
        answer->status = parser->status_code;
    /* These have no body, whatever Content-Length says; the parser knows only some of them. */
    return interim || answer->head_only || parser->status_code == 204 || parser->status_code == 304;
}

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
    struct http_answer *answer = parser->data;

    (void)at;
    answer->body_bytes += length;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_answer *answer = parser->data;

    if (parser->status_code < 200)
        return parser->status_code == 101 ? HPE_USER : 0; /* 101: an upgrade that nobody asked for */
    answer->done = true;
    answer->reusable = llhttp_should_keep_alive(parser);
    return HPE_PAUSED;
}

static const llhttp_settings_t SETTINGS = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_answer_init(struct http_answer *answer, bool head_only)
{
    answer->head_only = head_only;
    http_answer_next(answer);
}

void http_answer_next(struct http_answer *answer)
{
    llhttp_init(&answer->parser, HTTP_RESPONSE, &SETTINGS);
    answer->parser.data = answer;
    answer->body_bytes = 0;
    answer->head_bytes = 0;
    answer->status = 0;
    answer->begun = false;
    answer->done = false;
    answer->reusable = false;
}

enum http_answer_state http_answer_feed(struct http_answer *answer, const char *data, size_t length)
{
    answer->begun = true;
    if (answer->status == 0)
        answer->head_bytes += length;
    llhttp_errno_t rc = llhttp_execute(&answer->parser, data, length);
    if (answer->done) {
        if (llhttp_get_error_pos(&answer->parser) != data + length)
            answer->reusable = false; /* bytes behind the answer: the peer is confused */
        return HTTP_ANSWER_DONE;
    }
    bool endless = answer->status == 0 && answer->head_bytes > HTTP_ANSWER_MAX_HEAD;
    return rc != HPE_OK || endless ? HTTP_ANSWER_BAD : HTTP_ANSWER_MORE;
}

enum http_answer_state http_answer_end(struct http_answer *answer)
{
    if (answer->begun)
        llhttp_finish(&answer->parser);
    answer->reusable = false;
    return answer->done ? HTTP_ANSWER_DONE : HTTP_ANSWER_BAD;
}
