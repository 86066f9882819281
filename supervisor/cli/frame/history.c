/*
 * See history.h.
 */
#include "supervisor/cli/frame/history.h"

#include <cjson/cJSON.h>
#include <math.h>

static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
#define BARS ((int)(sizeof(bars) / sizeof(bars[0])))

/* The first of the last `width` points. */
static const cJSON *first_of(const cJSON *points, const char *column, size_t width)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(points, column);
    int count = cJSON_GetArraySize(list);
    const cJSON *point = list ? list->child : NULL;
    for (int skipped = 0; point && skipped < count - (int)width; skipped++)
        point = point->next;
    return point;
}

void history_append_bars(struct buffer *out, const cJSON *points, const char *column, double full, size_t width)
{
    for (const cJSON *point = first_of(points, column, width); point; point = point->next) {
        if (!cJSON_IsNumber(point)) {
            buffer_append_char(out, ' ');
            continue;
        }
        int level = full > 0 ? (int)(point->valuedouble / full * BARS) : 0;
        buffer_append_text(out, bars[level < 0 ? 0 : level >= BARS ? BARS - 1 : level]);
    }
}

double history_most(const cJSON *points, const char *column, size_t width)
{
    double most = NAN;
    for (const cJSON *point = first_of(points, column, width); point; point = point->next) {
        if (cJSON_IsNumber(point) && !(point->valuedouble <= most))
            most = point->valuedouble;
    }
    return most;
}
