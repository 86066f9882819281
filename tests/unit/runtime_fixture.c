/* Real processes for runtime tests; see runtime_fixture.h. */
#include "runtime_fixture.h"

#include "core/memory.h"
#include "supervisor/runtime/process/kernel_file.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <ftw.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DEADLINE_MS 10000
#define TICK_MS 5

static const struct runtime_ops *const ops = &runtime_process_ops;

static void on_ready(void *owner)
{
    struct runtime_fixture_server *server = owner;
    server->ready++;
}

static void on_oom(void *owner)
{
    struct runtime_fixture_server *server = owner;
    server->ooms++;
}

static void on_exit_told(void *owner, const struct runtime_exit *exit)
{
    struct runtime_fixture_server *server = owner;
    server->exits++;
    server->exit = *exit;
    ops->sample(server->process, &server->last);
    server->process = NULL;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* On disk: where files are memory there is no cache of them that the kernel could drop. */
static const char *base_folder(void)
{
    const char *chosen = getenv("TMPDIR");
    struct statfs status;
    if (chosen != NULL) {
        return chosen;
    }
    return statfs("/tmp", &status) == 0 && status.f_type == TMPFS_MAGIC ? "/var/tmp" : "/tmp";
}

static int set_up(void **state, enum enforce_mode enforce)
{
    static unsigned number;
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    struct error err;
    snprintf(fixture->folder, sizeof(fixture->folder), "%.40s/runtime-XXXXXX", base_folder());
    snprintf(fixture->instance, sizeof(fixture->instance), "farmd-test-%d-%u", (int)getpid(), number++);
    if (mkdtemp(fixture->folder) == NULL || chmod(fixture->folder, 01777) != 0 || uv_loop_init(&fixture->loop) != 0) {
        return -1;
    }
    struct runtime_options options = {
        .loop = &fixture->loop,
        .instance = fixture->instance,
        .runtime_dir = fixture->folder,
        .enforce = enforce,
        .events = {.on_ready = on_ready, .on_exit = on_exit_told, .on_oom = on_oom},
    };
    if (ops->open(&fixture->runtime, &options, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    uv_timer_init(&fixture->loop, &fixture->tick);
    uv_timer_start(&fixture->tick, on_tick, TICK_MS, TICK_MS);
    *state = fixture;
    return 0;
}

int runtime_fixture_set_up(void **state)
{
    return set_up(state, ENFORCE_AUTO);
}

int runtime_fixture_set_up_none(void **state)
{
    return set_up(state, ENFORCE_NONE);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

int runtime_fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;
    bool ended = true;
    for (int i = 0; i < FIXTURE_SERVERS; i++) {
        if (fixture->servers[i].process != NULL) {
            ops->kill(fixture->servers[i].process, NULL);
            ended = runtime_fixture_wait_exit(fixture, i) && ended;
        }
    }
    ops->close(fixture->runtime);
    uv_close((uv_handle_t *)&fixture->tick, NULL);
    uv_run(&fixture->loop, UV_RUN_DEFAULT); /* ends when every handle is closed */
    ended = uv_loop_close(&fixture->loop) == 0 && ended;
    ended = runtime_fixture_cgroups(fixture) == 0 && ended;
    nftw(fixture->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return ended ? 0 : -1;
}

bool runtime_fixture_enforces(const struct fixture *fixture)
{
    const char *warning = ops->warning(fixture->runtime);
    if (warning != NULL) {
        fprintf(stderr, "skipped: %s\n", warning);
    }
    return warning == NULL;
}

struct limits runtime_fixture_limits(void)
{
    return (struct limits){
        .cpu = 0.5, .memory = 64 << 20, .cpu_reservation = 0.1, .memory_reservation = 32 << 20, .pids = 64};
}

/* A port that nobody has right now, nor is given to a connection later; servers here never listen on it. */
static uint16_t free_port(void)
{
    enum { FIRST = 5000, COUNT = 2500 };
    static unsigned next;
    if (next == 0)
        next = (unsigned)getpid() * 37; /* other programs of the tests run beside this one */
    for (int tries = 0; tries < COUNT; tries++) {
        cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        uint16_t port = (uint16_t)(FIRST + next++ % COUNT);
        struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
            return port;
    }
    return 0;
}

void runtime_fixture_spec(struct fixture *fixture, int index, char *const *argv, struct runtime_spec *spec)
{
    static char names[FIXTURE_SERVERS][16];
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", variable[] = "FIXTURE=yes";
    static char stale[] = "FARMD_READY_FD=99"; /* as inherited by a farmd in a farmd */
    static char folder[80], log[80];
    static char *environment[] = {path, variable, stale, folder, NULL};
    snprintf(names[index], sizeof(names[index]), "server-%d", 7 + index);
    snprintf(folder, sizeof(folder), "FOLDER=%s", fixture->folder);
    snprintf(log, sizeof(log), "%s/log", fixture->folder);
    *spec = (struct runtime_spec){
        .id = 7 + index,
        .name = names[index],
        .port = free_port(),
        .argv = argv,
        .envp = environment,
        .log_path = log,
        .limits = runtime_fixture_limits(),
    };
}

int runtime_fixture_start_spec(struct fixture *fixture, int index, const struct runtime_spec *spec, struct error *err)
{
    struct runtime_fixture_server *server = &fixture->servers[index];
    *server = (struct runtime_fixture_server){0};
    return ops->start(fixture->runtime, spec, server, &server->process, err);
}

int runtime_fixture_start(struct fixture *fixture, int index, const char *script, const struct limits *limits,
                          struct error *err)
{
    char shell[] = "sh", option[] = "-c";
    cleanup_free char *text = xstrdup(script);
    char *argv[] = {shell, option, text, NULL};
    struct runtime_spec spec;
    runtime_fixture_spec(fixture, index, argv, &spec);
    if (limits != NULL) {
        spec.limits = *limits;
    }
    return runtime_fixture_start_spec(fixture, index, &spec, err);
}

bool runtime_fixture_wait(struct fixture *fixture, runtime_fixture_condition *condition, void *argument)
{
    uv_update_time(&fixture->loop);
    uint64_t deadline = uv_now(&fixture->loop) + DEADLINE_MS;
    bool holds;
    while (!(holds = condition(fixture, argument)) && uv_now(&fixture->loop) < deadline) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    return holds;
}

static bool is_ready(struct fixture *fixture, void *argument)
{
    return fixture->servers[*(int *)argument].ready > 0;
}

static bool has_exited(struct fixture *fixture, void *argument)
{
    return fixture->servers[*(int *)argument].exits > 0;
}

bool runtime_fixture_wait_ready(struct fixture *fixture, int index)
{
    return runtime_fixture_wait(fixture, is_ready, &index);
}

bool runtime_fixture_wait_exit(struct fixture *fixture, int index)
{
    return runtime_fixture_wait(fixture, has_exited, &index);
}

char *runtime_fixture_file(const struct fixture *fixture, const char *name)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
    char *text = kernel_file_read_all(path, NULL);
    return text == NULL ? xstrdup("") : text;
}

char *runtime_fixture_log(const struct fixture *fixture)
{
    return runtime_fixture_file(fixture, "log");
}

bool runtime_fixture_is_gone(pid_t pid)
{
    char path[40], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (kernel_file_read(path, text, sizeof(text)) <= 0) {
        return true;
    }
    const char *state = strrchr(text, ')');
    return state != NULL && (state[2] == 'Z' || state[2] == 'X');
}

static const char *counted_name;
static unsigned counted;

static int count_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)walk;
    if (type == FTW_D && strstr(path, counted_name) != NULL) {
        counted++;
    }
    return 0;
}

unsigned runtime_fixture_cgroups(const struct fixture *fixture)
{
    char name[48];
    snprintf(name, sizeof(name), "/%s", fixture->instance);
    counted_name = name;
    counted = 0;
    nftw("/sys/fs/cgroup", count_entry, 16, FTW_PHYS);
    counted_name = NULL;
    return counted;
}
