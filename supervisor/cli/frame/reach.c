/*
 * See reach.h.
 */
#include "supervisor/cli/frame/reach.h"

#include "core/memory.h"
#include "supervisor/config/settings.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_token(struct reach *reach, const char *token)
{
    if (token && token[0] != '\0' && !strpbrk(token, "\r\n"))
        reach->headers = xasprintf("Authorization: Bearer %s\r\n", token);
}

/* Whether these settings are good is for those who start a farm with them: broken ones are as none. The token that they
 * hold is that farm's and goes to no other. */
static void find_by_settings(struct reach *reach)
{
    struct settings *settings;
    struct error ignored;
    if (settings_load(0, NULL, &settings, &ignored) < 0) {
        address_of_listener("localhost", ADDRESS_DEFAULT_PORT, &reach->address);
        set_token(reach, getenv("FARMD_TOKEN"));
        return;
    }
    address_of_listener(settings->api.host, settings->api.port, &reach->address);
    set_token(reach, settings->token);
    settings_free(settings);
}

static int find_farm(struct reach *reach, const struct cli_call *call, struct error *err)
{
    const char *text = cli_text(call, "--api"), *origin = "--api";
    if (!text) {
        text = getenv("FARMD_API");
        origin = "FARMD_API";
    }
    if (!text || text[0] == '\0') {
        find_by_settings(reach);
        return 0;
    }
    set_token(reach, getenv("FARMD_TOKEN"));
    return address_parse(text, origin, &reach->address, err);
}

static void add_address(struct reach *reach, const struct sockaddr *address, size_t size)
{
    if (reach->count < REACH_MAX_ADDRESSES && size <= sizeof(reach->addresses[0]))
        memcpy(&reach->addresses[reach->count++], address, size);
}

static int resolve(struct reach *reach, struct error *err)
{
    const struct address *address = &reach->address;
    bool local = strcmp(address->host, "localhost") == 0; /* needs no resolver, and means both */
    const char *names[] = {local ? "127.0.0.1" : address->host, local ? "::1" : NULL};
    char port[8];
    snprintf(port, sizeof(port), "%u", address->port);
    for (size_t i = 0; i < ARRAY_SIZE(names) && names[i]; i++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = local ? AI_NUMERICHOST : 0}, *found = NULL;
        int code = getaddrinfo(names[i], port, &hints, &found);
        if (code != 0)
            return error_set(err, EHOSTUNREACH, "no farm can be reached at %s: %s", address->url, gai_strerror(code));
        for (const struct addrinfo *one = found; one; one = one->ai_next)
            add_address(reach, one->ai_addr, one->ai_addrlen);
        freeaddrinfo(found);
    }
    return 0;
}

int reach_find(struct reach *reach, const struct cli_call *call, struct error *err)
{
    *reach = (struct reach){.count = 0};
    return find_farm(reach, call, err) < 0 ? CLI_USAGE : resolve(reach, err) < 0 ? CLI_UNREACHABLE : CLI_DONE;
}

void reach_done(struct reach *reach)
{
    free(reach->headers);
    *reach = (struct reach){.count = 0};
}

const char *reach_authority(const struct reach *reach)
{
    return reach->address.url + strlen("http://");
}
