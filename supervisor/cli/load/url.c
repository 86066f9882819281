/*
 * See url.h.
 */
#include "supervisor/cli/load/url.h"

#include "core/memory.h"
#include "supervisor/cli/frame/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT ":80"

bool load_url_is_one(const char *text)
{
    return strstr(text, "://") != NULL;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24) == 127;
    return address->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static int resolve(const struct address *address, const char *url, struct load_target *target, struct error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    bool local = strcmp(address->host, "localhost") == 0; /* needs no resolver; servers of this machine listen there */
    char port[8];

    snprintf(port, sizeof(port), "%u", address->port);
    int code = getaddrinfo(local ? "127.0.0.1" : address->host, port, &hints, &found);
    if (code != 0)
        return error_set(err, EINVAL, "%s: %s", url, gai_strerror(code));
    memcpy(&target->address, found->ai_addr, found->ai_addrlen);
    target->address_length = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

/* "http://host/path" → "http://host:80". */
static char *with_port(const char *url, size_t authority_end)
{
    const char *authority = strstr(url, "://") + 3;
    size_t length = authority_end - (size_t)(authority - url);
    const char *bracket = memchr(authority, ']', length);
    const char *from = bracket ? bracket : authority;
    bool has_port = memchr(from, ':', length - (size_t)(from - authority)) != NULL;

    return xasprintf("%.*s%s", (int)authority_end, url, has_port ? "" : DEFAULT_PORT);
}

static int read_one(const char *url, bool allow_remote, struct load_target *target, char **path, struct error *err)
{
    const char *authority = strstr(url, "://") + 3;
    size_t end = (size_t)(authority - url) + strcspn(authority, "/?#");
    cleanup_free char *place = with_port(url, end);
    struct address address;

    if (strchr(url, '#'))
        return error_set(err, EINVAL, "%s: a fragment is not sent to a server; leave it out", url);
    int rc = address_parse(place, "URL", &address, err);
    if (rc == 0)
        rc = resolve(&address, url, target, err);
    if (rc < 0)
        return rc;
    if (!is_loopback(&target->address) && !allow_remote)
        return error_set(err, EINVAL, "%s is not on this machine; --allow-remote loads it all the same", url);
    target->name = xstrdup(address.url + strlen("http://"));
    target->host = xstrndup(authority, end - (size_t)(authority - url));
    bool has_path = url[end] != '\0' && strcmp(url + end, "/") != 0;
    *path = has_path ? xasprintf("%s%s", url[end] == '/' ? "" : "/", url + end) : NULL;
    return 0;
}

int load_urls_read(char *const *texts, size_t count, bool allow_remote, struct load_urls *urls, struct error *err)
{
    *urls = (struct load_urls){.targets = xcalloc(count, sizeof(struct load_target))};
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *path = NULL;
        if (!load_url_is_one(texts[i]))
            return error_set(err, EINVAL, "\"%s\": servers of a farm and URLs cannot be loaded together", texts[i]);
        int rc = read_one(texts[i], allow_remote, &urls->targets[i], &path, err);
        if (rc < 0)
            return rc;
        urls->targets[i].id = (int)i + 1;
        urls->count++;
        const char *before = urls->path ? urls->path : "/", *now = path ? path : "/";
        if (i > 0 && strcmp(before, now) != 0)
            return error_set(err, EINVAL, "%s: all URLs must have one path, and the first has %s", texts[i], before);
        if (i == 0)
            urls->path = steal(&path);
    }
    return 0;
}

void load_urls_done(struct load_urls *urls)
{
    for (size_t i = 0; i < urls->count; i++) {
        free((void *)(uintptr_t)urls->targets[i].name);
        free((void *)(uintptr_t)urls->targets[i].host);
    }
    free(urls->targets);
    free(urls->path);
}
