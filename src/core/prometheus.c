/*
 * Writing the Prometheus text format.
 */
#include "core/prometheus.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* `quote` says whether '"' is escaped as well: in label values, not in HELP. */
static void append_escaped(struct buffer *out, const char *text, bool quote)
{
    for (; *text; text++) {
        switch (*text) {
        case '\\':
            buffer_append(out, "\\\\", 2);
            break;
        case '\n':
            buffer_append(out, "\\n", 2);
            break;
        case '"':
            buffer_append_text(out, quote ? "\\\"" : "\"");
            break;
        default:
            buffer_append_char(out, *text);
        }
    }
}

void prometheus_family(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_printf(out, "# HELP %s ", name);
    append_escaped(out, help, false);
    buffer_printf(out, "\n# TYPE %s %s\n", name, type);
}

#define EXACT_INTEGERS 9007199254740992.0 /* 2^53: up to here a double is a whole number exactly */

static void append_value(struct buffer *out, double value)
{
    if (__builtin_isnan(value)) {
        buffer_append_text(out, "NaN");
    } else if (__builtin_isinf(value)) {
        buffer_append_text(out, value > 0 ? "+Inf" : "-Inf");
    } else if (value > -EXACT_INTEGERS && value < EXACT_INTEGERS && value == (double)(int64_t)value) {
        buffer_printf(out, "%lld", (long long)value);
    } else {
        /* The fewest digits that people expect where they suffice, else all of them. */
        char text[32];
        snprintf(text, sizeof(text), "%.15g", value);
        if (strtod(text, NULL) != value)
            snprintf(text, sizeof(text), "%.17g", value);
        buffer_append_text(out, text);
    }
}

void prometheus_sample(struct buffer *out, const char *name, const char *labels, double value)
{
    buffer_append_text(out, name);
    if (labels && labels[0]) {
        buffer_append_char(out, '{');
        buffer_append_text(out, labels);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ' ');
    append_value(out, value);
    buffer_append_char(out, '\n');
}

void prometheus_label(struct buffer *out, const char *name, const char *value)
{
    if (out->length > 0)
        buffer_append_char(out, ',');
    buffer_append_text(out, name);
    buffer_append(out, "=\"", 2);
    append_escaped(out, value, true);
    buffer_append_char(out, '"');
}
