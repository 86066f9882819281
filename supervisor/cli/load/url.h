/*
 * What `farmd load` loads by itself: servers given as URLs, on this machine unless more is allowed.
 */
#ifndef SUPERVISOR_CLI_LOAD_URL_H
#define SUPERVISOR_CLI_LOAD_URL_H

#include "core/error.h"
#include "supervisor/load/plan.h"

#include <stdbool.h>
#include <stddef.h>

struct load_urls {
    struct load_target *targets;
    size_t count;
    char *path; /* of all of them; NULL: none has one */
};

bool load_url_is_one(const char *text); /* "http://…" */

/* -EINVAL: the message names the URL. Free with load_urls_done, also after a failure. */
int load_urls_read(char *const *texts, size_t count, bool allow_remote, struct load_urls *urls, struct error *err);
void load_urls_done(struct load_urls *urls);

#endif
