/*
 * supervisor/runtime/docker/container: the Engine's JSON, written and read; and its other formats: times, frames of logs,
 * statistics.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/memory.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *const environment[] = {"MODE=a\"b\\", "PORT=24007", "SERVER_COUNT=50", NULL};
static char *const words[] = {"sh", "-c", "echo $HOME; rm \"x\"", NULL};

static struct runtime_spec spec_of(void)
{
    return (struct runtime_spec){
        .id = 7,
        .name = "server-7",
        .port = 24007,
        .envp = environment,
        .limits =
            {.cpu = 0.5, .memory = 256 << 20, .cpu_reservation = 0.1, .memory_reservation = 128 << 20, .pids = 128},
    };
}

static cJSON *composed_in(const struct runtime_spec *spec, const struct container_project *project)
{
    struct buffer body = BUFFER_EMPTY;
    container_compose(spec, "farm-a", project, "farm-worker:1", 0xabcd, &body);
    cJSON *json = cJSON_ParseWithLength(body.data, body.length);
    assert_non_null(json);
    buffer_done(&body);
    return json;
}

static cJSON *composed(const struct runtime_spec *spec)
{
    return composed_in(spec, NULL);
}

static const cJSON *at(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);
    if (!item)
        fail_msg("no %s", key);
    return item;
}

static bool has(const cJSON *list, const char *text)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (strcmp(item->valuestring, text) == 0)
            return true;
    }
    return false;
}

/* --- writing --- */

static void asks_for_as_little_as_can_be(void **state)
{
    (void)state;
    const struct runtime_spec spec = spec_of();
    cJSON *json = composed(&spec);
    const cJSON *host = at(json, "HostConfig");
    assert_true(at(host, "NanoCpus")->valuedouble == 5e8);
    assert_true(at(host, "Memory")->valuedouble == (double)(256 << 20));
    assert_true(at(host, "MemorySwap")->valuedouble == (double)(256 << 20));
    assert_int_equal(at(host, "PidsLimit")->valueint, 128);
    assert_true(cJSON_IsTrue(at(host, "ReadonlyRootfs")));
    assert_true(has(at(host, "CapDrop"), "ALL"));
    assert_true(has(at(host, "SecurityOpt"), "no-new-privileges:true"));
    assert_string_equal(at(at(host, "RestartPolicy"), "Name")->valuestring, "no");
    const cJSON *binding = cJSON_GetArrayItem(at(at(host, "PortBindings"), "8000/tcp"), 0);
    assert_string_equal(at(binding, "HostIp")->valuestring, "127.0.0.1");
    assert_string_equal(at(binding, "HostPort")->valuestring, "24007");
    assert_null(cJSON_GetObjectItemCaseSensitive(host, "Privileged"));
    assert_null(cJSON_GetObjectItemCaseSensitive(host, "Binds"));
    cJSON_Delete(json);
}

static void passes_words_and_environment_as_they_are(void **state)
{
    (void)state;
    struct runtime_spec spec = spec_of();
    spec.argv = words;
    cJSON *json = composed(&spec);
    assert_true(has(at(json, "Env"), "MODE=a\"b\\"));
    assert_true(has(at(json, "Env"), "PORT=8000"));
    assert_true(has(at(json, "Env"), "PUBLIC_PORT=24007"));
    assert_false(has(at(json, "Env"), "PORT=24007"));
    assert_true(has(at(json, "Cmd"), "echo $HOME; rm \"x\""));
    assert_int_equal(cJSON_GetArraySize(at(json, "Cmd")), 3);
    cJSON_Delete(json);
}

static void the_hash_tells_what_needs_a_new_container(void **state)
{
    (void)state;
    struct runtime_spec spec = spec_of();
    const uint64_t hash = container_hash(&spec, "image:1");
    spec.limits.memory *= 2;
    assert_true(container_hash(&spec, "image:1") == hash);
    assert_false(container_hash(&spec, "image:2") == hash);
    spec.port++;
    assert_false(container_hash(&spec, "image:1") == hash);
    spec = spec_of();
    spec.argv = words;
    assert_false(container_hash(&spec, "image:1") == hash);
}

/* `docker compose up` takes no notice of it, and `down` takes it along. */
static void belongs_to_farmds_project(void **state)
{
    (void)state;
    const struct runtime_spec spec = spec_of();
    const struct container_project project = {.name = "docker", .service = "farm-worker"};
    cJSON *json = composed_in(&spec, &project), *alone = composed(&spec);
    const cJSON *labels = at(json, "Labels");
    assert_string_equal(at(labels, "com.docker.compose.project")->valuestring, "docker");
    assert_string_equal(at(labels, "com.docker.compose.service")->valuestring, "farm-worker");
    assert_string_equal(at(labels, "com.docker.compose.oneoff")->valuestring, "True");
    assert_string_equal(at(labels, "farmd.server")->valuestring, "7");
    assert_null(cJSON_GetObjectItemCaseSensitive(at(alone, "Labels"), "com.docker.compose.project"));
    cJSON_Delete(json);
    cJSON_Delete(alone);
}

/* --- reading --- */

