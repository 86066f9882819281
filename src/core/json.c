/*
 * The JSON writer. Numbers are formatted by hand because every answer of a server holds several.
 */
#include "core/json.h"

#include "core/clock.h"

#include <stdio.h>
#include <string.h>

static inline void value_begins(struct json_writer *w)
{
    if (w->need_comma)
        buffer_append_char(w->out, ',');
    w->need_comma = true;
}

static void open_with(struct json_writer *w, char bracket)
{
    value_begins(w);
    buffer_append_char(w->out, bracket);
    w->need_comma = false;
}

static void close_with(struct json_writer *w, char bracket)
{
    buffer_append_char(w->out, bracket);
    w->need_comma = true;
}

void json_begin_object(struct json_writer *w)
{
    open_with(w, '{');
}

void json_end_object(struct json_writer *w)
{
    close_with(w, '}');
}

void json_begin_array(struct json_writer *w)
{
    open_with(w, '[');
}

void json_end_array(struct json_writer *w)
{
    close_with(w, ']');
}

void json_key(struct json_writer *w, const char *key)
{
    size_t length = strlen(key);
    buffer_reserve(w->out, length + 4);
    value_begins(w);
    char *out = w->out->data + w->out->length;
    out[0] = '"';
    memcpy(out + 1, key, length);
    memcpy(out + 1 + length, "\":", 3);
    w->out->length += length + 3;
    w->need_comma = false;
}

/*
 * How many bytes at text are one valid UTF-8 sequence of two to four bytes: no overlong forms, no surrogates, nothing
 * over U+10FFFF (RFC 3629). 0 when they are none; `*bad` is then how many bytes to replace by one U+FFFD.
 */
static size_t utf8_sequence(const unsigned char *text, size_t n, size_t *bad)
{
    unsigned char first = text[0];
    unsigned char low = 0x80, high = 0xBF; /* bounds of the second byte */
    size_t length;

    *bad = 1;
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3;
        if (first == 0xE0)
            low = 0xA0;
        else if (first == 0xED)
            high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4;
        if (first == 0xF0)
            low = 0x90;
        else if (first == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }

    for (size_t i = 1; i < length; i++) {
        if (i >= n || text[i] < low || text[i] > high) {
            *bad = i;
            return 0;
        }
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

static void append_escaped(struct buffer *out, unsigned char c)
{
    static const char shorthand[256] = {
        ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };
    static const char hex[] = "0123456789abcdef";

    if (shorthand[c]) {
        buffer_append(out, (char[]){'\\', shorthand[c]}, 2);
        return;
    }
    buffer_append(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

void json_string_n(struct json_writer *w, const char *text, size_t n)
{
    const unsigned char *bytes = (const unsigned char *)text;
    struct buffer *out = w->out;

    value_begins(w);
    buffer_reserve(out, n + 2);
    buffer_append_char(out, '"');

    size_t run = 0; /* where the bytes begin that were looked at and can be copied as they are */
    size_t i = 0;
    while (i < n) {
        unsigned char c = bytes[i];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            i++;
            continue;
        }
        size_t bad = 1;
        size_t valid = c >= 0x80 ? utf8_sequence(bytes + i, n - i, &bad) : 0;
        if (valid) {
            i += valid;
            continue;
        }
        buffer_append(out, bytes + run, i - run);
        if (c >= 0x80)
            buffer_append(out, "\xEF\xBF\xBD", 3);
        else
            append_escaped(out, c);
        i += bad;
        run = i;
    }
    if (n > run)
        buffer_append(out, bytes + run, n - run);
    buffer_append_char(out, '"');
}

void json_string(struct json_writer *w, const char *text)
{
    if (text)
        json_string_n(w, text, strlen(text));
    else
        json_null(w);
}

#define UINT_DIGITS 20 /* of 2^64 - 1 */

/* Writes value in front of `end`; returns where its first digit is. */
static char *digits_before(char *end, uint64_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    while (value >= 100) {
        end -= 2;
        memcpy(end, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, pairs + value * 2, 2);
    } else {
        *--end = (char)('0' + value);
    }
    return end;
}

void json_uint(struct json_writer *w, uint64_t value)
{
    char text[UINT_DIGITS];
    char *end = text + sizeof(text);
    char *start = digits_before(end, value);
    value_begins(w);
    buffer_append(w->out, start, (size_t)(end - start));
}

void json_int(struct json_writer *w, int64_t value)
{
    char text[1 + UINT_DIGITS];
    char *end = text + sizeof(text);
    char *start = digits_before(end, value < 0 ? -(uint64_t)value : (uint64_t)value);
    if (value < 0)
        *--start = '-';
    value_begins(w);
    buffer_append(w->out, start, (size_t)(end - start));
}

#define FIXED2_FAST_LIMIT 1e15 /* below, the value in hundredths fits a uint64_t with room to spare */

void json_fixed2(struct json_writer *w, double value)
{
    if (!__builtin_isfinite(value))
        value = 0;
    double magnitude = __builtin_fabs(value);
    value_begins(w);
    if (magnitude >= FIXED2_FAST_LIMIT) {
        buffer_printf(w->out, "%.2f", value);
        return;
    }

    /* A long double holds the product exactly (53 + 7 bits), so this rounds the true value, half to even, as printf
     * does: 1.115 is a little less than it looks and becomes 1.11. */
    long double exact = (long double)magnitude * 100;
    uint64_t hundredths = (uint64_t)exact;
    long double rest = exact - (long double)hundredths;
    if (rest > 0.5L || (rest == 0.5L && hundredths % 2 == 1))
        hundredths++;

    char text[1 + UINT_DIGITS + 3];
    char *end = text + sizeof(text);
    end[-1] = (char)('0' + hundredths % 10);
    end[-2] = (char)('0' + hundredths / 10 % 10);
    end[-3] = '.';
    char *start = digits_before(end - 3, hundredths / 100);
    if (value < 0 && hundredths > 0) /* no "-0.00" */
        *--start = '-';
    buffer_append(w->out, start, (size_t)(end - start));
}

void json_bool(struct json_writer *w, bool value)
{
    value_begins(w);
    buffer_append_text(w->out, value ? "true" : "false");
}

void json_null(struct json_writer *w)
{
    value_begins(w);
    buffer_append(w->out, "null", 4);
}

void json_raw(struct json_writer *w, const char *json, size_t n)
{
    value_begins(w);
    buffer_append(w->out, json, n);
}

void json_timestamp(struct json_writer *w, int64_t realtime_us)
{
    char text[CLOCK_ISO_LENGTH + 1];
    clock_format_iso(text, realtime_us);
    value_begins(w);
    buffer_append_char(w->out, '"');
    buffer_append(w->out, text, CLOCK_ISO_LENGTH);
    buffer_append_char(w->out, '"');
}

void json_member_string(struct json_writer *w, const char *key, const char *text)
{
    json_key(w, key);
    json_string(w, text);
}

void json_member_int(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, key);
    json_int(w, value);
}

void json_member_uint(struct json_writer *w, const char *key, uint64_t value)
{
    json_key(w, key);
    json_uint(w, value);
}

void json_member_fixed2(struct json_writer *w, const char *key, double value)
{
    json_key(w, key);
    json_fixed2(w, value);
}

void json_member_bool(struct json_writer *w, const char *key, bool value)
{
    json_key(w, key);
    json_bool(w, value);
}

void json_member_null(struct json_writer *w, const char *key)
{
    json_key(w, key);
    json_null(w);
}

void json_member_timestamp(struct json_writer *w, const char *key, int64_t realtime_us)
{
    json_key(w, key);
    json_timestamp(w, realtime_us);
}
