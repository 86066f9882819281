/*
 * The text is checked whole first (json_check.c), so that cJSON only ever sees valid JSON of bounded depth.
 */
#include "supervisor/api/body.h"

#include "supervisor/api/json_check.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (strchr(" \t\r\n", text[i]) == NULL || text[i] == '\0')
            return false;
    }
    return true;
}

int body_parse(struct body *body, const char *text, size_t length, struct error *err)
{
    if (is_blank(text, length)) {
        text = "{}";
        length = 2;
    }
    struct error problem;
    if (json_check(text, length, BODY_MAX_DEPTH, &problem) < 0)
        return error_set(err, EINVAL, "the request body is %s", problem.message);
    errno = 0; /* cJSON does not say why it gives up; malloc does */
    cJSON *root = cJSON_ParseWithLength(text, length);
    if (root == NULL && errno == ENOMEM)
        return error_set(err, ENOMEM, "there is no memory for the request body; try again later");
    if (root == NULL)
        return error_set(err, EINVAL, "the request body is not valid JSON");
    if (!cJSON_IsObject(root)) {
        cJSON_Delete(root);
        return error_set(err, EINVAL, "the request body must be a JSON object");
    }
    body->root = root;
    return 0;
}

void body_done(struct body *body)
{
    cJSON_Delete(body->root);
    body->root = NULL;
}

const struct cJSON *body_get(const struct body *body, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(body->root, key);

    return cJSON_IsNull(item) ? NULL : item;
}

static bool is_integral(const cJSON *item, int64_t min, int64_t max)
{
    double number = item->valuedouble;

    return cJSON_IsNumber(item) && isfinite(number) && number == trunc(number) && number >= (double)min &&
           number <= (double)max;
}

int body_int(const struct body *body, const char *key, int64_t min, int64_t max, int64_t *value, struct error *err)
{
    const cJSON *item = body_get(body, key);

    if (item == NULL)
        return 0;
    if (!is_integral(item, min, max))
        return error_set(err, EINVAL, "%s must be a whole number from %" PRId64 " to %" PRId64, key, min, max);
    *value = (int64_t)item->valuedouble;
    return 1;
}

int body_number(const struct body *body, const char *key, double min, double max, double *value, struct error *err)
{
    const cJSON *item = body_get(body, key);

    if (item == NULL)
        return 0;
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) || item->valuedouble < min || item->valuedouble > max)
        return error_set(err, EINVAL, "%s must be a number from %g to %.12g", key, min, max);
    *value = item->valuedouble;
    return 1;
}

int body_text(const struct body *body, const char *key, size_t max_length, const char **value, struct error *err)
{
    const cJSON *item = body_get(body, key);

    if (item == NULL)
        return 0;
    if (!cJSON_IsString(item))
        return error_set(err, EINVAL, "%s must be a string", key);
    if (strlen(item->valuestring) > max_length)
        return error_set(err, EINVAL, "%s must have at most %zu bytes", key, max_length);
    *value = item->valuestring;
    return 1;
}

int body_int_list(const struct body *body, const char *key, size_t max_count, int64_t **values, size_t *count,
                  struct error *err)
{
    const cJSON *list = body_get(body, key);

    if (list == NULL)
        return 0;
    if (!cJSON_IsArray(list))
        return error_set(err, EINVAL, "%s must be a list of whole numbers", key);
    size_t length = (size_t)cJSON_GetArraySize(list);
    if (length > max_count)
        return error_set(err, EINVAL, "%s must have at most %zu entries", key, max_count);
    int64_t *found = malloc((length > 0 ? length : 1) * sizeof(*found));
    if (found == NULL)
        return error_set(err, EAGAIN, "%s: out of memory", key);
    size_t index = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (!is_integral(item, -BODY_MAX_INT, BODY_MAX_INT)) {
            free(found);
            return error_set(err, EINVAL, "%s must be a list of whole numbers; entry %zu is none", key, index + 1);
        }
        found[index++] = (int64_t)item->valuedouble;
    }
    *values = found;
    *count = length;
    return 1;
}