#define DESCRIPTION                                                                                                    \
    "{\"Id\":\"abc\",\"Name\":\"/server-7\",\"Config\":{\"Image\":\"i:1\",\"Labels\":{\"farmd.instance\":\"farm-a\","  \
    "\"farmd.server\":\"7\",\"farmd.spec\":\"000000000000abcd\"}},\"HostConfig\":{\"NanoCpus\":500000000,"             \
    "\"Memory\":268435456,\"MemoryReservation\":134217728,\"CpuShares\":102,\"PidsLimit\":128,\"PortBindings\":"       \
    "{\"8000/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"24007\"}]}},\"State\":%s}"

static struct container_state parsed_text(const char *text)
{
    struct container_state state;
    struct error err = {0};
    cJSON *json = cJSON_Parse(text);
    if (container_parse(json, &state, &err) < 0)
        fail_msg("%s", err.message);
    cJSON_Delete(json);
    return state;
}

static struct container_state parsed(const char *run)
{
    char *text = xasprintf(DESCRIPTION, run);
    struct container_state state = parsed_text(text);
    free(text);
    return state;
}

static void knows_an_exported_one_and_its_address(void **state)
{
    (void)state;
    struct container_state is =
        parsed_text("{\"Id\":\"abc\",\"Name\":\"/server-7\",\"State\":{\"Running\":true},\"Config\":{\"Labels\":{"
                    "\"farmd.server\":\"7\",\"farmd.spec\":\"exported\"}},\"NetworkSettings\":{\"Networks\":{"
                    "\"other\":{\"IPAddress\":\"10.0.0.1\"},\"server-network\":{\"IPAddress\":\"172.18.0.9\"}}}}");
    assert_true(is.exported && is.spec_hash == 0);
    assert_int_equal(ntohl(is.address.s_addr), 0xac120009);
    is = parsed("{\"Running\":true}");
    assert_true(!is.exported && is.spec_hash == 0xabcd);
    assert_int_equal(is.address.s_addr, 0);
}

static void reads_what_the_engine_says(void **state)
{
    (void)state;
    const struct runtime_spec spec = spec_of();
    struct container_state is = parsed("{\"Running\":true,\"Paused\":true,\"Pid\":99,\"StartedAt\":\"x\"}");
    assert_string_equal(is.name, "server-7");
    assert_string_equal(is.instance, "farm-a");
    assert_int_equal(is.server, 7);
    assert_true(is.spec_hash == 0xabcd);
    assert_int_equal(is.port, 24007);
    assert_true(is.running && is.paused && is.pid == 99);
    assert_true(container_has_limits(&is, &spec.limits)); /* a tenth of a core is no whole number of shares */
    is.limits.nano_cpus++;
    assert_false(container_has_limits(&is, &spec.limits));
}

static void tells_one_that_is_being_removed(void **state)
{
    (void)state;
    assert_true(parsed("{\"Status\":\"removing\"}").removing);
    assert_true(parsed("{\"Dead\":true}").removing);
    assert_false(parsed("{\"Status\":\"exited\",\"Dead\":false}").removing);
}

static void refuses_what_is_no_description(void **state)
{
    (void)state;
    static const char too_long[] = "{\"Name\":\"a\",\"State\":{},\"Id\":"
                                   "\"0123456789012345678901234567890123456789012345678901234567890123456789\"}";
    static const char *const texts[] = {
        "{}",     "[]", "7", "{\"Id\":7,\"Name\":\"/a\",\"State\":{}}", "{\"Id\":\"a\",\"Name\":\"/a\",\"State\":7}",
        too_long,
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct container_state is;
        struct error err;
        cJSON *json = cJSON_Parse(texts[i]);
        assert_true(container_parse(json, &is, &err) < 0);
        cJSON_Delete(json);
    }
}

static void another_servers_labels_are_nobodys(void **state)
{
    (void)state;
    struct container_state is;
    struct error err;
    cJSON *json =
        cJSON_Parse("{\"Id\":\"a\",\"Name\":\"a\",\"Config\":{\"Labels\":{\"farmd.server\":\"-3\"}},\"State\":{},"
                    "\"HostConfig\":{\"PidsLimit\":-1,\"Memory\":1e300}}");
    assert_int_equal(container_parse(json, &is, &err), 0);
    assert_int_equal(is.server, 0);
    assert_true(is.limits.pids == 0 && is.limits.memory == 0);
    cJSON_Delete(json);
}

static struct runtime_exit ended(const char *run)
{
    const struct container_state is = parsed(run);
    struct runtime_exit exit;
    container_exit(&is, &exit);
    return exit;
}

static void an_end_has_the_words_of_process_mode(void **state)
{
    (void)state;
    struct runtime_exit exit = ended("{\"ExitCode\":3}");
    assert_true(exit.kind == RUNTIME_EXIT_CODE && exit.exit_code == 3 && !exit.oom_killed);
    exit = ended("{\"ExitCode\":137,\"OOMKilled\":true}");
    assert_true(exit.kind == RUNTIME_EXIT_SIGNAL && exit.signal == SIGKILL && exit.oom_killed);
    /* A child was OOM-killed some time ago; the end is another matter. */
    exit = ended("{\"ExitCode\":1,\"OOMKilled\":true}");
    assert_true(exit.kind == RUNTIME_EXIT_CODE && !exit.oom_killed);
    exit = ended("{\"ExitCode\":127,\"Error\":\"no such file\"}");
    assert_true(exit.not_started);
    assert_string_equal(exit.detail, "error EIO no such file");
}

