/*
 * Reading and asking conditions. What they can be about is one table; a figure that a server doesn't have (it does not
 * run, or nobody counts) meets no comparison.
 */
#include "supervisor/farm/selector_condition.h"

#include "core/memory.h"
#include "core/units.h"
#include "supervisor/config/names.h"
#include "supervisor/farm/selector.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 1e15
#define NAME_MAX_LENGTH 64 /* a label's name has at most 63 characters */

/* --- what conditions can be about --- */

enum measure {
    MEASURE_WORD, /* compared as text */
    MEASURE_COUNT,
    MEASURE_PERCENT,
    MEASURE_MEMORY, /* per cent of the limit, or a size */
    MEASURE_SECONDS,
    MEASURE_MS,
};

struct selector_kind {
    const char *name;
    enum measure measure;
    const char *const *words;                                       /* that it may be; NULL: any */
    const char *(*text)(const struct server *server);               /* MEASURE_WORD, but for labels */
    bool (*figure)(const struct server *server, double *figure);    /* the others; false: not known */
    bool (*other_text)(const struct server *server, const char *w); /* further words that it answers to */
};

static const char *const state_words[] = {"running", "starting", "stopping", "stopped",   "backoff", "paused",
                                          "failed",  "healthy",  "degraded", "unhealthy", "unknown", NULL};
static const char *const health_words[] = {"healthy", "degraded", "unhealthy", "unknown", NULL};

static const char *state_of(const struct server *server)
{
    return server_state_name(server->lifecycle.state);
}

static const char *health_of(const struct server *server)
{
    return server_health_name(server->health);
}

static bool is_health(const struct server *server, const char *word)
{
    return strcmp(health_of(server), word) == 0;
}

static const char *group_of(const struct server *server)
{
    return server->group->name;
}

#define FIGURE(name, known, value)                                                                                     \
    static bool name##_of(const struct server *server, double *figure)                                                 \
    {                                                                                                                  \
        *figure = (double)(value);                                                                                     \
        return (known);                                                                                                \
    }
#define COUNTED (server_is_live(server) && server->stats.have_requests)
FIGURE(cpu, server_is_live(server), server->stats.cpu_percent)
FIGURE(memory, server_is_live(server), server->stats.memory_percent)
FIGURE(throttled, server_is_live(server) && (server->stats.have & RUNTIME_HAVE_THROTTLED),
       server->stats.throttled_percent)
FIGURE(requests, COUNTED, server->stats.requests_per_second)
FIGURE(errors, COUNTED, server->stats.errors_per_second)
FIGURE(p50, COUNTED && server->stats.p50_us > 0, (double)server->stats.p50_us / 1000)
FIGURE(p99, COUNTED && server->stats.p99_us > 0, (double)server->stats.p99_us / 1000)
FIGURE(restarts, true, server->restarts)
FIGURE(oom, true, server->stats.oom_kills)
FIGURE(uptime, server->process != NULL, server_uptime_seconds(server))
FIGURE(port, true, server->port)

static const struct selector_kind kinds[] = {
    {"state", MEASURE_WORD, .words = state_words, .text = state_of, .other_text = is_health},
    {"health", MEASURE_WORD, .words = health_words, .text = health_of},
    {"group", MEASURE_WORD, .text = group_of},
    {"cpu", MEASURE_PERCENT, .figure = cpu_of},
    {"memory", MEASURE_MEMORY, .figure = memory_of},
    {"throttled", MEASURE_PERCENT, .figure = throttled_of},
    {"requests", MEASURE_COUNT, .figure = requests_of}, /* a second */
    {"errors", MEASURE_COUNT, .figure = errors_of},     /* a second */
    {"p50", MEASURE_MS, .figure = p50_of},
    {"p99", MEASURE_MS, .figure = p99_of},
    {"restarts", MEASURE_COUNT, .figure = restarts_of},
    {"oom", MEASURE_COUNT, .figure = oom_of},
    {"uptime", MEASURE_SECONDS, .figure = uptime_of},
    {"port", MEASURE_COUNT, .figure = port_of},
};

/* Any other name with = or != is a label's. */
static const struct selector_kind label_kind = {.name = "label", .measure = MEASURE_WORD};

static const struct selector_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

const char *selector_word(size_t index)
{
    static char words[64][24];
    static size_t count;
    for (size_t i = 0; count == 0 && i < ARRAY_SIZE(state_words) - 1; i++)
        snprintf(words[i], sizeof(words[i]), "state:%s", state_words[i]);
    if (count == 0) {
        count = ARRAY_SIZE(state_words) - 1;
        snprintf(words[count++], sizeof(words[0]), "group:");
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
            if (kinds[i].measure != MEASURE_WORD)
                snprintf(words[count++], sizeof(words[0]), "%s>", kinds[i].name);
        }
    }
    return index < count ? words[index] : NULL;
}

