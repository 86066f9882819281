/*
 * Where the Engine is, and which version of its API is spoken with it.
 */
#include "supervisor/runtime/docker/engine.h"

#include "core/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define HTTP_FINE 200
#define HTTP_BAD_REQUEST 400 /* what an Engine says to a version that it knows no more */

/* --- where it is --- */

/* What DOCKER_HOST names instead of a Unix socket, and what is wrong with that. */
static const struct {
    const char *prefix, *why;
} others[] = {
    {"tcp://", "is no Unix socket: farmd does not speak to an Engine over TCP, neither with TLS (DOCKER_TLS_VERIFY, "
               "DOCKER_CERT_PATH) nor without, where whoever reaches the port is root"},
    {"http://", "is no Unix socket: farmd does not speak to an Engine over TCP"},
    {"https://", "is no Unix socket: farmd does not speak to an Engine over TCP, with TLS or without"},
    {"ssh://", "is no Unix socket: farmd does not speak SSH itself"},
    {"", "is no Unix socket"},
};

static int refuse_host(const char *host, struct error *err)
{
    size_t i = 0;

    while (strncmp(host, others[i].prefix, strlen(others[i].prefix)) != 0)
        i++;
    return error_set(err, EINVAL,
                     "DOCKER_HOST: \"%s\" %s\n"
                     "  fix: DOCKER_HOST=unix:///var/run/docker.sock, or forward the remote socket: "
                     "ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST, and DOCKER_HOST=unix:///tmp/docker.sock",
                     host, others[i].why);
}

int engine_find(const char *docker_host, struct engine_address *address, struct error *err)
{
    static const char prefix[] = "unix://";
    const char *host = docker_host && *docker_host ? docker_host : "unix:///var/run/docker.sock";

    if (strncmp(host, prefix, strlen(prefix)) != 0)
        return refuse_host(host, err);
    const char *path = host + strlen(prefix);
    if (*path != '/' || strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return error_set(err, EINVAL,
                         "DOCKER_HOST: \"%s\" is no absolute path of up to 107 characters\n"
                         "  fix: DOCKER_HOST=unix:///var/run/docker.sock",
                         host);
    *address = (struct engine_address){0};
    snprintf(address->socket, sizeof(address->socket), "%s", path);
    return 0;
}

/* --- the version --- */

/* "1.41" < "1.9" is wrong: two numbers. */
static int compare_versions(const char *a, const char *b)
{
    char *a_rest, *b_rest;
    long a_major = strtol(a, &a_rest, 10), b_major = strtol(b, &b_rest, 10);
    long a_minor = *a_rest == '.' ? strtol(a_rest + 1, NULL, 10) : 0;
    long b_minor = *b_rest == '.' ? strtol(b_rest + 1, NULL, 10) : 0;

    if (a_major != b_major)
        return a_major < b_major ? -1 : 1;
    return a_minor < b_minor ? -1 : a_minor > b_minor;
}

/* Digits, a dot, digits: it becomes part of every path. */
static bool is_version(const char *text)
{
    size_t major = strspn(text, "0123456789"), minor = text[major] == '.' ? strspn(text + major + 1, "0123456789") : 0;

    return major > 0 && minor > 0 && text[major + 1 + minor] == '\0';
}

static int no_engine(const struct engine_address *address, int code, const char *why, struct error *err)
{
    if (access(address->socket, F_OK) != 0 && errno != EACCES)
        return error_set(err, ENOENT,
                         "there is no Docker Engine: %s does not exist\n"
                         "  fix: start it (systemctl start docker), or say where it is: DOCKER_HOST=unix:///…",
                         address->socket);
    if (access(address->socket, R_OK | W_OK) != 0)
        return error_set(
            err, EACCES,
            "this user may not use the Docker Engine's socket %s\n"
            "  fix: run farmd as a member of the group that owns it (usually docker; it is as good as root)",
            address->socket);
    return error_set(err, -code, "%s\n  fix: start it: systemctl start docker", why);
}

/* Of the versions that farmd knows the newest that the Engine does. An Engine that knows none of them any more is spoken with
 * in its own words: answers have only been added to so far. */
static void settle_version(struct engine_address *address, const char *theirs)
{
    char ignored[ENGINE_VERSION_MAX];
    bool newer = compare_versions(theirs, ENGINE_MAX_API) > 0;

    snprintf(address->version, sizeof(address->version), "%s", newer ? ENGINE_MAX_API : theirs);
    if (newer && engine_ping(address, ignored, NULL) == HTTP_BAD_REQUEST)
        snprintf(address->version, sizeof(address->version), "%s", theirs);
}

int engine_connect(struct engine_address *address, struct error *err)
{
    char version[ENGINE_VERSION_MAX] = "";
    struct error why = {0};

    address->version[0] = '\0';
    int status = engine_ping(address, version, &why);
    if (status < 0)
        return no_engine(address, status, why.message, err);
    if (status != HTTP_FINE || !is_version(version))
        return error_set(err, EPROTO,
                         "what listens at %s is no Docker Engine that works (%s)\n"
                         "  fix: docker version says what is wrong with it; DOCKER_HOST says where another one is",
                         address->socket, why.code ? why.message : "it tells no version of its API");
    if (compare_versions(version, ENGINE_MIN_API) < 0)
        return error_set(err, EPROTO,
                         "the Docker Engine at %s speaks version %s of its API, and " ENGINE_MIN_API " is needed\n"
                         "  fix: upgrade it to Docker 20.10 or newer",
                         address->socket, version);
    settle_version(address, version);
    return 0;
}
