/*
 * A request's JSON body and typed looks into it. Every refusal is -EINVAL with a sentence that names the field and says
 * what is allowed. `null` equals absent; unknown keys are ignored.
 */
#ifndef SUPERVISOR_API_BODY_H
#define SUPERVISOR_API_BODY_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

#define BODY_MAX_DEPTH 32
#define BODY_MAX_INT (INT64_C(1) << 53) /* beyond it a JSON number is no exact integer any more */

struct cJSON;

struct body {
    struct cJSON *root; /* an object */
};

/* No text at all (or only white space) reads as {}. */
int body_parse(struct body *body, const char *text, size_t length, struct error *err);
void body_done(struct body *body);

/* The value of a key, NULL when absent or null. */
const struct cJSON *body_get(const struct body *body, const char *key);

/* Each returns 1 when the field is there, 0 when it isn't (the value stays untouched), -EINVAL when it is refused. */
int body_int(const struct body *body, const char *key, int64_t min, int64_t max, int64_t *value, struct error *err);
int body_number(const struct body *body, const char *key, double min, double max, double *value, struct error *err);
/* Valid as long as the body is. */
int body_text(const struct body *body, const char *key, size_t max_length, const char **value, struct error *err);

/* A list of whole numbers as sent, at most `max_count`; the caller frees *values. */
int body_int_list(const struct body *body, const char *key, size_t max_count, int64_t **values, size_t *count,
                  struct error *err);

#endif
