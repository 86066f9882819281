/* See cli_capture.h. */
#include "tests/unit/cli_capture.h"

#include "core/buffer.h"
#include "supervisor/cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static FILE *redirect(int fd, int *kept)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    *kept = dup(fd);
    assert_true(*kept >= 0 && dup2(fileno(file), fd) == fd);
    return file;
}

static char *restore(int fd, int kept, FILE *file)
{
    struct buffer text = BUFFER_EMPTY;
    char chunk[4096];
    assert_int_equal(dup2(kept, fd), fd);
    close(kept);
    rewind(file);
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
        buffer_append(&text, chunk, n);
    fclose(file);
    buffer_append_text(&text, "");
    return buffer_detach(&text);
}

struct outcome cli_capture(const char *line)
{
    char words[512], *argv[32] = {"farmd"}, *rest = NULL;
    int argc = 1;
    snprintf(words, sizeof(words), "%s", line);
    for (char *word = strtok_r(words, " ", &rest); word && argc < 31; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;

    struct outcome outcome;
    int kept_out, kept_err;
    fflush(stdout);
    FILE *out = redirect(STDOUT_FILENO, &kept_out), *err = redirect(STDERR_FILENO, &kept_err);
    outcome.code = cli_main(argc, argv);
    fflush(stdout);
    fflush(stderr);
    outcome.out = restore(STDOUT_FILENO, kept_out, out);
    outcome.err = restore(STDERR_FILENO, kept_err, err);
    return outcome;
}

void cli_capture_done(struct outcome *outcome)
{
    free(outcome->out);
    free(outcome->err);
}
