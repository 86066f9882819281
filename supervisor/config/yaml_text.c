/*
 * Writing YAML scalars. A hand-written page instead of libyaml's emitter, because the effective settings are printed
 * with comments, which an emitter of events cannot do.
 */
#include "supervisor/config/yaml_text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* Words that other readers of YAML would take for something else than a text. */
static bool is_special_word(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", NULL};
    for (size_t i = 0; words[i]; i++) {
        if (strcasecmp(words[i], text) == 0)
            return true;
    }
    return false;
}

static bool is_plain(const char *text)
{
    if (!isalpha((unsigned char)text[0]) && text[0] != '/')
        return false;
    for (const char *c = text; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("_-./", *c))
            return false;
    }
    return !is_special_word(text);
}

/* The code point at `text` and its length in bytes; an invalid byte stands for itself. */
static uint32_t decode(const unsigned char *text, size_t *length)
{
    unsigned char first = text[0];
    size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    uint32_t code = n == 1 ? first : first & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            *length = 1;
            return first;
        }
        code = code << 6 | (text[i] & 0x3f);
    }
    *length = n;
    return code;
}

/* Line breaks and invisible characters, which a YAML reader would fold or refuse. */
static bool needs_escape(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0xa0) || code == 0x2028 || code == 0x2029 || code == 0xfeff ||
           (code >= 0xfffe && code <= 0xffff);
}

void yaml_write_text(struct buffer *out, const char *text)
{
    if (is_plain(text)) {
        buffer_append_text(out, text);
        return;
    }
    buffer_append_char(out, '"');
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        size_t length;
        uint32_t code = decode(c, &length);
        if (code == '"' || code == '\\')
            buffer_printf(out, "\\%c", (char)code);
        else if (needs_escape(code))
            buffer_printf(out, "\\u%04X", code);
        else
            buffer_append(out, c, length);
        c += length;
    }
    buffer_append_char(out, '"');
}
