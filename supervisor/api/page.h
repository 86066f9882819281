/*
 * What answers with files have in common, wherever the files are.
 */
#ifndef SUPERVISOR_API_PAGE_H
#define SUPERVISOR_API_PAGE_H

#include "core/buffer.h"
#include "http/server.h"

#include <stdbool.h>

#define PAGE_TAG_MAX 32

struct page {
    const char *tag;     /* of the contents in this encoding; without quotes */
    const char *caching; /* Cache-Control */
    bool gzip;           /* the contents are packed, and the client takes them so */
};

/* The headers of a page, and 304 when the client has its contents already: true then. */
bool page_is_known(struct http_request *request, const struct page *page);

/* By the end of a path; of a page's own path "text/html". */
const char *page_content_type(const char *path);

#endif
