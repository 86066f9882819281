/*
 * Messages are kept only for what failed, so that thousands of successes cost little.
 */
#include "supervisor/api/results.h"

#include "core/memory.h"

#include <errno.h>
#include <stdlib.h>

struct result {
    int server_id;
    bool known;
    int code;
    char *message;
};

struct results {
    size_t count;
    size_t *order; /* places in `list`, as they became known */
    size_t known, taken;
    struct result list[];
};

struct results *results_new(const int *ids, size_t count)
{
    struct results *results = xcalloc(1, sizeof(*results) + count * sizeof(results->list[0]));

    results->count = count;
    results->order = xcalloc(count, sizeof(results->order[0]));
    for (size_t i = 0; i < count; i++)
        results->list[i].server_id = ids[i];
    return results;
}

void results_free(struct results *results)
{
    if (results == NULL)
        return;
    for (size_t i = 0; i < results->count; i++)
        free(results->list[i].message);
    free(results->order);
    free(results);
}

size_t results_count(const struct results *results)
{
    return results->count;
}

static int compare(const void *key, const void *entry)
{
    int wanted = *(const int *)key, here = ((const struct result *)entry)->server_id;

    return (wanted > here) - (wanted < here);
}

void results_set(struct results *results, int server_id, const struct error *err)
{
    struct result *result = bsearch(&server_id, results->list, results->count, sizeof(results->list[0]), compare);

    if (result == NULL)
        return;
    if (!result->known)
        results->order[results->known++] = (size_t)(result - results->list);
    result->known = true;
    result->code = err == NULL ? 0 : err->code;
    free(result->message);
    result->message = err == NULL ? NULL : xstrdup(err->message);
}

static const char *status_of(const struct result *result)
{
    if (!result->known || result->code == ECANCELED || result->code == EALREADY)
        return "skipped";
    return result->code == 0 ? "success" : "error";
}

static void write_entry(const struct result *result, struct json_writer *w)
{
    json_begin_object(w);
    json_member_int(w, "server_id", result->server_id);
    json_member_string(w, "status", status_of(result));
    if (result->message != NULL)
        json_member_string(w, "message", result->message);
    else if (!result->known)
        json_member_string(w, "message", "not tried");
    json_end_object(w);
}

bool results_take(struct results *results, struct json_writer *w)
{
    if (results->taken == results->known)
        return false;
    write_entry(&results->list[results->order[results->taken++]], w);
    return true;
}

void results_write_members(const struct results *results, struct json_writer *w)
{
    size_t successful = 0, stopped = 0;

    for (size_t i = 0; i < results->count; i++) {
        successful += results->list[i].known && results->list[i].code == 0;
        stopped += results->list[i].code == EALREADY;
    }
    json_member_uint(w, "total", results->count);
    json_member_uint(w, "successful", successful);
    json_member_uint(w, "failed", results->count - successful - stopped);
    json_key(w, "results");
    json_begin_array(w);
    for (size_t i = 0; i < results->count; i++)
        write_entry(&results->list[i], w);
    json_end_array(w);
}