/* --- reading --- */

/* The operator that a text begins with, and its length; 0: none. */
static size_t read_operator(const char *text, enum selector_operator *is)
{
    static const struct {
        const char *text;
        enum selector_operator is;
    } operators[] = {
        {"!=", SELECT_NOT},  {">=", SELECT_AT_LEAST}, {"<=", SELECT_AT_MOST}, {">", SELECT_ABOVE},
        {"<", SELECT_BELOW}, {"=", SELECT_IS},        {":", SELECT_IS},
    };
    for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
        size_t length = strlen(operators[i].text);
        if (strncmp(text, operators[i].text, length) == 0) {
            *is = operators[i].is;
            return length;
        }
    }
    return 0;
}

static size_t name_length(const char *text)
{
    size_t length = 0;
    while (isalnum((unsigned char)text[length]) || (text[length] != '\0' && strchr("._/-", text[length])))
        length++;
    return length;
}

bool selector_is_condition(const char *text)
{
    enum selector_operator is;
    size_t length = name_length(text);
    return length > 0 && read_operator(text + length, &is) > 0;
}

static bool ends_with_percent(const char *text)
{
    size_t length = strlen(text);
    return length > 1 && text[length - 1] == '%';
}

/* A number as the measure has it; "80%" where it is a percentage, "200M" and "5m" where it is a size or a time. */
static bool read_number(const char *text, enum measure measure, struct selector_condition *condition)
{
    char digits[32];
    uint64_t bytes;
    int64_t ms;
    bool percent = measure == MEASURE_PERCENT || measure == MEASURE_MEMORY;
    snprintf(digits, sizeof(digits), "%.*s", (int)(strlen(text) - (percent && ends_with_percent(text))), text);
    if (strlen(text) < sizeof(digits) - 1 && units_parse_double(digits, 0, NUMBER_MAX, &condition->number) == 0)
        return true;
    if (measure == MEASURE_MEMORY && units_parse_size(text, &bytes) == 0) {
        condition->number = (double)bytes;
        condition->in_bytes = true;
        return true;
    }
    if ((measure == MEASURE_SECONDS || measure == MEASURE_MS) && units_parse_duration(text, &ms) == 0) {
        condition->number = measure == MEASURE_MS ? (double)ms : (double)ms / 1000;
        return true;
    }
    return false;
}

static const char *example_of(enum measure measure)
{
    switch (measure) {
    case MEASURE_WORD:
        break;
    case MEASURE_COUNT:
        return "5";
    case MEASURE_PERCENT:
        return "80 (per cent of its limit)";
    case MEASURE_MEMORY:
        return "80 (per cent of its limit) or 200M";
    case MEASURE_SECONDS:
        return "60 (seconds) or 5m";
    case MEASURE_MS:
        return "10 (milliseconds) or 1s";
    }
    return "";
}

static int refuse_word(const struct selector_kind *kind, const char *value, struct error *err)
{
    char all[160] = "";
    struct names_nearest nearest = NAMES_NEAREST_INIT(value);
    for (size_t i = 0; kind->words[i]; i++) {
        size_t used = strlen(all);
        snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", kind->words[i]);
        names_nearest_offer(&nearest, kind->words[i]);
    }
    if (nearest.best)
        return error_set(err, EINVAL, "\"%.40s\" is no %s; did you mean %s:%s?", value, kind->name, kind->name,
                         nearest.best);
    return error_set(err, EINVAL, "\"%.40s\" is no %s; there are %s", value, kind->name, all);
}

static int unknown_kind(const char *text, const char *name, struct error *err)
{
    struct names_nearest nearest = NAMES_NEAREST_INIT(name);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        names_nearest_offer(&nearest, kinds[i].name);
    if (nearest.best)
        return error_set(err, EINVAL, "\"%.60s\": there is no \"%s\" to select by; did you mean %s?", text, name,
                         nearest.best);
    return error_set(
        err, EINVAL,
        "\"%.60s\": there is no \"%s\" to select by; there are state, health, group, cpu, memory, throttled, "
        "requests, errors, p50, p99, restarts, oom, uptime, port, and labels with =",
        text, name);
}

