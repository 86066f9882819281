/*
 * See canvas.h. UTF-8 is read here rather than by the C library, which reads it in a locale of UTF-8 only.
 */
#include "supervisor/cli/top/canvas.h"

#include "core/memory.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT 0xFFFD /* for what is no UTF-8 */

void canvas_init(struct canvas *canvas, int lines, int columns, bool ascii)
{
    *canvas = (struct canvas){.lines = lines, .columns = columns, .ascii = ascii};
    canvas->cells =
        xcalloc((size_t)(lines > 0 ? lines : 1), sizeof(*canvas->cells) * (size_t)(columns > 0 ? columns : 1));
    canvas_clear(canvas);
}

void canvas_done(struct canvas *canvas)
{
    free(canvas->cells);
    *canvas = (struct canvas){.lines = 0};
}

void canvas_clear(struct canvas *canvas)
{
    for (int i = 0; i < canvas->lines * canvas->columns; i++)
        canvas->cells[i] = (struct canvas_cell){.character = L' ', .paint = PAINT_PLAIN};
}

/* --- characters --- */

/* Reads one character and moves on; anything that is none is one byte long. */
static uint32_t next_character(const char **text)
{
    const unsigned char *at = (const unsigned char *)*text;
    static const struct {
        unsigned char mask, lead;
        int length;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 1, 0}, {0xE0, 0xC0, 2, 0x80}, {0xF0, 0xE0, 3, 0x800}, {0xF8, 0xF0, 4, 0x10000}};
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if ((at[0] & forms[i].mask) != forms[i].lead)
            continue;
        uint32_t character = at[0] & (unsigned char)~forms[i].mask;
        int read = 1;
        for (; read < forms[i].length && (at[read] & 0xC0) == 0x80; read++)
            character = character << 6 | (at[read] & 0x3F);
        bool surrogate = character >= 0xD800 && character < 0xE000;
        if (read < forms[i].length || character < forms[i].least || character > 0x10FFFF || surrogate)
            break;
        *text += read;
        return character;
    }
    *text += 1;
    return REPLACEMENT;
}

/* What a terminal without UTF-8 shows for the characters that farmd itself uses. */
static uint32_t plain_character(uint32_t character)
{
    static const struct {
        uint32_t character;
        char plain;
    } plain[] = {
        {0x2588, '#'}, {0x2591, '.'}, {0x2500, '-'}, {0x2026, '~'}, {0xB7, '-'},   {0x25B2, '^'},
        {0x25BC, 'v'}, {0x2191, '^'}, {0x2193, 'v'}, {0xD7, 'x'},   {0x2581, '_'}, {0x2582, '_'},
        {0x2583, '.'}, {0x2584, '-'}, {0x2585, '='}, {0x2586, '*'}, {0x2587, '%'},
    };
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
        if (plain[i].character == character)
            return (uint32_t)plain[i].plain;
    }
    return character < 0x80 ? character : '?';
}

/* As it is drawn, and its width in columns; 0: not at all. */
static uint32_t drawn(const struct canvas *canvas, uint32_t character, int *width)
{
    bool control = character < 0x20 || (character >= 0x7F && character < 0xA0);
    if (canvas->ascii && !control)
        character = plain_character(character);
    *width = control || character < 0x7F ? 1 : wcwidth((wchar_t)character);
    if (*width < 0) { /* of no meaning here; of no direction or joining either */
        *width = 1;
        return canvas->ascii ? '?' : REPLACEMENT;
    }
    return control ? ' ' : character;
}

static void set(struct canvas *canvas, int line, int column, uint32_t character, int width, enum paint paint)
{
    bool outside = line < 0 || line >= canvas->lines || column < 0 || column + width > canvas->columns;
    for (int i = 0; i < width && !outside; i++) {
        canvas->cells[line * canvas->columns + column + i] =
            (struct canvas_cell){.character = i == 0 ? (wchar_t)character : 0, .paint = (unsigned char)paint};
    }
}

