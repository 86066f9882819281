/*
 * The files that farmd carries within itself: the page on the dashboard's port, what it loads, the page at /docs and
 * the description of the API. Served with an ETag and a policy that lets nothing in from elsewhere.
 */
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#define ETAG_MAX 24

static const char POLICY[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                             "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#define ASSET(name) extern const char asset_##name[], asset_##name##_end[]
ASSET(index_html);
ASSET(docs_html);
ASSET(app_js);
ASSET(style_css);
ASSET(openapi_json);

struct asset {
    const char *name; /* below /assets/; NULL: not there */
    const char *content_type;
    const char *begin, *end;
};

#define HTML "text/html; charset=utf-8"
static const struct asset INDEX = {NULL, HTML, asset_index_html, asset_index_html_end};
static const struct asset DOCS = {NULL, HTML, asset_docs_html, asset_docs_html_end};
static const struct asset OPENAPI = {NULL, "application/json", asset_openapi_json, asset_openapi_json_end};
static const struct asset ASSETS[] = {
    {"app.js", "text/javascript; charset=utf-8", asset_app_js, asset_app_js_end},
    {"style.css", "text/css; charset=utf-8", asset_style_css, asset_style_css_end},
};

/* FNV-1a of the contents: another build with other contents has another tag. */
static void make_etag(const struct asset *asset, char out[ETAG_MAX])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (const char *c = asset->begin; c < asset->end; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    snprintf(out, ETAG_MAX, "\"%016" PRIx64 "\"", hash);
}

static void serve(struct http_request *request, const struct asset *asset)
{
    char etag[ETAG_MAX];
    struct http_slice seen;

    make_etag(asset, etag);
    http_respond_header(request, "ETag", etag);
    http_respond_header(request, "Cache-Control", "no-cache");
    http_respond_header(request, "Content-Security-Policy", POLICY);
    http_respond_header(request, "Referrer-Policy", "no-referrer");
    if (http_request_header(request, "If-None-Match", &seen) && http_slice_equal(seen, etag))
        http_respond(request, 304, NULL, NULL, 0);
    else
        http_respond(request, 200, asset->content_type, asset->begin, (size_t)(asset->end - asset->begin));
}

void page_dashboard(struct http_request *request)
{
    serve(request, &INDEX);
}

void page_docs(struct http_request *request, const struct http_match *match)
{
    (void)match;
    serve(request, &DOCS);
}

void page_openapi(struct http_request *request, const struct http_match *match)
{
    (void)match;
    serve(request, &OPENAPI);
}

void page_asset(struct http_request *request, const struct http_match *match)
{
    for (size_t i = 0; i < ARRAY_SIZE(ASSETS); i++) {
        if (http_slice_equal(match->params[0], ASSETS[i].name)) {
            serve(request, &ASSETS[i]);
            return;
        }
    }
    http_respond_problem(request, 404, "No such path");
}
