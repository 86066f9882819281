/*
 * libcgroup behind farmd's own terms; see cgroup.h.
 */
#include "supervisor/runtime/process/cgroup.h"

#include <errno.h>
#include <libcgroup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *controller_name(enum controller controller, enum cgroup_version version)
{
    static const char *const names[CONTROLLER_COUNT][2] = {
        [CONTROLLER_CPU] = {"cpu", "cpu"},          [CONTROLLER_CPUACCT] = {"cpuacct", NULL},
        [CONTROLLER_MEMORY] = {"memory", "memory"}, [CONTROLLER_PIDS] = {"pids", "pids"},
        [CONTROLLER_FREEZER] = {"freezer", NULL},   [CONTROLLER_IO] = {"blkio", "io"},
    };
    return names[controller][version == CGROUP_VERSION_1 ? 0 : 1];
}

/* ECGOTHER means that errno was kept aside; the other numbers have no errno of their own. */
static int set_error(struct error *err, int code, const char *what, const char *name)
{
    int system_code = cgroup_get_last_errno();
    if (code == ECGOTHER && system_code > 0) {
        return error_set_errno(err, system_code, "cgroup %s: cannot %s it", name, what);
    }
    int errno_code = code == ECGROUPNOTOWNER || code == ECGROUPNOTALLOWED ? EPERM
                     : code == ECGROUPNOTEXIST                            ? ENOENT
                     : code == ECGROUPSUBSYSNOTMOUNTED                    ? ENOTSUP
                                                                          : EIO;
    return error_set(err, errno_code, "cgroup %s: cannot %s it: %s", name, what, cgroup_strerror(code));
}

/* Its messages would go to stderr in a form of their own; what fails is told through the error contract. */
static void discard_message(void *userdata, int level, const char *format, va_list arguments)
{
    (void)userdata;
    (void)level;
    (void)format;
    (void)arguments;
}

int cgroup_library_open(struct error *err)
{
    cgroup_set_logger(discard_message, CGROUP_LOG_ERROR, NULL);
    int code = cgroup_init();
    if (code != 0) {
        return error_set(err, ENOTSUP, "no cgroup hierarchy is mounted (%s)", cgroup_strerror(code));
    }
    return 0;
}

int cgroup_mount_point(enum controller controller, enum cgroup_version version, char *path, size_t size)
{
    const char *name = controller_name(controller, version);
    char *found = NULL;
    if (name == NULL || cgroup_get_subsys_mount_point(name, &found) != 0) {
        return -ENOENT;
    }
    int n = snprintf(path, size, "%s", found);
    free(found);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* A libcgroup object for the place, with the value (NULL: none) attached to its controller. NULL when memory runs out. */
static struct cgroup *make_object(const struct cgroup_place *place, const struct cgroup_value *value)
{
    struct cgroup *object = cgroup_new_cgroup(place->name);
    for (int c = 0; object != NULL && c < CONTROLLER_COUNT; c++) {
        const char *name = controller_name((enum controller)c, place->version);
        if ((place->controllers & CONTROLLER_BIT(c)) == 0 || name == NULL) {
            continue;
        }
        struct cgroup_controller *controller = cgroup_add_controller(object, name);
        int code = controller == NULL ? ECGFAIL : 0;
        if (code == 0 && value != NULL && value->controller == (enum controller)c) {
            code = cgroup_add_value_string(controller, value->file, value->text);
        }
        if (code != 0) {
            cgroup_free(&object); /* sets it to NULL */
        }
    }
    return object;
}

int cgroup_place_create(const struct cgroup_place *place, struct error *err)
{
    struct cgroup *object = make_object(place, NULL);
    if (object == NULL) {
        return error_set(err, ENOMEM, "cgroup %s: cannot describe it to libcgroup", place->name);
    }
    /* Ownership is ignored: the files stay farmd's, so that a server can never change its own limits. */
    int code = cgroup_create_cgroup(object, 1);
    cgroup_free(&object);
    return code == 0 ? 0 : set_error(err, code, "create", place->name);
}

int cgroup_place_set(const struct cgroup_place *place, const struct cgroup_value *value, struct error *err)
{
    struct cgroup *object = make_object(place, value);
    if (object == NULL) {
        return error_set(err, ENOMEM, "cgroup %s: cannot describe it to libcgroup", place->name);
    }
    int code = cgroup_modify_cgroup(object);
    cgroup_free(&object);
    return code == 0 ? 0 : set_error(err, code, "change", place->name);
}
