/*
 * A .env file: `KEY=value` lines, `export` before them allowed, comments, single and double quotes. Nothing is expanded
 * and nothing is put into the process's environment.
 */
#ifndef SUPERVISOR_CONFIG_DOTENV_H
#define SUPERVISOR_CONFIG_DOTENV_H

#include "core/error.h"

struct dotenv;

/* Reads a file; one that isn't there is an empty one. */
int dotenv_load(const char *path, struct dotenv **dotenv, struct error *err);
void dotenv_free(struct dotenv *dotenv); /* NULL is fine */

/* A variable's value and the line it stands in, the last one when it stands there twice; NULL when it doesn't. */
const char *dotenv_get(const struct dotenv *dotenv, const char *key, unsigned *line);

#endif
