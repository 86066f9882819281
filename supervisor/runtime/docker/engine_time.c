/*
 * Times as the Engine writes them.
 */
#include "supervisor/runtime/docker/engine.h"

#include "core/clock.h"

#include <time.h>

#define NS_DIGITS 9

int64_t engine_time_ns(const char *text)
{
    struct tm when = {0};
    int64_t ns = 0;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &when);

    if (!rest || when.tm_year < 70)
        return 0;
    if (*rest == '.') {
        int digits = 0;
        for (rest++; *rest >= '0' && *rest <= '9' && digits < NS_DIGITS; rest++, digits++)
            ns = ns * 10 + (*rest - '0');
        for (; digits < NS_DIGITS; digits++)
            ns *= 10;
    }
    return (int64_t)timegm(&when) * NS_PER_SECOND + ns;
}
