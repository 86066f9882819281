/* http/gzip: pieces in any order make a gzip stream that zlib takes, and files are unpacked whole or not at all. */
#include "http/gzip.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static struct gzip_piece piece_of(const char *text)
{
    struct gzip_piece piece = GZIP_PIECE_EMPTY;

    buffer_append_text(&piece.plain, text);
    gzip_piece_deflate(&piece);
    return piece;
}

static void send(struct buffer *out, struct gzip_member *member, const struct gzip_piece *piece)
{
    gzip_member_add(member, piece);
    buffer_append(out, piece->deflated.data, piece->deflated.length);
}

static void send_trailer(struct buffer *out, const struct gzip_member *member)
{
    char trailer[GZIP_TRAILER_LENGTH];

    gzip_member_trailer(member, trailer);
    buffer_append(out, trailer, sizeof(trailer));
}

/* Two readers get the same pieces, one of them from later on. */
static void test_pieces_are_shared(void **state)
{
    (void)state;
    struct gzip_piece first = piece_of("the first piece, "), second = piece_of("the first piece, and the second");
    struct buffer one = BUFFER_EMPTY, other = BUFFER_EMPTY;
    struct gzip_member member = {0}, other_member = {0};
    char text[128] = "";

    buffer_append(&one, GZIP_HEADER, GZIP_HEADER_LENGTH);
    buffer_append(&other, GZIP_HEADER, GZIP_HEADER_LENGTH);
    send(&one, &member, &first);
    send(&one, &member, &second);
    send(&other, &other_member, &second);
    send(&other, &other_member, &second);
    send_trailer(&one, &member);
    send_trailer(&other, &other_member);

    size_t length = first.plain.length + second.plain.length;
    assert_int_equal(gzip_unpack(one.data, one.length, text, length), 0);
    assert_string_equal(text, "the first piece, the first piece, and the second");
    memset(text, 0, sizeof(text));
    assert_int_equal(gzip_unpack(other.data, other.length, text, second.plain.length * 2), 0);
    assert_string_equal(text, "the first piece, and the secondthe first piece, and the second");

    gzip_piece_done(&first);
    gzip_piece_done(&second);
    buffer_done(&one);
    buffer_done(&other);
}

static void test_what_is_no_such_file_is_refused(void **state)
{
    (void)state;
    struct gzip_piece piece = piece_of("some text");
    struct buffer file = BUFFER_EMPTY;
    struct gzip_member member = {0};
    char text[16] = "";

    buffer_append(&file, GZIP_HEADER, GZIP_HEADER_LENGTH);
    send(&file, &member, &piece);
    send_trailer(&file, &member);
    assert_int_equal(gzip_unpack(file.data, file.length, text, 9), 0);
    assert_int_equal(gzip_unpack(file.data, file.length, text, 10), -EINVAL); /* another length */
    assert_int_equal(gzip_unpack(file.data, file.length, text, 8), -EINVAL);
    assert_int_equal(gzip_unpack(file.data, file.length - 1, text, 9), -EINVAL); /* cut */
    file.data[file.length - 5] ^= 1;                                             /* another check sum */
    assert_int_equal(gzip_unpack(file.data, file.length, text, 9), -EINVAL);
    assert_int_equal(gzip_unpack("plain", 5, text, 5), -EINVAL);
    gzip_piece_done(&piece);
    buffer_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_shared),
        cmocka_unit_test(test_what_is_no_such_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
