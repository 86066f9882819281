/*
 * See options.h. What the engine itself refuses (ranges of several flags together) is said by load_plan_check.
 */
#include "supervisor/cli/load/options.h"

#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_MS 86400000.0
#define HOUR_MS 3600000.0

const struct cli_flag load_plan_flags[] = {
    {.name = "--connections",
     .letter = 'c',
     .kind = CLI_INT,
     .argument = "N",
     .min = 1,
     .max = LOAD_MAX_RUN_CONNECTIONS,
     .preset = "10",
     .help = "connections to each target"},
    {.name = "--duration",
     .letter = 'd',
     .kind = CLI_DURATION,
     .argument = "TIME",
     .min = 1,
     .max = DAY_MS,
     .help = "how long to send; 10s where neither this, -n nor --stages is given"},
    {.name = "--requests",
     .letter = 'n',
     .kind = CLI_INT,
     .argument = "N",
     .min = 1,
     .max = 1e12,
     .help = "requests to each target; with -d, what is reached first ends the run"},
    {.name = "--rate",
     .letter = 'r',
     .kind = CLI_NUMBER,
     .argument = "N",
     .min = LOAD_MIN_RATE,
     .max = LOAD_MAX_RATE,
     .help = "open model: so many requests a second over all targets, whether they are answered or not"},
    {.name = "--stages",
     .kind = CLI_TEXT,
     .argument = "LIST",
     .help = "open model: rates one after the other, such as 10s@1000,30s@5000"},
    {.name = "--poisson", .kind = CLI_SWITCH, .help = "open model: at random instants instead of even distances"},
    {.name = "--warmup",
     .kind = CLI_DURATION,
     .argument = "TIME",
     .min = 1,
     .max = DAY_MS,
     .help = "load before the run for so long, and don't count it"},
    {.name = "--path",
     .kind = CLI_TEXT,
     .argument = "PATH",
     .preset = "/",
     .help = "what to ask for; {server_id} in it becomes the server's number"},
    {.name = "--method",
     .letter = 'X',
     .kind = CLI_TEXT,
     .argument = "METHOD",
     .preset = "GET",
     .help = "the method of the requests"},
    {.name = "--header",
     .letter = 'H',
     .kind = CLI_TEXT,
     .repeats = true,
     .argument = "LINE",
     .help = "a header of the requests, such as 'Accept: text/plain'"},
    {.name = "--body",
     .kind = CLI_TEXT,
     .argument = "TEXT",
     .help = "the body of the requests; @FILE reads it from a file"},
    {.name = "--no-keep-alive", .kind = CLI_SWITCH, .help = "a new connection for every request"},
    {.name = "--timeout",
     .kind = CLI_DURATION,
     .argument = "TIME",
     .min = 1,
     .max = HOUR_MS,
     .preset = "10s",
     .help = "a request that is not answered whole within this has failed"},
    {.name = "--threshold",
     .kind = CLI_TEXT,
     .repeats = true,
     .argument = "RULE",
     .help = "what must hold for exit code 0, such as 'p99<10ms', 'errors<0.1%', 'rate>4900', 'target.p99<20ms'"},
    {.name = "--threads",
     .letter = 't',
     .kind = CLI_INT,
     .argument = "N",
     .min = 1,
     .max = LOAD_MAX_THREADS,
     .help = "threads of the engine; half of the cores by itself"},
    {.name = NULL},
};

const struct cli_flag load_run_flags[] = {
    {.name = "--name", .kind = CLI_TEXT, .argument = "TEXT", .help = "what the run is called in lists and on its page"},
    {.name = "--allow-remote", .kind = CLI_SWITCH, .help = "load a URL that is not on this machine"},
    {.name = NULL},
};

/* --- the request --- */

static int read_headers(const struct cli_call *call, struct load_options *options, struct error *err)
{
    const char *line;

    for (size_t i = 0; (line = cli_text_at(call, "--header", i)); i++) {
        if (strpbrk(line, "\r\n"))
            return error_set(err, EINVAL, "--header: a header is one line");
        buffer_printf(&options->headers, "%s\r\n", line);
        if (options->headers.length > LOAD_MAX_HEADERS)
            return error_set(err, EINVAL, "--header: at most %u bytes together", LOAD_MAX_HEADERS);
    }
    options->plan.headers = options->headers.data;
    return 0;
}

