/*
 * Reading selections of servers and choosing by them. Ranges are compared with the known ids and never counted through,
 * so "1-999999999" costs no more than "1-9".
 */
#include "supervisor/farm/selector.h"

#include "core/memory.h"
#include "supervisor/farm/selector_condition.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX INT64_C(999999999999)
#define CONDITIONS_MAX 32
#define TERM_MAX 256
#define LISTED 8 /* more ids than these are summed up by an ellipsis */

struct range {
    int64_t first, last;
};

struct selector {
    bool all; /* the word, or conditions without ids */
    struct range *ranges;
    size_t range_count;
    struct selector_condition conditions[CONDITIONS_MAX];
    size_t condition_count;
};

/* Ids as people read them: "1-3, 7, …". */
struct id_list {
    char text[200];
    size_t length;
    unsigned count;
};

static void id_list_add(struct id_list *list, int64_t first, int64_t last)
{
    char item[48];
    if (first > last || ++list->count > LISTED)
        return;
    if (first == last)
        snprintf(item, sizeof(item), "%lld", (long long)first);
    else
        snprintf(item, sizeof(item), "%lld-%lld", (long long)first, (long long)last);
    size_t room = sizeof(list->text) - list->length;
    int n = snprintf(list->text + list->length, room, "%s%s", list->length ? ", " : "", item);
    if (n > 0 && (size_t)n < room)
        list->length += (size_t)n;
    else
        list->text[list->length] = '\0';
}

static const char *id_list_ellipsis(const struct id_list *list)
{
    return list->count > LISTED ? ", …" : "";
}

/* --- reading --- */

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

static int not_understood(const char *term, struct error *err)
{
    for (size_t i = 0; selector_word(i); i++) {
        const char *word = selector_word(i);
        size_t length = strcspn(word, ">");
        if (word[length] == '>' && strlen(term) == length && strncmp(term, word, length) == 0)
            return error_set(err, EINVAL,
                             "\"%s\" has nothing to compare with; write '%s>80' with its quotes, for the shell "
                             "takes a bare > for itself",
                             term, term);
    }
    return error_set(err, EINVAL,
                     "\"%.40s\" is not a server; write 7, server-7, 1-10,20 or all, or a condition such as "
                     "state:unhealthy, 'cpu>80' or zone=a",
                     term);
}

static int parse_ids(const char *term, struct range *range, struct error *err)
{
    const char *text = term;
    if (!parse_id(&text, &range->first))
        return not_understood(term, err);
    range->last = range->first;
    skip_blanks(&text);
    if (*text == '-') {
        text++;
        skip_blanks(&text);
        if (!parse_id(&text, &range->last))
            return error_set(err, EINVAL, "\"%.40s\" is not a range; write it as 1-10", term);
        skip_blanks(&text);
    }
    if (*text != '\0')
        return not_understood(term, err);
    if (range->last < range->first)
        return error_set(err, EINVAL, "\"%.40s\" ends before it begins; write it as %lld-%lld", term,
                         (long long)range->last, (long long)range->first);
    return 0;
}

static int parse_condition(struct selector *selector, const char *term, struct error *err)
{
    if (selector->condition_count == CONDITIONS_MAX)
        return error_set(err, EINVAL, "more than %d conditions in one selector", CONDITIONS_MAX);
    int code = selector_condition_parse(term, &selector->conditions[selector->condition_count], err);
    selector->condition_count += code == 0;
    return code;
}

static int parse_term(struct selector *selector, const char *term, struct error *err)
{
    if (strcmp(term, "all") == 0) {
        selector->all = true;
        return 0;
    }
    if (selector_is_condition(term))
        return parse_condition(selector, term, err);
    struct range range;
    int code = parse_ids(term, &range, err);
    if (code == 0)
        selector->ranges[selector->range_count++] = range;
    return code;
}

/* Each term between commas, without the blanks around it. */
static int parse_terms(struct selector *selector, const char *text, struct error *err)
{
    for (;;) {
        skip_blanks(&text);
        size_t length = strcspn(text, ","), end = length;
        while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t'))
            end--;
        char term[TERM_MAX];
        if (end >= sizeof(term))
            return error_set(err, EINVAL, "\"%.40s…\" is longer than %d characters", text, TERM_MAX - 1);
        snprintf(term, sizeof(term), "%.*s", (int)end, text);
        int code = parse_term(selector, term, err);
        if (code < 0 || text[length] == '\0')
            return code;
        text += length + 1;
    }
}

