/*
 * See plot.h. Places are percentages of the width, except in the lines' own box, which is stretched to it while the
 * strokes are not (vector-effect). Labels lie outside of the box, where report.css leaves room for them.
 */
#include "supervisor/cli/load/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define HEIGHT 180.0 /* pixels, of the box */
#define WIDTH 1000.0 /* of the stretched box, in units of its own */
#define LABELS 24.0  /* pixels below it */
#define TICKS 4

void html_append(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            buffer_append_text(out, "&amp;");
            break;
        case '<':
            buffer_append_text(out, "&lt;");
            break;
        case '>':
            buffer_append_text(out, "&gt;");
            break;
        case '"':
            buffer_append_text(out, "&quot;");
            break;
        case '\'':
            buffer_append_text(out, "&#39;");
            break;
        default:
            buffer_append_char(out, (unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text);
            break;
        }
    }
}

/* --- places --- */

static double share_of_width(const struct plot *plot, double x)
{
    double length = plot->x_to - plot->x_from;
    double share = length > 0 ? (x - plot->x_from) / length : 0.5;

    return fmin(fmax(share, 0), 1);
}

/* Pixels from the top. */
static double height_of(const struct plot *plot, double y)
{
    double from = plot->y_from, to = plot->y_to;

    if (plot->logarithmic) {
        from = log10(from);
        to = log10(to);
        y = log10(fmax(y, plot->y_from));
    }
    return HEIGHT * (1 - fmin(fmax((y - from) / (to - from), 0), 1));
}

/* --- axes --- */

struct plot plot_begin(struct buffer *out, const char *label, double x_from, double x_to)
{
    buffer_printf(out,
                  "<svg class=\"plot\" width=\"100%%\" height=\"%.0f\" overflow=\"visible\" role=\"img\" aria-label=\"",
                  HEIGHT + LABELS);
    html_append(out, label);
    buffer_append_text(out, "\">\n");
    return (struct plot){.out = out, .x_from = x_from, .x_to = x_to};
}

static void append_tick(struct plot *plot, double value)
{
    char text[PLOT_TEXT];
    double y = height_of(plot, value);

    buffer_printf(plot->out, "<line class=\"grid\" x1=\"0\" x2=\"100%%\" y1=\"%.1f\" y2=\"%.1f\"/>", y, y);
    buffer_printf(plot->out, "<text x=\"-6\" y=\"%.1f\" text-anchor=\"end\">", y + 4);
    html_append(plot->out, plot->format(value, text));
    buffer_append_text(plot->out, "</text>\n");
}

/* The least of 1, 2 and 5 times a power of ten that is not below `value`. */
static double round_up(double value)
{
    double power = pow(10, floor(log10(value)));
    double digit = value / power;

    return power * (digit <= 1.0000001 ? 1 : digit <= 2.0000001 ? 2 : digit <= 5.0000001 ? 5 : 10);
}

void plot_linear(struct plot *plot, double most, plot_format_fn *format)
{
    double step = round_up(fmax(most, 1) / TICKS);
    int steps = (int)ceil(fmax(most, 1) / step - 1e-9);

    plot->format = format;
    plot->y_from = 0;
    plot->y_to = step * steps;
    for (int i = 0; i <= steps; i++)
        append_tick(plot, step * i);
}

/* Whole powers of ten; where that leaves few, 2 and 5 times them as well. */
void plot_logarithmic(struct plot *plot, double least, double most, plot_format_fn *format)
{
    int from = (int)floor(log10(least)), to = (int)ceil(log10(most));

    to = to > from ? to : from + 1;
    plot->format = format;
    plot->logarithmic = true;
    plot->y_from = pow(10, from);
    plot->y_to = pow(10, to);
    for (int power = from; power <= to; power++) {
        append_tick(plot, pow(10, power));
        if (power < to && to - from <= 2) {
            append_tick(plot, 2 * pow(10, power));
            append_tick(plot, 5 * pow(10, power));
        }
    }
}

