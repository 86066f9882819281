/*
 * What the API says of a server, in the words and units of the terminal. "-" is what isn't known.
 */
#ifndef SUPERVISOR_CLI_FRAME_VIEW_H
#define SUPERVISOR_CLI_FRAME_VIEW_H

#include "core/buffer.h"
#include "supervisor/cli/frame/output.h"

#include <stddef.h>
#include <stdint.h>

struct cJSON;

#define VIEW_TEXT 200 /* room that the functions below want */

/* Members of an object; a fallback for what is absent, null or of another kind. */
double view_number(const struct cJSON *object, const char *key, double fallback);
const char *view_text(const struct cJSON *object, const char *key); /* "-" */
int64_t view_time(const struct cJSON *object, const char *key);     /* microseconds since 1970; 0 */

/* A member in its unit, written into `text` and returned. */
const char *view_percent(const struct cJSON *object, const char *key, char text[VIEW_TEXT]); /* "12%" */
const char *view_rate(const struct cJSON *object, const char *key, char text[VIEW_TEXT]);    /* "812", "1.2k" */
const char *view_count(const struct cJSON *object, const char *key, char text[VIEW_TEXT]);   /* "4711" */
const char *view_ms(const struct cJSON *object, const char *key, char text[VIEW_TEXT]);      /* "0.21 ms" */

/* Figures that are no member of an object; NaN is not known. */
const char *view_format_rate(double value, char text[VIEW_TEXT]);
const char *view_cpu_use(double cores, double limit, char text[VIEW_TEXT]);    /* "3.1 of 25" */
const char *view_memory_use(double mb, double limit_mb, char text[VIEW_TEXT]); /* "1.2 of 12.5 GB" */

/* Of a server's entry. */
const char *view_health(const struct cJSON *server);                       /* "-" for one that does not run */
const char *view_memory(const struct cJSON *server, char text[VIEW_TEXT]); /* "1.3 of 256 MB" */
const char *view_latency(const struct cJSON *server, const char *key, char text[VIEW_TEXT]);
const char *view_labels(const struct cJSON *server, char text[VIEW_TEXT]); /* "zone=a,tier=web" */
/* How long it runs ("3m12s"), or why it doesn't and what comes next ("OOMKilled, next try in 3.2 s"). */
const char *view_since(const struct cJSON *server, int64_t now_us, char text[VIEW_TEXT]);
enum paint view_state_paint(const struct cJSON *server);
enum paint view_health_paint(const struct cJSON *server);
enum paint view_load_paint(const struct cJSON *server, const char *key); /* of a percentage of its limit */

/* How many servers of the farm are what: "47 healthy", "1 degraded"; only what there is. */
#define VIEW_COUNTS 10 /* at most */
struct view_count {
    double count;
    const char *words; /* lives for ever */
    enum paint paint;
};
void view_counts(const struct cJSON *totals, void (*each)(const struct view_count *count, void *data), void *data);

/* The line below a list of servers: how many are shown, what the whole farm is doing. */
void view_summary(const struct output *output, const struct cJSON *answer, size_t shown, struct buffer *out);

#endif
