/*
 * The one table of what the control plane answers.
 */
#ifndef SUPERVISOR_API_ROUTES_H
#define SUPERVISOR_API_ROUTES_H

#include "http/router.h"

#include <stddef.h>

extern const struct http_route ROUTES[];
extern const size_t ROUTES_COUNT;

#endif
