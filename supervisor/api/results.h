/*
 * What became of each server in work on many of them: one entry each, in ascending order of their ids.
 */
#ifndef SUPERVISOR_API_RESULTS_H
#define SUPERVISOR_API_RESULTS_H

#include "core/error.h"
#include "core/json.h"

#include <stdbool.h>
#include <stddef.h>

struct results;

struct results *results_new(const int *ids, size_t count); /* ascending; copied */
void results_free(struct results *results);
size_t results_count(const struct results *results); /* of the servers, not of those that are known */

/* err NULL: success; ECANCELED: skipped; else the error. An id that is not among them is ignored. */
void results_set(struct results *results, int server_id, const struct error *err);

/* `total`, `successful`, `failed`, `results` inside an object. An entry never set counts as failed. */
void results_write_members(const struct results *results, struct json_writer *w);

/* Writes the entry of the next one that became known and was not taken yet, in the order in which they did; false when
 * there is none. */
bool results_take(struct results *results, struct json_writer *w);

#endif
