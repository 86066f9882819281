/*
 * What can be said of a result without knowing how it came about.
 */
#include "supervisor/load/result.h"

#include <stdlib.h>

const char *load_error_name(enum load_error error)
{
    switch (error) {
    case LOAD_REFUSED:
        return "refused";
    case LOAD_RESET:
        return "reset";
    case LOAD_TIMEOUT:
        return "timeout";
    case LOAD_SHORT_BODY:
        return "short_body";
    case LOAD_BAD_HTTP:
        return "bad_http";
    case LOAD_LOCAL:
        return "local";
    case LOAD_ERRORS:
        break;
    }
    return "unknown";
}

const char *load_error_text(enum load_error error)
{
    switch (error) {
    case LOAD_SHORT_BODY:
        return "answer cut short";
    case LOAD_BAD_HTTP:
        return "bad response";
    case LOAD_LOCAL:
        return "out of descriptors, ports or memory here";
    case LOAD_REFUSED:
    case LOAD_RESET:
    case LOAD_TIMEOUT:
    case LOAD_ERRORS:
        break;
    }
    return load_error_name(error);
}

void load_counts_add(struct load_counts *into, const struct load_counts *from)
{
    into->requests += from->requests;
    into->answered += from->answered;
    for (unsigned i = 0; i < LOAD_ERRORS; i++)
        into->errors[i] += from->errors[i];
    into->unfinished += from->unfinished;
    into->status_200 += from->status_200;
    for (unsigned i = 0; i < LOAD_STATUS_CLASSES; i++)
        into->status_class[i] += from->status_class[i];
    into->connects += from->connects;
    into->bytes_sent += from->bytes_sent;
    into->bytes_received += from->bytes_received;
}

uint64_t load_counts_broken(const struct load_counts *counts)
{
    uint64_t broken = 0;

    for (unsigned i = 0; i < LOAD_ERRORS; i++)
        broken += counts->errors[i];
    return broken;
}

uint64_t load_counts_failed(const struct load_counts *counts)
{
    return load_counts_broken(counts) + counts->status_class[3] + counts->status_class[4];
}

const struct latency *load_result_service(const struct load_result *result)
{
    return result->model == LOAD_CLOSED ? &result->latency : &result->service;
}

void load_result_free(struct load_result *result)
{
    if (!result)
        return;
    for (size_t i = 0; i < result->target_count; i++) {
        latency_done(&result->targets[i].latency);
        latency_done(&result->targets[i].service);
    }
    latency_done(&result->latency);
    latency_done(&result->service);
    latency_done(&result->send_delay);
    free(result->targets);
    free(result->points);
    free(result->verdicts);
    free(result);
}