/* --- text --- */

/* Columns of a text, counted no further than just over `enough`. */
static int columns_of(const struct canvas *canvas, const char *text, int enough)
{
    int columns = 0, one;
    while (*text && columns <= enough) {
        drawn(canvas, next_character(&text), &one);
        columns += one;
    }
    return columns;
}

int canvas_columns(const char *text)
{
    const struct canvas any = {.ascii = false};
    return columns_of(&any, text, INT_MAX - 2);
}

int canvas_put_from(struct canvas *canvas, int line, int column, int width, enum paint paint, const char *text,
                    int skip, bool goes_on)
{
    int written = 0, columns;
    for (int skipped = 0; *text && skipped < skip; skipped += columns)
        drawn(canvas, next_character(&text), &columns);
    bool cut = !goes_on && columns_of(canvas, text, width) > width;
    int room = cut ? width - 1 : width;
    while (*text) {
        uint32_t character = drawn(canvas, next_character(&text), &columns);
        if (written + columns > room)
            break;
        set(canvas, line, column + written, character, columns, paint);
        written += columns;
    }
    if (cut && width > 0)
        set(canvas, line, column + written++, drawn(canvas, 0x2026, &columns), 1, paint);
    return written;
}

int canvas_put(struct canvas *canvas, int line, int column, int width, enum paint paint, const char *text)
{
    return canvas_put_from(canvas, line, column, width, paint, text, 0, false);
}

int canvas_put_right(struct canvas *canvas, int line, int column, int width, enum paint paint, const char *text)
{
    int columns = columns_of(canvas, text, width);
    int indent = columns < width ? width - columns : 0;
    return indent + canvas_put(canvas, line, column + indent, width - indent, paint, text);
}

int canvas_printf(struct canvas *canvas, int line, int column, int width, enum paint paint, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return canvas_put(canvas, line, column, width, paint, text);
}

void canvas_bar(struct canvas *canvas, int line, int column, int width, enum paint paint, double share)
{
    int full = isnan(share) ? 0 : (int)lround((share < 0 ? 0 : share > 1 ? 1 : share) * width);
    if (full == 0 && share > 0.01)
        full = 1; /* something is not nothing */
    for (int i = 0; i < width; i++)
        canvas_put(canvas, line, column + i, 1, i < full ? paint : PAINT_FAINT, i < full ? "█" : "░");
}

void canvas_rule(struct canvas *canvas, int line, enum paint paint, const char *title)
{
    for (int column = 0; column < canvas->columns; column++)
        canvas_put(canvas, line, column, 1, PAINT_FAINT, "─");
    canvas_put(canvas, line, 2, 1, PAINT_FAINT, " ");
    int width = canvas_put(canvas, line, 3, canvas->columns - 4, paint, title);
    canvas_put(canvas, line, 3 + width, 1, PAINT_FAINT, " ");
}

void canvas_reverse(struct canvas *canvas, int line)
{
    for (int column = 0; line >= 0 && line < canvas->lines && column < canvas->columns; column++)
        canvas->cells[line * canvas->columns + column].reverse = true;
}

void canvas_repaint(struct canvas *canvas, int line, enum paint paint)
{
    for (int column = 0; line >= 0 && line < canvas->lines && column < canvas->columns; column++)
        canvas->cells[line * canvas->columns + column].paint = (unsigned char)paint;
}

void canvas_append_line(const struct canvas *canvas, int line, struct buffer *out)
{
    const struct canvas_cell *cells = &canvas->cells[line * canvas->columns];
    int end = canvas->columns;
    while (end > 0 && cells[end - 1].character == L' ')
        end--;
    for (int column = 0; column < end; column++) {
        char bytes[MB_LEN_MAX];
        size_t length = cells[column].character ? wcrtomb(bytes, cells[column].character, NULL) : 0;
        buffer_append(out, bytes, length == (size_t)-1 ? 0 : length);
    }
    buffer_append_text(out, "");
}
