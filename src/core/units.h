/*
 * Sizes, durations and plain numbers as people write them in settings, flags and queries. All parsers take the whole
 * string or refuse it; outputs stay untouched on -EINVAL (not one) and -ERANGE (too large).
 */
#ifndef CORE_UNITS_H
#define CORE_UNITS_H

#include <stdint.h>

#define MIB (UINT64_C(1) << 20)

int units_parse_size(const char *text, uint64_t *bytes); /* 1048576, 512K, 256M, 1G, 256MB, 256MiB; powers of 1024 */
int units_parse_duration(const char *text, int64_t *ms); /* 250ms, 3s, 1.5s, 5m, 1h; a bare number is seconds */
int units_parse_int(const char *text, int64_t min, int64_t max, int64_t *value); /* decimal; -ERANGE outside */
int units_parse_double(const char *text, double min, double max, double *value); /* finite; no hex, no "nan" */

void units_format_size(char out[24], uint64_t bytes); /* "256 MB", "1.3 MB", "12 KB" */
void units_format_duration(char out[24], int64_t ms); /* "21 ms", "3.2 s", "4m10s", "2h5m", "3d4h" */

#endif
