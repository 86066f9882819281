/*
 * Typed looks into a request's query string, with the same rules as for a body: every refusal is -EINVAL with a
 * sentence that names the parameter and says what is allowed. Unknown parameters are ignored.
 */
#ifndef SUPERVISOR_API_QUERY_H
#define SUPERVISOR_API_QUERY_H

#include "core/error.h"
#include "http/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each returns 1 when the parameter is there, 0 when it isn't (the value stays untouched), -EINVAL when refused. */
int query_int(struct http_slice query, const char *name, int64_t min, int64_t max, int64_t *value, struct error *err);
int query_number(struct http_slice query, const char *name, double min, double max, double *value, struct error *err);
int query_bool(struct http_slice query, const char *name, bool *value, struct error *err);
/* Percent-decoded into out (size bytes with the NUL). */
int query_text(struct http_slice query, const char *name, char *out, size_t size, struct error *err);

#endif
