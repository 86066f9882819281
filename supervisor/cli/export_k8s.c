/*
 * The farm as Kubernetes manifests: a Deployment and a Service for each server, in one List, which kubectl takes as it is.
 * Kubernetes restarts, probes and limits by itself, so all of that is said in its own words; a profile of delays it has only
 * one of, its own.
 */
#include "supervisor/cli/export.h"

#include "core/memory.h"
#include "supervisor/config/yaml_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVER_PORT 8000 /* that a server listens on in its pod */
#define WORKER_IMAGE "farm-worker:" FARMD_VERSION
#define MILLI 1000          /* of a core */
#define NODE_PORT_LOW 30000 /* a cluster's usual range of ports on its nodes */
#define NODE_PORT_HIGH 32767

static void append_text(struct buffer *out, const char *indent, const char *key, const char *value)
{
    buffer_printf(out, "%s%s: ", indent, key);
    yaml_write_text(out, value);
    buffer_append_char(out, '\n');
}

static void append_labels(struct buffer *out, const char *indent, const struct group_settings *group, unsigned id)
{
    buffer_printf(out, "%slabels:\n%s  app: farmd\n%s  server: server-%u\n%s  group: ", indent, indent, indent, id,
                  indent);
    yaml_write_text(out, group->name);
    buffer_append_char(out, '\n');
}

/* A label of Kubernetes may hold less than ours, an annotation anything. */
static void append_annotations(struct buffer *out, const struct group_settings *group)
{
    if (group->label_count > 0)
        buffer_append_text(out, "    annotations:\n");
    for (size_t i = 0; i < group->label_count; i++) {
        buffer_append_text(out, "      ");
        char *key = xasprintf("farmd/%s", group->labels[i].key);
        yaml_write_text(out, key);
        free(key);
        buffer_append_text(out, ": ");
        yaml_write_text(out, group->labels[i].value);
        buffer_append_char(out, '\n');
    }
}

static void append_variable(struct buffer *out, const char *name, const char *value)
{
    buffer_append_text(out, "          - name: ");
    yaml_write_text(out, name);
    buffer_append_char(out, '\n');
    append_text(out, "            ", "value", value);
}

static void append_number(struct buffer *out, const char *name, unsigned value)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", value);
    append_variable(out, name, text);
}

static void append_environment(struct buffer *out, const struct group_settings *group, unsigned id)
{
    buffer_append_text(out, "          env:\n");
    append_number(out, "SERVER_ID", id);
    append_number(out, "PORT", SERVER_PORT);
    append_number(out, "SERVER_PORT", SERVER_PORT);
    append_variable(out, "SERVER_HOST", "0.0.0.0");
    if (group->access_log)
        append_variable(out, "ACCESS_LOG", "1");
    for (size_t i = 0; i < group->environment_count; i++)
        append_variable(out, group->environment[i].key, group->environment[i].value);
}

static void append_resources(struct buffer *out, const struct limits *limits)
{
    buffer_printf(out,
                  "          resources:\n            limits: {cpu: %um, memory: \"%llu\"}\n"
                  "            requests: {cpu: %um, memory: \"%llu\"}\n",
                  (unsigned)(limits->cpu * MILLI + 0.5), (unsigned long long)limits->memory,
                  (unsigned)(limits->cpu_reservation * MILLI + 0.5), (unsigned long long)limits->memory_reservation);
}

/* Whole seconds, at least one, are all that Kubernetes knows. */
static long long seconds(int64_t ms)
{
    return ms <= 1000 ? 1 : (long long)((ms + 999) / 1000);
}

static void append_probe(struct buffer *out, const char *name, const struct probe_settings *probe)
{
    if (!probe->enabled)
        return;
    buffer_printf(out, "          %s:\n            httpGet: {port: %d, path: ", name, SERVER_PORT);
    yaml_write_text(out, probe->path);
    buffer_printf(out, "}\n            periodSeconds: %lld\n            timeoutSeconds: %lld\n",
                  seconds(probe->interval_ms), seconds(probe->timeout_ms));
    if (probe->start_period_ms > 0)
        buffer_printf(out, "            initialDelaySeconds: %lld\n", seconds(probe->start_period_ms));
    buffer_printf(out, "            failureThreshold: %u\n", probe->retries);
}

