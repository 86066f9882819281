/*
 * The table of verbs and the topics as documents: docs/cli.md and the generated part of the man page farmd(1).
 */
#ifndef SUPERVISOR_CLI_FRAME_MANUAL_H
#define SUPERVISOR_CLI_FRAME_MANUAL_H

#include "core/buffer.h"

void manual_markdown(struct buffer *out);

/* In mdoc(7): what stands between the marks of docs/farmd.1. */
void manual_man(struct buffer *out);

#endif
