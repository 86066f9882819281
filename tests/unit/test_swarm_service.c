/* runtime/swarm: the specification of a service, restart policies in Swarm's words, and what Swarm tells. */
#include "supervisor/runtime/swarm/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>

static struct runtime_spec some_spec(void)
{
    static char *environment[] = {"SERVER_ID=7", "PORT=8007", "SERVER_COUNT=50", "MOTTO=a \"b\"", NULL};

    return (struct runtime_spec){
        .id = 7,
        .name = "server-7",
        .port = 8007,
        .envp = environment,
        .log_path = "/dev/null",
        .limits =
            {.cpu = 0.5, .memory = 256 << 20, .cpu_reservation = 0.1, .memory_reservation = 128 << 20, .pids = 128},
        .stop_grace_ms = 12000,
        .restart = RESTART_ALWAYS,
        .restart_profile = RESTART_PROFILE_SWARM,
        .fingerprint = 0xabcdef,
    };
}

static cJSON *compose(const struct runtime_spec *spec)
{
    struct swarm_policy policy;
    struct error err;

    assert_int_equal(swarm_policy_of(spec->restart, spec->restart_profile, &policy, &err), 0);
    return service_compose(spec, &policy, "farm-1", "farm-worker:1");
}

static const cJSON *at(const cJSON *json, const char *path)
{
    char copy[128], *rest = NULL;

    snprintf(copy, sizeof(copy), "%s", path);
    for (char *key = strtok_r(copy, ".", &rest); key; key = strtok_r(NULL, ".", &rest)) {
        json = cJSON_GetObjectItemCaseSensitive(json, key);
        if (!json)
            fail_msg("%s: there is no %s", path, key);
    }
    return json;
}

#define assert_number(json, path, value) assert_true(at(json, path)->valuedouble == (double)(value))
#define assert_text(json, path, value) assert_string_equal(at(json, path)->valuestring, value)

static bool has_word(const cJSON *array, const char *word)
{
    const cJSON *entry;

    cJSON_ArrayForEach(entry, array)
    {
        if (strcmp(entry->valuestring, word) == 0)
            return true;
    }
    return false;
}

static void a_service_is_one_replica_with_its_limits_and_its_port(void **state)
{
    (void)state;
    const struct runtime_spec spec = some_spec();
    cJSON *service = compose(&spec);
    const cJSON *port = cJSON_GetArrayItem(at(service, "EndpointSpec.Ports"), 0);

    assert_text(service, "Name", "server-7");
    assert_number(service, "Mode.Replicated.Replicas", 1);
    assert_number(service, "TaskTemplate.Resources.Limits.NanoCPUs", 500000000);
    assert_number(service, "TaskTemplate.Resources.Limits.MemoryBytes", 256 << 20);
    assert_number(service, "TaskTemplate.Resources.Limits.Pids", 128);
    assert_number(service, "TaskTemplate.Resources.Reservations.NanoCPUs", 100000000);
    assert_number(service, "TaskTemplate.Resources.Reservations.MemoryBytes", 128 << 20);
    assert_number(service, "TaskTemplate.ContainerSpec.StopGracePeriod", 12e9);
    assert_true(cJSON_IsTrue(at(service, "TaskTemplate.ContainerSpec.ReadOnly")));
    assert_true(has_word(at(service, "TaskTemplate.ContainerSpec.CapabilityDrop"), "ALL"));
    assert_number(port, "PublishedPort", 8007);
    assert_number(port, "TargetPort", 8000);
    assert_text(port, "PublishMode", "host");
    assert_text(service, "UpdateConfig.Order", "stop-first");
    assert_text(service, "TaskTemplate.ContainerSpec.Image", "farm-worker:1"); /* no digest is resolved */
    assert_int_equal(service_published_port(service), 8007);
    cJSON_Delete(service);
}

