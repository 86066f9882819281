/*
 * A state machine over the bytes around the data. White space beside ";" and "=" is taken, as RFC 9112 (7.1.1) asks;
 * behind a size or a value it must lead to another extension.
 */
#include "http/chunked.h"

#include "http/http.h"

#include <string.h>

/* What one chunk's framing takes without touching the budget: some digits and two line ends. */
#define CHUNK_ALLOWANCE 24

enum {
    SIZE_START,
    SIZE,
    SPACE_BEFORE_EXTENSION,
    NAME_START,
    NAME,
    SPACE_BEHIND_NAME,
    VALUE_START,
    VALUE,
    QUOTED,
    QUOTED_PAIR,
    QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    ENDED,
    BAD,
};

bool http_is_token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Text of a field value or a quoted string: anything but control characters. */
static bool is_text(char c)
{
    unsigned char byte = (unsigned char)c;
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

static int after_digit(struct chunked *chunked, int digit)
{
    if (chunked->left > UINT64_MAX >> 4)
        return BAD;
    chunked->left = chunked->left << 4 | (unsigned)digit;
    return SIZE;
}

/* Behind a size, a name without a value or a value: another extension or the end of the line. `space` is the state for
 * white space here. */
static int after_element(char c, int space)
{
    if (c == ';')
        return NAME_START;
    if (c == '\r')
        return SIZE_LF;
    return is_space(c) ? space : BAD;
}

static int next_in_extension(int state, char c)
{
    switch (state) {
    case SPACE_BEFORE_EXTENSION:
        return c == ';' ? NAME_START : is_space(c) ? state : BAD;
    case NAME_START:
        return http_is_token_char(c) ? NAME : is_space(c) ? state : BAD;
    case NAME:
        if (http_is_token_char(c))
            return NAME;
        return c == '=' ? VALUE_START : after_element(c, SPACE_BEHIND_NAME);
    case SPACE_BEHIND_NAME:
        if (c == '=')
            return VALUE_START;
        return c == ';' ? NAME_START : is_space(c) ? state : BAD;
    case VALUE_START:
        if (c == '"')
            return QUOTED;
        return http_is_token_char(c) ? VALUE : is_space(c) ? state : BAD;
    case VALUE:
        return http_is_token_char(c) ? VALUE : after_element(c, SPACE_BEFORE_EXTENSION);
    case QUOTED:
        if (c == '"')
            return QUOTED_END;
        return c == '\\' ? QUOTED_PAIR : is_text(c) ? QUOTED : BAD;
    case QUOTED_PAIR:
        return is_text(c) ? QUOTED : BAD;
    default: /* QUOTED_END */
        return after_element(c, SPACE_BEFORE_EXTENSION);
    }
}

static int next_in_trailer(int state, char c)
{
    switch (state) {
    case TRAILER_START:
        return c == '\r' ? LAST_LF : http_is_token_char(c) ? TRAILER_NAME : BAD;
    case TRAILER_NAME:
        return c == ':' ? TRAILER_VALUE : http_is_token_char(c) ? state : BAD;
    case TRAILER_VALUE:
        return c == '\r' ? TRAILER_LF : is_text(c) ? state : BAD;
    case TRAILER_LF:
        return c == '\n' ? TRAILER_START : BAD;
    default: /* LAST_LF */
        return c == '\n' ? ENDED : BAD;
    }
}

static int next_state(struct chunked *chunked, char c)
{
    int digit;
    switch (chunked->state) {
    case SIZE_START:
    case SIZE:
        digit = http_hex_value(c);
        if (digit >= 0)
            return after_digit(chunked, digit);
        return chunked->state == SIZE ? after_element(c, SPACE_BEFORE_EXTENSION) : BAD;
    case SIZE_LF:
        if (c != '\n')
            return BAD;
        return chunked->left > 0 ? DATA : TRAILER_START;
    case DATA_CR:
        return c == '\r' ? DATA_LF : BAD;
    case DATA_LF:
        chunked->budget += CHUNK_ALLOWANCE;
        return c == '\n' ? SIZE_START : BAD;
    default:
        return chunked->state >= TRAILER_START ? next_in_trailer(chunked->state, c)
                                               : next_in_extension(chunked->state, c);
    }
}

void chunked_init(struct chunked *chunked, size_t budget)
{
    *chunked = (struct chunked){.state = SIZE_START, .budget = budget};
}

enum chunked_result chunked_next(struct chunked *chunked, struct http_slice *input, struct http_slice *piece)
{
    while (input->length > 0 && chunked->state < ENDED) {
        if (chunked->state == DATA) {
            size_t length = input->length < chunked->left ? input->length : (size_t)chunked->left;
            *piece = (struct http_slice){input->data, length};
            input->data += length;
            input->length -= length;
            chunked->left -= length;
            if (chunked->left == 0)
                chunked->state = DATA_CR;
            return CHUNKED_DATA;
        }
        if (chunked->budget == 0)
            return CHUNKED_TOO_LARGE;
        chunked->budget--;
        chunked->state = next_state(chunked, *input->data);
        input->data++;
        input->length--;
    }
    if (chunked->state == ENDED)
        return CHUNKED_END;
    return chunked->state == BAD ? CHUNKED_BAD : CHUNKED_MORE;
}
