/*
 * Creating, mapping and checking the counters' file.
 */
#include "core/counters.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int counters_create(const char *path, struct error *err)
{
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot create the counters file %s", path);
    /* Down to nothing first, so that a file from an earlier run is all zeroes again; then written, not only sized: a
     * hole in a file system that is full kills whoever touches its mapping. */
    static const char zeroes[COUNTERS_FILE_SIZE];
    ssize_t written = ftruncate(fd, 0) < 0 ? -1 : pwrite(fd, zeroes, sizeof(zeroes), 0);
    if (written != (ssize_t)sizeof(zeroes))
        return error_set_errno(err, written < 0 ? errno : ENOSPC, "cannot write the counters file %s", path);
    int created = fd;
    fd = -1;
    return created;
}

/* A mapping past the file's end would kill its user with SIGBUS, so the size is looked at first. */
static int check_size(int fd, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_set_errno(err, errno, "cannot examine the counters file (descriptor %d)", fd);
    if (!S_ISREG(st.st_mode) || st.st_size != COUNTERS_FILE_SIZE)
        return error_set(err, EINVAL, "the counters file (descriptor %d) has %lld bytes instead of %d; remove it", fd,
                         (long long)st.st_size, COUNTERS_FILE_SIZE);
    return 0;
}

static int map(int fd, int protection, struct counters **counters, struct error *err)
{
    int rc = check_size(fd, err);
    if (rc < 0)
        return rc;
    void *memory = mmap(NULL, COUNTERS_FILE_SIZE, protection, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return error_set_errno(err, errno, "cannot map the counters file (descriptor %d)", fd);
    *counters = memory;
    return 0;
}

static void sign(struct counters *counters)
{
    counters->version = COUNTERS_VERSION;
    /* Last: a reader that sees the magic number sees the version too. */
    __atomic_store_n(&counters->magic, COUNTERS_MAGIC, __ATOMIC_RELEASE);
}

int counters_map_writer(int fd, struct counters **counters, struct error *err)
{
    struct counters *mapped;
    int rc = map(fd, PROT_READ | PROT_WRITE, &mapped, err);
    if (rc < 0)
        return rc;
    sign(mapped);
    *counters = mapped;
    return 0;
}

int counters_map_reader(int fd, const struct counters **counters, struct error *err)
{
    struct counters *mapped;
    int rc = map(fd, PROT_READ, &mapped, err);
    if (rc < 0)
        return rc;

    uint32_t magic = __atomic_load_n(&mapped->magic, __ATOMIC_ACQUIRE);
    if (magic != 0 && (magic != COUNTERS_MAGIC || mapped->version != COUNTERS_VERSION)) {
        rc = error_set(
            err, EINVAL,
            "the counters file (descriptor %d) is not version %d of the layout; restart the server that writes it", fd,
            COUNTERS_VERSION);
        counters_unmap(mapped);
        return rc;
    }
    *counters = mapped;
    return 0;
}

struct counters *counters_map_private(void)
{
    void *memory = mmap(NULL, COUNTERS_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        xmalloc(SIZE_MAX); /* says why and aborts */
    struct counters *counters = memory;
    sign(counters);
    return counters;
}

void counters_unmap(const struct counters *counters)
{
    if (counters)
        munmap((void *)(uintptr_t)counters, COUNTERS_FILE_SIZE);
}
