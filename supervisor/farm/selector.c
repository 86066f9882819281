/*
 * Reading selections of servers. Ranges are compared with the known ids and never counted through, so "1-999999999"
 * costs no more than "1-9".
 */
#include "supervisor/farm/selector.h"

#include "core/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX INT64_C(999999999999)
#define MISSING_NAMED 8 /* more ids than these are summed up by an ellipsis */

struct selection {
    const int *known;
    size_t known_count;
    bool *chosen; /* for each known one */
    char missing[200];
    size_t missing_length;
    unsigned missing_count;
};

static void skip_blanks(const char **text)
{
    while (**text == ' ' || **text == '\t')
        (*text)++;
}

/* One id, with or without "server-" before it. Saturates: too large is simply no server of the farm. */
static bool parse_id(const char **text, int64_t *id)
{
    static const char prefix[] = "server-";
    const char *p = *text;
    if (strncmp(p, prefix, sizeof(prefix) - 1) == 0)
        p += sizeof(prefix) - 1;
    if (*p < '0' || *p > '9')
        return false;
    int64_t value = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (*p - '0');
        if (value > ID_MAX)
            value = ID_MAX;
    }
    *text = p;
    *id = value;
    return true;
}

static void note_missing(struct selection *selection, int64_t first, int64_t last)
{
    if (first > last)
        return;
    if (++selection->missing_count > MISSING_NAMED)
        return;
    char item[48];
    if (first == last)
        snprintf(item, sizeof(item), "%lld", (long long)first);
    else
        snprintf(item, sizeof(item), "%lld-%lld", (long long)first, (long long)last);
    size_t room = sizeof(selection->missing) - selection->missing_length;
    int n = snprintf(selection->missing + selection->missing_length, room, "%s%s",
                     selection->missing_length ? ", " : "", item);
    if (n > 0 && (size_t)n < room)
        selection->missing_length += (size_t)n;
    else
        selection->missing[selection->missing_length] = '\0';
}

/* Index of the first known id that is at least `id`. */
static size_t lower_bound(const struct selection *selection, int64_t id)
{
    size_t low = 0, high = selection->known_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (selection->known[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void choose_range(struct selection *selection, int64_t first, int64_t last)
{
    int64_t expected = first;
    for (size_t i = lower_bound(selection, first); i < selection->known_count && selection->known[i] <= last; i++) {
        note_missing(selection, expected, (int64_t)selection->known[i] - 1);
        selection->chosen[i] = true;
        expected = (int64_t)selection->known[i] + 1;
    }
    note_missing(selection, expected, last);
}

/* One item between commas; moves behind it. */
static int parse_item(struct selection *selection, const char **text, struct error *err)
{
    const char *item = *text;
    int length = (int)strcspn(item, ",");
    if (length > 40)
        length = 40; /* enough of it for the message */

    if (strncmp(*text, "all", 3) == 0) {
        *text += 3;
        memset(selection->chosen, true, selection->known_count);
    } else {
        int64_t first, last;
        if (!parse_id(text, &first))
            return error_set(err, EINVAL, "\"%.*s\" is not a server; write 7, server-7, 1-10,20 or all", length, item);
        last = first;
        skip_blanks(text);
        if (**text == '-') {
            (*text)++;
            skip_blanks(text);
            if (!parse_id(text, &last))
                return error_set(err, EINVAL, "\"%.*s\" is not a range; write it as 1-10", length, item);
        }
        if (last < first)
            return error_set(err, EINVAL, "\"%.*s\" ends before it begins; write it as %lld-%lld", length, item,
                             (long long)last, (long long)first);
        choose_range(selection, first, last);
    }

    skip_blanks(text);
    if (**text != ',' && **text != '\0')
        return error_set(err, EINVAL, "\"%.*s\" is not a server; write 7, server-7, 1-10,20 or all", length, item);
    return 0;
}

static int parse_all(struct selection *selection, const char *text, struct error *err)
{
    for (;;) {
        skip_blanks(&text);
        int code = parse_item(selection, &text, err);
        if (code < 0)
            return code;
        if (*text == '\0')
            return 0;
        text++; /* the comma */
    }
}

static int collect(const struct selection *selection, int *ids, size_t max, struct error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < selection->known_count; i++)
        count += selection->chosen[i];
    if (count > max)
        return error_set(err, EINVAL, "%zu servers are chosen, at most %zu can be", count, max);
    count = 0;
    for (size_t i = 0; i < selection->known_count; i++) {
        if (selection->chosen[i])
            ids[count++] = selection->known[i];
    }
    return (int)count;
}

int selector_parse(const char *text, const int *known, size_t known_count, int *ids, size_t max, struct error *err)
{
    cleanup_free bool *chosen = xcalloc(known_count + 1, sizeof(bool));
    struct selection selection = {.known = known, .known_count = known_count, .chosen = chosen};

    int code = parse_all(&selection, text, err);
    if (code < 0)
        return code;
    if (selection.missing_count > 0)
        return error_set(err, ENOENT, "no such server: %s%s", selection.missing,
                         selection.missing_count > MISSING_NAMED ? ", …" : "");
    return collect(&selection, ids, max, err);
}
