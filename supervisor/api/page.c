/*
 * The dashboard, the API's documentation and description, and what they load: from within farmd, or while somebody works
 * on the dashboard from the folder of --web-dir. Served with an ETag and a policy that lets nothing in from elsewhere.
 */
#include "supervisor/api/page.h"

#include "core/memory.h"
#include "http/accept.h"
#include "http/gzip.h"
#include "http/problem.h"
#include "supervisor/api/assets.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/web_dir.h"

#include <stdio.h>
#include <string.h>

#define NO_CACHE "no-cache" /* kept, and asked for again each time */
#define FOREVER "public, max-age=31536000, immutable"
#define PATH_LENGTH_MAX 256

static const char POLICY[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                             "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
                             "form-action 'none'; frame-ancestors 'none'";

const char *page_content_type(const char *path)
{
    static const struct {
        const char *end, *type;
    } TYPES[] = {
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".txt", "text/plain; charset=utf-8"},
    };
    const char *dot = strrchr(path, '.');

    if (dot == NULL || strcmp(dot, ".html") == 0)
        return "text/html; charset=utf-8";
    for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++) {
        if (strcmp(dot, TYPES[i].end) == 0)
            return TYPES[i].type;
    }
    return "application/octet-stream";
}

/* Whether If-None-Match, a list of tags or "*", has this one (RFC 9110, 13.1.2). */
static bool has_tag(struct http_slice list, const char *etag)
{
    size_t length = strlen(etag);

    if (http_slice_equal(list, "*"))
        return true;
    for (size_t i = 0; i + length <= list.length; i++) {
        if (memcmp(list.data + i, etag, length) == 0)
            return true;
    }
    return false;
}

bool page_is_known(struct http_request *request, const struct page *page)
{
    char etag[PAGE_TAG_MAX + 3];
    struct http_slice seen;

    snprintf(etag, sizeof(etag), "\"%.*s\"", PAGE_TAG_MAX, page->tag);
    http_respond_header(request, "ETag", etag);
    http_respond_header(request, "Cache-Control", page->caching);
    http_respond_header(request, "Vary", "Accept-Encoding");
    http_respond_header(request, "Content-Security-Policy", POLICY);
    http_respond_header(request, "Referrer-Policy", "no-referrer");
    if (!http_request_header(request, "If-None-Match", &seen) || !has_tag(seen, etag)) {
        if (page->gzip)
            http_respond_header(request, "Content-Encoding", "gzip");
        return false;
    }
    http_respond(request, 304, NULL, NULL, 0);
    return true;
}

static void serve_unpacked(struct http_request *request, const struct asset *asset)
{
    struct buffer out = BUFFER_EMPTY;

    if (!respond_reserve(request, &out, asset->length))
        return;
    if (gzip_unpack(asset->begin, (size_t)(asset->end - asset->begin), out.data, asset->length) < 0) {
        buffer_done(&out);
        respond_overload(request, "there is no memory to unpack this file; try again in a moment");
        return;
    }
    out.length = asset->length;
    http_respond_buffer(request, 200, page_content_type(asset->path), &out);
}

static void serve_asset(struct http_request *request, const struct asset *asset)
{
    char tag[PAGE_TAG_MAX];
    struct page page = {
        .tag = tag,
        .caching = asset->immutable ? FOREVER : NO_CACHE,
        .gzip = http_accept_gzip(request),
    };

    snprintf(tag, sizeof(tag), "%s%s", asset->tag, page.gzip ? "-gzip" : "");
    if (page_is_known(request, &page))
        return;
    if (page.gzip)
        http_respond(request, 200, page_content_type(asset->path), asset->begin, (size_t)(asset->end - asset->begin));
    else
        serve_unpacked(request, asset);
}

static void serve(struct http_request *request, struct api *api)
{
    const char *folder = farm_settings(api->farm)->web_dir;
    char path[PATH_LENGTH_MAX];

    int length = http_percent_decode(http_request_path(request), false, path, sizeof(path));
    if (length > 1 && path[length - 1] == '/')
        path[length - 1] = '\0';
    if (length > 0 && folder != NULL && strcmp(path, "/openapi.json") != 0) {
        web_dir_serve(request, api, folder, path);
        return;
    }
    for (size_t i = 0; length > 0 && i < ASSETS_COUNT; i++) {
        if (strcmp(path, ASSETS[i].path) == 0) {
            serve_asset(request, &ASSETS[i]);
            return;
        }
    }
    http_respond_problem(request, 404, "No such path");
}

void page_dashboard(struct http_request *request, struct api *api)
{
    serve(request, api);
}

void page_get(struct http_request *request, const struct http_match *match)
{
    serve(request, api_of(match));
}
