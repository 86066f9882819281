/*
 * The cgroups of a farm: one slice, one leaf per server in it. A slice has one of three kinds (cgroup2, cgroup1, none)
 * behind a small vtable; which one is found out once, when it is opened. Limits, freezing, killing everything, and the
 * statistics are here; starting processes is not (spawn.h).
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_SLICE_H
#define SUPERVISOR_RUNTIME_PROCESS_SLICE_H

#include "core/error.h"
#include "supervisor/config/settings.h"
#include "supervisor/runtime/process/cgroup.h"
#include "supervisor/runtime/process/cgroup_paths.h"
#include "supervisor/runtime/runtime.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Descriptors held open for the statistics of a leaf; a kind leaves out what it has not. */
enum leaf_stat {
    LEAF_STAT_CPU_USAGE,
    LEAF_STAT_CPU,
    LEAF_STAT_MEMORY,
    LEAF_STAT_OOM,
    LEAF_STAT_PIDS,
    LEAF_STAT_IO,
    LEAF_STAT_COUNT
};

enum reserved { RESERVED_CPU, RESERVED_MEMORY, RESERVED_COUNT };

#define LEAF_NAME_MAX 96 /* a container's is 64 digits, or has words around them */
#define SLICE_WARNING_MAX 768

struct slice;
struct spared;

/* The cgroup of one run of one server. */
struct leaf {
    struct slice *slice;
    char name[LEAF_NAME_MAX]; /* "server-7" */
    bool is_new;              /* no cgroup of this name was there before: its counters began at 0 */
    bool stats_open;
    int64_t stats_retry_ns; /* when to try again to open what could not be opened for want of something; 0: no need */
    int stats[LEAF_STAT_COUNT]; /* -1 where there is none */
    struct limits asked;
    bool in_force_known;
    struct runtime_limits_in_force in_force;
    uint64_t reserved[RESERVED_COUNT]; /* its part of what the slice carries */
    bool unverified;                   /* adopted: the kernel's files may say something else than `asked` */

    /* Only `none` needs these. */
    pid_t pid;       /* the main process; also its process group and session */
    int pidfd;       /* of an adopted main process, whose number may be another's once it has ended; else -1 */
    int64_t dead_ns; /* when the main process ended, 0 while it lives */
};

/* How a child gets into its leaf. */
struct leaf_entry {
    int cgroup_fd;                                /* v2: for CLONE_INTO_CGROUP; -1 otherwise. The caller closes it */
    char join[CONTROLLER_COUNT][CGROUP_PATH_MAX]; /* v1: files that the child writes "0" to */
    unsigned join_count;
};

struct slice_ops {
    const char *enforcement; /* "cgroup2", "cgroup1", "none" */
    struct leaf_stat_row {
        enum controller controller;
        const char *file; /* NULL: none */
        unsigned have;    /* enum runtime_have */
        void (*parse)(const char *text, struct runtime_sample *sample);
    } stats[LEAF_STAT_COUNT];
    bool has_pressure; /* each leaf has the files of PSI, where the kernel has it */
    /* The slice's own files for the sums of what its leaves reserve. */
    struct slice_reserve_row {
        enum controller controller;
        const char *file;     /* NULL: a leaf's reservation counts whatever the slice has */
        uint64_t least, most; /* the kernel's default, which no farm goes below; what the kernel takes at most */
    } reserves[RESERVED_COUNT];

