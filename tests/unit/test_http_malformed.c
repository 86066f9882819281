/*
 * What the server refuses and how: each row is a whole input, the status it must bring, and whether the connection
 * closes. Rows with status 200 guard against refusing too much.
 */
#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct row {
    const char *name;
    const char *input;
    size_t length;
    int status;
    bool stays_open;
};

#define GET "GET /seen HTTP/1.1\r\nHost: a\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define REFUSED(text, code, input)                                                                                     \
    {                                                                                                                  \
        text, input, sizeof(input) - 1, code, false                                                                    \
    }
#define ACCEPTED(text, input)                                                                                          \
    {                                                                                                                  \
        text, input, sizeof(input) - 1, 200, true                                                                      \
    }

static const struct row HEADS[] = {
    ACCEPTED("a plain request", GET "\r\n"),
    REFUSED("no Host", 400, "GET / HTTP/1.1\r\n\r\n"),
    REFUSED("two Hosts", 400, GET "Host: a\r\n\r\n"),
    REFUSED("a list in Host", 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    REFUSED("user in Host", 400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    REFUSED("path in Host", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    REFUSED("letters in the port", 400, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    REFUSED("port too large", 400, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"),
    REFUSED("broken escape in Host", 400, "GET / HTTP/1.1\r\nHost: a%2\r\n\r\n"),
    REFUSED("unclosed IPv6", 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    REFUSED("not an IPv6 address", 400, "GET / HTTP/1.1\r\nHost: [a]\r\n\r\n"),
    REFUSED("rest behind IPv6", 400, "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n"),
    ACCEPTED("IPv6 with a port", "GET /seen HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
    ACCEPTED("an escape in Host", "GET /seen HTTP/1.1\r\nHost: a%20b:80\r\n\r\n"),
    REFUSED("space before the colon", 400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    REFUSED("tab before the colon", 400, GET "X\t: a\r\n\r\n"),
    REFUSED("a folded header", 400, GET "X: a\r\n b\r\n\r\n"),
    REFUSED("a folded header, tab", 400, GET "X: a\r\n\tb\r\n\r\n"),
    REFUSED("a header folded at once", 400, GET "X:\r\n b\r\n\r\n"),
    REFUSED("a header folded to nothing", 400, GET "X: a\r\n \r\n\r\n"),
    REFUSED("a folded first header", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    REFUSED("an empty header name", 400, GET ": a\r\n\r\n"),
    REFUSED("a header without a colon", 400, GET "X\r\n\r\n"),
    REFUSED("a bare CR in a value", 400, GET "X: a\rb\r\n\r\n"),
    REFUSED("a bare CR in a name", 400, GET "X\rY: a\r\n\r\n"),
    REFUSED("a bare CR at the end of a line", 400, GET "X: a\rY: b\r\n\r\n"),
    REFUSED("LF line ends", 400, "GET / HTTP/1.1\nHost: a\n\n"),
    REFUSED("one LF line end", 400, GET "X: a\nY: b\r\n\r\n"),
    REFUSED("LF at the end of the header", 400, GET "X: a\r\n\n"),
    REFUSED("LF CR at the end", 400, GET "X: a\n\r\n"),
    REFUSED("CR CR LF", 400, GET "X: a\r\r\n\r\n"),
    REFUSED("NUL in a value", 400, GET "X: a\0b\r\n\r\n"),
    REFUSED("NUL in a name", 400, GET "X\0: a\r\n\r\n"),
    REFUSED("a control character in a value", 400, GET "X: a\x01\r\n\r\n"),
    REFUSED("DEL in a value", 400, GET "X: a\x7f\r\n\r\n"),
    REFUSED("a separator in a name", 400, GET "X(Y): a\r\n\r\n"),
    REFUSED("8 bits in a name", 400, GET "X\xc3\xa4: a\r\n\r\n"),
    ACCEPTED("8 bits in a value", GET "X: \xc3\xa4\r\n\r\n"),
    ACCEPTED("an empty value", GET "X:\r\nY: \t \r\n\r\n"),
    ACCEPTED("a tab in a value", GET "X: a\tb \t\r\n\r\n"),
};

static const struct row REQUEST_LINES[] = {
    REFUSED("two spaces behind the method", 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("two spaces before the version", 400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a space at the end of the line", 400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    REFUSED("a tab as a separator", 400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a space in the target", 400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a space first", 400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("8 bits in the target", 400, "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a control character in the target", 400, "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("NUL in the target", 400, "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("DEL in the target", 400, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a fragment", 400, "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a fragment behind a query", 400, "GET /?a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("* for GET", 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("authority form", 400, "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a path without a slash", 400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("another scheme", 400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a URL without a host", 400, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a URL with a user", 400, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a URL and no Host", 400, "GET http://a/ HTTP/1.1\r\n\r\n"),
    REFUSED("no target", 400, "GET HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("no version", 400, "GET /\r\n\r\n"),
    REFUSED("no version, nothing behind", 400, "GET /\r\n"),
    REFUSED("a small version", 400, "GET / http/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a long version", 400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    REFUSED("half a version", 400, "GET / HTTP/1\r\nHost: a\r\n\r\n"),
    REFUSED("another protocol", 400, "GET / RTSP/1.0\r\nHost: a\r\n\r\n"),
    REFUSED("HTTP/0.9", 505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    REFUSED("HTTP/1.2", 505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    REFUSED("HTTP/2.0", 505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    REFUSED("HTTP/9.9", 505, "GET / HTTP/9.9\r\nHost: a\r\n\r\n"),
    REFUSED("the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    REFUSED("CONNECT", 501, "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    REFUSED("an unknown method", 501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a method of WebDAV", 501, "PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a method of RTSP", 501, "DESCRIBE / HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a method that begins as a known one", 501, "GETS / HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a small method", 501, "get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a method with a separator", 400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("TLS", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    REFUSED("NUL first", 400, "\0"),
    REFUSED("too many empty lines", 400, "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("an empty LF line", 400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    REFUSED("a CR before the request line", 400, "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ACCEPTED("two empty lines", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ACCEPTED("an empty query", "GET /seen? HTTP/1.1\r\nHost: a\r\n\r\n"),
    ACCEPTED("quotes and braces in the target", "GET /seen?\"{}|^`[]\\<> HTTP/1.1\r\nHost: a\r\n\r\n"),
};

static const struct row FRAMINGS[] = {
    REFUSED("a length and a coding", 400, POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("a coding and a length", 400, POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    REFUSED("a coding and length 0", 400, POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"),
    REFUSED("different lengths", 400, POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    REFUSED("equal lengths", 400, POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    REFUSED("length 0 twice", 400, POST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    REFUSED("a list of lengths", 400, POST "Content-Length: 1,1\r\n\r\na"),
    REFUSED("a length with a sign", 400, POST "Content-Length: +5\r\n\r\nabcde"),
    REFUSED("a negative length", 400, POST "Content-Length: -1\r\n\r\n"),
    REFUSED("a hexadecimal length", 400, POST "Content-Length: 0x5\r\n\r\nabcde"),
    REFUSED("a length of two numbers", 400, POST "Content-Length: 1 1\r\n\r\na"),
    REFUSED("a fraction of a length", 400, POST "Content-Length: 1.0\r\n\r\na"),
    REFUSED("an empty length", 400, POST "Content-Length:\r\n\r\n"),
    REFUSED("a huge length", 400, POST "Content-Length: 18446744073709551616\r\n\r\n"),
    REFUSED("an endless length", 400, POST "Content-Length: 99999999999999999999999999\r\n\r\n"),
    REFUSED("an unknown coding", 400, POST "Transfer-Encoding: gzip\r\n\r\n"),
    REFUSED("chunked not last", 400, POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    REFUSED("chunked not last, two lines", 400,
            POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n"),
    REFUSED("chunked with a parameter", 400, POST "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"),
    REFUSED("something like chunked", 400, POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    REFUSED("chunked and more", 400, POST "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"),
    REFUSED("identity", 400, POST "Transfer-Encoding: identity\r\n\r\n"),
    REFUSED("no coding", 400, POST "Transfer-Encoding:\r\n\r\n"),
    REFUSED("a coding below chunked", 501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("a coding below chunked, two lines", 501,
            POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("chunked twice", 501, POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("a coding in HTTP/1.0", 400,
            "POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    REFUSED("another expectation", 417, POST "Expect: tea\r\nContent-Length: 1\r\n\r\n"),
    ACCEPTED("CHUNKED", POST "transfer-encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n"),
    ACCEPTED("an empty element before chunked", POST "Transfer-Encoding: , chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
    ACCEPTED("length 0", POST "Content-Length: 0\r\n\r\n"),
    ACCEPTED("a length with zeros first", POST "Content-Length: 003\r\n\r\nabc"),
    ACCEPTED("an upgrade that is not taken", GET "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    ACCEPTED("an upgrade with a body",
             POST "Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
};

/* To /collect, which answers only when the body is whole. */
#undef CHUNKED
#define CHUNKED "POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
static const struct row BODIES[] = {
    ACCEPTED("chunks", CHUNKED "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n"),
    ACCEPTED("extensions", CHUNKED "3;a=b;c=\"d\"\r\nabc\r\n1 ; a = \"\\\"\" ;b\r\nx\r\n0;e\r\n\r\n"),
    REFUSED("an extension without a name", 400, CHUNKED "3;\r\nabc\r\n0\r\n\r\n"),
    REFUSED("an open quote", 400, CHUNKED "3;a=\"\r\nabc\r\n0\r\n\r\n"),
    ACCEPTED("trailers", CHUNKED "1\r\na\r\n0\r\nX: y\r\nZ: w\r\n\r\n"),
    REFUSED("no size", 400, CHUNKED "\r\nabc\r\n0\r\n\r\n"),
    REFUSED("a size of letters", 400, CHUNKED "xyz\r\nabc\r\n0\r\n\r\n"),
    REFUSED("0x before a size", 400, CHUNKED "0x3\r\nabc\r\n0\r\n\r\n"),
    REFUSED("a negative size", 400, CHUNKED "-1\r\nabc\r\n0\r\n\r\n"),
    REFUSED("a size with a sign", 400, CHUNKED "+3\r\nabc\r\n0\r\n\r\n"),
    REFUSED("a space before a size", 400, CHUNKED " 3\r\nabc\r\n0\r\n\r\n"),
    REFUSED("a space behind a size", 400, CHUNKED "3 \r\nabc\r\n0\r\n\r\n"),
    REFUSED("a huge size", 400, CHUNKED "10000000000000000\r\nabc\r\n0\r\n\r\n"),
    REFUSED("a longer chunk than announced", 400, CHUNKED "3\r\nabcd\r\n0\r\n\r\n"),
    REFUSED("LF behind a size", 400, CHUNKED "3\nabc\r\n0\r\n\r\n"),
    REFUSED("LF behind a chunk", 400, CHUNKED "3\r\nabc\n0\r\n\r\n"),
    REFUSED("CR behind a size", 400, CHUNKED "3\rabc\r\n0\r\n\r\n"),
    REFUSED("LF behind the last chunk", 400, CHUNKED "3\r\nabc\r\n0\n\r\n"),
    REFUSED("LF behind the trailers", 400, CHUNKED "3\r\nabc\r\n0\r\n\n"),
    REFUSED("LF behind a trailer", 400, CHUNKED "3\r\nabc\r\n0\r\nX: y\n\r\n"),
    REFUSED("a control character in an extension", 400, CHUNKED "3;a\x01\r\nabc\r\n0\r\n\r\n"),
    REFUSED("LF in an extension", 400, CHUNKED "3;a\nabc\r\n0\r\n\r\n"),
    REFUSED("NUL in a trailer", 400, CHUNKED "3\r\nabc\r\n0\r\nX: \0\r\n\r\n"),
    REFUSED("a folded trailer", 400, CHUNKED "3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n"),
    REFUSED("a trailer without a name", 400, CHUNKED "3\r\nabc\r\n0\r\n: a\r\n\r\n"),
    REFUSED("space before a trailer's colon", 400, CHUNKED "3\r\nabc\r\n0\r\nX : a\r\n\r\n"),
    REFUSED("a body over the handler's limit, in chunks", 413,
            CHUNKED "41\r\n01234567890123456789012345678901234567890123456789012345678901234\r\n0\r\n\r\n"),
    REFUSED("a body over the handler's limit, by length", 413,
            "POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 65\r\n\r\n"),
};

/* Prints what is wrong and returns false, so that one run shows every row that fails. */
static bool row_holds(const struct row *row, const struct reply *reply, const char *how)
{
    bool right = reply_status(reply) == row->status && !reply->reset && reply_answers(reply) == 1;
    if (!row->stays_open)
        right = right && reply_has(reply, "Connection: close\r\n") && reply_has(reply, "\"detail\":\"");
    if (!right)
        print_error("%s%s: expected %d, got%s: %s\n", row->name, how, row->status, reply->reset ? " (reset)" : "",
                    reply->bytes.data ? reply->bytes.data : "nothing");
    return right;
}

static void check_rows(const struct row *rows, size_t count)
{
    struct fixture f;
    unsigned wrong = 0;
    http_fixture_start(&f, NULL);
    for (size_t i = 0; i < count; i++) {
        struct reply reply = exchange(&f, rows[i].input, rows[i].length, rows[i].stays_open ? 1 : 0);
        wrong += !row_holds(&rows[i], &reply, "");
        reply_done(&reply);
    }
    http_fixture_stop(&f);
    assert_int_equal(wrong, 0);
    assert_int_equal(f.requests, f.done);
}

/* A LF without its CR is named as what it is, wherever it stands. */
static void bare_line_feeds_are_named(void **state)
{
    (void)state;
    static const struct row ROWS[] = {
        REFUSED("LF everywhere", 400, "GET / HTTP/1.1\nHost: a\n\n"),
        REFUSED("behind Host", 400, "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
        REFUSED("behind a value", 400, GET "X: a\nY: b\r\n\r\n"),
        REFUSED("at the end", 400, GET "X: a\r\n\n"),
        REFUSED("as an empty line", 400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        REFUSED("HTTP/1.0", 400, "GET / HTTP/1.0\n\n"),
    };
    struct fixture f;
    http_fixture_start(&f, NULL);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct reply reply = exchange(&f, ROWS[i].input, ROWS[i].length, 0);
        if (!reply_has(&reply, "A line does not end with CR LF."))
            fail_msg("%s: %s", ROWS[i].name, reply_body(&reply));
        reply_done(&reply);
    }
    http_fixture_stop(&f);
}

static void heads(void **state)
{
    (void)state;
    check_rows(HEADS, sizeof HEADS / sizeof HEADS[0]);
}

static void request_lines(void **state)
{
    (void)state;
    check_rows(REQUEST_LINES, sizeof REQUEST_LINES / sizeof REQUEST_LINES[0]);
}

static void framings(void **state)
{
    (void)state;
    check_rows(FRAMINGS, sizeof FRAMINGS / sizeof FRAMINGS[0]);
}

static void bodies(void **state)
{
    (void)state;
    check_rows(BODIES, sizeof BODIES / sizeof BODIES[0]);
}

/* Answered although the body is of no interest. */
static const struct row UNREAD_BODIES[] = {
    {"a malformed body that nobody reads",
     TEXT("POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;=\r\n"), 200, true},
    {"a body that nobody reads",
     TEXT("POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), 200, true},
};

/* An answer that began before the body turned out to be malformed is taken back while nothing of it has left. */
static const struct row TAKEN_BACK[] = {
    REFUSED("a malformed body that nobody reads, in one piece", 400,
            "POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;=\r\n"),
    REFUSED("a malformed chunk behind one that was echoed", 400,
            POST "Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n"),
    REFUSED("a folded trailer behind an echo", 400,
            POST "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: a\r\n b\r\n\r\n"),
};

static void answers_taken_back(void **state)
{
    (void)state;
    check_rows(TAKEN_BACK, sizeof TAKEN_BACK / sizeof TAKEN_BACK[0]);
}

static const struct {
    const struct row *rows;
    size_t count;
} TABLES[] = {
    {HEADS, sizeof HEADS / sizeof HEADS[0]},
    {REQUEST_LINES, sizeof REQUEST_LINES / sizeof REQUEST_LINES[0]},
    {FRAMINGS, sizeof FRAMINGS / sizeof FRAMINGS[0]},
    {BODIES, sizeof BODIES / sizeof BODIES[0]},
    {UNREAD_BODIES, sizeof UNREAD_BODIES / sizeof UNREAD_BODIES[0]},
};
#define TABLE_COUNT (sizeof TABLES / sizeof TABLES[0])

/* The same rows, one byte at a time: where a read ends must not matter. */
static void fragmented_rows(void **state)
{
    (void)state;
    struct fixture f;
    unsigned wrong = 0;
    http_fixture_start(&f, NULL);
    for (size_t t = 0; t < TABLE_COUNT; t++) {
        for (size_t i = 0; i < TABLES[t].count; i++) {
            const struct row *row = &TABLES[t].rows[i];
            struct reply reply = {0};
            int fd = peer_connect(&f);
            for (size_t n = 0; n < row->length; n++)
                peer_send(&f, fd, row->input + n, 1);
            peer_receive_answers(&f, fd, &reply, 1);
            wrong += !row_holds(row, &reply, ", in fragments");
            close(fd);
            reply_done(&reply);
        }
    }
    http_fixture_stop(&f);
    assert_int_equal(wrong, 0);
}

/* Its own generator, so that a failure comes again. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void append_random_row(struct buffer *input, uint32_t *seed)
{
    size_t table = next_random(seed) % TABLE_COUNT;
    const struct row *row = &TABLES[table].rows[next_random(seed) % TABLES[table].count];
    buffer_append(input, row->input, row->length);
}

static void change_randomly(struct buffer *input, uint32_t *seed)
{
    static const char bytes[] = "\r\n \t:;,\"\\0fg\x80%/*"; /* and the NUL behind them */
    size_t at = next_random(seed) % input->length;
    char byte = bytes[next_random(seed) % sizeof bytes];
    switch (next_random(seed) % 3) {
    case 0:
        input->data[at] = byte;
        break;
    case 1:
        memmove(input->data + at, input->data + at + 1, input->length - at - 1);
        input->length--;
        break;
    default:
        buffer_append_char(input, byte);
        memmove(input->data + at + 1, input->data + at, input->length - at - 1);
        input->data[at] = byte;
        break;
    }
}

/* Whatever comes, the server answers what it can and ends the connection once the peer has ended its side. */
static void changed_rows(void **state)
{
    (void)state;
    struct fixture f;
    uint32_t seed = 1;
    http_fixture_start(&f, NULL);
    for (unsigned i = 0; i < 3000; i++) {
        struct buffer input = BUFFER_EMPTY;
        struct reply reply = {0};
        append_random_row(&input, &seed);
        append_random_row(&input, &seed);
        for (uint32_t n = next_random(&seed) % 4; n > 0 && input.length > 1; n--)
            change_randomly(&input, &seed);
        int fd = peer_connect(&f);
        peer_send(&f, fd, input.data, input.length / 2);
        peer_send(&f, fd, input.data + input.length / 2, input.length - input.length / 2);
        shutdown(fd, SHUT_WR);
        peer_receive_all(&f, fd, &reply);
        if (reply.bytes.length > 0)
            assert_in_range(reply_status(&reply), 100, 599);
        close(fd);
        reply_done(&reply);
        buffer_done(&input);
    }
    http_fixture_stop(&f);
    assert_int_equal(f.requests, f.done);
}

/* Input that never ends is cut off, whatever part of a request it pretends to be. */
static void endless_input(void **state)
{
    (void)state;
    static const struct {
        const char *beginning;
        const char *repeated;
        int status;
    } rows[] = {
        {"GET /", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 414},
        {"GET / HTTP/1.1\r\nHost: a\r\n",
         "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaa\r\n",
         431},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 431},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 431},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "X: a\r\n", 431},
        {CHUNKED "1;", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 400},
        {CHUNKED "1;a=\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 400},
        {CHUNKED "1\r\na\r\n0\r\n", "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 400},
        {CHUNKED, "00000000000000000000000000000000000000000000000000", 400},
        {"POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
         "20\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 200},
        {CHUNKED, "1\r\na\r\n", 413},
        {"\r\n", "\r\n", 400},
    };
    struct fixture f;
    http_fixture_start(&f, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reply reply = {0};
        int fd = peer_connect(&f);
        peer_send_text(&f, fd, rows[i].beginning);
        size_t sent = 0;
        size_t step = strlen(rows[i].repeated);
        while (sent < ((size_t)64 << 20) && !reply.closed) {
            peer_send(&f, fd, rows[i].repeated, step);
            peer_receive(&f, fd, &reply);
            sent += step;
        }
        if (!reply.closed || reply_status(&reply) != rows[i].status)
            fail_msg("row %zu: expected %d after the limit, got %s", i, rows[i].status,
                     reply.bytes.data ? reply.bytes.data : "nothing");
        close(fd);
        reply_done(&reply);
    }
    http_fixture_stop(&f);
}

/* The peer ends its side in the middle of things. */
static void truncated(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        int status;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n", 400},
        {"G", 400},
        {"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", 400},
        {CHUNKED "3\r\nab", 400},
        {CHUNKED "3\r\nabc\r\n0\r\n", 400},
        {"\r\n", 0},
        {"", 0},
    };
    struct fixture f;
    http_fixture_start(&f, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reply reply = {0};
        int fd = peer_connect(&f);
        peer_send_text(&f, fd, rows[i].input);
        shutdown(fd, SHUT_WR);
        peer_receive_all(&f, fd, &reply);
        if (reply_status(&reply) != rows[i].status || reply.reset)
            fail_msg("row %zu: expected %d, got %s", i, rows[i].status,
                     reply.bytes.data ? reply.bytes.data : "nothing");
        close(fd);
        reply_done(&reply);
    }
    assert_int_equal(f.bodies, 0);
    http_fixture_stop(&f);
    assert_int_equal(f.requests, f.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bare_line_feeds_are_named),
        cmocka_unit_test(heads),
        cmocka_unit_test(request_lines),
        cmocka_unit_test(framings),
        cmocka_unit_test(bodies),
        cmocka_unit_test(answers_taken_back),
        cmocka_unit_test(fragmented_rows),
        cmocka_unit_test(changed_rows),
        cmocka_unit_test(endless_input),
        cmocka_unit_test(truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
