/*
 * A column is a row of COLUMNS: its name and how its figure is read off a server. Figures are integers, because they are
 * shorter in text, compare exactly, and their noise is rounded off before it costs bytes.
 */
#include "supervisor/api/live_table.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/api/live_strings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN INT64_MIN /* null */
#define MAX_STRINGS 4096  /* with more of them, most of which are no longer used, the dictionary begins anew */
#define SHARE_DIGITS 6    /* of thousandths: all */
#define RATE_DIGITS 3
#define LATENCY_DIGITS 2
#define MANY_SERVERS 1000 /* with more, figures have MANY_DIGITS, as people are shown them: a tick is half as large */
#define MANY_DIGITS 2
#define KIB 1024

/* What reading a row needs beside the server. */
struct reading {
    struct live_strings *strings;
    uint32_t tick;
    const struct server *server;
    bool many; /* the farm has more than MANY_SERVERS */
    bool live; /* the server is, so its figures tell something */
    struct runtime_limits_in_force limits;
    const struct group_settings *group; /* of the row before: its texts have been looked up */
    int64_t group_place, labels_place;
    int64_t state_places[SERVER_STATE_COUNT], reason_places[REASON_COUNT + 1]; /* UNKNOWN: not looked up yet */
};

/* --- figures --- */

static int64_t whole(double value)
{
    return isfinite(value) ? llround(value) : UNKNOWN;
}

/* Rounded to so many significant digits. */
static int64_t rounded(double value, int digits)
{
    int64_t unit = 1, most = 1;

    if (!isfinite(value))
        return UNKNOWN;
    for (int i = 0; i < digits; i++)
        most *= 10;
    while (value / (double)unit >= (double)most)
        unit *= 10;
    return whole(value / (double)unit) * unit;
}

/* Whose last digits are noise: in a farm of many they cost more than they tell. */
static int64_t figure(const struct reading *reading, double value, int digits)
{
    return rounded(value, reading->many ? MANY_DIGITS : digits);
}

static int64_t place_once(struct reading *reading, int64_t *place, const char *text)
{
    if (*place == UNKNOWN)
        *place = (int64_t)live_strings_place(reading->strings, text, reading->tick);
    return *place;
}

static char *labels_text(const struct group_settings *group)
{
    struct buffer text = BUFFER_EMPTY;

    if (group->label_count == 0)
        return xstrdup("");
    for (size_t i = 0; i < group->label_count; i++)
        buffer_printf(&text, "%s%s=%s", i > 0 ? "," : "", group->labels[i].key, group->labels[i].value);
    return buffer_detach(&text);
}

static void look_up_group(struct reading *reading)
{
    if (reading->group == reading->server->group)
        return;
    reading->group = reading->server->group;
    cleanup_free char *labels = labels_text(reading->group);
    reading->group_place = (int64_t)live_strings_place(reading->strings, reading->group->name, reading->tick);
    reading->labels_place = (int64_t)live_strings_place(reading->strings, labels, reading->tick);
}

static int64_t read_reason(struct reading *reading)
{
    const struct server_last_exit *last = &reading->server->last_exit;
    size_t index = last->known ? (size_t)last->reason : REASON_COUNT;

    return place_once(reading, &reading->reason_places[index], last->known ? event_reason_name(last->reason) : "");
}

static int64_t read_state(struct reading *reading)
{
    enum server_state state = reading->server->lifecycle.state;

    return place_once(reading, &reading->state_places[state], server_state_name(state));
}

/* --- columns --- */

#define COLUMN(name, expression)                                                                                       \
    static int64_t read_##name(struct reading *reading)                                                                \
    {                                                                                                                  \
        const struct server *server = reading->server;                                                                 \
        const struct server_stats *stats = &server->stats;                                                             \
        (void)stats;                                                                                                   \
        return (expression);                                                                                           \
    }
#define SAMPLED (reading->live && stats->at_us != 0)
#define COUNTED (SAMPLED && stats->have_requests)
COLUMN(id, server->id)
COLUMN(port, server->port)
COLUMN(node, (int64_t)live_strings_place(reading->strings, server_node(server), reading->tick))
COLUMN(group, reading->group_place)
COLUMN(labels, reading->labels_place)
COLUMN(health, (int64_t)live_strings_place(reading->strings, server_health_name(server->health), reading->tick))
COLUMN(ready, server->ready)
COLUMN(cpu, SAMPLED ? figure(reading, stats->cpu_percent * 10, SHARE_DIGITS) : UNKNOWN)
COLUMN(throttled, SAMPLED && (stats->have & RUNTIME_HAVE_THROTTLED)
                      ? figure(reading, stats->throttled_percent * 10, SHARE_DIGITS)
                      : UNKNOWN)
