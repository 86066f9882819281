/*
 * One condition of a selector: a state, a group, a label, or a figure compared with a number. Private to selector*.c.
 */
#ifndef SUPERVISOR_FARM_SELECTOR_CONDITION_H
#define SUPERVISOR_FARM_SELECTOR_CONDITION_H

#include "core/error.h"
#include "supervisor/farm/server.h"

#include <stdbool.h>

struct selector_condition {
    const struct selector_kind *kind;
    char *name;  /* of a label; else NULL */
    char *value; /* a word; of a figure NULL */
    enum selector_operator { SELECT_IS, SELECT_NOT, SELECT_ABOVE, SELECT_AT_LEAST, SELECT_BELOW, SELECT_AT_MOST } is;
    double number;
    bool in_bytes; /* the number is one of bytes, where the figure without a unit is a percentage */
};

/* Whether a text has the form of a condition at all. */
bool selector_is_condition(const char *text);

/* 0, or -EINVAL with what is wrong; the condition then holds nothing. */
int selector_condition_parse(const char *text, struct selector_condition *condition, struct error *err);
void selector_condition_done(struct selector_condition *condition);

bool selector_condition_holds(const struct selector_condition *condition, const struct server *server);

/* Whether the two name alternatives of one thing, so that one of them is enough. */
bool selector_conditions_alternate(const struct selector_condition *a, const struct selector_condition *b);

#endif
