/*
 * The forms that people write an address in.
 */
#include "supervisor/cli/frame/address.h"

#include "core/units.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void make_url(struct address *address)
{
    bool brackets = strchr(address->host, ':') != NULL;
    snprintf(address->url, sizeof(address->url), "http://%s%.255s%s:%u", brackets ? "[" : "", address->host,
             brackets ? "]" : "", address->port);
}

static int refuse(const char *text, const char *origin, struct error *err)
{
    return error_set(err, EINVAL,
                     "%s: \"%.100s\" is not an address; write http://HOST:PORT, such as http://localhost:8000", origin,
                     text);
}

/* Cuts the scheme off; only HTTP is spoken. */
static int skip_scheme(const char **text, const char *origin, struct error *err)
{
    const char *whole = *text, *colon = strstr(*text, "://");
    if (strncmp(*text, "https://", 8) == 0)
        return error_set(err, EINVAL,
                         "%s: \"%.100s\": farmd speaks plain HTTP; reach it through `ssh -L`, or leave the s out",
                         origin, *text);
    if (strncmp(*text, "http://", 7) == 0)
        *text += 7;
    else if (colon)
        return refuse(whole, origin, err);
    return 0;
}

/* The host up to its port, in brackets if it has colons of its own. NULL: there is none. */
static const char *read_host(const char *text, struct address *address)
{
    bool brackets = text[0] == '[';
    const char *from = text + brackets;
    size_t length = strcspn(from, brackets ? "]" : ":/");
    if (length >= sizeof(address->host) || (brackets && from[length] != ']'))
        return NULL;
    for (size_t i = 0; i < length; i++) {
        if (from[i] <= ' ' || from[i] == '@' || from[i] == '?' || from[i] == '#' || from[i] == 127)
            return NULL;
    }
    snprintf(address->host, sizeof(address->host), "%.*s", (int)length, from);
    if (length == 0)
        snprintf(address->host, sizeof(address->host), "localhost");
    return from + length + brackets;
}

int address_parse(const char *text, const char *origin, struct address *address, struct error *err)
{
    struct address made = {.port = ADDRESS_DEFAULT_PORT};
    const char *rest = text;
    int64_t port = ADDRESS_DEFAULT_PORT;
    char digits[8] = "";
    int code = skip_scheme(&rest, origin, err);
    if (code < 0)
        return code;
    bool port_alone = text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
    if (port_alone)
        snprintf(made.host, sizeof(made.host), "localhost");
    else
        rest = rest[0] == '\0' ? NULL : read_host(rest, &made);
    if (!rest)
        return refuse(text, origin, err);
    if (port_alone || *rest == ':') {
        rest += *rest == ':';
        size_t length = strcspn(rest, "/");
        snprintf(digits, sizeof(digits), "%.*s", (int)length, rest);
        if (length >= sizeof(digits) || units_parse_int(digits, 1, UINT16_MAX, &port) < 0)
            return error_set(err, EINVAL, "%s: \"%.100s\": the port is not one from 1 to 65535", origin, text);
        rest += length;
    }
    if (strcmp(rest, "") != 0 && strcmp(rest, "/") != 0)
        return refuse(text, origin, err);
    made.port = (uint16_t)port;
    make_url(&made);
    *address = made;
    return 0;
}

void address_of_listener(const char *host, uint16_t port, struct address *address)
{
    bool every = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    *address = (struct address){.port = port};
    snprintf(address->host, sizeof(address->host), "%s", every ? "localhost" : host);
    make_url(address);
}