COLUMN(memory, SAMPLED ? figure(reading, stats->memory_percent * 10, SHARE_DIGITS) : UNKNOWN)
COLUMN(rate, COUNTED ? figure(reading, stats->requests_per_second, RATE_DIGITS) : UNKNOWN)
COLUMN(errors, COUNTED ? figure(reading, stats->errors_per_second, RATE_DIGITS) : UNKNOWN)
COLUMN(p50, COUNTED && stats->p50_us > 0 ? rounded((double)stats->p50_us, LATENCY_DIGITS) : UNKNOWN)
COLUMN(p99, COUNTED && stats->p50_us > 0 ? rounded((double)stats->p99_us, LATENCY_DIGITS) : UNKNOWN)
COLUMN(restarts, server->restarts)
COLUMN(oom_kills, (int64_t)stats->oom_kills)
COLUMN(since, server->state_since_us / US_PER_SECOND)
COLUMN(next_restart, server->next_restart_at_us != 0 ? server->next_restart_at_us / MS_PER_SECOND : UNKNOWN)
COLUMN(cpu_limit, reading->limits.cpu > 0 ? whole(reading->limits.cpu * 1000) : UNKNOWN)
COLUMN(memory_limit, reading->limits.memory > 0 ? (int64_t)(reading->limits.memory / KIB) : UNKNOWN)

static const struct {
    const char *name;
    int64_t (*read)(struct reading *reading);
} COLUMNS[] = {
    {"id", read_id}, /* the first: it tells whether the rows are the same servers */
    {"port", read_port},
    {"group", read_group},
    {"labels", read_labels},
    {"status", read_state},
    {"health", read_health},
    {"ready", read_ready},
    {"reason", read_reason},
    {"cpu", read_cpu},
    {"throttled", read_throttled},
    {"memory", read_memory},
    {"rate", read_rate},
    {"errors", read_errors},
    {"p50", read_p50},
    {"p99", read_p99},
    {"restarts", read_restarts},
    {"oom_kills", read_oom_kills},
    {"since", read_since},
    {"next_restart", read_next_restart},
    {"cpu_limit", read_cpu_limit},
    {"memory_limit", read_memory_limit},
    {"node", read_node},
};
#define COLUMN_ID 0
#define COLUMN_COUNT ARRAY_SIZE(COLUMNS)

struct column {
    int64_t *values;
    int64_t *before;   /* what each was until its last change */
    uint32_t *changed; /* the tick of that */
};

struct live_table {
    size_t count;
    uint32_t base, tick; /* the first and the last */
    struct column columns[COLUMN_COUNT];
    struct live_strings strings;
};

struct live_table *live_table_new(void)
{
    return xcalloc(1, sizeof(struct live_table));
}

static void free_columns(struct live_table *table)
{
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        free(table->columns[c].values);
        free(table->columns[c].before);
        free(table->columns[c].changed);
        table->columns[c] = (struct column){0};
    }
}

void live_table_free(struct live_table *table)
{
    if (table == NULL)
        return;
    free_columns(table);
    live_strings_clear(&table->strings);
    free(table);
}

uint32_t live_table_base(const struct live_table *table)
{
    return table->base;
}

/* --- looking --- */

static bool has_same_servers(const struct live_table *table, const struct farm *farm)
{
    if (table->base == 0 || table->count != farm_server_count(farm))
        return false;
    for (size_t row = 0; row < table->count; row++) {
        if (table->columns[COLUMN_ID].values[row] != farm_server_at(farm, row)->id)
            return false;
    }
    return true;
}

static void begin_anew(struct live_table *table, const struct farm *farm, uint32_t tick)
{
    free_columns(table);
    live_strings_clear(&table->strings);
    table->base = tick;
    table->count = farm_server_count(farm);
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        table->columns[c].values = xcalloc(table->count, sizeof(int64_t));
        table->columns[c].before = xcalloc(table->count, sizeof(int64_t));
        table->columns[c].changed = xcalloc(table->count, sizeof(uint32_t));
    }
}

static void begin_reading(struct reading *reading, struct live_table *table)
{
    *reading = (struct reading){.strings = &table->strings, .tick = table->tick, .many = table->count > MANY_SERVERS};
    for (size_t i = 0; i < ARRAY_SIZE(reading->state_places); i++)
        reading->state_places[i] = UNKNOWN;
    for (size_t i = 0; i < ARRAY_SIZE(reading->reason_places); i++)
        reading->reason_places[i] = UNKNOWN;
}

