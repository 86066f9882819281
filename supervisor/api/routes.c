/*
 * Method, path, handler. The same on both ports; docs/openapi.json describes each row.
 */
#include "supervisor/api/routes.h"

#include "core/memory.h"
#include "supervisor/api/internal.h"

const struct http_route ROUTES[] = {
    {HTTP_METHOD_GET, "/", root_get},
    {HTTP_METHOD_GET, "/docs", page_get},
    {HTTP_METHOD_GET, "/docs/", page_get},
    {HTTP_METHOD_GET, "/docs/{name}", page_get},
    {HTTP_METHOD_GET, "/openapi.json", page_get},
    {HTTP_METHOD_GET, "/assets/{name}", page_get},
    {HTTP_METHOD_POST, "/api/session", session_post},
    {HTTP_METHOD_DELETE, "/api/session", session_delete},
    {HTTP_METHOD_GET, "/api/servers", servers_list},
    {HTTP_METHOD_PATCH, "/api/servers", servers_patch_many},
    {HTTP_METHOD_POST, "/api/servers/action", actions_many},
    {HTTP_METHOD_GET, "/api/servers/{id}", servers_get},
    {HTTP_METHOD_PATCH, "/api/servers/{id}", servers_patch_limits},
    {HTTP_METHOD_POST, "/api/servers/{id}/action", actions_one},
    {HTTP_METHOD_GET, "/api/servers/{id}/logs", logs_get},
    {HTTP_METHOD_GET, "/api/servers/{id}/history", history_get},
    {HTTP_METHOD_GET, "/api/logs", logs_list},
    {HTTP_METHOD_GET, "/api/history", history_list},
    {HTTP_METHOD_GET, "/api/events", events_list},
    {HTTP_METHOD_GET, "/api/stream", live_get},
    {HTTP_METHOD_GET, "/api/health", health_get},
    {HTTP_METHOD_GET, "/api/metrics", metrics_get},
    {HTTP_METHOD_POST, "/api/scale", scale_post},
    {HTTP_METHOD_POST, "/api/rolling-restart", rolling_post},
    {HTTP_METHOD_POST, "/api/broadcast", broadcast_post},
    {HTTP_METHOD_POST, "/api/simulate-load", simulate_post},
    {HTTP_METHOD_POST, "/api/load-test", load_test_post},
    {HTTP_METHOD_GET, "/api/load-tests", load_tests_list},
    {HTTP_METHOD_POST, "/api/load-tests", load_tests_post},
    {HTTP_METHOD_GET, "/api/load-tests/compare", load_tests_compare},
    {HTTP_METHOD_GET, "/api/load-tests/{id}", load_tests_get},
    {HTTP_METHOD_DELETE, "/api/load-tests/{id}", load_tests_delete},
};

const size_t ROUTES_COUNT = ARRAY_SIZE(ROUTES);
