/*
 * Clocks and the two ways of writing an instant. Durations come from the monotonic clock, timestamps from the real one.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdint.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define US_PER_SECOND INT64_C(1000000)
#define MS_PER_SECOND INT64_C(1000)

#define CLOCK_ISO_LENGTH 32       /* strlen("2026-11-23T08:30:00.123456+00:00") */
#define CLOCK_HTTP_DATE_LENGTH 29 /* strlen("Mon, 23 Nov 2026 08:30:00 GMT") */

int64_t clock_monotonic_ns(void);
int64_t clock_monotonic_ms(void);
int64_t clock_realtime_us(void); /* microseconds since 1970, UTC */
int64_t clock_boottime_us(void); /* since boot, with the time that the machine slept */

/* Both write a NUL-terminated string. The part down to the second is kept between calls, so a call in the same second
 * costs a few stores; thread-local, so any thread may call. */
void clock_format_iso(char out[CLOCK_ISO_LENGTH + 1], int64_t realtime_us);
void clock_format_http_date(char out[CLOCK_HTTP_DATE_LENGTH + 1], int64_t realtime_us);

#endif
