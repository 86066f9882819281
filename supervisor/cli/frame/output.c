/*
 * Formats and the terminal; see output.h.
 */
#include "supervisor/cli/frame/output.h"

#include "core/streams.h"
#include "supervisor/cli/frame/render.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FORMAT_WORDS "table wide json jsonl yaml name"

const struct cli_flag output_flags[] = {
    {.name = "--output",
     .letter = 'o',
     .kind = CLI_WORD,
     .argument = "FORMAT",
     .words = FORMAT_WORDS,
     .preset = "table",
     .help = "table, wide (more columns), json (the API's answer), jsonl (an entry a line), yaml, name"},
    {.name = "--no-headers", .kind = CLI_SWITCH, .help = "rows only, without headings and the line below a table"},
    {.name = NULL},
};

static enum output_format format_of(const char *word)
{
    static const char *const names[] = {
        [OUTPUT_TABLE] = "table", [OUTPUT_WIDE] = "wide", [OUTPUT_JSON] = "json",
        [OUTPUT_JSONL] = "jsonl", [OUTPUT_YAML] = "yaml", [OUTPUT_NAME] = "name",
    };
    enum output_format format = OUTPUT_TABLE;
    while (format < OUTPUT_NAME && strcmp(names[format], word) != 0)
        format++;
    return format;
}

void output_measure(struct output *output)
{
    struct winsize size;
    bool known = output->terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    output->width = known ? size.ws_col : 0;
    output->height = known ? size.ws_row : 0;
}

void output_look(struct output *output)
{
    output->terminal = isatty(STDOUT_FILENO);
    output->colour = streams_colour(STDOUT_FILENO);
    output_measure(output);
}

void output_init(struct output *output, const struct cli_call *call)
{
    output->format = format_of(cli_text(call, "--output"));
    output->headers = !cli_given(call, "--no-headers");
    output_look(output);
}

bool output_is_machine(const struct output *output)
{
    return output->format != OUTPUT_TABLE && output->format != OUTPUT_WIDE;
}

const char *output_paint(const struct output *output, enum paint paint)
{
    static const char *const codes[] = {
        [PAINT_PLAIN] = "",         [PAINT_GOOD] = "\033[32m", [PAINT_WARN] = "\033[33m",
        [PAINT_BAD] = "\033[1;31m", [PAINT_FAINT] = "\033[2m", [PAINT_STRONG] = "\033[1m",
        [PAINT_CYAN] = "\033[36m",  [PAINT_BLUE] = "\033[34m", [PAINT_MAGENTA] = "\033[35m",
    };
    return output->colour ? codes[paint] : "";
}

const char *output_unpaint(const struct output *output, enum paint paint)
{
    return output->colour && paint != PAINT_PLAIN ? "\033[0m" : "";
}

void output_server_name(const cJSON *entry, char out[24])
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(entry, "name");
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(entry, "server_id");
    out[0] = '\0';
    if (cJSON_IsString(name))
        snprintf(out, 24, "%s", name->valuestring);
    else if (cJSON_IsString(id)) /* as a server writes its own */
        snprintf(out, 24, "%s", id->valuestring);
    else if (cJSON_IsNumber(id))
        snprintf(out, 24, "server-%d", id->valueint);
}

static void append_entry(const struct output *output, const cJSON *entry, struct buffer *out)
{
    char name[24];
    output_server_name(entry, name);
    if (output->format == OUTPUT_NAME && name[0] == '\0')
        return;
    if (output->format == OUTPUT_NAME)
        buffer_append_text(out, name);
    else
        render_json_line(out, entry);
    buffer_append_char(out, '\n');
}

void output_answer(const struct output *output, const cJSON *answer, const char *list, struct buffer *out)
{
    const cJSON *entries = list ? cJSON_GetObjectItemCaseSensitive(answer, list) : NULL, *entry;
    if (output->format == OUTPUT_JSON) {
        render_json(out, answer);
    } else if (output->format == OUTPUT_YAML) {
        render_yaml(out, answer);
    } else if (!list) {
        append_entry(output, answer, out);
    } else {
        cJSON_ArrayForEach(entry, entries) append_entry(output, entry, out);
    }
}

int output_write(const struct buffer *text, bool *closed)
{
    for (size_t at = 0; at < text->length;) {
        ssize_t n = write(STDOUT_FILENO, text->data + at, text->length - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && closed)
            *closed = true;
        if (n < 0 && errno == EPIPE)
            return CLI_DONE;
        if (n < 0)
            return cli_fail(CLI_FAILED, "cannot write to the standard output: %s", strerror(errno));
        at += (size_t)n;
    }
    return CLI_DONE;
}
