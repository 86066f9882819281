/* See settings_fixture.h. */
#include "tests/unit/settings_fixture.h"

#include "core/memory.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[PATH_MAX];
static char directory[] = "/tmp/farmd-settings-XXXXXX";

int settings_fixture_enter(void **state)
{
    (void)state;
    if (!getcwd(top, sizeof(top)) || !mkdtemp(directory) || chmod(directory, 0755) < 0 || chdir(directory) < 0)
        return -1;
    return clearenv();
}

int settings_fixture_clear(void **state)
{
    (void)state;
    static const char *const names[] = {"farm.yaml", ".env", "other.yaml"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        unlink(names[i]);
    return clearenv();
}

int settings_fixture_leave(void **state)
{
    settings_fixture_clear(state);
    return chdir(top) < 0 || rmdir(directory) < 0 ? -1 : 0;
}

const char *settings_fixture_top(void)
{
    return top;
}

void settings_fixture_write_bytes(const char *name, const void *data, size_t length)
{
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

void settings_fixture_write(const char *name, const char *text)
{
    settings_fixture_write_bytes(name, text, strlen(text));
}

int settings_fixture_try(const char *flags, struct settings **settings, struct error *err)
{
    char words[1024];
    char *argv[64];
    int argc = 0;
    assert_true(strlen(flags) < sizeof(words));
    snprintf(words, sizeof(words), "%s", flags);
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word && argc < 64; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    return settings_load(argc, argv, settings, err);
}

struct settings *settings_fixture_load(const char *flags)
{
    struct settings *settings = NULL;
    struct error err = {0};
    int r = settings_fixture_try(flags, &settings, &err);
    if (r != 0)
        fail_msg("with \"%s\": %s", flags, err.message);
    assert_non_null(settings);
    return settings;
}

void settings_fixture_refuse(const char *flags, const char *message)
{
    struct settings *untouched = (struct settings *)(uintptr_t)0x1234, *settings = untouched;
    struct error err = {0};
    int r = settings_fixture_try(flags, &settings, &err);
    if (r >= 0) {
        settings_free(settings);
        fail_msg("accepted, but should be refused: %s", message);
    }
    assert_string_equal(err.message, message);
    assert_int_equal(r, -err.code);
    assert_ptr_equal(settings, untouched);
    assert_null(strchr(err.message, '\n'));
}
