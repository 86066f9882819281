/*
 * Reading .env files: the dialect that Docker Compose and the dotenv libraries have in common.
 */
#include "supervisor/config/dotenv.h"

#include "core/memory.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_LINE 65536

struct variable {
    char *key;
    char *value;
    unsigned line;
};

struct dotenv {
    struct variable *variables;
    size_t count;
};

static char *skip_blanks(char *text)
{
    return text + strspn(text, " \t");
}

static void cut_blanks(char *text)
{
    for (size_t n = strlen(text); n > 0 && isspace((unsigned char)text[n - 1]); n--)
        text[n - 1] = '\0';
}

/* Unquotes in place; `text` begins with the quote. What follows the closing quote may be a comment. */
static const char *unquote(char *text)
{
    char quote = text[0];
    char *from = text + 1, *to = text;
    for (; *from && *from != quote; from++) {
        if (quote == '"' && *from == '\\' && from[1]) {
            from++;
            *to++ = *from == 'n' ? '\n' : *from == 't' ? '\t' : *from == 'r' ? '\r' : *from;
        } else {
            *to++ = *from;
        }
    }
    if (!*from)
        return "a quote is not closed";
    const char *rest = skip_blanks(from + 1);
    bool clean = *rest == '\0' || *rest == '#';
    *to = '\0';
    return clean ? NULL : "something follows the closing quote";
}

/* Without quotes a value ends at a comment, which a blank sets apart from it. */
static void cut_comment(char *text)
{
    for (char *c = text; *c; c++) {
        if (*c == '#' && (c == text || isspace((unsigned char)c[-1]))) {
            *c = '\0';
            break;
        }
    }
    cut_blanks(text);
}

/* Takes one line apart. Returns what is wrong with it, NULL when all is well; *key is NULL for a line that sets nothing. */
static const char *split(char *line, char **key, char **value)
{
    *key = NULL;
    cut_blanks(line);
    line = skip_blanks(line);
    if (*line == '\0' || *line == '#')
        return NULL;
    if (strncmp(line, "export", 6) == 0 && isblank((unsigned char)line[6]))
        line = skip_blanks(line + 6);
    size_t length = 0;
    while (isalnum((unsigned char)line[length]) || line[length] == '_')
        length++;
    char *equals = skip_blanks(line + length);
    if (length == 0 || isdigit((unsigned char)line[0]) || *equals != '=')
        return "not of the form KEY=value";
    *value = skip_blanks(equals + 1);
    line[length] = '\0';
    *key = line;
    if (**value == '"' || **value == '\'')
        return unquote(*value);
    cut_comment(*value);
    return NULL;
}

static void keep(struct dotenv *dotenv, const char *key, const char *value, unsigned line)
{
    dotenv->variables = xrealloc(dotenv->variables, (dotenv->count + 1) * sizeof(*dotenv->variables));
    dotenv->variables[dotenv->count++] = (struct variable){xstrdup(key), xstrdup(value), line};
}

static int read_lines(struct dotenv *dotenv, const char *path, FILE *file, struct error *err)
{
    cleanup_free char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    for (unsigned number = 1; (length = getline(&line, &capacity, file)) >= 0; number++) {
        if (length > LONGEST_LINE)
            return error_set(err, EINVAL, "%s:%u: is over %d bytes long", path, number, LONGEST_LINE);
        if (strlen(line) != (size_t)length)
            return error_set(err, EINVAL, "%s:%u: has a NUL byte in it", path, number);
        char *text = number == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line;
        char *key, *value;
        const char *wrong = split(text, &key, &value);
        if (wrong)
            return error_set(err, EINVAL, "%s:%u: %s; write KEY=value or KEY=\"value\"", path, number, wrong);
        if (key)
            keep(dotenv, key, value, number);
    }
    /* A directory of that name is somebody's Python environment, not ours to complain about. */
    return ferror(file) && errno != EISDIR ? error_set_errno(err, errno, "%s: cannot read it", path) : 0;
}

int dotenv_load(const char *path, struct dotenv **dotenv, struct error *err)
{
    struct dotenv *made = xcalloc(1, sizeof(*made));
    FILE *file = fopen(path, "re");
    int r = 0;
    if (file) {
        r = read_lines(made, path, file, err);
        fclose(file);
    } else if (errno != ENOENT) {
        r = error_set_errno(err, errno, "%s: cannot open it", path);
    }
    if (r < 0) {
        dotenv_free(made);
        return r;
    }
    *dotenv = made;
    return 0;
}

void dotenv_free(struct dotenv *dotenv)
{
    if (!dotenv)
        return;
    for (size_t i = 0; i < dotenv->count; i++) {
        free(dotenv->variables[i].key);
        free(dotenv->variables[i].value);
    }
    free(dotenv->variables);
    free(dotenv);
}

const char *dotenv_get(const struct dotenv *dotenv, const char *key, unsigned *line)
{
    for (size_t i = dotenv->count; i-- > 0;) {
        if (strcmp(dotenv->variables[i].key, key) == 0) {
            *line = dotenv->variables[i].line;
            return dotenv->variables[i].value;
        }
    }
    return NULL;
}
