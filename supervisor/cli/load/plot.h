/*
 * A plot in SVG that needs no script: as wide as its place, with text and lines of one size at any width. Coordinates
 * along the axes are in the units of the data; x 0 is the left end.
 */
#ifndef SUPERVISOR_CLI_LOAD_PLOT_H
#define SUPERVISOR_CLI_LOAD_PLOT_H

#include "core/buffer.h"

#include <stdbool.h>
#include <stddef.h>

#define PLOT_TEXT 32 /* room for a value with its unit */

/* Writes a value of the y axis, "10 ms", and returns `text`. */
typedef const char *plot_format_fn(double value, char text[PLOT_TEXT]);

struct plot {
    struct buffer *out;
    double x_from, x_to, y_from, y_to;
    bool logarithmic; /* the y axis; y_from is above 0 then */
    plot_format_fn *format;
};

/* Chooses the y axis so that it holds `least` to `most`, and writes its lines. `label` is what the plot is of, for those
 * who don't see it; plain text, which is escaped. */
struct plot plot_begin(struct buffer *out, const char *label, double x_from, double x_to);
void plot_linear(struct plot *plot, double most, plot_format_fn *format);
void plot_logarithmic(struct plot *plot, double least, double most, plot_format_fn *format);
void plot_end(struct plot *plot);

/* NaN among the values is a gap. `class` is that of report.css. */
void plot_line(struct plot *plot, const char *class, const double *xs, const double *ys, size_t count);
void plot_area(struct plot *plot, const char *class, const double *xs, const double *ys, size_t count);
/* A dot that tells `title` (plain text) when it is pointed at. */
void plot_dot(struct plot *plot, const char *class, double x, double y, const char *title);
/* The whole height from one x to another. */
void plot_band(struct plot *plot, const char *class, double from, double to);
void plot_x_label(struct plot *plot, double x, const char *text);

/* Appends text as the content of an element or a value in double quotes. */
void html_append(struct buffer *out, const char *text);

#endif