static void inside_every_server_has_the_same_port(void **state)
{
    (void)state;
    const struct runtime_spec spec = some_spec();
    cJSON *service = compose(&spec);
    const cJSON *environment = at(service, "TaskTemplate.ContainerSpec.Env");

    assert_true(has_word(environment, "PORT=8000"));
    assert_true(has_word(environment, "SERVER_ID=7"));
    assert_true(has_word(environment, "MOTTO=a \"b\""));
    assert_false(has_word(environment, "PORT=8007"));
    assert_false(has_word(environment, "SERVER_COUNT=50")); /* else a scale would replace every task */
    cJSON_Delete(service);
}

static void labels_tell_whose_it_is_on_the_service_and_its_tasks(void **state)
{
    (void)state;
    const struct runtime_spec spec = some_spec();
    cJSON *service = compose(&spec), *told = cJSON_CreateObject();
    struct service_state found;
    struct error err;

    assert_string_equal(
        cJSON_GetObjectItemCaseSensitive(at(service, "TaskTemplate.ContainerSpec.Labels"), "farmd.instance")
            ->valuestring,
        "farm-1");
    assert_int_equal(service_fingerprint(service), 0xabcdef);
    assert_int_equal(service_noted_hash(service) != 0, 1);
    cJSON_AddStringToObject(told, "ID", "abc");
    cJSON_AddItemToObject(told, "Spec", service);
    assert_int_equal(service_parse(told, &found, &err), 0);
    assert_string_equal(found.id, "abc");
    assert_string_equal(found.instance, "farm-1");
    assert_int_equal(found.server, 7);
    cJSON_DeleteItemFromObject(told, "Spec");
    assert_int_equal(service_parse(told, &found, &err), -EPROTO);
    cJSON_Delete(told);
}

static void limits_and_replicas_change_without_another_hash(void **state)
{
    (void)state;
    struct runtime_spec spec = some_spec();
    cJSON *service = compose(&spec);
    uint64_t hash = service_noted_hash(service);
    struct limits limits = {.cpu = 0.25, .memory = 64 << 20, .pids = 64};

    service_set_limits(service, &limits);
    service_set_replicas(service, 0);
    service_force(service);
    service_limits(service, &limits);
    assert_true(limits.cpu == 0.25);
    assert_int_equal(limits.memory, 64 << 20);
    assert_int_equal(service_replicas(service), 0);
    assert_number(service, "TaskTemplate.ForceUpdate", 1);

    spec.limits.cpu = 2;
    cJSON *same = compose(&spec);
    assert_int_equal(service_noted_hash(same), hash);
    service_force_after(same, service);
    assert_number(same, "TaskTemplate.ForceUpdate", 2);
    spec.port = 8008;
    cJSON *other = compose(&spec);
    assert_int_not_equal(service_noted_hash(other), hash);
    cJSON_Delete(service);
    cJSON_Delete(same);
    cJSON_Delete(other);
}

static void what_swarm_can_express_is_expressed(void **state)
{
    (void)state;
    static const struct {
        enum restart_profile profile;
        int64_t delay_ms;
        unsigned attempts;
        int64_t window_ms;
    } rows[] = {
        {RESTART_PROFILE_SWARM, 5000, 0, 0},
        {RESTART_PROFILE_SYSTEMD, 100, 4, 10000},
        {RESTART_PROFILE_NOMAD, 15000, 2, 30 * 60000},
    };
    struct swarm_policy policy;
    struct error err;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(swarm_policy_of(RESTART_ON_FAILURE, rows[i].profile, &policy, &err), 0);
        assert_string_equal(policy.condition, "on-failure");
        assert_int_equal(policy.delay_ms, rows[i].delay_ms);
        assert_int_equal(policy.attempts, rows[i].attempts);
        assert_int_equal(policy.window_ms, rows[i].window_ms);
    }
    assert_int_equal(swarm_policy_of(RESTART_ALWAYS, RESTART_PROFILE_SWARM, &policy, &err), 0);
    assert_string_equal(policy.condition, "any");
    assert_int_equal(swarm_policy_of(RESTART_NEVER, RESTART_PROFILE_SWARM, &policy, &err), 0);
    assert_string_equal(policy.condition, "none");
}

