/*
 * Nothing is done before every id is known to be good.
 */
#include "supervisor/api/targets.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/query.h"
#include "supervisor/api/reply.h"
#include "supervisor/farm/selector.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define SHOWN_IDS 20 /* of the unknown ones, in a message */

static int compare_ids(const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;

    return (left > right) - (left < right);
}

static void sort_unique(struct targets *targets)
{
    size_t kept = 0;

    qsort(targets->ids, targets->count, sizeof(targets->ids[0]), compare_ids);
    for (size_t i = 0; i < targets->count; i++) {
        if (kept == 0 || targets->ids[kept - 1] != targets->ids[i])
            targets->ids[kept++] = targets->ids[i];
    }
    targets->count = kept;
}

static bool answer_unknown(struct http_request *request, const char *field, const char *names)
{
    http_respond_problem(request, 400, "%s: not in this farm: %s", field, names);
    return false;
}

static bool read_list(struct http_request *request, const struct farm *farm, const char *field, const int64_t *sent,
                      size_t count, struct targets *targets)
{
    struct buffer unknown = BUFFER_EMPTY;
    size_t unknown_count = 0;

    targets->ids = xcalloc(count > 0 ? count : 1, sizeof(targets->ids[0]));
    for (size_t i = 0; i < count; i++) {
        bool known = sent[i] > 0 && sent[i] <= INT32_MAX && farm_server(farm, (int)sent[i]) != NULL;
        if (known)
            targets->ids[targets->count++] = (int)sent[i];
        else if (unknown_count++ < SHOWN_IDS)
            buffer_printf(&unknown, "%s%" PRId64, unknown_count > 1 ? ", " : "", sent[i]);
    }
    if (unknown_count == 0) {
        sort_unique(targets);
        return true;
    }
    if (unknown_count > SHOWN_IDS)
        buffer_printf(&unknown, " and %zu more", unknown_count - SHOWN_IDS);
    targets_done(targets);
    answer_unknown(request, field, unknown.data);
    buffer_done(&unknown);
    return false;
}

static bool read_text(struct http_request *request, const struct farm *farm, const char *field, const char *text,
                      struct targets *targets)
{
    struct error err = {0};

    targets->ids = xcalloc(farm_server_count(farm) + 1, sizeof(targets->ids[0]));
    int count = farm_select(farm, text, targets->ids, &targets->is_filter, &err);
    if (count >= 0) {
        targets->count = (size_t)count;
        return true;
    }
    targets_done(targets);
    http_respond_problem(request, count == -ENOENT ? 400 : 422, "%s: %s", field, err.message);
    return false;
}

bool targets_read(struct http_request *request, const struct farm *farm, const struct body *body, const char *field,
                  struct targets *targets)
{
    const cJSON *item = body_get(body, field);
    struct error err = {0};

    *targets = (struct targets){.given = item != NULL};
    if (item == NULL)
        return true;
    if (cJSON_IsString(item))
        return read_text(request, farm, field, item->valuestring, targets);

    cleanup_free int64_t *sent = NULL;
    size_t count = 0;
    if (body_int_list(body, field, SETTINGS_MAX_SERVERS, &sent, &count, &err) < 0) {
        respond_error(request, &err);
        return false;
    }
    return read_list(request, farm, field, sent, count, targets);
}

bool targets_read_query(struct http_request *request, const struct farm *farm, struct targets *targets)
{
    char text[SELECTOR_TEXT_MAX + 1];
    struct error err = {0};

    *targets = (struct targets){0};
    int given = query_text(http_request_query(request), "select", text, sizeof(text), &err);
    if (given < 0) {
        respond_error(request, &err);
        return false;
    }
    targets->given = given > 0;
    if (given > 0)
        return read_text(request, farm, "select", text, targets);
    targets_all(farm, targets);
    return true;
}

void targets_all(const struct farm *farm, struct targets *targets)
{
    targets->count = farm_server_count(farm);
    targets->ids = xcalloc(targets->count > 0 ? targets->count : 1, sizeof(targets->ids[0]));
    for (size_t i = 0; i < targets->count; i++)
        targets->ids[i] = farm_server_at(farm, i)->id;
}

void targets_done(struct targets *targets)
{
    free(targets->ids);
    *targets = (struct targets){0};
}
