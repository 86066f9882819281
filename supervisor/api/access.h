/*
 * Who may speak to the control plane: a known Host (DNS rebinding), an allowed browser origin, the token where one is
 * set.
 */
#ifndef SUPERVISOR_API_ACCESS_H
#define SUPERVISOR_API_ACCESS_H

#include "http/server.h"
#include "supervisor/api/session.h"
#include "supervisor/config/settings.h"

#include <stdbool.h>
#include <sys/socket.h>

/* True: go on. False: the request was answered here (421, 403, 401, or a preflight). */
bool access_admit(const struct settings *settings, struct sessions *sessions, struct http_request *request);

/* Whether the request comes from no other page than farmd's own: it names no Origin (no browser that changes anything
 * leaves it out), or this very host and port. The Host has been checked. */
bool access_is_own_page(struct http_request *request);

/* --- the single questions, for tests --- */

/* The host of an authority ("[::1]:8000" → "[::1]"), without a port and a last dot. */
struct http_slice access_host_of(struct http_slice authority);

/* Whether the settings name this host. `local` (may be NULL) is the address that the connection came in on: its literal
 * form is served too. */
bool access_serves_host(const struct settings *settings, struct http_slice host, const struct sockaddr_storage *local);

/* Compares in a time that depends on the lengths only. */
bool access_token_equal(const char *expected, struct http_slice given);

#endif
