/*
 * A recursive check whose depth the caller bounds. It builds nothing, so that a hostile text costs one pass.
 */
#include "supervisor/api/json_check.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct scan {
    const char *start;
    const char *at;
    const char *end;
    const char *problem; /* NULL while all is well; `at` is where it lies */
    unsigned depth;
    unsigned max_depth;
};

static bool fail(struct scan *scan, const char *problem)
{
    if (scan->problem == NULL)
        scan->problem = problem;
    return false;
}

static bool at_end(const struct scan *scan)
{
    return scan->at == scan->end;
}

static bool next_is(const struct scan *scan, char c)
{
    return !at_end(scan) && *scan->at == c;
}

static bool next_is_digit(const struct scan *scan)
{
    return !at_end(scan) && *scan->at >= '0' && *scan->at <= '9';
}

static void skip_space(struct scan *scan)
{
    while (!at_end(scan) && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* One character of several bytes: shortest form, no surrogates, at most U+10FFFF. */
static bool check_utf8(struct scan *scan)
{
    static const struct {
        unsigned char first_min, first_max, second_min, second_max;
        size_t length;
    } FORMS[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    const unsigned char *bytes = (const unsigned char *)scan->at;
    size_t left = (size_t)(scan->end - scan->at);

    for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
        if (bytes[0] < FORMS[i].first_min || bytes[0] > FORMS[i].first_max || left < FORMS[i].length)
            continue;
        bool good = bytes[1] >= FORMS[i].second_min && bytes[1] <= FORMS[i].second_max;
        for (size_t k = 2; k < FORMS[i].length; k++)
            good = good && (bytes[k] & 0xc0) == 0x80;
        if (!good)
            break;
        scan->at += FORMS[i].length;
        return true;
    }
    return fail(scan, "bytes that are no UTF-8");
}

static bool check_escape(struct scan *scan)
{
    scan->at++;
    if (at_end(scan) || strchr("\"\\/bfnrtu", *scan->at) == NULL || *scan->at == '\0')
        return fail(scan, "an unknown escape in a string");
    if (*scan->at++ != 'u')
        return true;
    for (int i = 0; i < 4; i++) {
        if (scan->end - scan->at <= i || !is_hex(scan->at[i]))
            return fail(scan, "a broken \\u escape");
    }
    if (memcmp(scan->at, "0000", 4) == 0)
        return fail(scan, "a NUL character in a string");
    scan->at += 4;
    return true;
}

static bool check_string(struct scan *scan)
{
    scan->at++;
    while (!at_end(scan) && *scan->at != '"') {
        unsigned char c = (unsigned char)*scan->at;
        if (c < 0x20)
            return fail(scan, c == 0 ? "a NUL byte in a string" : "a control character in a string");
        if (c == '\\') {
            if (!check_escape(scan))
                return false;
        } else if (c < 0x80) {
            scan->at++;
        } else if (!check_utf8(scan)) {
            return false;
        }
    }
    if (at_end(scan))
        return fail(scan, "a string without its end");
    scan->at++;
    return true;
}

static bool check_digits(struct scan *scan)
{
    if (!next_is_digit(scan))
        return fail(scan, "a number without its digits");
    while (next_is_digit(scan))
        scan->at++;
    return true;
}

static bool check_number(struct scan *scan)
{
    if (next_is(scan, '-'))
        scan->at++;
    if (next_is(scan, '0'))
        scan->at++;
    else if (!check_digits(scan))
        return false;
    if (next_is_digit(scan))
        return fail(scan, "a number with a leading zero");
    if (next_is(scan, '.')) {
        scan->at++;
        if (!check_digits(scan))
            return false;
    }
    if (next_is(scan, 'e') || next_is(scan, 'E')) {
        scan->at++;
        if (next_is(scan, '+') || next_is(scan, '-'))
            scan->at++;
        return check_digits(scan);
    }
    return true;
}

static bool check_word(struct scan *scan, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return fail(scan, "something that is no JSON value");
    scan->at += length;
    return true;
}

static bool check_value(struct scan *scan);

static bool check_member_name(struct scan *scan)
{
    if (!next_is(scan, '"'))
        return fail(scan, "an object's key that is no string");
    if (!check_string(scan))
        return false;
    skip_space(scan);
    if (!next_is(scan, ':'))
        return fail(scan, "a key without a colon");
    scan->at++;
    return true;
}

/* An array or an object: `close` tells which. */
static bool check_container(struct scan *scan, char close)
{
    if (scan->depth++ == scan->max_depth)
        return fail(scan, "values nested too deep");
    scan->at++;
    skip_space(scan);
    while (!next_is(scan, close)) {
        if (close == '}' && !check_member_name(scan))
            return false;
        if (!check_value(scan))
            return false;
        if (next_is(scan, close))
            break;
        if (!next_is(scan, ','))
            return fail(scan, at_end(scan) ? "an end that comes too early" : "a missing comma");
        scan->at++;
        skip_space(scan);
        if (next_is(scan, close))
            return fail(scan, "a comma before the end");
    }
    scan->at++;
    scan->depth--;
    return true;
}

static bool check_value(struct scan *scan)
{
    bool good;

    skip_space(scan);
    if (at_end(scan))
        return fail(scan, "an end that comes too early");
    switch (*scan->at) {
    case '{':
        good = check_container(scan, '}');
        break;
    case '[':
        good = check_container(scan, ']');
        break;
    case '"':
        good = check_string(scan);
        break;
    case 't':
        good = check_word(scan, "true");
        break;
    case 'f':
        good = check_word(scan, "false");
        break;
    case 'n':
        good = check_word(scan, "null");
        break;
    default:
        if (*scan->at != '-' && !next_is_digit(scan))
            return fail(scan, "something that is no JSON value");
        good = check_number(scan);
        break;
    }
    skip_space(scan);
    return good;
}

int json_check(const char *text, size_t length, unsigned max_depth, struct error *err)
{
    struct scan scan = {.start = text, .at = text, .end = text + length, .max_depth = max_depth};

    if (check_value(&scan) && !at_end(&scan))
        fail(&scan, "something behind the JSON value");
    if (scan.problem == NULL)
        return 0;
    return error_set(err, EINVAL, "not valid JSON: %s, at byte %zu", scan.problem, (size_t)(scan.at - text) + 1);
}
