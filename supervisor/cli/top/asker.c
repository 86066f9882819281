/*
 * See asker.h.
 */
#include "supervisor/cli/top/asker.h"

#include "core/memory.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_done(void *data, const struct http_client_response *response)
{
    struct asker *asker = data;
    struct asked_farm *farm = asker->farm;
    asker->busy = false;
    free(steal(&asker->body));
    if (response->outcome != HTTP_OK) {
        http_client_free(steal(&asker->http));
        farm->current = (farm->current + 1) % farm->reach->count; /* the name's next address */
    }
    asker->on_answer(response, asker->data);
}

void asker_ask(struct asker *asker, const struct asker_question *question)
{
    const struct reach *reach = asker->farm->reach;
    const char *token = reach->headers ? reach->headers : "";
    bool resumes = question->last_id && question->last_id[0] != '\0';
    cleanup_free char *headers = xasprintf("%s%s%s%s", token, resumes ? "Last-Event-ID: " : "",
                                           resumes ? question->last_id : "", resumes ? "\r\n" : "");
    asker->body = xstrdup(question->body);
    const struct http_client_request request = {
        .method = question->method ? question->method : "GET",
        .target = question->target,
        .headers = headers,
        .content_type = asker->body ? "application/json" : NULL,
        .body = asker->body,
        .body_length = asker->body ? strlen(asker->body) : 0,
        .timeout_ms = question->timeout_ms,
        .max_body = question->max_body,
        .on_piece = question->on_piece,
    };
    if (!asker->http) {
        const struct sockaddr *where = (const struct sockaddr *)&reach->addresses[asker->farm->current];
        asker->http = http_client_new_at(asker->farm->loop, where, reach_authority(reach));
    }
    asker->busy = true;
    http_client_send(asker->http, &request, on_done, asker);
}

void asker_forget(struct asker *asker)
{
    http_client_free(steal(&asker->http));
    free(steal(&asker->body));
    asker->busy = false;
}

/* --- what an answer means --- */

static void set_detail(const struct asker *asker, const struct http_client_response *response, struct error *err)
{
    cJSON *answer = cJSON_ParseWithLength(response->body, response->body_length);
    const cJSON *detail = cJSON_GetObjectItemCaseSensitive(answer, "detail");
    if (cJSON_IsString(detail))
        error_set(err, EIO, "%s", detail->valuestring);
    else
        error_set(err, EPROTO, "what answers at %s is no farmd: HTTP %d", asker->farm->reach->address.url,
                  response->status);
    cJSON_Delete(answer);
}

bool asker_is_fine(const struct asker *asker, const struct http_client_response *response, struct error *err)
{
    const char *url = asker->farm->reach->address.url;
    switch (response->outcome) {
    case HTTP_OK:
        if (response->status >= 200 && response->status < 300)
            return true;
        if (response->status == 401)
            error_set(err, EACCES, "the farm at %s wants its token: put it into FARMD_TOKEN", url);
        else
            set_detail(asker, response, err);
        return false;
    case HTTP_REFUSED:
        error_set(err, ECONNREFUSED, "no farm answers at %s; trying again (farmd up -d starts one)", url);
        return false;
    case HTTP_TIMEOUT:
        error_set(err, ETIMEDOUT, "the farm at %s does not answer; trying again", url);
        return false;
    case HTTP_RESET:
        error_set(err, ECONNRESET, "the farm at %s went away; trying again", url);
        return false;
    case HTTP_BAD_RESPONSE:
    case HTTP_TOO_LARGE:
    case HTTP_NO_ROOM:
    case HTTP_LOCAL_ERROR:
        break;
    }
    error_set(err, EPROTO, "%s: %s; trying again", url,
              response->outcome == HTTP_LOCAL_ERROR ? uv_strerror(response->error)
                                                    : http_outcome_text(response->outcome));
    return false;
}

bool asker_is_refused(const struct http_client_response *response)
{
    return response->outcome == HTTP_OK && response->status >= 400 && response->status < 500 &&
           response->status != 401 && response->status != 429;
}
