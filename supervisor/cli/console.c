/*
 * The terminal's side of a running farm. Which events are told, and how, is one table; all other events are for the
 * API's readers.
 */
#include "supervisor/cli/console.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/streams.h"
#include "core/units.h"
#include "supervisor/cli/frame/address.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXAMPLE_SERVERS ((size_t)10) /* as many as the example loads */
#define ERASE_LINE "\r\033[K"

/* What goes to stdout. Nobody reading it must not hold the farm up, so it leaves by the log's way. */
static void __attribute__((format(printf, 1, 2))) print(const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    log_emit(STDOUT_FILENO, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

/* --- the opening --- */

static const char *enforcement_words(const struct farm *farm)
{
    const char *enforcement = farm_enforcement(farm);
    if (strcmp(enforcement, "cgroup2") == 0) {
        return "enforced by cgroup v2";
    }
    return strcmp(enforcement, "cgroup1") == 0 ? "enforced by cgroup v1" : "limits not in force";
}

/* Which kinds of limits are only wishes here: " but for cpu and pids". */
static const char *exceptions(const struct runtime_enforced *enforced, char *out, size_t size)
{
    const char *const missing[] = {enforced->cpu ? NULL : "cpu", enforced->memory ? NULL : "memory",
                                   enforced->pids ? NULL : "pids"};
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
        if (missing[i] != NULL) {
            used += (size_t)snprintf(out + used, size - used, "%s%s", used == 0 ? " but for " : " and ", missing[i]);
        }
    }
    return out;
}

/* "0.5 CPU and 256 MB each, enforced by cgroup v1", or that the groups differ. Figures that hold nobody back are not
 * named. */
static void limits_words(const struct farm *farm, char *out, size_t size)
{
    const struct settings *settings = farm_settings(farm);
    const struct runtime_enforced enforced = farm_enforced(farm);
    char but[48];
    const char *enforcement = enforcement_words(farm);
    exceptions(&enforced, but, sizeof but);
    if (strcmp(farm_enforcement(farm), "none") == 0) {
        snprintf(out, size, "%s", enforcement);
        return;
    }
    const struct limits *limits = &settings->groups[0].limits;
    for (size_t i = 1; i < settings->group_count; i++) {
        if (!limits_equal(limits, &settings->groups[i].limits)) {
            snprintf(out, size, "limits by group, %s%s", enforcement, but);
            return;
        }
    }
    char cpu[32] = "", memory[24] = "";
    if (enforced.cpu) {
        snprintf(cpu, sizeof cpu, "%g CPU", limits->cpu);
    }
    if (enforced.memory) {
        units_format_size(memory, limits->memory);
    }
    snprintf(out, size, "%s%s%s each, %s%s", cpu, enforced.cpu && enforced.memory ? " and " : "", memory, enforcement,
             but);
}

static void print_warning(const struct farm *farm)
{
    const char *warning = farm_enforcement_warning(farm);
    if (warning != NULL) {
        log_warning("%s", warning);
    }
}

void console_settings_warnings(const struct settings *settings)
{
    struct buffer text = BUFFER_EMPTY;
    settings_warn_here(settings, &text);
    char *rest = NULL;
    char *line = text.length > 0 ? strtok_r(text.data, "\n", &rest) : NULL;
    for (; line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        log_warning("%s", line);
    }
    buffer_done(&text);
}

void console_opening(const struct farm *farm)
{
    char limits[160];
    limits_words(farm, limits, sizeof limits);
    unsigned count = settings_total_servers(farm_settings(farm));
    if (log_format() == LOG_FORMAT_JSON) {
        log_info("farmd " FARMD_VERSION ": starting %u server%s, %s", count, count == 1 ? "" : "s", limits);
    } else {
        print("farmd " FARMD_VERSION " · %u server%s, %s\n", count, count == 1 ? "" : "s", limits);
    }
    print_warning(farm);
    if (strcmp(farm_enforcement(farm), "none") != 0) {
        console_settings_warnings(farm_settings(farm));
    }
}

/* As a person can type it: where farmd was built it is not in PATH, and into a container leads Docker. */
static void program_words(const struct settings *settings, char *out, size_t size)
{
    char host[HOST_NAME_MAX + 1] = "";
    if (settings->docker.in_network && gethostname(host, sizeof host - 1) == 0)
        snprintf(out, size, "docker exec %s /farmd", host);
    else
        snprintf(out, size, "%s", strcmp(program_invocation_name, "./farmd") == 0 ? "./farmd" : "farmd");
}

void console_next_steps(const struct settings *settings, size_t servers)
{
    char program[HOST_NAME_MAX + 32], where[24] = "";
    program_words(settings, program, sizeof program);
    if (settings->api.port != ADDRESS_DEFAULT_PORT && !settings->docker.in_network)
        snprintf(where, sizeof where, " --api :%u", settings->api.port);
    print("%s ps%s · %s top%s · %s load %s%s\n", program, where, program, where, program,
          servers < EXAMPLE_SERVERS ? "all" : "1-10", where);
}

/* --- the ready line --- */

/* As it stands open on the terminal while it counts up in place; empty when it doesn't. */
static char open_line[128];

static bool draws_in_place(void)
{
    return log_format() == LOG_FORMAT_TEXT && streams_steer(STDOUT_FILENO);
}

/* What is told meanwhile takes the open line's place and has it below. */
static void lift_ready_line(void)
{
    if (open_line[0] != '\0') {
        print(ERASE_LINE);
    }
}

static void put_ready_line_back(void)
{
    if (open_line[0] != '\0') {
        print("%s", open_line);
    }
}

static void ready_words(const struct farm_progress *progress, char *out, size_t size)
{
    int n = snprintf(out, size, "%u/%u in %.2f s", progress->ready, progress->total,
                     (double)progress->elapsed_ms / (double)MS_PER_SECOND);
    if (progress->settled == progress->total && progress->ready < progress->total) {
        snprintf(out + n, size - (size_t)n, ", %u could not start yet", progress->total - progress->ready);
    }
}

void console_adopted(const struct farm_progress *progress)
{
    const char *many = progress->adopted == 1 ? "" : "s";
    char duration[24];
    units_format_duration(duration, progress->adopted_ms);
    if (log_format() == LOG_FORMAT_JSON) {
        log_info("adopted %u server%s in %s", progress->adopted, many, duration);
    } else {
        print("  adopted     %u server%s in %s\n", progress->adopted, many, duration);
    }
}

void console_progress(const struct farm *farm, const struct farm_progress *progress)
{
    static int64_t drawn_ms;
    (void)farm;
    bool last = progress->settled == progress->total;
    bool in_place = draws_in_place();
    int64_t now_ms = clock_monotonic_ms();
    /* 20 drawings a second are fluid; more would only cost the start its time. */
    if (!last && (!in_place || now_ms - drawn_ms < 50)) {
        return;
    }
    drawn_ms = now_ms;
    char words[96];
    ready_words(progress, words, sizeof words);
    if (log_format() == LOG_FORMAT_JSON) {
        log_info("ready %s", words);
        return;
    }
    lift_ready_line();
    snprintf(open_line, sizeof open_line, "  ready       %s", words);
    print("%s%s", open_line, last ? "\n" : "");
    if (last) {
        open_line[0] = '\0';
    }
}

/* --- the addresses --- */

/* A wildcard address is reached as localhost from here, and that of a container by the port that it publishes. */
static void url_of(const struct settings *settings, const struct listen_settings *listen, char *out, size_t size)
{
    bool wildcard =
        strcmp(listen->host, "0.0.0.0") == 0 || strcmp(listen->host, "::") == 0 || settings->docker.in_network;
    bool bare_ipv6 = !wildcard && strchr(listen->host, ':') != NULL && listen->host[0] != '[';
    snprintf(out, size, bare_ipv6 ? "http://[%s]:%u" : "http://%s:%u", wildcard ? "localhost" : listen->host,
             listen->port);
}

static void print_text_addresses(const struct farm *farm, const char *api, const char *dashboard)
{
    size_t count = farm_server_count(farm);
    if (dashboard != NULL) {
        print("  dashboard   %s\n", dashboard);
    }
    print("  API         %s     docs: %s/docs\n", api, api);
    print("  servers     %s%s%s\n", farm_server_at(farm, 0)->url, count > 1 ? " … " : "",
          count > 1 ? farm_server_at(farm, count - 1)->url : "");
    print("Ctrl-C stops them all. From another terminal: ");
    console_next_steps(farm_settings(farm), count);
}

void console_addresses(const struct farm *farm)
{
    const struct settings *settings = farm_settings(farm);
    char api[96], dashboard[96];
    url_of(settings, &settings->api, api, sizeof api);
    url_of(settings, &settings->dashboard, dashboard, sizeof dashboard);
    bool has_dashboard = settings->dashboard.port != 0;
    if (log_format() == LOG_FORMAT_JSON) {
        log_info("serving: API %s, dashboard %s", api, has_dashboard ? dashboard : "none");
    } else {
        print_text_addresses(farm, api, has_dashboard ? dashboard : NULL);
    }
}

/* --- events --- */

enum telling {
    TELL_NOT,
    TELL,
    TELL_ENDING,   /* only when nothing follows: a retry, a recovery or a giving up tells it too */
    TELL_RECOVERY, /* only when it ends an outage */
    TELL_WAIT,     /* with the fix where there is one */
};

static const enum telling tellings[REASON_COUNT] = {
    [REASON_READY] = TELL_RECOVERY,
    [REASON_CRASHED] = TELL_ENDING,
    [REASON_COMPLETED] = TELL_ENDING,
    [REASON_OOM_KILLED] = TELL_ENDING,
    [REASON_START_FAILED] = TELL_ENDING,
    [REASON_PORT_TAKEN] = TELL_ENDING,
    [REASON_START_TIMEOUT] = TELL,
    [REASON_LIVENESS_FAILED] = TELL,
    [REASON_BACKOFF] = TELL_WAIT,
    [REASON_GAVE_UP] = TELL,
    [REASON_STOP_FORCED] = TELL,
    [REASON_SCALED] = TELL,
    [REASON_RELOADED] = TELL,
    [REASON_ACCEPT_FAILED] = TELL,
    [REASON_PROBES_FAILED] = TELL,
    [REASON_STARTS_FAILED] = TELL,
    [REASON_STATE_NOT_SAVED] = TELL,
    [REASON_LOGS_NOT_KEPT] = TELL,
    [REASON_STATISTICS_MISSING] = TELL,
    [REASON_CGROUPS_LEFT] = TELL,
    [REASON_LIMITS_REFUSED] = TELL,
    [REASON_CLOCK_STEPPED] = TELL,
    [REASON_RECOVERED] = TELL,
};

/* In text the time leads and the words say how bad it is; a program that reads JSON filters by level and fields. */
static void tell(const struct event *event, const char *text)
{
    const struct log_field fields[] = {
        {.key = "reason", .text = event_reason_name(event->reason)},
        {.key = "server_id", .number = event->server_id},
    };
    size_t count = event->server_id > 0 ? ARRAY_SIZE(fields) : 1; /* the farm's own have no server */
    bool warning = event_reason_is_warning(event->reason) && log_format() == LOG_FORMAT_JSON;
    lift_ready_line();
    log_write_with(warning ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, fields, count, "%s", text);
    put_ready_line_back();
}

/* A storm of a thousand servers must not drown the one line that matters: counts what it leaves out. */
static bool within_rate(void)
{
    static int64_t window_ms;
    static unsigned told, left_out;
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms - window_ms >= MS_PER_SECOND) {
        if (left_out > 0) {
            lift_ready_line();
            log_info("… and %u more of these: /api/events has them all", left_out);
            put_ready_line_back();
        }
        window_ms = now_ms;
        told = left_out = 0;
    }
    if (told >= CONSOLE_LINES_PER_SECOND) {
        left_out++;
        return false;
    }
    told++;
    return true;
}

