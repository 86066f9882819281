/*
 * A tree of JSON as text for machines: JSON with line breaks, JSON on one line, YAML. Numbers keep their value.
 */
#ifndef SUPERVISOR_CLI_FRAME_RENDER_H
#define SUPERVISOR_CLI_FRAME_RENDER_H

#include "core/buffer.h"

struct cJSON;

void render_json(struct buffer *out, const struct cJSON *item);      /* two blanks a level, a newline at the end */
void render_json_line(struct buffer *out, const struct cJSON *item); /* no newline */
void render_yaml(struct buffer *out, const struct cJSON *item);      /* a document without "---" */

#endif
