/*
 * Whom servers run as. A name is looked up once: the answer of a user database that lies elsewhere (LDAP) takes its time,
 * and farmd stands still until it is there. Who changes a user's number restarts farmd.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_IDENTITY_H
#define SUPERVISOR_RUNTIME_PROCESS_IDENTITY_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define IDENTITY_GROUPS_MAX 32

struct identity {
    bool change; /* false: stays who farmd is */
    uid_t uid;
    gid_t gid;
    size_t group_count;
    gid_t groups[IDENTITY_GROUPS_MAX];
};

/* Those that were asked for. All zero to begin with. */
struct identities {
    struct known_identity *first;
};

/* Who `user` (a name or a number; NULL: "nobody") is. */
int identities_find(struct identities *identities, const char *user, struct identity *identity, struct error *err);
void identities_free(struct identities *identities);

#endif
