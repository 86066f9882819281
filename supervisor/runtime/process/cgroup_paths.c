/*
 * Parsing of /proc/self/cgroup and /proc/self/mountinfo; see cgroup_paths.h.
 */
#include "supervisor/runtime/process/cgroup_paths.h"

#include <string.h>

struct span {
    const char *at;
    size_t length;
};

/* Whether a comma-separated list has `word`. */
static bool list_has(struct span list, const char *word)
{
    size_t length = strlen(word);
    const char *end = list.at + list.length;
    for (const char *item = list.at; item < end;) {
        const char *comma = memchr(item, ',', (size_t)(end - item));
        const char *item_end = comma == NULL ? end : comma;
        if ((size_t)(item_end - item) == length && memcmp(item, word, length) == 0) {
            return true;
        }
        item = item_end + 1;
    }
    return false;
}

static bool span_is(struct span span, const char *word)
{
    return span.length == strlen(word) && memcmp(span.at, word, span.length) == 0;
}

static bool span_copy(struct span span, char out[CGROUP_PATH_MAX])
{
    if (span.length >= CGROUP_PATH_MAX) {
        return false;
    }
    memcpy(out, span.at, span.length);
    out[span.length] = '\0';
    return true;
}

bool cgroup_paths_own(const char *text, const char *controller, char path[CGROUP_PATH_MAX])
{
    /* hierarchy:controllers:path; v2 is "0::path" */
    for (const char *line = text; *line != '\0';) {
        const char *end = strchrnul(line, '\n');
        const char *first = memchr(line, ':', (size_t)(end - line));
        const char *second = first == NULL ? NULL : memchr(first + 1, ':', (size_t)(end - first - 1));
        if (second != NULL) {
            struct span controllers = {first + 1, (size_t)(second - first - 1)};
            struct span rest = {second + 1, (size_t)(end - second - 1)};
            bool wanted = controller == NULL ? controllers.length == 0 : list_has(controllers, controller);
            if (wanted) {
                return span_copy(rest, path);
            }
        }
        line = *end == '\0' ? end : end + 1;
    }
    return false;
}

/* Blanks in mountinfo paths are written as \040 and the like. */
static bool copy_unescaped(struct span span, char out[CGROUP_PATH_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < span.length && n + 1 < CGROUP_PATH_MAX; i++) {
        const char *c = span.at + i;
        if (*c == '\\' && span.length - i > 3) {
            out[n++] = (char)((c[1] - '0') * 64 + (c[2] - '0') * 8 + (c[3] - '0'));
            i += 3;
        } else {
            out[n++] = *c;
        }
    }
    out[n] = '\0';
    return n + 1 < CGROUP_PATH_MAX;
}

enum { MOUNT_ROOT = 3, MOUNT_POINT = 4, MOUNT_FIELDS = 32 };

/* Splits at blanks; returns how many fields there are. */
static size_t split(const char *line, const char *end, struct span fields[MOUNT_FIELDS])
{
    size_t count = 0;
    while (line < end && count < MOUNT_FIELDS) {
        const char *blank = memchr(line, ' ', (size_t)(end - line));
        const char *field_end = blank == NULL ? end : blank;
        fields[count++] = (struct span){line, (size_t)(field_end - line)};
        line = field_end + 1;
    }
    return count;
}

static bool mount_line_matches(const struct span *fields, size_t count, const char *controller)
{
    size_t dash = MOUNT_POINT + 1;
    while (dash < count && !span_is(fields[dash], "-")) {
        dash++; /* optional fields end with a lone hyphen; behind it: type, source, super options */
    }
    if (dash + 3 >= count) {
        return false;
    }
    if (controller == NULL) {
        return span_is(fields[dash + 1], "cgroup2");
    }
    return span_is(fields[dash + 1], "cgroup") && list_has(fields[dash + 3], controller);
}

bool cgroup_paths_mount(const char *text, const char *controller, char mount[CGROUP_PATH_MAX],
                        char root[CGROUP_PATH_MAX])
{
    for (const char *line = text; *line != '\0';) {
        const char *end = strchrnul(line, '\n');
        struct span fields[MOUNT_FIELDS];
        size_t count = split(line, end, fields);
        if (mount_line_matches(fields, count, controller)) {
            return copy_unescaped(fields[MOUNT_POINT], mount) && copy_unescaped(fields[MOUNT_ROOT], root);
        }
        line = *end == '\0' ? end : end + 1;
    }
    return false;
}

bool cgroup_paths_relative(const char *own, const char *root, char relative[CGROUP_PATH_MAX])
{
    size_t length = strlen(root);
    while (length > 0 && root[length - 1] == '/') {
        length--;
    }
    if (strncmp(own, root, length) != 0 || (own[length] != '/' && own[length] != '\0')) {
        return false;
    }
    const char *rest = own + length;
    if (strncmp(rest, "/..", 3) == 0) {
        return false; /* outside of the cgroup namespace */
    }
    rest += strspn(rest, "/");
    size_t n = strlen(rest);
    while (n > 0 && rest[n - 1] == '/') {
        n--;
    }
    return span_copy((struct span){rest, n}, relative);
}
