/*
 * How many requests a farm-worker in a container has answered: its counters lie in there, where nobody maps them, so it is
 * asked over HTTP, as a Prometheus scraper would, since that format tells failures too. What it says is put where the
 * counters of process mode would be. Latencies it does not tell.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/clock.h"
#include "core/memory.h"
#include "http/client.h"

#include <stdlib.h>
#include <string.h>

#define METRICS_TIMEOUT_MS 2000
#define METRICS_MAX_BODY ((size_t)64 * 1024)
#define SERVER_ERRORS 4 /* the place of 5xx among the classes of statuses */

/* The value of the first sample whose line begins with `name` and has `label` in it; false: there is none. */
static bool find_sample(const char *text, const char *name, const char *label, uint64_t *value)
{
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t length = strcspn(line, "\n");
        const char *space = memrchr(line, ' ', length);
        const char *found = strstr(line, label);
        if (strncmp(line, name, strlen(name)) == 0 && space && found && found < space) {
            double number = strtod(space + 1, NULL);
            if (!(number >= 0 && number < 1e18))
                return false;
            *value = (uint64_t)number;
            return true;
        }
    }
    return false;
}

bool worker_metrics_parse(const char *text, uint64_t *requests, uint64_t *errors)
{
    return find_sample(text, "farm_worker_requests_total{", "", requests) &&
           find_sample(text, "farm_worker_responses_total{", "class=\"5xx\"", errors);
}

static void on_metrics(void *data, const struct http_client_response *response)
{
    struct runtime_process *run = data;
    uint64_t requests, errors;

    run->metrics_asked = false;
    if (response->outcome != HTTP_OK || response->status != 200 ||
        !worker_metrics_parse(response->body, &requests, &errors))
        return;
    if (!run->counters)
        run->counters = xcalloc(1, sizeof(*run->counters));
    run->counters->magic = COUNTERS_MAGIC;
    run->counters->version = COUNTERS_VERSION;
    atomic_store(&run->counters->requests, requests);
    atomic_store(&run->counters->responses[SERVER_ERRORS], errors);
    run->counters_at_ns = clock_monotonic_ns();
}

void worker_metrics_ask(struct runtime_process *run)
{
    const struct http_client_request request = {.method = "GET",
                                                .target = "/metrics",
                                                .headers = "Accept: text/plain\r\n",
                                                .timeout_ms = METRICS_TIMEOUT_MS,
                                                .max_body = METRICS_MAX_BODY};
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(run->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    docker_address(run, &address);
    if (!run->metrics)
        run->metrics = http_client_new_in(run->runtime->loop, &address);
    run->metrics_asked = true;
    http_client_send(run->metrics, &request, on_metrics, run);
}
