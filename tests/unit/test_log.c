/* core/log: what a line looks like, and that it is one write. Stderr is replaced by a pipe or a terminal. */
#include "core/log.h"

#include "core/memory.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int reading_end;
static int real_stderr;

/* A packet socket keeps the borders of writes: one read gives one write. */
static int set_up(void **state)
{
    (void)state;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    reading_end = ends[0];
    unsetenv("NO_COLOR");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(reading_end);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    return 0;
}

static const char *one_write(void)
{
    static char text[32768];
    struct pollfd poll_fd = {.fd = reading_end, .events = POLLIN};
    if (poll(&poll_fd, 1, 0) <= 0)
        return "";
    ssize_t n = read(reading_end, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void text_has_a_time_or_a_word(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    log_info("server-%d restarted", 7);
    const char *line = one_write();
    assert_int_equal(strlen(line), strlen("12:04:31 server-7 restarted\n"));
    for (int i = 0; i < 8; i++)
        assert_true(i % 3 == 2 ? line[i] == ':' : isdigit((unsigned char)line[i]));
    assert_string_equal(line + 8, " server-7 restarted\n");

    log_warning("limits are not in force\n  fix: become root");
    assert_string_equal(one_write(), "warning: limits are not in force\n  fix: become root\n");
    log_error("lost");
    assert_string_equal(one_write(), "error: lost\n");
    log_debug("detail");
    assert_string_equal(one_write(), "debug: detail\n");
}

static void levels_hide_the_lesser(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
    log_debug("hidden");
    log_info("hidden");
    assert_string_equal(one_write(), "");
    log_warning("seen");
    assert_string_equal(one_write(), "warning: seen\n");
    assert_false(log_enabled(LOG_LEVEL_INFO));
    assert_true(log_enabled(LOG_LEVEL_ERROR));
}

static void outsiders_do_not_steer_the_terminal(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_error("evil \033[2J\r\x7f"
              "é");
    assert_string_equal(one_write(), "error: evil ?[2J??é\n");
    log_error("CSI in one character: \xc2\x9b"
              "2J");
    assert_string_equal(one_write(), "error: CSI in one character: ??2J\n");
}

/* A terminal that is stopped, a pager that waits: farmd goes on. */
static void nobody_reading_holds_nobody_up(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
    int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    for (int i = 0; i < 1000; i++)
        log_info("line %d", i);
    static char text[65536];
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    log_info("somebody reads again");
    ssize_t n = read(ends[0], text, sizeof(text) - 1);
    dup2(before, STDERR_FILENO);
    close(before);
    close(ends[0]);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "lines were dropped"));
    assert_non_null(strstr(text, "somebody reads again\n"));
}

/* A file that takes no more, as on a full disk: what it lost is counted, and a line that was cut is ended. */
static void a_full_file_loses_lines_and_says_so(enum log_format format, const char *told)
{
    char path[] = "/tmp/farmd-log-XXXXXX", text[4096];
    int file = mkostemp(path, O_CLOEXEC | O_APPEND);
    assert_true(file >= 0);
    unlink(path);
    log_setup(LOG_LEVEL_INFO, format);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit size;
    getrlimit(RLIMIT_FSIZE, &size);
    int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(file, STDERR_FILENO);
    log_warning("one");
    struct stat st;
    fstat(file, &st);
    const struct rlimit little = {(rlim_t)st.st_size + 5, size.rlim_max};
    setrlimit(RLIMIT_FSIZE, &little);
    for (int i = 0; i < 3; i++)
        log_warning("lost");
    setrlimit(RLIMIT_FSIZE, &size);
    log_warning("two");
    log_warning("three");
    dup2(before, STDERR_FILENO);
    close(before);
    ssize_t n = pread(file, text, sizeof(text) - 1, 0);
    close(file);
    text[n > 0 ? n : 0] = '\0';
    assert_non_null(strstr(text, told));
    assert_non_null(strstr(text, "… 3 lines were dropped: File too large"));
    char *rest = text;
    for (int i = 0; i < 5; i++) /* one, the piece, what was lost, two, three */
        assert_non_null(strsep(&rest, "\n"));
    assert_string_equal(rest, "");
}

static void a_full_file_as_text(void **state)
{
    (void)state;
    a_full_file_loses_lines_and_says_so(LOG_FORMAT_TEXT, "\n… 3 lines");
}

