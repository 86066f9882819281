/*
 * The formats of `farmd export`, each made of settings alone.
 */
#ifndef SUPERVISOR_CLI_EXPORT_H
#define SUPERVISOR_CLI_EXPORT_H

#include "core/buffer.h"
#include "core/error.h"
#include "supervisor/config/settings.h"

#include <stdint.h>

struct export_options {
    uint16_t listen;   /* where a balancer listens */
    const char *image; /* for containers; NULL: farm-worker of this machine in a small one */
};

/* 0, or a negative code with what is missing. */
int export_compose(const struct settings *settings, const struct export_options *options, struct buffer *out,
                   struct error *err);
/* -EINVAL also for what Kubernetes has no words for. */
int export_k8s(const struct settings *settings, const struct export_options *options, struct buffer *out,
               struct error *err);
void export_nginx(const struct settings *settings, const struct export_options *options, struct buffer *out);
void export_haproxy(const struct settings *settings, const struct export_options *options, struct buffer *out);

/* Calls visit for every server, in the order of their ids. */
typedef void export_server_fn(const struct group_settings *group, unsigned id, uint16_t port, void *data);
void export_each_server(const struct settings *settings, export_server_fn *visit, void *data);

#endif
