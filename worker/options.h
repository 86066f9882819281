/*
 * What farm-worker is told by its environment and flags; a flag wins over the environment.
 */
#ifndef WORKER_OPTIONS_H
#define WORKER_OPTIONS_H

#include "core/error.h"
#include "core/log.h"

#include <stdbool.h>
#include <stdint.h>

#define WORKER_MAX_ORIGINS 16

enum worker_mode {
    WORKER_SERVE,
    WORKER_READY_ONLY, /* says ready and exits: the least that starting a worker can cost */
    WORKER_SHOW_VERSION,
    WORKER_SHOW_HELP,
};

struct worker_options {
    enum worker_mode mode;
    char server_id[24]; /* "server-7" */
    const char *host;
    uint16_t port;        /* 0 takes a free one */
    uint16_t public_port; /* what clients are told instead, behind a port map; 0: the same */
    enum log_level log_level;
    bool access_log;
    int ready_fd;                            /* gets "ready" once the worker listens; -1: nobody waits */
    int counters_fd;                         /* the shared counters' file; -1: none */
    const char *origins[WORKER_MAX_ORIGINS]; /* allowed beside the pages of this machine */
    unsigned origin_count;
    char *origins_text; /* what some of them point into */
};

/* Reads the environment, then the flags. Strings may point into either. On a bad value: -EINVAL and one sentence. */
int worker_options_parse(int argc, char **argv, struct worker_options *options, struct error *err);
void worker_options_done(struct worker_options *options);

/* Writes the text of --help. */
void worker_options_help(void);

#endif