static void append_container(struct buffer *out, const struct group_settings *group, unsigned id, const char *image)
{
    buffer_append_text(out, "        - name: server\n");
    append_text(out, "          ", "image", group->image ? group->image : image);
    buffer_append_text(out, "          imagePullPolicy: IfNotPresent\n");
    if (group->command) {
        buffer_append_text(out, "          args: [");
        for (char **word = group->command; *word; word++) {
            buffer_append_text(out, word == group->command ? "" : ", ");
            yaml_write_text(out, *word);
        }
        buffer_append_text(out, "]\n");
    }
    append_environment(out, group, id);
    buffer_printf(out, "          ports:\n          - containerPort: %d\n", SERVER_PORT);
    append_resources(out, &group->limits);
    append_probe(out, "startupProbe", &group->probes[PROBE_STARTUP]);
    append_probe(out, "livenessProbe", &group->probes[PROBE_LIVENESS]);
    append_probe(out, "readinessProbe", &group->probes[PROBE_READINESS]);
    buffer_append_text(out, "          securityContext:\n            allowPrivilegeEscalation: false\n"
                            "            readOnlyRootFilesystem: true\n            capabilities: {drop: [ALL]}\n");
}

static void append_deployment(struct buffer *out, const struct group_settings *group, unsigned id, const char *image)
{
    buffer_printf(out, "- apiVersion: apps/v1\n  kind: Deployment\n  metadata:\n    name: server-%u\n", id);
    append_labels(out, "    ", group, id);
    append_annotations(out, group);
    buffer_printf(out,
                  "  spec:\n    replicas: 1\n    strategy: {type: Recreate}\n    selector:\n      matchLabels:\n"
                  "        app: farmd\n        server: server-%u\n    template:\n      metadata:\n",
                  id);
    append_labels(out, "        ", group, id);
    buffer_printf(
        out,
        "      spec:\n        hostname: server-%u\n        terminationGracePeriodSeconds: %lld\n"
        "        automountServiceAccountToken: false\n        enableServiceLinks: false\n        containers:\n",
        id, seconds(group->stop_grace_ms));
    append_container(out, group, id, image);
}

/* By its name inside the cluster; from outside where its port is one that nodes may publish. */
static void append_service(struct buffer *out, const struct group_settings *group, unsigned id, uint16_t port)
{
    bool published = port >= NODE_PORT_LOW && port <= NODE_PORT_HIGH;

    buffer_printf(out, "- apiVersion: v1\n  kind: Service\n  metadata:\n    name: server-%u\n", id);
    append_labels(out, "    ", group, id);
    buffer_printf(out,
                  "  spec:\n    type: %s\n    selector:\n      app: farmd\n      server: server-%u\n    ports:\n"
                  "    - {name: http, port: %u, targetPort: %d",
                  published ? "NodePort" : "ClusterIP", id, port, SERVER_PORT);
    if (published)
        buffer_printf(out, ", nodePort: %u", port);
    buffer_append_text(out, "}\n");
}

struct exporting {
    struct buffer *out;
    const char *image;
};

static void append_server(const struct group_settings *group, unsigned id, uint16_t port, void *data)
{
    const struct exporting *exporting = data;

    append_deployment(exporting->out, group, id, exporting->image);
    append_service(exporting->out, group, id, port);
}

/* A Deployment starts its pods again whatever they end with, and nothing else is one server that stays one. */
static int check_groups(const struct settings *settings, const struct export_options *options, struct error *err)
{
    for (size_t i = 0; i < settings->group_count; i++) {
        const struct group_settings *group = &settings->groups[i];
        if (group->restart != RESTART_ALWAYS)
            return error_set(
                err, EINVAL,
                "group %s: restart: %s has no counterpart; a Deployment restarts always: set restart: always",
                group->name, restart_policy_name(group->restart));
        if (group->command && !group->image && !options->image)
            return error_set(err, EINVAL, "group %s runs a program of yours: say which image has it: --image NAME",
                             group->name);
    }
    return 0;
}

int export_k8s(const struct settings *settings, const struct export_options *options, struct buffer *out,
               struct error *err)
{
    struct exporting exporting = {.out = out, .image = options->image ? options->image : WORKER_IMAGE};
    int code = check_groups(settings, options, err);

    if (code < 0)
        return code;
    buffer_printf(out,
                  "# Made by `farmd export k8s`: kubectl apply -f FILE. The nodes need the image %s.\n"
                  "# Kubernetes restarts with its own delays: at once, then 10 s doubling to 300 s.\n",
                  exporting.image);
    buffer_append_text(out, "apiVersion: v1\nkind: List\nitems:\n");
    export_each_server(settings, append_server, &exporting);
    return 0;
}
