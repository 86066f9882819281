/*
 * Keeps every server's log within its bound and notes how it grows (log_marks.h), in the thread pool: once a second, and
 * more often while any grows fast.
 */
#ifndef SUPERVISOR_FARM_LOG_KEEPER_H
#define SUPERVISOR_FARM_LOG_KEEPER_H

#include "supervisor/farm/farm.h"

struct log_keeper;

struct log_keeper *log_keeper_new(struct farm *farm);
void log_keeper_servers_changed(struct log_keeper *keeper);
void log_keeper_free(struct log_keeper *keeper); /* NULL is fine */

#endif
