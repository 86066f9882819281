/*
 * See progress.h. It goes to the standard error, so that a report can be piped while one watches.
 */
#include "supervisor/cli/load/progress.h"

#include "core/units.h"
#include "supervisor/cli/load/text.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#define BAR_WIDTH 20

static void put_bar(double share)
{
    int full = (int)lround((share < 1 ? share : 1) * BAR_WIDTH);

    for (int i = 0; i < BAR_WIDTH; i++)
        fputs(i < full ? "█" : "░", stderr);
}

void load_progress_show(const struct load_moment *moment)
{
    char elapsed[24], rate[LOAD_TEXT], p50[LOAD_TEXT], p99[LOAD_TEXT], failed[LOAD_TEXT];

    if (!isatty(STDERR_FILENO))
        return;
    units_format_duration(elapsed, llround(moment->seconds * 1000));
    fprintf(stderr, "\r\033[K%6s ", elapsed);
    if (moment->total_seconds > 0)
        put_bar(moment->seconds / moment->total_seconds);
    fprintf(stderr, "  %s/s  p50 %s  p99 %s ms  failed %s", load_text_rate(moment->rate, rate),
            load_text_ms(moment->p50_us, p50), load_text_ms(moment->p99_us, p99),
            load_text_count(moment->failed, failed));
    fflush(stderr);
}

void load_progress_clear(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}
