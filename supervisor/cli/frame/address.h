/*
 * Where the farm is that a verb speaks to: --api, else FARMD_API, else what the settings found here say.
 */
#ifndef SUPERVISOR_CLI_FRAME_ADDRESS_H
#define SUPERVISOR_CLI_FRAME_ADDRESS_H

#include "core/error.h"

#include <stdint.h>

#define ADDRESS_DEFAULT_PORT 8000

struct address {
    char host[256]; /* a name or an address, without brackets */
    uint16_t port;
    char url[280]; /* "http://localhost:8000", for messages */
};

/* "http://host:8000", "host:8000", "host", "[::1]:8000", ":8000". `origin` begins the message: "--api". */
int address_parse(const char *text, const char *origin, struct address *address, struct error *err);

/* From a host and a port as settings have them; "every address of this machine" is reached at localhost. */
void address_of_listener(const char *host, uint16_t port, struct address *address);

#endif
