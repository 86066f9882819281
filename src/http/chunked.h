/*
 * The chunked transfer coding as RFC 9112 (7.1) writes it, read piece by piece from wherever the bytes happen to end.
 * The server reads bodies with this rather than with llhttp, which takes a bare LF and folded or nameless fields in
 * trailers, and refuses extensions that are right.
 */
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include "http/http.h"

enum chunked_result {
    CHUNKED_MORE, /* all input is taken and the body goes on */
    CHUNKED_DATA, /* a piece of the body */
    CHUNKED_END,  /* the body is whole, trailers included; what follows is not looked at */
    CHUNKED_BAD,
    CHUNKED_TOO_LARGE, /* extensions or trailers over the budget */
};

struct chunked {
    int state;
    uint64_t left; /* bytes of the current chunk to come */
    size_t budget; /* bytes of sizes, extensions and trailers that are still put up with */
};

void chunked_init(struct chunked *chunked, size_t budget);

/* Takes from `input` (which is advanced) up to the end of one piece of data. */
enum chunked_result chunked_next(struct chunked *chunked, struct http_slice *input, struct http_slice *piece);

/* tchar of RFC 9110 (5.6.2) */
bool http_is_token_char(char c);

#endif
