/*
 * Writing one scalar of a YAML document: plain where that is safe, double-quoted otherwise.
 */
#ifndef SUPERVISOR_CONFIG_YAML_TEXT_H
#define SUPERVISOR_CONFIG_YAML_TEXT_H

#include "core/buffer.h"

void yaml_write_text(struct buffer *out, const char *text);

#endif
