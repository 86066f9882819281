/*
 * See identity.h.
 */
#include "supervisor/runtime/process/identity.h"

#include "core/memory.h"
#include "core/units.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOBODY "nobody"
#define NOBODY_ID 65534

struct known_identity {
    struct known_identity *next;
    char *user;
    struct identity identity;
};

static int look_up(const char *user, struct identity *identity, struct error *err)
{
    bool is_nobody = strcmp(user, NOBODY) == 0;
    *identity = (struct identity){.change = true};
    errno = 0;
    struct passwd *entry = getpwnam(user);
    int64_t number;
    if (entry == NULL && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO)) {
        return error_set_errno(err, errno, "cannot look up the user \"%s\"",
                               user); /* says nothing of whether there is one */
    }
    if (entry != NULL) {
        identity->uid = entry->pw_uid;
        identity->gid = entry->pw_gid;
        int count = IDENTITY_GROUPS_MAX;
        if (!is_nobody && getgrouplist(user, entry->pw_gid, identity->groups, &count) >= 0) {
            identity->group_count = (size_t)count;
        }
    } else if (is_nobody) {
        identity->uid = NOBODY_ID;
        identity->gid = NOBODY_ID;
    } else if (units_parse_int(user, 0, INT_MAX, &number) == 0) {
        identity->uid = (uid_t)number;
        identity->gid = (gid_t)number;
    } else {
        return error_set(err, EINVAL, "there is no user \"%s\" on this machine; name one of /etc/passwd", user);
    }
    return 0;
}

int identities_find(struct identities *identities, const char *user, struct identity *identity, struct error *err)
{
    if (geteuid() != 0) {
        *identity = (struct identity){0};
        return 0; /* nobody can be become without root; a wish for another user was refused with the settings */
    }
    const char *name = user == NULL ? NOBODY : user;
    for (const struct known_identity *known = identities->first; known != NULL; known = known->next) {
        if (strcmp(known->user, name) == 0) {
            *identity = known->identity;
            return 0;
        }
    }
    int rc = look_up(name, identity, err);
    if (rc == 0) {
        struct known_identity *known = xcalloc(1, sizeof(*known));
        known->user = xstrdup(name);
        known->identity = *identity;
        known->next = identities->first;
        identities->first = known;
    }
    return rc;
}

void identities_free(struct identities *identities)
{
    while (identities->first != NULL) {
        struct known_identity *known = identities->first;
        identities->first = known->next;
        free(known->user);
        free(known);
    }
}