static void what_swarm_cannot_express_is_refused(void **state)
{
    (void)state;
    static const enum restart_profile refused[] = {RESTART_PROFILE_FARM, RESTART_PROFILE_KUBERNETES,
                                                   RESTART_PROFILE_DOCKER, RESTART_PROFILE_SUPERVISORD,
                                                   RESTART_PROFILE_S6};
    struct swarm_policy policy = {.delay_ms = 42};
    struct error err;

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(swarm_policy_of(RESTART_ALWAYS, refused[i], &policy, &err), -EINVAL);
        assert_non_null(strstr(err.message, restart_profile_name(refused[i])));
        assert_non_null(strstr(err.message, "allowed with runtime swarm: swarm, systemd or nomad"));
    }
    assert_int_equal(policy.delay_ms, 42);
}

static void the_window_is_told_to_swarm_in_nanoseconds(void **state)
{
    (void)state;
    struct runtime_spec spec = some_spec();
    spec.restart_profile = RESTART_PROFILE_SYSTEMD;
    cJSON *service = compose(&spec);

    assert_number(service, "TaskTemplate.RestartPolicy.Delay", 1e8);
    assert_number(service, "TaskTemplate.RestartPolicy.Window", 1e10);
    assert_number(service, "TaskTemplate.RestartPolicy.MaxAttempts", 4);
    assert_int_equal(service_delay_ms(service), 100);
    cJSON_Delete(service);
}

/* --- what is told --- */

static struct task_state task(const char *text)
{
    cJSON *json = cJSON_Parse(text);
    struct task_state state;
    struct error err;

    assert_non_null(json);
    assert_int_equal(task_parse(json, &state, &err), 0);
    cJSON_Delete(json);
    return state;
}

#define TASK(state, desired, rest)                                                                                     \
    "{\"ID\":\"t1\",\"ServiceID\":\"s1\",\"NodeID\":\"n1\",\"DesiredState\":\"" desired "\",\"CreatedAt\":"            \
    "\"2026-11-30T14:22:05.19384595Z\",\"Status\":{\"State\":\"" state "\"" rest "}}"

static struct runtime_exit exit_of(const char *text)
{
    struct task_state state = task(text);
    struct runtime_exit exit;

    assert_true(task_is_over(&state));
    task_exit(&state, &exit);
    return exit;
}

static void an_end_is_told_in_the_words_of_every_runtime(void **state)
{
    (void)state;
    struct runtime_exit exit = exit_of(TASK("failed", "shutdown",
                                            ",\"Err\":\"task: non-zero exit (3)\",\"ContainerStatus\":"
                                            "{\"ContainerID\":\"c\",\"PID\":0,\"ExitCode\":3}"));
    assert_int_equal(exit.kind, RUNTIME_EXIT_CODE);
    assert_int_equal(exit.exit_code, 3);
    assert_string_equal(exit.detail, ""); /* the code says it */
    assert_false(exit.not_started || exit.replaced);

    exit = exit_of(TASK("failed", "shutdown",
                        ",\"Err\":\"task: non-zero exit (137)\",\"ContainerStatus\":"
                        "{\"ContainerID\":\"c\",\"PID\":0,\"ExitCode\":137}"));
    assert_int_equal(exit.kind, RUNTIME_EXIT_SIGNAL);
    assert_int_equal(exit.signal, 9);

    exit = exit_of(TASK("complete", "shutdown", ",\"ContainerStatus\":{\"ContainerID\":\"c\",\"ExitCode\":0}"));
    assert_int_equal(exit.kind, RUNTIME_EXIT_CODE);
    assert_int_equal(exit.exit_code, 0);

    exit = exit_of(TASK("rejected", "shutdown", ",\"Err\":\"No such image: farm-worker:1\""));
    assert_true(exit.not_started);
    assert_string_equal(exit.detail, "No such image: farm-worker:1");

    exit = exit_of(TASK("shutdown", "shutdown", ",\"ContainerStatus\":{\"ContainerID\":\"c\",\"ExitCode\":0}"));
    assert_true(exit.replaced);
}

