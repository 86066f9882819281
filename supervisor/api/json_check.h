/*
 * Whether a text is one JSON value by RFC 8259: what cJSON lets through (control characters in strings, leading zeros,
 * bytes that are no UTF-8, anything behind the value) is refused here, before it is parsed or passed on.
 */
#ifndef SUPERVISOR_API_JSON_CHECK_H
#define SUPERVISOR_API_JSON_CHECK_H

#include "core/error.h"

#include <stddef.h>

/* 0, or -EINVAL with a sentence that says what is wrong and at which byte (from 1). `max_depth` is at least 1. */
int json_check(const char *text, size_t length, unsigned max_depth, struct error *err);

#endif
