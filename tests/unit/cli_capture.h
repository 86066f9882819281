/*
 * What a piece of farmd's command line prints, and its exit code.
 */
#ifndef TESTS_UNIT_CLI_CAPTURE_H
#define TESTS_UNIT_CLI_CAPTURE_H

struct outcome {
    int code;
    char *out, *err;
};

/* Runs `farmd <line>`, whose words blanks part. */
struct outcome cli_capture(const char *line);
void cli_capture_done(struct outcome *outcome);

#endif
