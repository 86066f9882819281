/* The documents about settings say what the table says: none is missing, and the examples work as they are shipped. */
#include "tests/unit/settings_fixture.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "supervisor/config/settings_table.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *read_document(const char *name)
{
    char *path = xasprintf("%s/%s", settings_fixture_top(), name);
    FILE *file = fopen(path, "re");
    if (!file)
        fail_msg("%s is missing", path);
    free(path);
    struct buffer text = BUFFER_EMPTY;
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
        buffer_append(&text, chunk, n);
    fclose(file);
    return buffer_detach(&text);
}

static void must_have(const char *document, const char *line, const char *what)
{
    if (!strstr(line, what))
        fail_msg("%s lacks \"%s\"", document, what);
}

static void must_have_quoted(const char *document, const char *line, const char *what, const char *after)
{
    char *text = xasprintf("`%s%s", what, after);
    must_have(document, line, text);
    free(text);
}

/* The line of the list that begins with a setting, in one piece; the caller frees it. */
static char *line_of(const char *text, const struct setting *row)
{
    char *start = row->path ? xasprintf("\n| `%s` |", row->path) : xstrdup("\n| | | up to 4000 characters |");
    const char *found = strstr(text, start);
    free(start);
    if (!found) {
        fail_msg("docs/settings.md has no line for %s", row->path ? row->path : row->flag);
        return NULL;
    }
    return xstrndup(found + 1, strcspn(found + 1, "\n"));
}

static void the_list_has_every_setting(void **state)
{
    (void)state;
    char *text = read_document("docs/settings.md");
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        if (row->scope == SCOPE_NAME)
            continue; /* told in the text about groups */
        char *line = line_of(text, row);
        if (row->preset)
            must_have_quoted(line, line, row->preset, "`");
        if (row->variable)
            must_have_quoted(line, line, row->variable, "`");
        if (row->flag)
            must_have_quoted(line, line, row->flag, row->argument ? " " : "`");
        must_have(line, line, row->help);
        free(line);
    }
    free(text);
}

static const char *last_key(const struct setting *row)
{
    const char *dot = strrchr(row->path, '.');
    return dot ? dot + 1 : row->path;
}

static void the_manual_pages_have_every_setting(void **state)
{
    (void)state;
    char *settings = read_document("docs/farm.yaml.5"), *command = read_document("docs/farmd.1");
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        if (row->path && row->scope != SCOPE_NAME) {
            bool probe = strncmp(row->path, "probes.", 7) == 0;
            char *item = xasprintf("\n.It Ic %s\n", probe ? last_key(row) : row->path);
            must_have("farm.yaml.5", settings, item);
            free(item);
        }
        if (row->variable)
            must_have("farm.yaml.5", settings, row->variable);
        if (row->flag) {
            char *item = xasprintf("\n.It Fl \\-%s%s%s\n", row->flag + 2, row->argument ? " Ar " : "",
                                   row->argument ? row->argument : "");
            must_have("farmd.1", command, item);
            free(item);
        }
    }
    free(settings);
    free(command);
}

/* ---- the examples ------------------------------------------------------------------------------------------------ */

static void assert_same(const struct settings *a, const struct settings *b)
{
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        bool of_group = row->scope == SCOPE_GROUP || row->scope == SCOPE_NAME;
        const void *left = of_group ? (const void *)a->groups : a, *right = of_group ? (const void *)b->groups : b;
        if (row->scope != SCOPE_PROGRAM &&
            !row->type->equal(row, setting_field_const(row, left), setting_field_const(row, right)))
            fail_msg("the example changes %s", row->path);
    }
}

/* Takes the "# " away from lines that hold a setting; those of prose have no "key:" or "KEY=" first. */
static char *without_comments(const char *text)
{
    struct buffer out = BUFFER_EMPTY;
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        size_t indent = strspn(line, " ");
        const char *word = line + indent;
        if (*word == '#' && word[1] == ' ') {
            word += 2;
            const char *key = word + strspn(word, " -");
            size_t letters = 0;
            while (isalnum((unsigned char)key[letters]) || key[letters] == '_')
                letters++;
            if (letters > 0 && (key[letters] == ':' || key[letters] == '=')) {
                buffer_append(&out, line, indent);
                buffer_append(&out, word, length - (size_t)(word - line));
                buffer_append_char(&out, '\n');
            }
        } else {
            buffer_append(&out, line, length);
            buffer_append_char(&out, '\n');
        }
        line += length + (line[length] == '\n');
    }
    return buffer_detach(&out);
}

static void the_example_file_says_the_defaults(void **state)
{
    (void)state;
    char *text = read_document("docs/farm.yaml");
    struct settings *defaults = settings_fixture_load("");
    settings_fixture_write("farm.yaml", text);
    struct settings *example = settings_fixture_load("");
    assert_same(defaults, example);
    settings_free(defaults);
    settings_free(example);

    char *whole = without_comments(text);
    settings_fixture_write("farm.yaml", whole);
    example = settings_fixture_load("");
    assert_int_equal(example->group_count, 3);
    assert_non_null(example->token);
    for (size_t i = 0; i < SETTING_IDS; i++) {
        if (!settings_table[i].path)
            continue;
        char *key = xasprintf(" %s:", last_key(&settings_table[i]));
        char *first = xasprintf("\n%s:", last_key(&settings_table[i]));
        if (!strstr(whole, key) && !strstr(whole, first))
            fail_msg("docs/farm.yaml lacks %s", settings_table[i].path);
        free(key);
        free(first);
    }
    settings_free(example);
    free(whole);
    free(text);
}

static void the_example_variables_say_the_defaults(void **state)
{
    (void)state;
    char *text = read_document(".env.example");
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        if (!row->variable)
            continue;
        char *line = xasprintf("\n# %s=", row->variable);
        must_have(".env.example", text, line);
        free(line);
    }
    struct settings *defaults = settings_fixture_load("");
    settings_fixture_write(".env", text);
    struct settings *example = settings_fixture_load("");
    assert_same(defaults, example);
    settings_free(example);

    char *whole = without_comments(text);
    settings_fixture_write(".env", whole);
    assert_non_null(strstr(whole, "SERVER_COUNT=50\n"));
    example = settings_fixture_load("");
    assert_same(defaults, example);
    settings_free(defaults);
    settings_free(example);
    free(whole);
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, settings_fixture_clear)
    const struct CMUnitTest tests[] = {
        TEST(the_list_has_every_setting),
        TEST(the_manual_pages_have_every_setting),
        TEST(the_example_file_says_the_defaults),
        TEST(the_example_variables_say_the_defaults),
    };
    return cmocka_run_group_tests(tests, settings_fixture_enter, settings_fixture_leave);
}
