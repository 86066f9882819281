/*
 * The files that farmd carries within itself, packed by gzip. The table is made by web/embed when farmd is built.
 */
#ifndef SUPERVISOR_API_ASSETS_H
#define SUPERVISOR_API_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

struct asset {
    const char *path; /* as asked for: "/", "/docs", "/assets/app.js" */
    const char *tag;  /* of its contents */
    const char *begin, *end;
    size_t length;  /* unpacked */
    bool immutable; /* its name changes with its contents */
};

extern const struct asset ASSETS[];
extern const size_t ASSETS_COUNT;

#endif
