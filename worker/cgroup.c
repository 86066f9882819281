/*
 * The files are read in small pieces through a buffer on the stack: a worker is to stay small, and mountinfo can have
 * thousands of lines.
 */
#include "worker/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whether the comma-separated `list` (of `length` bytes) has `word`. */
static bool list_has(const char *list, size_t length, const char *word)
{
    size_t word_length = strlen(word);

    while (length > 0) {
        const char *comma = memchr(list, ',', length);
        size_t item = comma ? (size_t)(comma - list) : length;
        if (item == word_length && memcmp(list, word, item) == 0)
            return true;
        size_t used = comma ? item + 1 : item;
        list += used;
        length -= used;
    }
    return false;
}

/* "hierarchy:controllers:path" */
void cgroup_place_scan_group(struct cgroup_place *place, const char *line, const char *controller)
{
    const char *controllers = strchr(line, ':');
    const char *path = controllers ? strchr(++controllers, ':') : NULL;

    if (!path)
        return;
    bool v2 = path == controllers; /* no controller is named */
    bool v1 = !v2 && list_has(controllers, (size_t)(path - controllers), controller);
    if (!v1 && !(v2 && place->version == 0))
        return;
    path++;
    if (strlen(path) >= sizeof(place->group) || strncmp(path, "/..", 3) == 0) /* outside our cgroup namespace */
        return;
    place->version = v1 ? 1 : 2;
    memcpy(place->group, path, strlen(path) + 1);
}

/* Copies a field of mountinfo, where blank, tab, newline and backslash are written as \ooo. */
static void copy_unescaped(char *out, size_t size, const char *field, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length && used + 1 < size; i++) {
        if (field[i] == '\\' && i + 3 < length) {
            out[used++] = (char)((field[i + 1] - '0') << 6 | (field[i + 2] - '0') << 3 | (field[i + 3] - '0'));
            i += 3;
        } else {
            out[used++] = field[i];
        }
    }
    out[used] = '\0';
}

struct field {
    const char *text; /* NULL: there is none */
    size_t length;
};

/* The n-th blank-separated field, from 0. */
static struct field field_at(const char *text, unsigned n)
{
    for (; text && n > 0; n--) {
        text = strchr(text, ' ');
        if (text)
            text++;
    }
    return text ? (struct field){text, strcspn(text, " ")} : (struct field){0};
}

static bool field_is(struct field field, const char *word)
{
    return field.length == strlen(word) && memcmp(field.text, word, field.length) == 0;
}

/* The group's path below the mount's root; NULL when it doesn't lie there. */
static const char *below_root(const char *group, const char *root)
{
    size_t length = strlen(root);

    if (strcmp(root, "/") == 0)
        return group;
    if (strncmp(group, root, length) != 0 || (group[length] != '/' && group[length] != '\0'))
        return NULL;
    return group + length;
}

/* "36 35 0:28 <root> <mount point> <options> [optional fields] - <type> <source> <super options>" */
void cgroup_place_scan_mount(struct cgroup_place *place, const char *line, const char *controller)
{
    const char *dash = strstr(line, " - ");
    const char *tail = dash ? dash + 3 : NULL;
    struct field type = field_at(tail, 0), super = field_at(tail, 2);
    struct field root_field = field_at(line, 3), point_field = field_at(line, 4);
    char root[CGROUP_PATH_MAX], point[CGROUP_PATH_MAX];

    if (place->version == 0 || place->directory[0] || !super.text || !root_field.text || !point_field.text)
        return;
    bool wanted = place->version == 1 ? field_is(type, "cgroup") && list_has(super.text, super.length, controller)
                                      : field_is(type, "cgroup2");
    if (!wanted)
        return;
    copy_unescaped(root, sizeof(root), root_field.text, root_field.length);
    copy_unescaped(point, sizeof(point), point_field.text, point_field.length);

    const char *rest = below_root(place->group, root);
    if (!rest)
        return;
    if (strcmp(rest, "/") == 0)
        rest = "";
    int length = snprintf(place->directory, sizeof(place->directory), "%s%s", point, rest);
    if (length < 0 || (size_t)length >= sizeof(place->directory))
        place->directory[0] = '\0';
}

/* Calls scan for each line of the file; a line longer than the buffer is passed over. */
static void each_line(const char *path, struct cgroup_place *place, const char *controller,
                      void (*scan)(struct cgroup_place *place, const char *line, const char *controller))
{
    char text[2048];
    size_t used = 0;
    bool skipping = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    for (;;) {
        ssize_t got = read(fd, text + used, sizeof(text) - used);
        if (got <= 0)
            break;
        used += (size_t)got;
        char *line = text, *end;
        while ((end = memchr(line, '\n', used - (size_t)(line - text)))) {
            *end = '\0';
            if (!skipping)
                scan(place, line, controller);
            skipping = false;
            line = end + 1;
        }
        used -= (size_t)(line - text);
        memmove(text, line, used);
        if (used == sizeof(text)) {
            skipping = true;
            used = 0;
        }
    }
    close(fd);
}

bool cgroup_locate(struct cgroup_place *place, const char *controller)
{
    *place = (struct cgroup_place){0};
    each_line("/proc/self/cgroup", place, controller, cgroup_place_scan_group);
    if (place->version != 0)
        each_line("/proc/self/mountinfo", place, controller, cgroup_place_scan_mount);
    return place->directory[0] != '\0';
}
