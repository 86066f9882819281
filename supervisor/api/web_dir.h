/*
 * The dashboard from a folder on disk, for those who work on it (--web-dir). Files are read by the thread pool.
 */
#ifndef SUPERVISOR_API_WEB_DIR_H
#define SUPERVISOR_API_WEB_DIR_H

#include "core/error.h"
#include "http/server.h"

#include <stddef.h>

#define WEB_DIR_FILE_MAX ((size_t)16 << 20) /* bytes; a larger file is refused */

struct api;
struct buffer;

/* Answers with the file for `path` ("/assets/app.js"; "/" is index.html, "/docs" docs/index.html or docs.html). */
void web_dir_serve(struct http_request *request, struct api *api, const char *folder, const char *path);

/* Reads the file for a path, for tests too; blocks. -ENOENT: there is none, or what is there is no plain file below the
 * folder (neither through ".." nor through links); -EFBIG. */
int web_dir_read(const char *folder, const char *path, struct buffer *out, struct error *err);

#endif
