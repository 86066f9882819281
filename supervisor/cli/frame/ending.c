/*
 * See ending.h.
 */
#include "supervisor/cli/frame/ending.h"

#include "core/clock.h"
#include "core/units.h"
#include "supervisor/cli/frame/view.h"

#include <cjson/cJSON.h>
#include <string.h>

void ending_append_last(const cJSON *server, int64_t now_us, struct buffer *out)
{
    const cJSON *last = cJSON_GetObjectItemCaseSensitive(server, "last_exit");
    double restarts = view_number(server, "restarts", 0), oom_kills = view_number(server, "oom_kills", 0);
    char gap[24];
    if (!cJSON_IsObject(last)) {
        buffer_append_text(out, "none: it has not ended since the farm began");
        return;
    }
    units_format_duration(gap, (now_us - view_time(last, "at")) / (US_PER_SECOND / MS_PER_SECOND));
    buffer_printf(out, "%s %s ago", view_text(last, "reason"), gap);
    if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(last, "signal")))
        buffer_printf(out, " (signal %.0f)", view_number(last, "signal", 0));
    else if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(last, "exit_code")))
        buffer_printf(out, " (exit code %.0f)", view_number(last, "exit_code", 0));
    buffer_printf(out, "; %.0f restart%s, %.0f OOM kill%s", restarts, restarts == 1 ? "" : "s", oom_kills,
                  oom_kills == 1 ? "" : "s");
}

void ending_append_next(const cJSON *server, int64_t now_us, struct buffer *out)
{
    const char *policy = view_text(server, "restart"), *profile = view_text(server, "restart_profile");
    const char *status = view_text(server, "status");
    int64_t next_us = view_time(server, "next_restart_at");
    char gap[24];
    if (next_us > 0) {
        units_format_duration(gap, (next_us - now_us) / (US_PER_SECOND / MS_PER_SECOND));
        buffer_printf(out, "next try in %s (profile %s); farmd start %.0f tries at once", gap, profile,
                      view_number(server, "id", 0));
    } else if (strcmp(status, "stopped") == 0 || strcmp(status, "failed") == 0) {
        buffer_printf(out, "stays down until farmd start %.0f", view_number(server, "id", 0));
    } else if (strcmp(policy, "never") == 0) {
        buffer_append_text(out, "when it ends it stays down (restart: never)");
    } else {
        buffer_printf(out, "when it %s it is started again (restart: %s, profile %s)",
                      strcmp(policy, "on-failure") == 0 ? "fails" : "ends", policy, profile);
    }
}