static void read_row(struct live_table *table, size_t row, struct reading *reading)
{
    const struct server *server = reading->server;

    reading->live = server_is_live(server);
    reading->limits = (struct runtime_limits_in_force){0};
    if (server->process != NULL)
        farm_runtime_ops(server->farm)->limits_in_force(server->process, &reading->limits);
    look_up_group(reading);
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        struct column *column = &table->columns[c];
        int64_t value = COLUMNS[c].read(reading);
        if (value == column->values[row])
            continue;
        column->before[row] = column->values[row];
        column->values[row] = value;
        column->changed[row] = reading->tick;
    }
}

void live_table_refresh(struct live_table *table, const struct farm *farm, uint32_t tick)
{
    struct reading reading;

    if (!has_same_servers(table, farm) || table->strings.count > MAX_STRINGS)
        begin_anew(table, farm, tick);
    table->tick = tick;
    begin_reading(&reading, table);
    for (size_t row = 0; row < table->count; row++) {
        reading.server = farm_server_at(farm, row);
        read_row(table, row, &reading);
    }
}

/* --- writing --- */

static void write_value(struct json_writer *w, int64_t value)
{
    if (value == UNKNOWN)
        json_null(w);
    else
        json_int(w, value);
}

static void write_dense(struct json_writer *w, const struct column *column, size_t count)
{
    json_begin_array(w);
    for (size_t row = 0; row < count; row++)
        write_value(w, column->values[row]);
    json_end_array(w);
}

/* What is to be added to each value of the tick before, null counting as 0: mostly shorter than the values. */
static void write_differences(struct json_writer *w, const struct column *column, size_t count, uint32_t tick)
{
    json_begin_object(w);
    json_key(w, "d");
    json_begin_array(w);
    for (size_t row = 0; row < count; row++) {
        int64_t value = column->values[row];
        if (value == UNKNOWN)
            json_null(w);
        else if (column->changed[row] != tick)
            json_int(w, 0);
        else
            json_int(w, value - (column->before[row] == UNKNOWN ? 0 : column->before[row]));
    }
    json_end_array(w);
    json_end_object(w);
}

/* Where: the first row, then the distance of each from the one before. */
static void write_sparse(struct json_writer *w, const struct column *column, size_t count, uint32_t since)
{
    size_t before = 0;

    json_begin_object(w);
    json_key(w, "i");
    json_begin_array(w);
    for (size_t row = 0; row < count; row++) {
        if (column->changed[row] <= since)
            continue;
        json_uint(w, row - before);
        before = row;
    }
    json_end_array(w);
    json_key(w, "v");
    json_begin_array(w);
    for (size_t row = 0; row < count; row++) {
        if (column->changed[row] > since)
            write_value(w, column->values[row]);
    }
    json_end_array(w);
    json_end_object(w);
}

/* Most of it: whichever form is the shorter. */
static void write_most(struct json_writer *w, const struct live_table *table, const struct column *column,
                       uint32_t since)
{
    struct buffer dense = BUFFER_EMPTY, differences = BUFFER_EMPTY;
    struct json_writer to_dense = json_writer_to(&dense), to_differences = json_writer_to(&differences);
    bool has_before = since + 1 == table->tick;

    write_dense(&to_dense, column, table->count);
    if (has_before)
        write_differences(&to_differences, column, table->count, table->tick);
    const struct buffer *shorter = has_before && differences.length < dense.length ? &differences : &dense;
    json_raw(w, shorter->data, shorter->length);
    buffer_done(&dense);
    buffer_done(&differences);
}

static size_t count_changes(const struct column *column, size_t count, uint32_t since)
{
    size_t changes = 0;

    for (size_t row = 0; row < count; row++)
        changes += column->changed[row] > since;
    return changes;
}

void live_table_write_all(struct json_writer *w, const struct live_table *table)
{
    json_key(w, "strings");
    live_strings_write(w, &table->strings, 0);
    json_key(w, "columns");
    json_begin_object(w);
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        json_key(w, COLUMNS[c].name);
        write_dense(w, &table->columns[c], table->count);
    }
    json_end_object(w);
}

void live_table_write_changes(struct json_writer *w, const struct live_table *table, uint32_t since)
{
    if (live_strings_count_after(&table->strings, since) > 0) {
        json_key(w, "strings");
        live_strings_write(w, &table->strings, since);
    }
    json_key(w, "columns");
    json_begin_object(w);
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        const struct column *column = &table->columns[c];
        size_t changes = count_changes(column, table->count, since);
        if (changes == 0)
            continue;
        json_key(w, COLUMNS[c].name);
        if (changes * 2 > table->count)
            write_most(w, table, column, since);
        else
            write_sparse(w, column, table->count, since);
    }
    json_end_object(w);
}