/* `rest` begins with the operator, and `value` is what follows it. */
static int read_value(struct selector_condition *condition, const char *text, const char *rest, const char *value,
                      struct error *err)
{
    const struct selector_kind *kind = condition->kind;
    bool word = kind->measure == MEASURE_WORD;
    bool equality = condition->is == SELECT_IS || condition->is == SELECT_NOT;
    if (word && !equality)
        return error_set(err, EINVAL, "\"%.60s\": %s is no number; write %s:…", text, kind->name, kind->name);
    if (!word && *rest == ':')
        return error_set(err, EINVAL, "\"%.60s\": %s is compared with >, >=, <, <=, = or !=; write '%s>%s", text,
                         kind->name, kind->name, "80' in quotes");
    if (!word && !read_number(value, kind->measure, condition))
        return error_set(err, EINVAL, "\"%.60s\": \"%.30s\" is not a number; write %s", text, value,
                         example_of(kind->measure));
    if (!word)
        return 0;
    if (value[0] == '\0' && kind != &label_kind)
        return error_set(err, EINVAL, "\"%.60s\": the %s is missing", text, kind->name);
    if (kind->words && names_find(kind->words, value) < 0)
        return refuse_word(kind, value, err);
    condition->value = xstrdup(kind->words ? kind->words[names_find(kind->words, value)] : value);
    return 0;
}

int selector_condition_parse(const char *text, struct selector_condition *condition, struct error *err)
{
    static const char label[] = "label:"; /* for one whose name is also a figure's */
    bool is_label = strncmp(text, label, sizeof(label) - 1) == 0;
    char name[NAME_MAX_LENGTH];
    if (is_label)
        text += sizeof(label) - 1;
    size_t length = name_length(text);
    struct selector_condition made = {.kind = &label_kind};
    if (length >= sizeof(name))
        return error_set(err, EINVAL, "\"%.60s…\": the name is longer than %zu characters", text, sizeof(name) - 1);
    snprintf(name, sizeof(name), "%.*s", (int)length, text);

    const char *rest = text + length;
    size_t operator_length = read_operator(rest, &made.is);
    bool equality = operator_length > 0 && *rest != ':' && (made.is == SELECT_IS || made.is == SELECT_NOT);
    if (is_label && (!equality || length == 0))
        return error_set(err, EINVAL, "\"%.60s\" is not a label; write zone=a or zone!=a", text);
    if (!is_label)
        made.kind = find_kind(name);
    if (!made.kind && !equality)
        return unknown_kind(text, name, err);
    if (!made.kind)
        made.kind = &label_kind;
    int code = read_value(&made, text, rest, rest + operator_length, err);
    if (code < 0)
        return code;
    if (made.kind == &label_kind)
        made.name = xstrdup(name);
    *condition = made;
    return 0;
}

void selector_condition_done(struct selector_condition *condition)
{
    free(steal(&condition->name));
    free(steal(&condition->value));
}

/* --- asking --- */

static bool label_is(const struct selector_condition *condition, const struct server *server)
{
    const struct group_settings *group = server->group;
    for (size_t i = 0; i < group->label_count; i++) {
        if (strcmp(group->labels[i].key, condition->name) == 0)
            return strcmp(group->labels[i].value, condition->value) == 0;
    }
    return false;
}

static bool word_is(const struct selector_condition *condition, const struct server *server)
{
    const struct selector_kind *kind = condition->kind;
    if (kind == &label_kind)
        return label_is(condition, server);
    return strcmp(kind->text(server), condition->value) == 0 ||
           (kind->other_text && kind->other_text(server, condition->value));
}

static bool compare(double figure, enum selector_operator is, double number)
{
    switch (is) {
    case SELECT_IS:
        return figure == number;
    case SELECT_NOT:
        return figure != number;
    case SELECT_ABOVE:
        return figure > number;
    case SELECT_AT_LEAST:
        return figure >= number;
    case SELECT_BELOW:
        return figure < number;
    case SELECT_AT_MOST:
        return figure <= number;
    }
    return false;
}

bool selector_condition_holds(const struct selector_condition *condition, const struct server *server)
{
    if (condition->kind->measure == MEASURE_WORD)
        return word_is(condition, server) == (condition->is == SELECT_IS);
    double figure = 0;
    if (!condition->kind->figure(server, &figure))
        return false;
    return compare(condition->in_bytes ? (double)server->stats.memory : figure, condition->is, condition->number);
}

bool selector_conditions_alternate(const struct selector_condition *a, const struct selector_condition *b)
{
    if (a->kind != b->kind || a->is != SELECT_IS || b->is != SELECT_IS)
        return false;
    return a->kind != &label_kind || strcmp(a->name, b->name) == 0;
}