int selector_parse(const char *text, struct selector **selector, struct error *err)
{
    if (strlen(text) > SELECTOR_TEXT_MAX)
        return error_set(err, EINVAL, "a selector has at most %d characters", SELECTOR_TEXT_MAX);
    size_t terms = 1;
    for (const char *c = text; *c; c++)
        terms += *c == ',';

    struct selector *made = xcalloc(1, sizeof(*made));
    made->ranges = xcalloc(terms, sizeof(struct range));
    int code = parse_terms(made, text, err);
    if (code < 0) {
        selector_free(made);
        return code;
    }
    made->all = made->all || made->range_count == 0;
    *selector = made;
    return 0;
}

void selector_free(struct selector *selector)
{
    if (!selector)
        return;
    for (size_t i = 0; i < selector->condition_count; i++)
        selector_condition_done(&selector->conditions[i]);
    free(selector->ranges);
    free(selector);
}

bool selector_is_filter(const struct selector *selector)
{
    return selector->condition_count > 0;
}

/* --- choosing --- */

struct choice {
    struct server *const *servers;
    size_t count;
    bool *chosen; /* for each of them */
    struct id_list missing;
};

/* Index of the first server whose id is at least `id`. */
static size_t lower_bound(const struct choice *choice, int64_t id)
{
    size_t low = 0, high = choice->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (choice->servers[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void choose_range(struct choice *choice, const struct range *range)
{
    int64_t expected = range->first;
    for (size_t i = lower_bound(choice, range->first); i < choice->count && choice->servers[i]->id <= range->last;
         i++) {
        int64_t id = choice->servers[i]->id;
        id_list_add(&choice->missing, expected, id - 1);
        choice->chosen[i] = true;
        expected = id + 1;
    }
    id_list_add(&choice->missing, expected, range->last);
}

static int refuse_missing(const struct choice *choice, struct error *err)
{
    struct id_list there = {.length = 0};
    size_t first = 0;
    for (size_t i = 0; i < choice->count; i++) {
        if (i + 1 < choice->count && choice->servers[i + 1]->id == choice->servers[i]->id + 1)
            continue;
        id_list_add(&there, choice->servers[first]->id, choice->servers[i]->id);
        first = i + 1;
    }
    return error_set(err, ENOENT, "no such server: %s%s; there %s %s%s", choice->missing.text,
                     id_list_ellipsis(&choice->missing), choice->count == 1 ? "is only" : "are", there.text,
                     id_list_ellipsis(&there));
}

/* Conditions that name alternatives are asked together; each group of them must hold. */
static bool conditions_hold(const struct selector *selector, const struct server *server)
{
    for (size_t i = 0; i < selector->condition_count; i++) {
        const struct selector_condition *condition = &selector->conditions[i];
        bool holds = selector_condition_holds(condition, server);
        for (size_t j = 0; !holds && j < selector->condition_count; j++) {
            const struct selector_condition *other = &selector->conditions[j];
            holds = selector_conditions_alternate(condition, other) && selector_condition_holds(other, server);
        }
        if (!holds)
            return false;
    }
    return true;
}

int selector_choose(const struct selector *selector, struct server *const *servers, size_t count, int *ids,
                    struct error *err)
{
    cleanup_free bool *chosen = xcalloc(count + 1, sizeof(bool));
    struct choice choice = {.servers = servers, .count = count, .chosen = chosen};
    for (size_t i = 0; i < count; i++)
        chosen[i] = selector->all;
    for (size_t i = 0; i < selector->range_count; i++)
        choose_range(&choice, &selector->ranges[i]);
    if (choice.missing.count > 0)
        return refuse_missing(&choice, err);

    int found = 0;
    for (size_t i = 0; i < count; i++) {
        if (chosen[i] && conditions_hold(selector, servers[i]))
            ids[found++] = servers[i]->id;
    }
    return found;
}