    /* Makes the leaf and sets its limits; or sets those of one that is there. */
    int (*apply)(struct leaf *leaf, const struct limits *limits, bool create, struct error *err);
    /* What a leaf with these limits reserves, in the kernel's figures; NULL: nothing ever. */
    void (*reserved)(const struct limits *limits, uint64_t figures[RESERVED_COUNT]);
    int (*read_limits)(struct leaf *leaf); /* fills in_force from the kernel's files; or a negative code */
    /* Whether the process of an earlier run is where it belongs: 0 or -ESTALE. Nothing is changed. */
    int (*recognise)(const struct leaf *leaf, const struct runtime_leftover *leftover, struct error *err);
    int (*entry)(struct leaf *leaf, struct leaf_entry *entry, struct error *err);
    void (*sample)(const struct leaf *leaf, struct runtime_sample *sample); /* its descriptors are open */
    int (*freeze)(struct leaf *leaf, bool frozen, struct error *err);
    bool (*frozen)(const struct leaf *leaf, bool recorded); /* `recorded`: as an earlier run noted it down */
    /* SIGKILL to everything inside now, frozen or not. 0 when nothing was left; -EBUSY when there was, or another code
     * when that cannot be seen: ask again. */
    int (*kill)(struct leaf *leaf);
    int (*remove)(struct leaf *leaf); /* 0 or -EBUSY, -EIO, …; may be asked again */
    /* Whatever an earlier slice of this name left behind but for the spared leaves, killed and removed as far as it can be
     * within a deadline. From a thread. */
    int (*clean)(const struct slice *slice, const struct spared *spared, struct error *err);
    void (*close)(struct slice *slice); /* removes the slice's own cgroups */
};

/* The slice in one hierarchy. */
struct slice_hierarchy {
    bool usable;
    char directory[CGROUP_PATH_MAX]; /* "/sys/fs/cgroup/cpu/farmd-8000" */
    char name[CGROUP_PATH_MAX];      /* the same relative to the mount, for libcgroup */
    char root[CGROUP_PATH_MAX];      /* the cgroup that is mounted, as /proc/PID/cgroup tells of it */
};

struct slice {
    const struct slice_ops *ops;
    char name[LEAF_NAME_MAX]; /* "farmd-8000" */
    enum cgroup_version version;
    const struct slice_places *earlier; /* while it is opened; may be NULL */
    bool required;                      /* a limit that is refused fails the start */
    char warning[SLICE_WARNING_MAX];
    struct slice_hierarchy hierarchies[CONTROLLER_COUNT]; /* v2: all the same directory */
    bool has_memsw;                                       /* v1: swap is limited with memory */
    void (*on_trouble)(void *farm, enum runtime_trouble trouble, const struct error *err); /* may be NULL */
    void *farm;
    unsigned leaves_without_stats; /* for want of descriptors, for now */

    /* v2: what has to be undone at close */
    char base[CGROUP_PATH_MAX]; /* the cgroup that the slice lies in */
    bool moved;                 /* farmd sits in a leaf of the slice and came from `base` */
    unsigned enabled;           /* CONTROLLER_BITs that farmd switched on in `base` */

    uint64_t reserved[RESERVED_COUNT]; /* by all its leaves */
    bool carries[RESERVED_COUNT];      /* its files say so; before the first time, what an earlier farmd left there */

    struct procfs_members *members; /* none: the last look through /proc */
    int64_t members_ns, members_took_ns;
};

void slice_trouble(const struct slice *slice, enum runtime_trouble trouble, const struct error *err);

/* The directories of an earlier slice of the same name, which another session may have made. */
struct slice_places {
    char *const *list;
    size_t count;
};

/* Finds out what can be enforced and makes the slice, or goes on in an earlier one (NULL: there was none). `name` is its
 * whole name. */
int slice_open(struct slice **slice, const char *name, const struct slice_places *earlier, enum enforce_mode enforce,
               struct error *err);
/* Where below this mount an earlier slice still lies: the cgroup that it is in, "" or "a/b". False when there is none. */
bool slice_earlier_base(const struct slice *slice, const char *mount, char base[CGROUP_PATH_MAX]);
void slice_close(struct slice *slice); /* after its leaves; NULL is fine */

/* A leaf of a slice. leaf_close closes descriptors and leaves the cgroup. Statistics are opened and limits read back when
 * they are first asked for, off the way of a start. */
int leaf_create(struct slice *slice, const char *name, const struct limits *limits, struct leaf *leaf,
                struct error *err);
void leaf_close(struct leaf *leaf);
/* The leaf that a process of an earlier run sits in, with these limits in force from now on. -ESTALE when it does not sit
 * there, else as leaf_set_limits. One that has ended sits nowhere any more, and needs no limits. */
int leaf_adopt(struct slice *slice, const struct runtime_adoption *adoption, int pidfd, bool ended, struct leaf *leaf,
               struct error *err);
