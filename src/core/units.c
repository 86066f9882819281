/*
 * Reading and writing sizes, durations and numbers. Digits are read by hand: strtol and its kin accept signs, blanks,
 * hexadecimal and "nan", all of which are typing errors here.
 */
#include "core/units.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads the digits at *text and moves past them. */
static int parse_digits(const char **text, uint64_t *value)
{
    const char *p = *text;
    uint64_t sum = 0;
    bool overflow = false;

    if (!is_digit(*p))
        return -EINVAL;
    for (; is_digit(*p); p++) {
        overflow = overflow || __builtin_mul_overflow(sum, UINT64_C(10), &sum) ||
                   __builtin_add_overflow(sum, (uint64_t)(*p - '0'), &sum);
    }
    *text = p; /* past all digits even then, so that the caller can tell garbage from too much */
    *value = sum;
    return overflow ? -ERANGE : 0;
}

int units_parse_size(const char *text, uint64_t *bytes)
{
    static const struct {
        const char *suffix;
        unsigned shift;
    } suffixes[] = {
        {"", 0},     {"B", 0},  {"K", 10},  {"KB", 10},  {"KiB", 10}, {"M", 20},  {"MB", 20},
        {"MiB", 20}, {"G", 30}, {"GB", 30}, {"GiB", 30}, {"T", 40},   {"TB", 40}, {"TiB", 40},
    };

    uint64_t number;
    int rc = parse_digits(&text, &number);
    if (rc == -EINVAL)
        return rc;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (strcasecmp(text, suffixes[i].suffix) != 0)
            continue;
        if (rc < 0 || number > UINT64_MAX >> suffixes[i].shift)
            return -ERANGE;
        *bytes = number << suffixes[i].shift;
        return 0;
    }
    return -EINVAL;
}

#define FRACTION_DIGITS 9
#define FRACTION_SCALE UINT64_C(1000000000)

/* The digits behind a decimal point, as billionths; those past the ninth are dropped. */
static int parse_fraction(const char **text, uint64_t *billionths)
{
    const char *p = *text;
    uint64_t sum = 0, scale = FRACTION_SCALE;

    if (!is_digit(*p))
        return -EINVAL;
    for (int i = 0; is_digit(*p); p++, i++) {
        if (i >= FRACTION_DIGITS)
            continue;
        scale /= 10;
        sum += (uint64_t)(*p - '0') * scale;
    }
    *text = p;
    *billionths = sum;
    return 0;
}

int units_parse_duration(const char *text, int64_t *ms)
{
    static const struct {
        const char *suffix;
        int64_t ms;
    } suffixes[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

    uint64_t whole, billionths = 0;
    int rc = parse_digits(&text, &whole);
    if (rc == -EINVAL)
        return rc;
    if (*text == '.') {
        text++;
        if (parse_fraction(&text, &billionths) < 0)
            return -EINVAL;
    }
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (strcmp(text, suffixes[i].suffix) != 0)
            continue;
        uint64_t unit = (uint64_t)suffixes[i].ms;
        uint64_t part = (billionths * unit + FRACTION_SCALE / 2) / FRACTION_SCALE; /* < 10^9 × 10^8: no overflow */
        uint64_t sum;
        if (rc < 0 || __builtin_mul_overflow(whole, unit, &sum) || __builtin_add_overflow(sum, part, &sum) ||
            sum > INT64_MAX)
            return -ERANGE;
        *ms = (int64_t)sum;
        return 0;
    }
    return -EINVAL;
}

int units_parse_int(const char *text, int64_t min, int64_t max, int64_t *value)
{
    bool negative = *text == '-';
    if (negative)
        text++;

    uint64_t magnitude;
    int rc = parse_digits(&text, &magnitude);
    if (rc == -EINVAL || *text)
        return -EINVAL;
    uint64_t most = negative ? UINT64_C(1) << 63 : (uint64_t)INT64_MAX;
    if (rc < 0 || magnitude > most)
        return -ERANGE;

    int64_t number = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    if (number < min || number > max)
        return -ERANGE;
    *value = number;
    return 0;
}

/* [-]digits[.digits][e[+-]digits], a digit at least before or behind the point. */
static bool looks_like_decimal(const char *p)
{
    size_t digits = 0;
    if (*p == '-')
        p++;
    for (; is_digit(*p); p++)
        digits++;
    if (*p == '.')
        p++;
    for (; is_digit(*p); p++)
        digits++;
    if (digits == 0)
        return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '+' || *p == '-')
            p++;
        if (!is_digit(*p))
            return false;
        while (is_digit(*p))
            p++;
    }
    return *p == '\0';
}

int units_parse_double(const char *text, double min, double max, double *value)
{
    if (!looks_like_decimal(text))
        return -EINVAL;
    double number = strtod(text, NULL);
    if (!__builtin_isfinite(number) || number < min || number > max)
        return -ERANGE;
    *value = number;
    return 0;
}

/* A figure with one decimal below `exact_below` where it is not whole, else none: 1.3, 12, 256. */
static void format_figure(char out[24], double figure, unsigned exact_below, const char *unit)
{
    uint64_t tenths = (uint64_t)(figure * 10 + 0.5);
    if (tenths < exact_below * UINT64_C(10) && tenths % 10 != 0)
        snprintf(out, 24, "%u.%u %s", (unsigned)(tenths / 10), (unsigned)(tenths % 10), unit);
    else
        snprintf(out, 24, "%u %s", (unsigned)(figure + 0.5), unit);
}

void units_format_size(char out[24], uint64_t bytes)
{
    static const char units[][3] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
    unsigned unit = 0;
    double figure = (double)bytes;
    /* 1023.5 would be written as 1024: that is one of the next unit. */
    while (figure >= 1023.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        figure /= 1024;
        unit++;
    }
    /* From gigabytes on the half matters up to 100: 12.5 GB. */
    format_figure(out, figure, unit >= 3 ? 100 : 10, units[unit]);
}

void units_format_duration(char out[24], int64_t ms)
{
    uint64_t left = ms > 0 ? (uint64_t)ms : 0;
    if (left < 1000) {
        snprintf(out, 24, "%u ms", (unsigned)left);
        return;
    }
    if (left < 59500) { /* from here on a rounded figure would be 60 s */
        format_figure(out, (double)left / 1000, 10, "s");
        return;
    }

    static const struct {
        uint64_t seconds, smaller;
        char name, smaller_name;
    } pairs[] = {{86400, 3600, 'd', 'h'}, {3600, 60, 'h', 'm'}, {60, 1, 'm', 's'}};
    uint64_t seconds = left < 60000 ? 60 : left / 1000;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (seconds < pairs[i].seconds)
            continue;
        unsigned long long large = seconds / pairs[i].seconds;
        unsigned long long small = seconds % pairs[i].seconds / pairs[i].smaller;
        if (small > 0)
            snprintf(out, 24, "%llu%c%llu%c", large, pairs[i].name, small, pairs[i].smaller_name);
        else
            snprintf(out, 24, "%llu%c", large, pairs[i].name);
        return;
    }
}