/* One byte more than is allowed tells that there is too much. */
static int read_file(const char *path, struct buffer *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;

    if (fd < 0)
        return error_set_errno(err, errno, "--body: cannot open %s", path);
    while (n > 0 && out->length <= LOAD_MAX_BODY) {
        buffer_reserve(out, LOAD_MAX_BODY + 1);
        n = read(fd, out->data + out->length, LOAD_MAX_BODY + 1 - out->length);
        if (n > 0)
            out->length += (size_t)n;
    }
    int error = errno;
    close(fd);
    return n < 0 ? error_set_errno(err, error, "--body: cannot read %s", path) : 0;
}

static int read_body(const struct cli_call *call, struct load_options *options, struct error *err)
{
    const char *text = cli_text(call, "--body");
    int rc = 0;

    if (text && text[0] == '@')
        rc = read_file(text + 1, &options->body, err);
    else if (text)
        buffer_append_text(&options->body, text);
    options->plan.body = options->body.data;
    options->plan.body_length = options->body.length;
    return rc;
}

/* --- how much and when --- */

static int read_stages(const struct cli_call *call, struct load_options *options, struct error *err)
{
    struct load_plan *plan = &options->plan;
    struct error wrong;

    if (cli_given(call, "--rate") || cli_given(call, "--duration"))
        return error_set(err, EINVAL, "--stages: have their own rates and durations; leave --rate and --duration out");
    int count = schedule_parse_stages(cli_text(call, "--stages"), options->stages, &wrong);
    if (count < 0)
        return error_set(err, EINVAL, "--stages: %s", wrong.message);
    plan->stage_count = (size_t)count;
    return 0;
}

static int read_extent(const struct cli_call *call, struct load_options *options, struct error *err)
{
    struct load_plan *plan = &options->plan;
    int64_t duration_ns = cli_duration_ms(call, "--duration") * NS_PER_MS;
    bool open = cli_given(call, "--rate") || cli_given(call, "--stages");

    plan->requests = (uint64_t)cli_int(call, "--requests");
    if (duration_ns == 0 && plan->requests == 0)
        duration_ns = LOAD_DEFAULT_SECONDS * NS_PER_SECOND;
    if (!open) {
        plan->duration_ns = duration_ns;
        if (cli_given(call, "--poisson"))
            return error_set(err, EINVAL, "--poisson: needs --rate or --stages");
        return 0;
    }
    plan->model = cli_given(call, "--poisson") ? LOAD_OPEN_POISSON : LOAD_OPEN_CONSTANT;
    plan->stages = options->stages;
    if (cli_given(call, "--stages"))
        return read_stages(call, options, err);
    options->stages[0] = (struct load_stage){.duration_ns = duration_ns, .rate = cli_number(call, "--rate")};
    plan->stage_count = 1;
    return 0;
}

static int read_thresholds(const struct cli_call *call, struct load_options *options, struct error *err)
{
    struct error wrong;
    const char *text;

    for (size_t i = 0; (text = cli_text_at(call, "--threshold", i)); i++) {
        if (i == LOAD_MAX_THRESHOLDS)
            return error_set(err, EINVAL, "--threshold: at most %u of them", LOAD_MAX_THRESHOLDS);
        if (threshold_parse(text, &options->thresholds[i], &wrong) < 0)
            return error_set(err, EINVAL, "--threshold: %s", wrong.message);
        options->plan.threshold_count = i + 1;
    }
    options->plan.thresholds = options->thresholds;
    return 0;
}

int load_options_read(const struct cli_call *call, struct load_options *options, struct error *err)
{
    struct load_plan *plan = &options->plan;

    memset(options, 0, sizeof(*options));
    *plan = load_plan_defaults();
    plan->connections = (unsigned)cli_int(call, "--connections");
    plan->threads = (unsigned)cli_int(call, "--threads");
    plan->warmup_ns = cli_duration_ms(call, "--warmup") * NS_PER_MS;
    plan->timeout_ns = cli_duration_ms(call, "--timeout") * NS_PER_MS;
    plan->method = cli_text(call, "--method");
    plan->path = cli_text(call, "--path");
    plan->close = cli_given(call, "--no-keep-alive");
    int rc = read_extent(call, options, err);
    if (rc == 0)
        rc = read_headers(call, options, err);
    if (rc == 0)
        rc = read_body(call, options, err);
    if (rc == 0)
        rc = read_thresholds(call, options, err);
    return rc;
}

void load_options_done(struct load_options *options)
{
    buffer_done(&options->headers);
    buffer_done(&options->body);
}
