/*
 * A JSON writer that appends to a buffer: no tree, no allocation beyond the buffer's growth. Used where an answer is
 * large or frequent and by the static worker; cJSON parses what comes in. Commas are the writer's job.
 * Invalid UTF-8 in a string is written as U+FFFD, so that what leaves is always valid JSON.
 */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include "core/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_writer {
    struct buffer *out;
    bool need_comma;
};

static inline struct json_writer json_writer_to(struct buffer *out)
{
    return (struct json_writer){.out = out};
}

void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, const char *key); /* key needs no escaping */

void json_string(struct json_writer *w, const char *text); /* NULL writes null */
void json_string_n(struct json_writer *w, const char *text, size_t n);
void json_int(struct json_writer *w, int64_t value);
void json_uint(struct json_writer *w, uint64_t value);
void json_fixed2(struct json_writer *w, double value); /* 2 decimals; NaN and infinities write 0.00 */
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);
void json_raw(struct json_writer *w, const char *json, size_t n); /* one whole value, already JSON */
void json_timestamp(struct json_writer *w, int64_t realtime_us);  /* ISO 8601 as in the contract */

/* key and value in one call */
void json_member_string(struct json_writer *w, const char *key, const char *text);
void json_member_int(struct json_writer *w, const char *key, int64_t value);
void json_member_uint(struct json_writer *w, const char *key, uint64_t value);
void json_member_fixed2(struct json_writer *w, const char *key, double value);
void json_member_bool(struct json_writer *w, const char *key, bool value);
void json_member_null(struct json_writer *w, const char *key);
void json_member_timestamp(struct json_writer *w, const char *key, int64_t realtime_us);

#endif
