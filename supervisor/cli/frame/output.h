/*
 * What a verb prints, and how: the format asked for, the terminal's size, colour only where it is wanted.
 */
#ifndef SUPERVISOR_CLI_FRAME_OUTPUT_H
#define SUPERVISOR_CLI_FRAME_OUTPUT_H

#include "core/buffer.h"
#include "supervisor/cli/cli.h"

#include <stdbool.h>
#include <stddef.h>

struct cJSON;

enum output_format { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON, OUTPUT_JSONL, OUTPUT_YAML, OUTPUT_NAME };

extern const struct cli_flag output_flags[]; /* -o, --no-headers */

struct output {
    enum output_format format;
    bool headers;
    bool terminal;          /* the standard output is one */
    bool colour;            /* on it, and NO_COLOR is not set */
    unsigned width, height; /* of the terminal; 0: no bounds */
};

/* By the verb's flags and the terminal as it is now. */
void output_init(struct output *output, const struct cli_call *call);
void output_look(struct output *output);    /* the terminal only, for a verb with formats of its own */
void output_measure(struct output *output); /* the terminal again, which may have been resized */
bool output_is_machine(const struct output *output);

/* A state is a word and a colour, never a colour alone. */
enum paint {
    PAINT_PLAIN,
    PAINT_GOOD,
    PAINT_WARN,
    PAINT_BAD,
    PAINT_FAINT,
    PAINT_STRONG,
    PAINT_CYAN, /* these three tell things apart and mean nothing */
    PAINT_BLUE,
    PAINT_MAGENTA,
};
const char *output_paint(const struct output *output, enum paint paint); /* "" without colour */
const char *output_unpaint(const struct output *output, enum paint paint);

/* Appends an answer of the API in a machine format: json and yaml as it is, jsonl and name an entry of its member `list`
 * a line. `list` NULL: the answer itself is the only entry. */
void output_answer(const struct output *output, const struct cJSON *answer, const char *list, struct buffer *out);

/* The name of the server that an entry of the API speaks of: "server-7"; "" for none. */
void output_server_name(const struct cJSON *entry, char out[24]);

/* To the standard output, whole. CLI_DONE, or CLI_FAILED with a sentence said; a reader that has had enough (`| head`) is
 * no failure, but `*closed` (may be NULL) tells. */
int output_write(const struct buffer *text, bool *closed);

#endif