static void a_full_file_as_json(void **state)
{
    (void)state;
    a_full_file_loses_lines_and_says_so(LOG_FORMAT_JSON, "\"level\":\"WARNING\",\"message\":\"… 3 lines");
}

static void json_is_one_object_a_line(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    assert_int_equal(log_format(), LOG_FORMAT_JSON);
    log_warning("a \"quote\"\nand\xFF");
    const char *line = one_write();
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    cJSON *parsed = cJSON_Parse(line);
    assert_non_null(parsed);
    assert_string_equal(cJSON_GetObjectItem(parsed, "level")->valuestring, "WARNING");
    assert_string_equal(cJSON_GetObjectItem(parsed, "message")->valuestring, "a \"quote\"\nand\xEF\xBF\xBD");
    assert_int_equal(strlen(cJSON_GetObjectItem(parsed, "timestamp")->valuestring), 32);
    cJSON_Delete(parsed);
}

static void facts_are_members_in_json_only(void **state)
{
    (void)state;
    const struct log_field fields[] = {{.key = "reason", .text = "Crashed"}, {.key = "server_id", .number = 7}};
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_write_with(LOG_LEVEL_INFO, fields, 2, "server-%d crashed", 7);
    cJSON *parsed = cJSON_Parse(one_write());
    assert_non_null(parsed);
    assert_string_equal(cJSON_GetObjectItem(parsed, "reason")->valuestring, "Crashed");
    assert_int_equal(cJSON_GetObjectItem(parsed, "server_id")->valueint, 7);
    assert_string_equal(cJSON_GetObjectItem(parsed, "message")->valuestring, "server-7 crashed");
    cJSON_Delete(parsed);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_write_with(LOG_LEVEL_WARNING, fields, 2, "server-%d crashed", 7);
    assert_string_equal(one_write(), "warning: server-7 crashed\n");
}

static void long_messages_are_cut_and_errno_is_kept(void **state)
{
    (void)state;
    static char text[20000];
    memset(text, 'x', sizeof(text) - 1);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    errno = ENOTTY;
    log_error("%s", text);
    assert_int_equal(errno, ENOTTY);
    const char *line = one_write();
    size_t length = strlen(line);
    assert_in_range(length, 3000, 4096);
    assert_int_equal(line[length - 1], '\n');
}

static void colour_only_on_a_terminal(void **state)
{
    (void)state;
    int main_end, terminal;
    assert_int_equal(openpty(&main_end, &terminal, NULL, NULL, NULL), 0);
    dup2(terminal, STDERR_FILENO);
    char text[256];

    setenv("TERM", "xterm", 1);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_error("red");
    ssize_t n = read(main_end, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, "\033[31merror: \033[0mred\r\n");

    static const char *const plain[][2] = {{"NO_COLOR", "1"}, {"TERM", "dumb"}};
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
        unsetenv("NO_COLOR");
        setenv(plain[i][0], plain[i][1], 1);
        log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        log_error("plain");
        n = read(main_end, text, sizeof(text) - 1);
        assert_true(n > 0);
        text[n] = '\0';
        assert_string_equal(text, "error: plain\r\n");
    }
    close(main_end);
    close(terminal);
}

static void knows_level_names(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_DEBUG;
    assert_int_equal(log_level_parse("info", &level), 0);
    assert_int_equal(level, LOG_LEVEL_INFO);
    assert_int_equal(log_level_parse("Warn", &level), 0);
    assert_int_equal(level, LOG_LEVEL_WARNING);
    assert_int_equal(log_level_parse("CRITICAL", &level), 0);
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_int_equal(log_level_parse("", &level), -EINVAL);
    assert_int_equal(log_level_parse("loud", &level), -EINVAL);
    assert_int_equal(level, LOG_LEVEL_ERROR);
}

#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURED(text_has_a_time_or_a_word),
        CAPTURED(levels_hide_the_lesser),
        CAPTURED(outsiders_do_not_steer_the_terminal),
        CAPTURED(nobody_reading_holds_nobody_up),
        CAPTURED(a_full_file_as_text),
        CAPTURED(a_full_file_as_json),
        CAPTURED(json_is_one_object_a_line),
        CAPTURED(long_messages_are_cut_and_errno_is_kept),
        CAPTURED(facts_are_members_in_json_only),
        CAPTURED(colour_only_on_a_terminal),
        cmocka_unit_test(knows_level_names),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
