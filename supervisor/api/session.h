/*
 * Sessions of browsers: a page shows the token once and has a cookie from then on, because EventSource sends no header of
 * a script's choosing. The cookie holds a random number that is of use here only; sessions end with farmd, with the token
 * that they were given for, after SESSION_SECONDS without a request, or when a newer one needs their place.
 */
#ifndef SUPERVISOR_API_SESSION_H
#define SUPERVISOR_API_SESSION_H

#include "http/server.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSIONS_MAX 64
#define SESSION_SECONDS (INT64_C(7) * 24 * 3600)
#define SESSION_COOKIE "farmd_session"
#define SESSION_BYTES 32
#define SESSION_ID_LENGTH (2 * SESSION_BYTES) /* hexadecimal digits */

struct sessions;

struct sessions *sessions_new(void);
void sessions_free(struct sessions *sessions); /* NULL is fine */

/* Begins a session for the token in force; id is for the cookie. False when the system has no random numbers. */
bool sessions_begin(struct sessions *sessions, const char *token, char id[SESSION_ID_LENGTH + 1]);

/* Whether the request's cookie names a session of this token. The caller has checked where the request comes from. */
bool sessions_admit(struct sessions *sessions, const char *token, const struct http_request *request);

/* Ends the session that the request's cookie names, if it names one. */
void sessions_end(struct sessions *sessions, const struct http_request *request);

#endif
