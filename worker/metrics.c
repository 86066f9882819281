#include "worker/metrics.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/prometheus.h"
#include "core/units.h"
#include "http/accept.h"
#include "worker/vitals.h"
#include "worker/worker.h"

#include <stdio.h>

#define GIB (1024.0 * (double)MIB)

struct figures {
    double uptime;
    uint64_t requests;
    double rate_per_minute;
    double cpu_percent;
    unsigned cpu_count;
    struct vitals_memory memory;
    struct vitals_disk disk;
    struct traffic_totals traffic;
};

static struct figures read_figures(struct worker *worker)
{
    struct figures f = {
        .uptime = worker_uptime_seconds(worker),
        .requests = worker->requests,
        .cpu_percent = cpu_meter_percent(&worker->cpu),
        .cpu_count = vitals_cpu_count(),
        .memory = vitals_memory(),
        .disk = vitals_disk(),
        .traffic = traffic_totals(&worker->traffic, worker->server),
    };

    if (f.uptime > 0)
        f.rate_per_minute = (double)f.requests * 60.0 / f.uptime;
    return f;
}

static void write_json(struct json_writer *w, const struct figures *f)
{
    json_member_timestamp(w, "timestamp", clock_realtime_us());
    json_member_fixed2(w, "uptime_seconds", f->uptime);

    json_key(w, "requests");
    json_begin_object(w);
    json_member_uint(w, "total", f->requests);
    json_member_fixed2(w, "rate_per_minute", f->rate_per_minute);
    json_end_object(w);

    json_key(w, "cpu");
    json_begin_object(w);
    json_member_fixed2(w, "percent", f->cpu_percent);
    json_member_uint(w, "count", f->cpu_count);
    json_end_object(w);

    json_key(w, "memory");
    json_begin_object(w);
    json_member_fixed2(w, "total_mb", (double)f->memory.total / (double)MIB);
    json_member_fixed2(w, "available_mb", (double)f->memory.available / (double)MIB);
    json_member_fixed2(w, "used_mb", (double)f->memory.used / (double)MIB);
    json_member_fixed2(w, "percent", f->memory.percent);
    json_end_object(w);

    json_key(w, "disk");
    json_begin_object(w);
    json_member_fixed2(w, "total_gb", (double)f->disk.total / GIB);
    json_member_fixed2(w, "used_gb", (double)f->disk.used / GIB);
    json_member_fixed2(w, "free_gb", (double)f->disk.free / GIB);
    json_member_fixed2(w, "percent", f->disk.percent);
    json_end_object(w);

    json_key(w, "network");
    json_begin_object(w);
    json_member_uint(w, "bytes_sent", f->traffic.bytes_sent);
    json_member_uint(w, "bytes_recv", f->traffic.bytes_received);
    json_member_uint(w, "packets_sent", f->traffic.packets_sent);
    json_member_uint(w, "packets_recv", f->traffic.packets_received);
    json_end_object(w);
}

static void write_prometheus(struct buffer *out, const struct worker *worker, const struct figures *f)
{
    const struct {
        const char *name;
        const char *type;
        const char *help;
        double value;
    } samples[] = {
        {"farm_worker_uptime_seconds", "gauge", "Seconds since the server started.", f->uptime},
        {"farm_worker_requests_total", "counter", "Requests, without health checks and metrics.", (double)f->requests},
        {"farm_worker_cpu_percent", "gauge", "CPU of the last second, in percent of the limit.", f->cpu_percent},
        {"farm_worker_cpu_count", "gauge", "Processors of the machine.", (double)f->cpu_count},
        {"farm_worker_memory_total_bytes", "gauge", "The memory limit.", (double)f->memory.total},
        {"farm_worker_memory_available_bytes", "gauge", "Memory up to the limit.", (double)f->memory.available},
        {"farm_worker_memory_used_bytes", "gauge", "Memory in use.", (double)f->memory.used},
        {"farm_worker_memory_percent", "gauge", "Memory in use, in percent of the limit.", f->memory.percent},
        {"farm_worker_disk_total_bytes", "gauge", "Size of the file system.", (double)f->disk.total},
        {"farm_worker_disk_used_bytes", "gauge", "Used bytes of the file system.", (double)f->disk.used},
        {"farm_worker_disk_free_bytes", "gauge", "Free bytes of the file system.", (double)f->disk.free},
        {"farm_worker_disk_percent", "gauge", "Use of the file system in percent.", f->disk.percent},
        {"farm_worker_network_sent_bytes_total", "counter", "Bytes sent to clients.", (double)f->traffic.bytes_sent},
        {"farm_worker_network_received_bytes_total", "counter", "Bytes received from clients.",
         (double)f->traffic.bytes_received},
        {"farm_worker_network_sent_packets_total", "counter", "TCP segments sent.", (double)f->traffic.packets_sent},
        {"farm_worker_network_received_packets_total", "counter", "TCP segments received.",
         (double)f->traffic.packets_received},
    };
    struct buffer labels = BUFFER_EMPTY;

    prometheus_label(&labels, "server_id", worker->options.server_id);
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        prometheus_family(out, samples[i].name, samples[i].type, samples[i].help);
        prometheus_sample(out, samples[i].name, labels.data, samples[i].value);
    }
    prometheus_family(out, "farm_worker_responses_total", "counter", "Answers by the first digit of their status.");
    for (unsigned i = 0; i < COUNTERS_STATUS_CLASSES; i++) {
        char class[] = {(char)('1' + i), 'x', 'x', '\0'};
        buffer_clear(&labels);
        prometheus_label(&labels, "server_id", worker->options.server_id);
        prometheus_label(&labels, "class", class);
        prometheus_sample(out, "farm_worker_responses_total", labels.data,
                          (double)atomic_load_explicit(&worker->counters->responses[i], memory_order_relaxed));
    }
    buffer_done(&labels);
}

/* Text only for those who want it more than JSON: a scraper names it, everybody else says application/json or any. */
static bool wants_text(const struct http_request *request)
{
    unsigned json = http_accept_quality(request, JSON_CONTENT_TYPE);

    return http_accept_quality(request, "text/plain") > json ||
           http_accept_quality(request, "application/openmetrics-text") > json;
}

void metrics_handle(struct http_request *request, const struct http_match *match)
{
    struct worker *worker = match->data;
    struct figures figures = read_figures(worker);

    http_respond_header(request, "Vary", "Accept");
    if (wants_text(request)) {
        struct buffer text = BUFFER_EMPTY;
        write_prometheus(&text, worker, &figures);
        http_respond(request, 200, PROMETHEUS_CONTENT_TYPE, text.data, text.length);
        buffer_done(&text);
        return;
    }
    struct json_writer w = worker_begin_identified(worker);
    write_json(&w, &figures);
    worker_end_answer(worker, &w, request);
}