/* All or nothing: -EBUSY with the figure when more memory is in use than it is to have. */
int leaf_set_limits(struct leaf *leaf, const struct limits *limits, struct error *err);
const struct runtime_limits_in_force *leaf_limits(struct leaf *leaf); /* NULL when they cannot be read now */
void leaf_sample(struct leaf *leaf, struct runtime_sample *sample);
uint64_t leaf_oom_kills(struct leaf *leaf); /* 0 where it is not accounted */
/* Fills in what the kernel tells; `figures` is all zero before. */
void leaf_pressure(const struct leaf *leaf, struct runtime_pressure figures[RUNTIME_RESOURCE_COUNT]);

/* The kinds. Their discovery returns 0 with the slice made, or a negative code with the reason in `err`. v2 wants both cpu
 * and memory, or with `part` is content with one of them. */
int slice_v1_open(struct slice *slice, const char *own_cgroups, const char *mountinfo, struct error *err);
int slice_v2_open(struct slice *slice, const char *own_cgroups, const char *mountinfo, bool part, struct error *err);
extern const struct slice_ops slice_v1_ops;
extern const struct slice_ops slice_v2_ops;
extern const struct slice_ops slice_none_ops;

/* Shared by the two cgroup kinds. */

/* The path of a file of the leaf, of its directory when `file` is "". */
void leaf_path(const struct leaf *leaf, enum controller controller, const char *file, char path[CGROUP_PATH_MAX]);
/* Makes the leaf's directories; and removes them, with what it reserves: 0 also when they are gone, or -EBUSY, … */
int leaf_make(struct leaf *leaf, struct error *err);
int leaf_remove(struct leaf *leaf);

/* Writes the values that the slice has controllers for. The first that is refused ends it. In a new leaf one that the
 * kernel refuses for good is a trouble only, unless enforcement is required: the limits that are read back tell the truth;
 * one that fails for want of something ends it too, for the next try may have it. */
int leaf_write(struct leaf *leaf, bool create, const struct cgroup_value *values, size_t count, struct error *err);

/* The refusal of a memory limit below what is in use and cannot be given back: -EBUSY with both figures. */
int leaf_uses_more(const struct leaf *leaf, uint64_t wanted, struct error *err);

/* Counts what a leaf reserves, or reserves no longer when `limits` is NULL, in what the slice carries. */
void leaf_reserve(struct leaf *leaf, const struct limits *limits);

/* Leaves out the values that are as before, row by row. Returns how many are left. */
size_t cgroup_values_changed(struct cgroup_value *values, const struct cgroup_value *before, size_t count);

/* Reads and parses what is open of the leaf's statistics. */
void leaf_sample_stats(const struct leaf *leaf, struct runtime_sample *sample);

/* For files that are alike in both versions. */
void leaf_parse_memory(const char *text, struct runtime_sample *sample);
void leaf_parse_oom(const char *text, struct runtime_sample *sample);
void leaf_parse_pids(const char *text, struct runtime_sample *sample);

/* OOM kills in the text of memory.events or oom_control. Where the kernel kills a group whole, that is one, though it counts
 * each process of it, and a process with threads maybe twice. */
uint64_t cgroup_oom_kills(const char *text);

int cgroup_kill_listed(
    const char *directory); /* SIGKILL to each pid of cgroup.procs: how many pids were listed, or a negative code */

/* Whether a process sits in the leaf in every hierarchy: 0 or -ESTALE. */
int cgroup_recognise(const struct leaf *leaf, const struct runtime_leftover *leftover, struct error *err);

/* Kills what is in the leaves of the slice in these hierarchies, but for the spared ones and one of the name `keep` (may be
 * NULL), and removes them, within a deadline of some seconds. For the sweep only. */
int cgroup_clean(const struct slice *slice, const enum controller *controllers, size_t count,
                 const struct spared *spared, const char *keep, struct error *err);

/* The same for a slice of the name `name` that is not this one's, and the slice itself. Nothing when it is none. */
void cgroup_remove_slice(const char *directory, const char *name, struct error *err);

/* Text of a limit for the kernel; the inverse of reading back is in each kind. */
int cgroup_value_set(struct cgroup_value *value, enum controller controller, const char *file, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
