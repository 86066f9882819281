/*
 * `POST /api/session` trades the token for a cookie, `DELETE /api/session` ends it.
 */
#include "supervisor/api/session.h"

#include "core/clock.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/access.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define COOKIE_ATTRIBUTES "HttpOnly; SameSite=Strict; Path=/"
#define TOKEN_LENGTH_MAX 256

struct session {
    char id[SESSION_ID_LENGTH + 1]; /* "": none */
    int64_t seen_ns;                /* monotonic; its last request */
};

struct sessions {
    char *token; /* that they were given for */
    struct session list[SESSIONS_MAX];
};

struct sessions *sessions_new(void)
{
    return xcalloc(1, sizeof(struct sessions));
}

void sessions_free(struct sessions *sessions)
{
    if (sessions == NULL)
        return;
    free(sessions->token);
    free(sessions);
}

/* Another token ends them all. */
static void use_token(struct sessions *sessions, const char *token)
{
    if (sessions->token != NULL && strcmp(sessions->token, token) == 0)
        return;
    free(sessions->token);
    sessions->token = xstrdup(token);
    memset(sessions->list, 0, sizeof(sessions->list));
}

bool sessions_begin(struct sessions *sessions, const char *token, char id[SESSION_ID_LENGTH + 1])
{
    unsigned char random[SESSION_BYTES];
    struct session *place = &sessions->list[0];

    if (getrandom(random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        return false;
    use_token(sessions, token);
    for (size_t i = 0; i < SESSIONS_MAX && place->id[0] != '\0'; i++) {
        struct session *session = &sessions->list[i];
        if (session->id[0] == '\0' || session->seen_ns < place->seen_ns)
            place = session;
    }
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(place->id + 2 * i, 3, "%02x", random[i]);
    place->seen_ns = clock_monotonic_ns();
    memcpy(id, place->id, SESSION_ID_LENGTH + 1);
    return true;
}

/* --- the cookie --- */

/* Looks at every session, so that the time tells nothing; what can be none is not worth that. */
static struct session *find_id(struct sessions *sessions, struct http_slice id)
{
    struct session *found = NULL;

    if (id.length != SESSION_ID_LENGTH)
        return NULL;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (sessions->list[i].id[0] != '\0' && access_token_equal(sessions->list[i].id, id))
            found = &sessions->list[i];
    }
    return found;
}

static struct session *find_in_line(struct sessions *sessions, struct http_slice line)
{
    static const char NAME[] = SESSION_COOKIE "=";
    struct session *found = NULL;

    while (line.length > 0 && found == NULL) {
        const char *end = memchr(line.data, ';', line.length);
        size_t length = end != NULL ? (size_t)(end - line.data) : line.length;
        struct http_slice pair = {line.data, length};
        size_t used = length < line.length ? length + 1 : length;
        line = (struct http_slice){line.data + used, line.length - used};
        while (pair.length > 0 && pair.data[0] == ' ')
            pair = (struct http_slice){pair.data + 1, pair.length - 1};
        if (pair.length > strlen(NAME) && memcmp(pair.data, NAME, strlen(NAME)) == 0)
            found = find_id(sessions, (struct http_slice){pair.data + strlen(NAME), pair.length - strlen(NAME)});
    }
    return found;
}

static struct session *find(struct sessions *sessions, const struct http_request *request)
{
    struct session *found = NULL;

    for (unsigned i = 0; i < http_request_header_count(request) && found == NULL; i++) {
        struct http_header header = http_request_header_at(request, i);
        if (http_slice_equal_nocase(header.name, "Cookie"))
            found = find_in_line(sessions, header.value);
    }
    return found;
}

bool sessions_admit(struct sessions *sessions, const char *token, const struct http_request *request)
{
    int64_t now_ns = clock_monotonic_ns();

    use_token(sessions, token);
    struct session *session = find(sessions, request);
    if (session == NULL || now_ns - session->seen_ns > SESSION_SECONDS * NS_PER_SECOND)
        return false;
    session->seen_ns = now_ns;
    return true;
}

void sessions_end(struct sessions *sessions, const struct http_request *request)
{
    struct session *session = find(sessions, request);

    if (session != NULL)
        *session = (struct session){0};
}

/* --- the requests --- */

static void begin(struct http_request *request, const struct call *call, const struct body *body)
{
    const char *expected = farm_settings(call->api->farm)->token, *given = NULL;
    char id[SESSION_ID_LENGTH + 1], cookie[SESSION_ID_LENGTH + 64];
    struct error err = {0};

    int there = body_text(body, "token", TOKEN_LENGTH_MAX, &given, &err);
    if (there < 0) {
        respond_error(request, &err);
    } else if (expected == NULL) {
        http_respond(request, 204, NULL, NULL, 0); /* everybody may do everything as it is */
    } else if (there == 0) {
        http_respond_problem(request, 422, "token is missing: the token that farmd was started with");
    } else if (!access_token_equal(expected, (struct http_slice){given, strlen(given)})) {
        http_respond_header(request, "WWW-Authenticate", "Bearer realm=\"farmd\"");
        http_respond_problem(request, 401, "This is not the token that farmd was started with");
    } else if (!sessions_begin(call->api->sessions, expected, id)) {
        respond_overload(request, "the system has no random numbers yet; try again in a moment");
    } else {
        snprintf(cookie, sizeof(cookie), SESSION_COOKIE "=%s; " COOKIE_ATTRIBUTES, id);
        http_respond_header(request, "Set-Cookie", cookie);
        http_respond_header(request, "Cache-Control", "no-store");
        http_respond(request, 204, NULL, NULL, 0);
    }
}

void session_post(struct http_request *request, const struct http_match *match)
{
    reply_read_body(request, api_of(match), 0, begin);
}

void session_delete(struct http_request *request, const struct http_match *match)
{
    if (access_is_own_page(request))
        sessions_end(api_of(match)->sessions, request);
    http_respond_header(request, "Set-Cookie", SESSION_COOKIE "=; Max-Age=0; " COOKIE_ATTRIBUTES);
    http_respond(request, 204, NULL, NULL, 0);
}
