/*
 * Prometheus text exposition format 0.0.4: HELP and TYPE once a family, then its samples.
 */
#ifndef CORE_PROMETHEUS_H
#define CORE_PROMETHEUS_H

#include "core/buffer.h"

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* `type` is "counter", "gauge" or "histogram". */
void prometheus_family(struct buffer *out, const char *name, const char *type, const char *help);

/* `labels` is the inside of the braces, already escaped (prometheus_label), or NULL. */
void prometheus_sample(struct buffer *out, const char *name, const char *labels, double value);

/* Appends `name="value"` with the value escaped, a comma first when `out` is not empty. */
void prometheus_label(struct buffer *out, const char *name, const char *value);

#endif
