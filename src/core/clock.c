/*
 * Reading the clocks and writing instants. Both writers keep what they wrote for the current second.
 */
#include "core/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#define LAST_SECOND INT64_C(253402300799) /* 9999-12-31T23:59:59Z: the last one with a year of four digits */

static int64_t read_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
    return read_ns(CLOCK_MONOTONIC) / NS_PER_MS;
}

int64_t clock_realtime_us(void)
{
    return read_ns(CLOCK_REALTIME) / 1000;
}

int64_t clock_boottime_us(void)
{
    return read_ns(CLOCK_BOOTTIME) / 1000;
}

/* Writes the lowest `digits` decimal digits of value. */
static void put_digits(char *out, int64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Instants outside of 1970…9999 are clamped: they can only come from a broken clock and must not break the format. */
static void split(int64_t realtime_us, int64_t *second, int64_t *microsecond)
{
    if (realtime_us < 0)
        realtime_us = 0;
    *second = realtime_us / US_PER_SECOND;
    *microsecond = realtime_us % US_PER_SECOND;
    if (*second > LAST_SECOND) {
        *second = LAST_SECOND;
        *microsecond = US_PER_SECOND - 1;
    }
}

static void utc(int64_t second, struct tm *tm)
{
    time_t t = (time_t)second;
    gmtime_r(&t, tm);
}

void clock_format_iso(char out[CLOCK_ISO_LENGTH + 1], int64_t realtime_us)
{
    static _Thread_local int64_t cached_second = -1;
    static _Thread_local char cached[CLOCK_ISO_LENGTH + 1] = "0000-00-00T00:00:00.000000+00:00";

    int64_t second, microsecond;
    split(realtime_us, &second, &microsecond);
    if (second != cached_second) {
        struct tm tm;
        utc(second, &tm);
        put_digits(cached, tm.tm_year + 1900, 4);
        put_digits(cached + 5, tm.tm_mon + 1, 2);
        put_digits(cached + 8, tm.tm_mday, 2);
        put_digits(cached + 11, tm.tm_hour, 2);
        put_digits(cached + 14, tm.tm_min, 2);
        put_digits(cached + 17, tm.tm_sec, 2);
        cached_second = second;
    }
    memcpy(out, cached, sizeof(cached));
    put_digits(out + 20, microsecond, 6);
}

void clock_format_http_date(char out[CLOCK_HTTP_DATE_LENGTH + 1], int64_t realtime_us)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static _Thread_local int64_t cached_second = -1;
    static _Thread_local char cached[CLOCK_HTTP_DATE_LENGTH + 1] = "Thu, 00 Jan 0000 00:00:00 GMT";

    int64_t second, microsecond;
    split(realtime_us, &second, &microsecond);
    if (second != cached_second) {
        struct tm tm;
        utc(second, &tm);
        memcpy(cached, days[tm.tm_wday], 3);
        put_digits(cached + 5, tm.tm_mday, 2);
        memcpy(cached + 8, months[tm.tm_mon], 3);
        put_digits(cached + 12, tm.tm_year + 1900, 4);
        put_digits(cached + 17, tm.tm_hour, 2);
        put_digits(cached + 20, tm.tm_min, 2);
        put_digits(cached + 23, tm.tm_sec, 2);
        cached_second = second;
    }
    memcpy(out, cached, sizeof(cached));
}
