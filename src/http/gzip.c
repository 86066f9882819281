/*
 * zlib does the work; what is here is where one piece ends and how the check sum of pieces adds up.
 */
#include "http/gzip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define RAW_WINDOW (-MAX_WBITS)      /* deflate without a frame */
#define GZIP_WINDOW (MAX_WBITS + 16) /* with gzip's */
#define MEMORY_LEVEL 7 /* a code of its own for each 8 K characters: less than one for columns of several kinds */
#define FLUSH_ROOM 64  /* what ends a piece, above the bound that zlib gives for its contents */

/* Deflate, no flags, no time, no extra flags, system unknown. */
const char GZIP_HEADER[GZIP_HEADER_LENGTH] = {0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, (char)0xff};

void gzip_piece_deflate(struct gzip_piece *piece)
{
    z_stream z = {0};

    if (piece->deflated.length > 0 || piece->plain.length == 0)
        return;
    /* Filtered: what is sent is mostly figures, in which short repetitions cost more than they save. */
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, RAW_WINDOW, MEMORY_LEVEL, Z_FILTERED) != Z_OK) {
        fputs("out of memory\n", stderr);
        abort();
    }
    size_t room = deflateBound(&z, piece->plain.length) + FLUSH_ROOM;
    buffer_reserve(&piece->deflated, room);
    z.next_in = (Bytef *)piece->plain.data;
    z.avail_in = (uInt)piece->plain.length;
    z.next_out = (Bytef *)piece->deflated.data;
    z.avail_out = (uInt)room;
    /* Ends on a whole byte, and not the stream. */
    deflate(&z, Z_FULL_FLUSH);
    piece->deflated.length = room - z.avail_out;
    piece->crc = (uint32_t)crc32(0, (const Bytef *)piece->plain.data, (uInt)piece->plain.length);
    deflateEnd(&z);
}

void gzip_piece_done(struct gzip_piece *piece)
{
    buffer_done(&piece->plain);
    buffer_done(&piece->deflated);
    piece->crc = 0;
}

void gzip_member_add(struct gzip_member *member, const struct gzip_piece *piece)
{
    member->crc = (uint32_t)crc32_combine(member->crc, piece->crc, (z_off_t)piece->plain.length);
    member->length += (uint32_t)piece->plain.length;
}

static char *put_le32(char *to, uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8)
        *to++ = (char)(value >> shift);
    return to;
}

void gzip_member_trailer(const struct gzip_member *member, char out[GZIP_TRAILER_LENGTH])
{
    *out++ = 3; /* a last block, of fixed codes, with nothing but its end … */
    *out++ = 0;
    out = put_le32(out, member->crc);
    put_le32(out, member->length);
}

int gzip_unpack(const void *data, size_t size, char *out, size_t length)
{
    z_stream z = {0};

    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        return -ENOMEM;
    z.next_in = (Bytef *)data;
    z.avail_in = (uInt)size;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)length;
    int code = inflate(&z, Z_FINISH);
    bool whole = code == Z_STREAM_END && z.avail_out == 0 && z.avail_in == 0;
    inflateEnd(&z);
    if (whole)
        return 0;
    return code == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
}