/* --- times, frames, figures --- */

static void reads_times(void **state)
{
    (void)state;
    const int64_t second = INT64_C(1000000000), noon = INT64_C(1795694400) * second;
    assert_true(engine_time_ns("2026-11-26T12:00:00Z") == noon);
    assert_true(engine_time_ns("2026-11-26T12:00:00.5Z") == noon + second / 2);
    assert_true(engine_time_ns("2026-11-26T12:00:00.000000001Z") == noon + 1);
    assert_true(engine_time_ns("2026-11-26T12:00:00.0000000019Z") == noon + 1);
    assert_true(engine_time_ns("0001-01-01T00:00:00Z") == 0); /* never, as the Engine says it */
    assert_true(engine_time_ns("") == 0);
    assert_true(engine_time_ns("yesterday") == 0);
}

static void takes_frames_apart_wherever_they_are_cut(void **state)
{
    (void)state;
    static const char stream[] = "\1\0\0\0\0\0\0\4one\n"
                                 "\2\0\0\0\0\0\0\0"
                                 "\2\0\0\0\0\0\0\4two\n";
    for (size_t step = 1; step < sizeof(stream); step++) {
        char path[] = "/tmp/farmd-frames-XXXXXX", text[32] = "";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        struct log_frames *frames = log_frames_open(path);
        for (size_t i = 0; i < sizeof(stream) - 1; i += step)
            log_frames_feed(frames, stream + i, i + step < sizeof(stream) ? step : sizeof(stream) - 1 - i);
        log_frames_free(frames);
        assert_int_equal(read(fd, text, sizeof(text) - 1), 8);
        assert_string_equal(text, "one\ntwo\n");
        close(fd);
        unlink(path);
    }
}

static void reads_what_a_worker_counts(void **state)
{
    (void)state;
    uint64_t requests = 7, errors = 7;
    assert_true(worker_metrics_parse("# TYPE farm_worker_requests_total counter\n"
                                     "farm_worker_requests_total{server_id=\"server-1\"} 20\n"
                                     "farm_worker_responses_total{server_id=\"server-1\",class=\"4xx\"} 1\n"
                                     "farm_worker_responses_total{server_id=\"server-1\",class=\"5xx\"} 3\n",
                                     &requests, &errors));
    assert_true(requests == 20 && errors == 3);
    assert_false(worker_metrics_parse("", &requests, &errors));
    assert_false(worker_metrics_parse("farm_worker_requests_total{} 20", &requests, &errors));
    assert_false(worker_metrics_parse("farm_worker_requests_total{} -1\nfarm_worker_responses_total{class=\"5xx\"} 0",
                                      &requests, &errors));
    assert_false(worker_metrics_parse("farm_worker_requests_total{}", &requests, &errors));
}

static void reads_statistics(void **state)
{
    (void)state;
    struct runtime_sample sample;
    cJSON *json =
        cJSON_Parse("{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":5000},\"throttling_data\":{\"periods\":3,"
                    "\"throttled_periods\":1,\"throttled_time\":70}},\"memory_stats\":{\"usage\":900,\"stats\":"
                    "{\"inactive_file\":100}},\"pids_stats\":{\"current\":2}}");
    docker_stats_parse(json, &sample);
    cJSON_Delete(json);
    assert_true(sample.cpu_ns == 5000 && sample.throttled_ns == 70 && sample.memory == 800 && sample.pids == 2);
    assert_int_equal(sample.have, RUNTIME_HAVE_CPU | RUNTIME_HAVE_THROTTLED | RUNTIME_HAVE_MEMORY | RUNTIME_HAVE_PIDS);
    json = cJSON_Parse("{\"memory_stats\":{}}"); /* of one that has just ended */
    docker_stats_parse(json, &sample);
    cJSON_Delete(json);
    assert_int_equal(sample.have, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_for_as_little_as_can_be),
        cmocka_unit_test(passes_words_and_environment_as_they_are),
        cmocka_unit_test(the_hash_tells_what_needs_a_new_container),
        cmocka_unit_test(belongs_to_farmds_project),
        cmocka_unit_test(knows_an_exported_one_and_its_address),
        cmocka_unit_test(reads_what_the_engine_says),
        cmocka_unit_test(tells_one_that_is_being_removed),
        cmocka_unit_test(refuses_what_is_no_description),
        cmocka_unit_test(another_servers_labels_are_nobodys),
        cmocka_unit_test(an_end_has_the_words_of_process_mode),
        cmocka_unit_test(reads_times),
        cmocka_unit_test(takes_frames_apart_wherever_they_are_cut),
        cmocka_unit_test(reads_what_a_worker_counts),
        cmocka_unit_test(reads_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
