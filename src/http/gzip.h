/*
 * gzip (RFC 1952) for answers whose pieces are made once and sent to many: a piece is deflated by itself and refers to
 * nothing before it, so the same bytes fit into every reader's gzip stream, wherever that one began.
 */
#ifndef HTTP_GZIP_H
#define HTTP_GZIP_H

#include "core/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gzip_piece {
    struct buffer plain;    /* filled by the owner, not changed once it was deflated */
    struct buffer deflated; /* empty until gzip_piece_deflate */
    uint32_t crc;           /* of `plain`, with `deflated` */
};
#define GZIP_PIECE_EMPTY ((struct gzip_piece){.crc = 0})

/* Deflates the piece unless that was done before. */
void gzip_piece_deflate(struct gzip_piece *piece);
void gzip_piece_done(struct gzip_piece *piece); /* frees the contents; the struct is empty and usable again */

/* One reader's gzip stream: GZIP_HEADER, deflated pieces, the trailer. */
struct gzip_member {
    uint32_t crc;
    uint32_t length; /* of what was deflated, modulo 2^32 as the format has it */
};
#define GZIP_HEADER_LENGTH 10
#define GZIP_TRAILER_LENGTH 10
extern const char GZIP_HEADER[GZIP_HEADER_LENGTH];

void gzip_member_add(struct gzip_member *member, const struct gzip_piece *piece); /* a deflated one was sent */
void gzip_member_trailer(const struct gzip_member *member, char out[GZIP_TRAILER_LENGTH]);

/* Unpacks a whole gzip file of which the contents' length is known into `out` (length bytes). -EINVAL when it is not one,
 * or has other contents, -ENOMEM. */
int gzip_unpack(const void *data, size_t size, char *out, size_t length);

#endif