static void a_task_that_goes_on_is_not_over(void **state)
{
    (void)state;
    struct task_state running = task(TASK("running", "running", ",\"ContainerStatus\":{\"PID\":42}"));
    struct task_state leaving = task(TASK("running", "shutdown", ""));
    struct task_state waiting = task(TASK("pending", "running", ",\"Err\":\"no suitable node\""));

    assert_true(task_is_wanted(&running) && task_is_wanted(&waiting) && !task_is_wanted(&leaving));
    assert_false(task_is_over(&running) || task_is_over(&leaving) || task_is_over(&waiting));
    assert_int_equal(running.pid, 42);
    assert_string_equal(waiting.error, "no suitable node");
}

#define LIMITED(limits)                                                                                                \
    "{\"ID\":\"t1\",\"CreatedAt\":\"2026-11-30T14:22:05Z\",\"Spec\":{\"Resources\":{\"Limits\":{" limits "},"          \
    "\"Reservations\":{\"NanoCPUs\":100000000,\"MemoryBytes\":1048576}}}}"

static void a_task_has_limits_of_its_own(void **state)
{
    (void)state;
    struct task_state found = task(LIMITED("\"NanoCPUs\":250000000,\"MemoryBytes\":2097152,\"Pids\":64"));

    assert_true(found.limits.cpu == 0.25 && found.limits.cpu_reservation == 0.1);
    assert_int_equal(found.limits.memory, 2 << 20);
    assert_int_equal(found.limits.memory_reservation, 1 << 20);
    assert_int_equal(found.limits.pids, 64);

    found = task(LIMITED("\"MemoryBytes\":1e300,\"Pids\":-1")); /* no number of bytes, and no limit */
    assert_true(found.limits.cpu == 0);
    assert_int_equal(found.limits.memory, 0);
    assert_int_equal(found.limits.pids, 0);
}

static void the_younger_of_two_tasks_is_known_by_the_time(void **state)
{
    (void)state;
    const struct task_state none = {0};
    struct task_state whole = {.id = "a", .created_at = "2026-11-30T14:22:05Z"};
    struct task_state later = {.id = "b", .created_at = "2026-11-30T14:22:05.12Z"};
    struct task_state latest = {.id = "c", .created_at = "2026-11-30T14:22:05.123Z"};

    assert_true(task_is_newer(&later, &whole) && task_is_newer(&latest, &later));
    assert_false(task_is_newer(&whole, &later) || task_is_newer(&later, &latest));
    assert_true(task_is_newer(&whole, &none));
}

static void nodes_are_known_by_their_host_names(void **state)
{
    (void)state;
    struct node_state node;
    struct error err;
    cJSON *json = cJSON_Parse("{\"ID\":\"n1\",\"Description\":{\"Hostname\":\"west\"},"
                              "\"Status\":{\"State\":\"down\",\"Addr\":\"10.0.0.2\"}}");

    assert_int_equal(node_parse(json, &node, &err), 0);
    assert_string_equal(node.name, "west");
    assert_string_equal(node.address, "10.0.0.2");
    assert_true(node.down);
    cJSON_Delete(json);
    json = cJSON_Parse("{\"ID\":\"an identifier that is longer than any of Swarm's\"}");
    assert_int_equal(node_parse(json, &node, &err), -EPROTO);
    assert_string_equal(node.name, "west"); /* untouched */
    cJSON_Delete(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_is_one_replica_with_its_limits_and_its_port),
        cmocka_unit_test(inside_every_server_has_the_same_port),
        cmocka_unit_test(labels_tell_whose_it_is_on_the_service_and_its_tasks),
        cmocka_unit_test(limits_and_replicas_change_without_another_hash),
        cmocka_unit_test(what_swarm_can_express_is_expressed),
        cmocka_unit_test(what_swarm_cannot_express_is_refused),
        cmocka_unit_test(the_window_is_told_to_swarm_in_nanoseconds),
        cmocka_unit_test(an_end_is_told_in_the_words_of_every_runtime),
        cmocka_unit_test(a_task_that_goes_on_is_not_over),
        cmocka_unit_test(a_task_has_limits_of_its_own),
        cmocka_unit_test(the_younger_of_two_tasks_is_known_by_the_time),
        cmocka_unit_test(nodes_are_known_by_their_host_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