static void tell_recovery(const struct event *event, const struct server *server)
{
    char duration[24], text[EVENT_MESSAGE_MAX];
    units_format_duration(duration, event->duration_ms);
    snprintf(text, sizeof text, "%s restarted: %s, back in %s", server->name,
             event_reason_name(server->last_exit.reason), duration);
    tell(event, text);
}

/* The fix is said once in a row of failures; the waits behind it are lines of their own. */
static void tell_wait(const struct event *event, const struct server *server)
{
    if (server == NULL || server->last_exit.reason != REASON_PORT_TAKEN || server->backoff.failures > 1) {
        tell(event, event->message);
        return;
    }
    char text[EVENT_MESSAGE_MAX + 80];
    snprintf(text, sizeof text, "%s\n  fix: end that program, or start the farm with another --base-port",
             event->message);
    tell(event, text);
}

static bool is_worth_telling(const struct event *event, const struct server *server)
{
    switch (tellings[event->reason]) {
    case TELL_NOT:
        return false;
    case TELL_ENDING:
        return server != NULL && server->lifecycle.state == SERVER_STOPPED;
    case TELL_RECOVERY:
        return server != NULL && event->duration_ms >= 0 && server->last_exit.known &&
               server->last_exit.reason != REASON_STOPPED;
    case TELL_WAIT:
        /* What keeps servers from starting is told once for all of them. */
        return server == NULL || server->last_exit.reason != REASON_START_FAILED ||
               !farm_has_trouble(server->farm, TROUBLE_STARTS);
    case TELL:
        break;
    }
    return true;
}

void console_event(const struct farm *farm, const struct event *event)
{
    const struct server *server = farm_server(farm, event->server_id);
    if (!is_worth_telling(event, server) || !within_rate()) {
        return;
    }
    if (tellings[event->reason] == TELL_RECOVERY) {
        tell_recovery(event, server);
    } else if (tellings[event->reason] == TELL_WAIT) {
        tell_wait(event, server);
    } else {
        tell(event, event->message);
    }
}

/* --- the end --- */

void console_stopping(const struct farm *farm, bool forced)
{
    size_t count = farm_server_count(farm);
    if (draws_in_place()) {
        print(ERASE_LINE); /* the ready line of a start that is cut short, or the terminal's ^C */
        open_line[0] = '\0';
    }
    if (forced) {
        log_info("killing what still runs");
    } else {
        log_info("stopping %zu server%s; a second signal kills them", count, count == 1 ? "" : "s");
    }
}

void console_stopped(int64_t elapsed_ms)
{
    char duration[24];
    units_format_duration(duration, elapsed_ms);
    log_info("stopped in %s", duration);
}
