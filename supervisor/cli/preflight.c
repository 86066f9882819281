/*
 * See preflight.h.
 */
#include "supervisor/cli/preflight.h"

#include "core/buffer.h"
#include "core/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 10000
#define COMPLAINT_MAX 400 /* of its standard error, what fits into an error's message */

struct preflight {
    uv_process_t process;
    uv_pipe_t output; /* its standard error */
    uv_timer_t timer;
    unsigned open_handles;
    bool exited, silent; /* both: it is done */
    bool late;
    int64_t status;
    int signal;
    char complaint[COMPLAINT_MAX];
    size_t length;
    char rest[256];                                    /* what is read and thrown away */
    void (*done)(const struct error *err, void *data); /* NULL: nobody wants to know any more */
    void *data;
};

static void on_closed(uv_handle_t *handle)
{
    struct preflight *preflight = handle->data;
    if (--preflight->open_handles == 0)
        free(preflight);
}

static void close_all(struct preflight *preflight)
{
    uv_close((uv_handle_t *)&preflight->process, on_closed);
    uv_close((uv_handle_t *)&preflight->output, on_closed);
    uv_close((uv_handle_t *)&preflight->timer, on_closed);
}

/* Its own words when it has some. */
static void judge(const struct preflight *preflight, struct error *err)
{
    const char *words = preflight->complaint;
    if (strncmp(words, "farmd: ", 7) == 0)
        words += 7;
    if (preflight->late)
        error_set(err, ETIMEDOUT, "the new farmd did not check the settings within %d s", TIMEOUT_MS / 1000);
    else if (preflight->signal != 0)
        error_set(err, EINVAL, "the new farmd ended by signal %d when it checked the settings", preflight->signal);
    else if (preflight->status != 0)
        error_set(err, EINVAL, "the new farmd refuses: %s", *words ? words : "its `check` failed");
}

static void finish(struct preflight *preflight)
{
    if (!preflight->exited || !preflight->silent)
        return;
    close_all(preflight);
    if (!preflight->done)
        return; /* cancelled */
    struct error err = {0};
    while (preflight->length > 0 && preflight->complaint[preflight->length - 1] == '\n')
        preflight->length--;
    preflight->complaint[preflight->length] = '\0';
    judge(preflight, &err);
    preflight->done(err.code ? &err : NULL, preflight->data);
}

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
    struct preflight *preflight = process->data;
    preflight->exited = true;
    preflight->status = status;
    preflight->signal = signal;
    finish(preflight);
}

/* Waits for its end only, not for whoever else may hold its standard error. */
static void end(struct preflight *preflight)
{
    preflight->silent = true;
    uv_timer_stop(&preflight->timer);
    uv_read_stop((uv_stream_t *)&preflight->output);
    if (!preflight->exited)
        uv_process_kill(&preflight->process, SIGKILL);
    else
        finish(preflight);
}

static void on_late(uv_timer_t *timer)
{
    struct preflight *preflight = timer->data;
    preflight->late = true;
    end(preflight);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct preflight *preflight = handle->data;
    size_t room = sizeof(preflight->complaint) - 1 - preflight->length;
    *buf = room > 0 ? uv_buf_init(preflight->complaint + preflight->length, (unsigned)room)
                    : uv_buf_init(preflight->rest, sizeof(preflight->rest));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct preflight *preflight = stream->data;
    if (nread < 0) {
        uv_read_stop(stream);
        preflight->silent = true;
        finish(preflight);
    } else if (buf->base != preflight->rest) {
        preflight->length += (size_t)nread;
    }
}

/* This environment and one variable more; the strings are not copied. */
static char **make_environment(char *variable)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **copy = xcalloc(count + 2, sizeof(*copy));
    memcpy(copy, environ, count * sizeof(*copy));
    copy[count] = variable;
    return copy;
}

static char **make_arguments(int argc, char **argv)
{
    static char name[] = "farmd", verb[] = "check";
    char **copy = xcalloc((size_t)argc + 3, sizeof(*copy));
    copy[0] = name;
    copy[1] = verb;
    memcpy(copy + 2, argv, (size_t)argc * sizeof(*copy));
    return copy;
}

static int spawn(struct preflight *preflight, const struct preflight_options *options)
{
    struct buffer bound = BUFFER_EMPTY;
    buffer_append_text(&bound, PREFLIGHT_VARIABLE "=");
    settings_print_bound(options->settings, &bound);
    char program[32];
    snprintf(program, sizeof(program), "/proc/self/fd/%d", options->program);
    uv_stdio_container_t streams[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&preflight->output},
    };
    cleanup_free char **arguments = make_arguments(options->argc, options->argv);
    cleanup_free char **environment = make_environment(bound.data);
    uv_process_options_t process = {
        .exit_cb = on_ended,
        .file = program,
        .args = arguments,
        .env = environment,
        .stdio = streams,
        .stdio_count = ARRAY_SIZE(streams),
    };
    int code = uv_spawn(options->loop, &preflight->process, &process);
    buffer_done(&bound);
    return code;
}

int preflight_start(const struct preflight_options *options, struct preflight **preflight, struct error *err)
{
    struct preflight *made = xcalloc(1, sizeof(*made));
    made->done = options->done;
    made->data = options->data;
    made->process.data = made->output.data = made->timer.data = made;
    made->open_handles = 3;
    uv_pipe_init(options->loop, &made->output, 0);
    uv_timer_init(options->loop, &made->timer);
    int code = spawn(made, options);
    if (code < 0) {
        close_all(made);
        return error_set_errno(err, -code, "the new farmd cannot be run");
    }
    uv_read_start((uv_stream_t *)&made->output, on_alloc, on_read);
    uv_timer_start(&made->timer, on_late, TIMEOUT_MS, 0);
    *preflight = made;
    return 0;
}

void preflight_cancel(struct preflight *preflight)
{
    preflight->done = NULL;
    end(preflight);
}
