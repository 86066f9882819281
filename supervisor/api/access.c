/*
 * The order matters: the Host first, because everything a browser says rests on it; then the origin, which also answers
 * preflights (they carry no token); then the token.
 */
#include "supervisor/api/access.h"

#include "core/memory.h"
#include "http/cors.h"
#include "http/problem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HOST_MAX 255

struct http_slice access_host_of(struct http_slice authority)
{
    struct http_slice host = authority;
    const char *colon = NULL;

    if (host.length == 0)
        return host;
    if (host.data[0] == '[') {
        const char *bracket = memchr(host.data, ']', host.length);
        if (bracket != NULL)
            host.length = (size_t)(bracket - host.data) + 1;
        return host;
    }
    colon = memchr(host.data, ':', host.length);
    if (colon != NULL)
        host.length = (size_t)(colon - host.data);
    if (host.length > 1 && host.data[host.length - 1] == '.')
        host.length--;
    return host;
}

/* A configured name may be an IPv6 address with or without its brackets. */
static bool host_is(struct http_slice host, const char *name)
{
    if (name == NULL || *name == '\0' || host.length == 0)
        return false;
    if (http_slice_equal_nocase(host, name))
        return true;
    return host.length > 2 && host.data[0] == '[' &&
           http_slice_equal_nocase((struct http_slice){host.data + 1, host.length - 2}, name);
}

static bool is_local_address(struct http_slice host, const struct sockaddr_storage *local)
{
    char text[INET6_ADDRSTRLEN + 1] = "";

    if (local == NULL)
        return false;
    if (local->ss_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)local)->sin_addr, text, sizeof(text));
    } else if (local->ss_family == AF_INET6) {
        const struct in6_addr *address = &((const struct sockaddr_in6 *)local)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(address))
            inet_ntop(AF_INET, &address->s6_addr[12], text, sizeof(text));
        else
            inet_ntop(AF_INET6, address, text, sizeof(text));
    }
    return host_is(host, text);
}

static bool is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

bool access_serves_host(const struct settings *settings, struct http_slice host, const struct sockaddr_storage *local)
{
    static const char *const LOCAL_NAMES[] = {"localhost", "127.0.0.1", "[::1]"};
    char machine[HOST_MAX + 1] = "";

    for (size_t i = 0; i < ARRAY_SIZE(LOCAL_NAMES); i++) {
        if (host_is(host, LOCAL_NAMES[i]))
            return true;
    }
    if (host_is(host, settings->api.host) || host_is(host, settings->dashboard.host))
        return true;
    for (char *const *name = settings->allowed_hosts; name != NULL && *name != NULL; name++) {
        if (host_is(host, *name))
            return true;
    }
    if (is_local_address(host, local))
        return true;
    if (is_loopback(settings->api.host) && (settings->dashboard.port == 0 || is_loopback(settings->dashboard.host)))
        return false;
    /* Meant to be reached from other machines: they know this one by its name. */
    return gethostname(machine, sizeof(machine) - 1) == 0 && host_is(host, machine);
}

bool access_token_equal(const char *expected, struct http_slice given)
{
    size_t length = strlen(expected);
    unsigned difference = length != given.length;

    for (size_t i = 0; i < given.length; i++)
        difference |= (unsigned char)given.data[i] ^ (unsigned char)expected[length > 0 ? i % length : 0];
    return difference == 0;
}

static bool admit_host(const struct settings *settings, struct http_request *request)
{
    struct http_slice host = access_host_of(http_request_host(request)), header;
    struct sockaddr_storage local;
    socklen_t size = sizeof(local);

    if (http_request_host(request).length == 0 && !http_request_header(request, "Host", &header))
        return true; /* HTTP/1.0 without one: no browser */
    bool known = getsockname(http_request_socket(request), (struct sockaddr *)&local, &size) == 0;
    if (access_serves_host(settings, host, known ? &local : NULL))
        return true;
    int shown = host.length > HOST_MAX ? HOST_MAX : (int)host.length;
    http_respond_problem(request, 421,
                         "Host \"%.*s\" is not served here; use localhost, or add the name to api.allowed_hosts", shown,
                         shown > 0 ? host.data : "");
    return false;
}

/* A page that was served under this very Host: its requests are no other origin's. The Host has been checked. */
static bool is_same_origin(struct http_request *request, struct http_slice origin)
{
    struct http_slice host = http_request_host(request);
    static const char *const SCHEMES[] = {"http://", "https://"};

    for (size_t i = 0; i < ARRAY_SIZE(SCHEMES); i++) {
        size_t scheme = strlen(SCHEMES[i]);
        if (origin.length == scheme + host.length && host.length > 0 &&
            strncasecmp(origin.data, SCHEMES[i], scheme) == 0 &&
            strncasecmp(origin.data + scheme, host.data, host.length) == 0)
            return true;
    }
    return false;
}

bool access_is_own_page(struct http_request *request)
{
    struct http_slice origin;

    return !http_request_header(request, "Origin", &origin) || is_same_origin(request, origin);
}

static bool admit_origin(const struct settings *settings, struct http_request *request)
{
    struct http_cors cors = {.origins = (const char *const *)settings->allowed_origins};
    struct http_slice origin;

    if (!http_request_header(request, "Origin", &origin))
        return true;
    while (cors.origins != NULL && cors.origins[cors.count] != NULL)
        cors.count++;
    if (!http_cors_allows(&cors, origin) && is_same_origin(request, origin))
        return true;
    return http_cors_admit(&cors, request);
}

/* What a browser fetches by itself, without our script to add a header (nothing in it is about the farm), and where it
 * shows the token. */
static bool is_public(const struct http_request *request)
{
    struct http_slice path = http_request_path(request);
    static const char *const PAGES[] = {"/", "/docs", "/openapi.json", "/api/session"};
    static const char *const FOLDERS[] = {"/docs/", "/assets/"};

    for (size_t i = 0; i < ARRAY_SIZE(PAGES); i++) {
        if (http_slice_equal(path, PAGES[i]))
            return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(FOLDERS); i++) {
        size_t length = strlen(FOLDERS[i]);
        if (path.length >= length && memcmp(path.data, FOLDERS[i], length) == 0)
            return true;
    }
    return false;
}

/* Any page of this machine may ask with a token that it knows; a browser adds a cookie for pages of other ports too, so
 * that one counts only for farmd's own. */
static bool admit_cookie(const struct settings *settings, struct sessions *sessions, struct http_request *request)
{
    return access_is_own_page(request) && sessions_admit(sessions, settings->token, request);
}

static bool admit_token(const struct settings *settings, struct sessions *sessions, struct http_request *request)
{
    static const char SCHEME[] = "Bearer ";
    size_t skip = sizeof(SCHEME) - 1;
    struct http_slice value;

    if (settings->token == NULL || is_public(request))
        return true;
    if (http_request_header(request, "Authorization", &value) && value.length > skip &&
        strncasecmp(value.data, SCHEME, skip) == 0) {
        while (skip < value.length && value.data[skip] == ' ')
            skip++;
        if (access_token_equal(settings->token, (struct http_slice){value.data + skip, value.length - skip}))
            return true;
    }
    if (admit_cookie(settings, sessions, request))
        return true;
    http_respond_header(request, "WWW-Authenticate", "Bearer realm=\"farmd\"");
    http_respond_problem(request, 401, "A token is needed: send it as \"Authorization: Bearer <token>\"");
    return false;
}

bool access_admit(const struct settings *settings, struct sessions *sessions, struct http_request *request)
{
    return admit_host(settings, request) && admit_origin(settings, request) && admit_token(settings, sessions, request);
}
