/*
 * What holds for every verb and is told once: how servers are meant, forms of output, exit codes, where the farm is.
 */
#ifndef SUPERVISOR_CLI_FRAME_TOPICS_H
#define SUPERVISOR_CLI_FRAME_TOPICS_H

#include <stddef.h>

struct topic_row {
    const char *left; /* NULL ends the rows */
    const char *right;
};

struct topic {
    const char *name; /* `farmd help NAME` */
    const char *title;
    const char *text; /* a paragraph before the rows */
    const struct topic_row *rows;
    const char *after; /* and one behind them, or NULL */
};

/* All of them, ended by a row with name NULL. */
extern const struct topic topics[];
const struct topic *topic_find(const char *name); /* NULL when there is none */

#endif
