/*
 * See action.h.
 */
#include "supervisor/cli/frame/action.h"

#include <cjson/cJSON.h>

int action_run(const struct cli_call *call, const char *done)
{
    struct deed deed = {.target = "/api/servers/action", .field = "ids", .follow = true, .done = done};
    deed.body = cJSON_CreateObject();
    cJSON_AddStringToObject(deed.body, "action", call->verb->name);
    return acting_run(call, &deed);
}
