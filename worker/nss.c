/*
 * The static program has no user database. libuv's uv_os_homedir would look one up and so draw glibc's name service
 * switch in, which a static program can't load (the linker warns) and which would be a tenth of its size. Nothing here
 * asks for a home directory; if something did, it would learn that there is no such user. Linked into farm-worker only.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

struct passwd;

int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **result);

int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **result)
{
    (void)uid;
    (void)entry;
    (void)buffer;
    (void)size;
    *result = NULL;
    return ENOENT;
}