void plot_x_label(struct plot *plot, double x, const char *text)
{
    buffer_printf(plot->out, "<text x=\"%.2f%%\" y=\"%.0f\" text-anchor=\"middle\">", 100 * share_of_width(plot, x),
                  HEIGHT + 18);
    html_append(plot->out, text);
    buffer_append_text(plot->out, "</text>\n");
}

void plot_end(struct plot *plot)
{
    buffer_append_text(plot->out, "</svg>\n");
}

/* --- what is drawn --- */

static void begin_box(struct plot *plot)
{
    buffer_printf(plot->out,
                  "<svg width=\"100%%\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" preserveAspectRatio=\"none\" "
                  "overflow=\"visible\">",
                  HEIGHT, WIDTH, HEIGHT);
}

static void append_place(struct plot *plot, double x, double y)
{
    buffer_printf(plot->out, "%.1f,%.1f ", WIDTH * share_of_width(plot, x), height_of(plot, y));
}

/* Calls each for every run of values without a gap. */
static void each_piece(struct plot *plot, const char *class, const double *xs, const double *ys, size_t count,
                       void (*each)(struct plot *plot, const char *class, const double *xs, const double *ys,
                                    size_t count))
{
    begin_box(plot);
    for (size_t from = 0, to; from < count; from = to + 1) {
        for (to = from; to < count && !isnan(ys[to]);)
            to++;
        if (to > from)
            each(plot, class, xs + from, ys + from, to - from);
    }
    buffer_append_text(plot->out, "</svg>\n");
}

static void append_line(struct plot *plot, const char *class, const double *xs, const double *ys, size_t count)
{
    buffer_printf(plot->out, "<polyline class=\"%s\" vector-effect=\"non-scaling-stroke\" points=\"", class);
    for (size_t i = 0; i < count; i++)
        append_place(plot, xs[i], ys[i]);
    buffer_append_text(plot->out, "\"/>");
}

void plot_line(struct plot *plot, const char *class, const double *xs, const double *ys, size_t count)
{
    each_piece(plot, class, xs, ys, count, append_line);
    for (size_t i = 0; i < count; i++) { /* one value alone makes no line */
        bool alone = !isnan(ys[i]) && (i == 0 || isnan(ys[i - 1])) && (i + 1 == count || isnan(ys[i + 1]));
        if (alone)
            plot_dot(plot, class, xs[i], ys[i], "");
    }
}

static void append_area(struct plot *plot, const char *class, const double *xs, const double *ys, size_t count)
{
    buffer_printf(plot->out, "<polygon class=\"%s\" points=\"", class);
    append_place(plot, xs[0], plot->y_from);
    for (size_t i = 0; i < count; i++)
        append_place(plot, xs[i], ys[i]);
    append_place(plot, xs[count - 1], plot->y_from);
    buffer_append_text(plot->out, "\"/>");
}

void plot_area(struct plot *plot, const char *class, const double *xs, const double *ys, size_t count)
{
    each_piece(plot, class, xs, ys, count, append_area);
}

void plot_dot(struct plot *plot, const char *class, double x, double y, const char *title)
{
    buffer_printf(plot->out, "<circle class=\"dot %s\" cx=\"%.2f%%\" cy=\"%.1f\" r=\"3\"><title>", class,
                  100 * share_of_width(plot, x), height_of(plot, y));
    html_append(plot->out, title);
    buffer_append_text(plot->out, "</title></circle>\n");
}

void plot_band(struct plot *plot, const char *class, double from, double to)
{
    double left = share_of_width(plot, from), right = share_of_width(plot, to);

    buffer_printf(plot->out, "<rect class=\"%s\" x=\"%.2f%%\" width=\"%.2f%%\" y=\"0\" height=\"%.0f\"/>\n", class,
                  100 * left, 100 * (right - left), HEIGHT);
}
