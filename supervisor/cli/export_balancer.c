/*
 * The farm behind a load balancer: all servers, and each group by itself where there are several.
 */
#include "supervisor/cli/export.h"

#include "core/clock.h"

#include <string.h>

struct listing {
    struct buffer *out;
    const struct group_settings *group; /* only its servers; NULL: all */
};

/* A group's name as part of another program's names. */
static void append_name(struct buffer *out, const struct group_settings *group)
{
    buffer_append_text(out, "farm");
    if (group)
        buffer_printf(out, "_%s", group->name);
}

static const struct probe_settings *check_of(const struct group_settings *group)
{
    return &group->probes[PROBE_LIVENESS];
}

/* Calls append for the whole farm and, where there are several, for each group. */
static void each_upstream(const struct settings *settings, struct buffer *out,
                          void (*append)(const struct settings *settings, const struct group_settings *group,
                                         struct buffer *out))
{
    append(settings, NULL, out);
    for (size_t i = 0; settings->group_count > 1 && i < settings->group_count; i++)
        append(settings, &settings->groups[i], out);
}

/* --- nginx --- */

static void append_nginx_server(const struct group_settings *group, unsigned id, uint16_t port, void *data)
{
    const struct listing *listing = data;
    if (!listing->group || listing->group == group)
        buffer_printf(listing->out, "    server 127.0.0.1:%u; # server-%u\n", port, id);
}

static void append_nginx_upstream(const struct settings *settings, const struct group_settings *group,
                                  struct buffer *out)
{
    struct listing listing = {.out = out, .group = group};
    buffer_append_text(out, "upstream ");
    append_name(out, group);
    buffer_append_text(out, " {\n");
    export_each_server(settings, append_nginx_server, &listing);
    buffer_append_text(out, "    keepalive 64;\n}\n\n");
}

void export_nginx(const struct settings *settings, const struct export_options *options, struct buffer *out)
{
    buffer_append_text(out,
                       "# Made by `farmd export nginx`; for the http block (such as /etc/nginx/conf.d/farm.conf).\n\n");
    each_upstream(settings, out, append_nginx_upstream);
    buffer_printf(out,
                  "server {\n"
                  "    listen 127.0.0.1:%u;\n\n"
                  "    location / {\n"
                  "        proxy_pass http://farm;\n"
                  "        proxy_http_version 1.1;\n"
                  "        proxy_set_header Connection \"\";\n"
                  "        proxy_set_header Host $host;\n"
                  "        proxy_next_upstream error timeout;\n"
                  "    }\n"
                  "}\n",
                  options->listen);
}

/* --- haproxy --- */

static void append_haproxy_server(const struct group_settings *group, unsigned id, uint16_t port, void *data)
{
    const struct listing *listing = data;
    const struct probe_settings *check = check_of(group);
    if (listing->group && listing->group != group)
        return;
    buffer_printf(listing->out, "    server server-%u 127.0.0.1:%u", id, port);
    if (check->enabled)
        buffer_printf(listing->out, " check inter %llds fall %u",
                      (long long)((check->interval_ms + 999) / MS_PER_SECOND), check->retries);
    buffer_append_char(listing->out, '\n');
}

static void append_haproxy_backend(const struct settings *settings, const struct group_settings *group,
                                   struct buffer *out)
{
    struct listing listing = {.out = out, .group = group};
    const struct probe_settings *check = check_of(group ? group : &settings->groups[0]);
    buffer_append_text(out, "backend ");
    append_name(out, group);
    buffer_append_text(out, "\n    balance roundrobin\n");
    if (check->enabled)
        buffer_printf(out, "    option httpchk GET %s\n", check->path);
    export_each_server(settings, append_haproxy_server, &listing);
    buffer_append_char(out, '\n');
}

void export_haproxy(const struct settings *settings, const struct export_options *options, struct buffer *out)
{
    buffer_printf(out,
                  "# Made by `farmd export haproxy`: haproxy -f farm.cfg\n\n"
                  "defaults\n"
                  "    mode http\n"
                  "    timeout connect 3s\n"
                  "    timeout client 60s\n"
                  "    timeout server 60s\n\n"
                  "frontend farm_in\n"
                  "    bind 127.0.0.1:%u\n"
                  "    default_backend farm\n\n",
                  options->listen);
    each_upstream(settings, out, append_haproxy_backend);
    out->length--; /* no blank line at the end */
    out->data[out->length] = '\0';
}
