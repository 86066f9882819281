/*
 * Query parameters: found and decoded by src/http, read as numbers by src/core; this file says what was wrong.
 */
#include "supervisor/api/query.h"

#include "core/units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define NUMBER_MAX 64 /* a longer text is no number that anybody means */

int query_text(struct http_slice query, const char *name, char *out, size_t size, struct error *err)
{
    struct http_slice raw;

    if (!http_query_get(query, name, &raw))
        return 0;
    int length = http_percent_decode(raw, true, out, size);
    if (length == -ENAMETOOLONG)
        return error_set(err, EINVAL, "%s must have at most %zu bytes", name, size - 1);
    if (length < 0)
        return error_set(err, EINVAL, "%s is not valid percent-encoding", name);
    return 1;
}

int query_int(struct http_slice query, const char *name, int64_t min, int64_t max, int64_t *value, struct error *err)
{
    char text[NUMBER_MAX];
    struct http_slice raw;

    if (!http_query_get(query, name, &raw))
        return 0;
    if (http_percent_decode(raw, true, text, sizeof(text)) < 0 || units_parse_int(text, min, max, value) < 0)
        return error_set(err, EINVAL, "%s must be a whole number from %" PRId64 " to %" PRId64, name, min, max);
    return 1;
}

int query_number(struct http_slice query, const char *name, double min, double max, double *value, struct error *err)
{
    char text[NUMBER_MAX];
    struct http_slice raw;

    if (!http_query_get(query, name, &raw))
        return 0;
    if (http_percent_decode(raw, true, text, sizeof(text)) < 0 || units_parse_double(text, min, max, value) < 0)
        return error_set(err, EINVAL, "%s must be a number from %g to %.12g", name, min, max);
    return 1;
}

int query_bool(struct http_slice query, const char *name, bool *value, struct error *err)
{
    char text[NUMBER_MAX];
    struct http_slice raw;

    if (!http_query_get(query, name, &raw))
        return 0;
    bool decoded = http_percent_decode(raw, true, text, sizeof(text)) >= 0;
    if (!decoded || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
        return error_set(err, EINVAL, "%s must be true or false", name);
    *value = text[0] == 't';
    return 1;
}
