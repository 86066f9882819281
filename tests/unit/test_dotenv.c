/* supervisor/config/dotenv: the lines of a .env file. */
#include "supervisor/config/dotenv.h"

#include "core/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/farmd-dotenv-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text, size_t length)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static struct dotenv *read_text(const char *text)
{
    struct dotenv *dotenv = NULL;
    struct error err = {0};
    write_file(text, strlen(text));
    if (dotenv_load(path, &dotenv, &err) != 0)
        fail_msg("%s", err.message);
    return dotenv;
}

static void reads_values(void **state)
{
    (void)state;
    static const struct {
        const char *line, *value;
    } cases[] = {
        {"A=b", "b"},
        {"A=b\r\n", "b"},
        {"\xef\xbb\xbf"
         "A=b\n",
         "b"},
        {"  A = b c  \n", "b c"},
        {"export A=b\n", "b"},
        {"export\tA=b\n", "b"},
        {"A=\n", ""},
        {"A=b # comment\n", "b"},
        {"A=b#c\n", "b#c"},
        {"A=# comment\n", ""},
        {"A='b # c'\n", "b # c"},
        {"A=\"b # c\" # d\n", "b # c"},
        {"A=\"b\\n\\t\\\"\\\\\"\n", "b\n\t\"\\"},
        {"A='b\\n'\n", "b\\n"},
        {"A=\"\"\n", ""},
        {"A=b=c\n", "b=c"},
        {"A=$HOME\n", "$HOME"},
        {"A=first\nA=last\n", "last"},
        {"# A=x\n\n   # B\nA=b\n", "b"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct dotenv *dotenv = read_text(cases[i].line);
        unsigned line = 0;
        const char *value = dotenv_get(dotenv, "A", &line);
        assert_non_null(value);
        assert_string_equal(value, cases[i].value);
        dotenv_free(dotenv);
    }
}

static void tells_lines(void **state)
{
    (void)state;
    struct dotenv *dotenv = read_text("# one\n\nexported=1\nB=2\nexported=3");
    unsigned line = 0;
    assert_string_equal(dotenv_get(dotenv, "exported", &line), "3");
    assert_int_equal(line, 5);
    assert_string_equal(dotenv_get(dotenv, "B", &line), "2");
    assert_int_equal(line, 4);
    assert_null(dotenv_get(dotenv, "C", &line));
    dotenv_free(dotenv);
}

static void refuses_other_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length; /* 0: a string's */
        const char *message;
    } cases[] = {
        {"A=b\nwords\n", 0, "2: not of the form KEY=value; write KEY=value or KEY=\"value\""},
        {"=b\n", 0, "1: not of the form KEY=value; write KEY=value or KEY=\"value\""},
        {"1A=b\n", 0, "1: not of the form KEY=value; write KEY=value or KEY=\"value\""},
        {"A-B=c\n", 0, "1: not of the form KEY=value; write KEY=value or KEY=\"value\""},
        {"export A\n", 0, "1: not of the form KEY=value; write KEY=value or KEY=\"value\""},
        {"A=\"b\n", 0, "1: a quote is not closed; write KEY=value or KEY=\"value\""},
        {"A='b' c\n", 0, "1: something follows the closing quote; write KEY=value or KEY=\"value\""},
        {"A=b\0c\n", 6, "1: has a NUL byte in it"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct dotenv *dotenv = NULL;
        struct error err = {0};
        write_file(cases[i].text, cases[i].length ? cases[i].length : strlen(cases[i].text));
        assert_int_equal(dotenv_load(path, &dotenv, &err), -EINVAL);
        assert_null(dotenv);
        assert_int_equal(strncmp(err.message, path, strlen(path)), 0);
        assert_string_equal(err.message + strlen(path) + 1, cases[i].message);
    }
}

static void needs_no_file(void **state)
{
    (void)state;
    struct dotenv *dotenv = NULL;
    struct error err = {0};
    unsigned line;
    assert_int_equal(dotenv_load("/nonexistent/.env", &dotenv, &err), 0);
    assert_null(dotenv_get(dotenv, "A", &line));
    dotenv_free(dotenv);
    assert_int_equal(dotenv_load("/tmp", &dotenv, &err), 0); /* a directory of that name is somebody else's */
    dotenv_free(dotenv);
    dotenv_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values),
        cmocka_unit_test(tells_lines),
        cmocka_unit_test(refuses_other_lines),
        cmocka_unit_test(needs_no_file),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
