/* supervisor/config: every kind of mistake is one line that says where it is and what is allowed. */
#include "tests/unit/settings_fixture.h"

#include "core/buffer.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct mistake {
    const char *yaml;
    const char *message;
};

static void refuse_each(const struct mistake *mistakes, size_t count, const char *flags)
{
    for (size_t i = 0; i < count; i++) {
        settings_fixture_write("farm.yaml", mistakes[i].yaml);
        settings_fixture_refuse(flags, mistakes[i].message);
    }
}

static void refuses_wrong_shapes(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"servers:\n  memroy: 1G\n", "farm.yaml:2: servers.memroy: unknown key; did you mean memory?"},
        {"server:\n  memory: 1G\n", "farm.yaml:1: server: unknown key; did you mean servers?"},
        {"groups:\n  - name: a\n  - name: b\n    cout: 3\n",
         "farm.yaml:4: groups[1].cout: unknown key; did you mean count?"},
        {"servers: {name: a}\n",
         "farm.yaml:1: servers.name: unknown key; allowed here: count, base_port, cpu, memory, cpu_reservation, "
         "memory_reservation, pids, restart, restart_profile, start_timeout, stop_grace, command, image, user, "
         "access_log, "
         "environment, labels, probes"},
        {"log:\n  colour: true\n", "farm.yaml:2: log.colour: unknown key; allowed here: level, format"},
        {"servers:\n  probes:\n    liveness:\n      retrys: 3\n",
         "farm.yaml:4: servers.probes.liveness.retrys: unknown key; did you mean retries?"},
        {"\"a\\tb\": 1\n",
         "farm.yaml:1: a?b: unknown key; allowed here: api, dashboard, runtime, docker, enforce, log, load, "
         "state_dir, runtime_dir, "
         "servers, groups"},
        {"servers: 50\n", "farm.yaml:1: servers: must be keys and values, such as `key: value`"},
        {"# a farm\n\n- servers\n", "farm.yaml:3: must be keys and values, such as `key: value`"},
        {"just words\n", "farm.yaml:1: must be keys and values, such as `key: value`"},
        {"groups: {name: a}\n", "farm.yaml:1: groups: must be a list, each entry begun with `- `"},
        {"groups:\n  - web\n", "farm.yaml:2: groups[0]: must be keys and values, such as `key: value`"},
        {"servers:\n  command: python3 app.py\n", "farm.yaml:2: servers.command: must be a list, such as [one, two]"},
        {"servers:\n  command: [a, [b]]\n", "farm.yaml:2: servers.command[1]: must be a single value, not a list"},
        {"servers:\n  count: [50]\n", "farm.yaml:2: servers.count: must be a single value, not a list"},
        {"servers:\n  count:\n    is: 50\n", "farm.yaml:2: servers.count: must be a single value, not keys and values"},
        {"servers:\n  environment: [A=b]\n",
         "farm.yaml:2: servers.environment: must be keys and values, such as `key: value`"},
        {"servers:\n  environment:\n    A: [b]\n",
         "farm.yaml:3: servers.environment.A: must be a single value, not a list"},
        {"servers:\n  count: 1\n  cpu: 1\n  count: 2\n", "farm.yaml:4: servers.count: is set twice, first in line 2"},
        {"servers: {environment: {A: b, A: c}}\n", "farm.yaml:1: servers.environment.A: is set twice, first in line 1"},
        {"? [a]\n: b\n", "farm.yaml:1: ?: must be a single value, not a list"},
        {"log: {level: \"IN\\0FO\"}\n", "farm.yaml:1: log.level: has a NUL byte in it"},
        {"servers: &s {environment: *s}\n",
         "farm.yaml:1: servers.environment.environment: must be a single value, not keys and values"},
        {"groups: &g [*g]\n", "farm.yaml:1: groups[0]: must be keys and values, such as `key: value`"},
        {"groups:\n  -\n", "farm.yaml:2: groups[0]: must be keys and values, such as `key: value`"},
    };
    refuse_each(mistakes, ARRAY_SIZE(mistakes), "");
}

static void refuses_what_is_no_yaml(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"a: [b\nc: d\n", "farm.yaml:2: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence "
                          "that begins in line 1"},
        {"servers:\n\tcount: 1\n",
         "farm.yaml:2: not valid YAML: nothing can begin with this character; indent with spaces instead of tabs, and "
         "quote text such as \"@home\""},
        {"servers:\n  count: 1\n base: 2\n",
         "farm.yaml:3: not valid YAML: did not find expected key while parsing a block mapping that begins in line 1"},
        {"servers: *nobody\n", "farm.yaml:1: not valid YAML: found undefined alias"},
        {"servers:\n---\ngroups:\n", "farm.yaml:3: a second document begins here; settings are one document"},
        {"servers:\n  count: 1\n\xff\xfe\n",
         "farm.yaml:3: not valid YAML: invalid leading UTF-8 octet; write UTF-8 text"},
        {"servers:\n  count: \x01\n",
         "farm.yaml:2: not valid YAML: control characters are not allowed; write UTF-8 text"},
    };
    refuse_each(mistakes, ARRAY_SIZE(mistakes), "");
}

static void refuses_wrong_values(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"servers:\n  memory: 256X\n", "farm.yaml:2: servers.memory: \"256X\" is not a size; write 256M, 1G or bytes"},
        {"servers:\n  memory: 1M\n", "farm.yaml:2: servers.memory: \"1M\" is out of range; allowed 4M to 1024T"},
        {"servers:\n  memory: 99999999999999999999\n",
         "farm.yaml:2: servers.memory: \"99999999999999999999\" is out of range; allowed 4M to 1024T"},
        {"servers:\n  memory: -5M\n", "farm.yaml:2: servers.memory: \"-5M\" is not a size; write 256M, 1G or bytes"},
        {"servers:\n  count: many\n", "farm.yaml:2: servers.count: \"many\" is not a whole number; allowed 1 to 10000"},
        {"servers:\n  count: 0\n", "farm.yaml:2: servers.count: \"0\" is out of range; allowed 1 to 10000"},
        {"servers:\n  count: 1.5\n", "farm.yaml:2: servers.count: \"1.5\" is not a whole number; allowed 1 to 10000"},
        {"servers:\n  count: 10001\n", "farm.yaml:2: servers.count: \"10001\" is out of range; allowed 1 to 10000"},
        {"servers:\n  base_port: http\n",
         "farm.yaml:2: servers.base_port: \"http\" is not a port number; allowed 1 to 65535"},
        {"servers:\n  base_port: 65536\n",
         "farm.yaml:2: servers.base_port: \"65536\" is out of range; allowed 1 to 65535"},
        {"servers:\n  cpu: 0\n", "farm.yaml:2: servers.cpu: \"0\" is out of range; allowed 0.01 to 1024 cores"},
        {"servers:\n  cpu: half\n", "farm.yaml:2: servers.cpu: \"half\" is not a number; allowed 0.01 to 1024 cores"},
        {"servers:\n  cpu: .nan\n", "farm.yaml:2: servers.cpu: \".nan\" is not a number; allowed 0.01 to 1024 cores"},
        {"servers:\n  cpu: 5000\n", "farm.yaml:2: servers.cpu: \"5000\" is out of range; allowed 0.01 to 1024 cores"},
        {"servers:\n  pids: 2\n", "farm.yaml:2: servers.pids: \"2\" is out of range; allowed 8 to 4194304"},
        {"servers:\n  restart: sometimes\n",
         "farm.yaml:2: servers.restart: \"sometimes\" is not known; allowed always, on-failure or never"},
        {"servers:\n  restart_profile: k8s\n", "farm.yaml:2: servers.restart_profile: \"k8s\" is not known; allowed "
                                               "farm, kubernetes, docker, systemd, nomad, "
                                               "supervisord, s6 or swarm"},
        {"servers:\n  start_timeout: soon\n",
         "farm.yaml:2: servers.start_timeout: \"soon\" is not a duration; write 250ms, 3s or 5m"},
        {"servers:\n  stop_grace: 2h\n", "farm.yaml:2: servers.stop_grace: \"2h\" is out of range; allowed 0s to 1h"},
        {"servers:\n  access_log: maybe\n",
         "farm.yaml:2: servers.access_log: \"maybe\" is not a yes or no; write true or false"},
        {"servers:\n  user: nobody-of-that-name\n",
         "farm.yaml:2: servers.user: \"nobody-of-that-name\" is not a user of this machine; write one of those that "
         "`getent passwd` lists"},
        {"servers:\n  command: []\n",
         "farm.yaml:2: servers.command: is empty; write the program and its arguments, such as [python3, app.py]"},
        {"servers:\n  command: [\"\", x]\n",
         "farm.yaml:2: servers.command: \"\" is not a program; write the program and its arguments, such as [python3, "
         "app.py]"},
    };
    refuse_each(mistakes, ARRAY_SIZE(mistakes), "");
}

static void refuses_wrong_values_further_down(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"servers:\n  environment:\n    1ST: x\n",
         "farm.yaml:2: servers.environment: \"1ST\" is not a variable's name; write letters, digits and _, a letter or "
         "_ first"},
        {"servers:\n  environment: {A=B: x}\n",
         "farm.yaml:2: servers.environment: \"A=B\" is not a variable's name; write letters, digits and _, a letter or "
         "_ first"},
        {"servers:\n  labels: {a b: x}\n",
         "farm.yaml:2: servers.labels: \"a b\" is not a label's name; write at most 63 letters, digits and ._/-"},
        {"servers:\n  probes: {liveness: {path: health}}\n", "farm.yaml:2: servers.probes.liveness.path: \"health\" is "
                                                             "not a path; write it from the root, such as /health"},
        {"servers:\n  probes:\n    readiness:\n      interval: 1ms\n",
         "farm.yaml:4: servers.probes.readiness.interval: \"1ms\" is out of range; allowed 10ms to 24h"},
        {"servers:\n  probes:\n    startup: {retries: 0}\n",
         "farm.yaml:3: servers.probes.startup.retries: \"0\" is out of range; allowed 1 to 1000000"},
        {"api:\n  host: example.org\n",
         "farm.yaml:2: api.host: \"example.org\" is not an address; write localhost, 0.0.0.0, :: or an address of this "
         "machine"},
        {"api:\n  port: 0\n", "farm.yaml:2: api.port: \"0\" is out of range; allowed 1 to 65535"},
        {"api:\n  token: short\n",
         "farm.yaml:2: api.token: the value is not a token; allowed 8 to 256 visible characters without spaces"},
        {"api:\n  allowed_hosts: [\"http://a\"]\n",
         "farm.yaml:2: api.allowed_hosts: \"http://a\" is not a host name; write names such as farm.example.org, "
         "without http://"},
        {"api:\n  allowed_origins: [a.example]\n",
         "farm.yaml:2: api.allowed_origins: \"a.example\" is not an origin; write it such as https://farm.example.org, "
         "without a path"},
        {"dashboard:\n  refresh_interval: 1ms\n",
         "farm.yaml:2: dashboard.refresh_interval: \"1ms\" is out of range; allowed 100ms to 1h (the variable: 100 to "
         "3600000)"},
        {"enforce: maybe\n", "farm.yaml:1: enforce: \"maybe\" is not known; allowed auto, required or none"},
        {"log: {level: LOUD}\n",
         "farm.yaml:1: log.level: \"LOUD\" is not known; allowed DEBUG, INFO, WARNING, ERROR or CRITICAL"},
        {"log: {format: xml}\n", "farm.yaml:1: log.format: \"xml\" is not known; allowed text or json"},
        {"load: {concurrency: -1}\n", "farm.yaml:1: load.concurrency: \"-1\" is out of range; allowed 1 to 1000"},
        {"state_dir: \"a\\tb\"\n", "farm.yaml:1: state_dir: \"a?b\" is not a path; allowed up to 4000 characters"},
        {"groups:\n  - name: Web\n",
         "farm.yaml:2: groups[0].name: \"Web\" is not a name; allowed 1 to 63 of a-z, 0-9 and -, no - first"},
        {"groups:\n  - name: a\n    memory: much\n",
         "farm.yaml:3: groups[0].memory: \"much\" is not a size; write 256M, 1G or bytes"},
        {"servers:\n  cpu: \"1\\x1b[31m2345678901234567890123456789012345678901234567890123456789012345\"\n",
         "farm.yaml:2: servers.cpu: \"1?[31m234567890123456789012345678901234567890123456789012345...\" is not a "
         "number; allowed 0.01 to 1024 cores"},
    };
    refuse_each(mistakes, ARRAY_SIZE(mistakes), "");
}

static void refuses_values_that_clash(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"servers:\n  memory: 64M\n  memory_reservation: 65M\n",
         "farm.yaml:3: servers.memory_reservation: memory_reservation of 65M is more than memory of 64M; allowed 0 to "
         "the limit"},
        {"groups:\n  - name: a\n    cpu: 0.5\n    cpu_reservation: 0.6\n",
         "farm.yaml:4: groups[0].cpu_reservation: cpu_reservation of 0.6 is more than cpu of 0.5; allowed 0 to the "
         "limit"},
        {"groups:\n  - count: 1\n",
         "farm.yaml:2: groups[0].name: is missing; give the group a name, such as `name: web`"},
        {"groups:\n  - name: a\n  - name: b\n  - name: a\n",
         "farm.yaml:4: groups[2].name: \"a\" is the name of two groups; give each its own"},
        {"servers:\n  environment:\n    PORT: 80\n",
         "farm.yaml:2: servers.environment: PORT is set by farmd for each server; leave it out"},
        {"servers:\n  base_port: 65500\n",
         "farm.yaml:2: servers.base_port: 50 servers from port 65500 on need ports up to 65549; allowed up to 65535"},
        {"groups:\n  - {name: a, count: 36, base_port: 65500}\n  - {name: b, count: 1}\n",
         "farm.yaml:3: groups[1].base_port: no port is left after the group before it; give it a lower base_port"},
        {"groups:\n  - {name: a, count: 10, base_port: 9001}\n  - name: b\n    count: 10\n    base_port: 8995\n",
         "farm.yaml:5: groups[1].base_port: ports 8995 to 9004 of group \"b\" overlap with 9001 to 9010 of group "
         "\"a\""},
        {"api:\n  port: 8050\n",
         "farm.yaml:2: api.port: the servers' ports 8001 to 8050 include 8050, which is the API's; choose others"},
        {"servers:\n  base_port: 7999\n",
         "farm.yaml:2: servers.base_port: the servers' ports 7999 to 8048 include 8000, which is the API's; choose "
         "others"},
        {"dashboard:\n  port: 8001\n",
         "farm.yaml:2: dashboard.port: the servers' ports 8001 to 8050 include 8001, which is the dashboard's; choose "
         "others"},
        {"api:\n  port: 3000\n",
         "farm.yaml:2: api.port: port 3000 is both the API's and the dashboard's; choose another"},
        {"api:\n  host: 0.0.0.0\n",
         "farm.yaml:2: api.host: \"0.0.0.0\" can be reached from other machines; set a token (FARMD_TOKEN) or allow "
         "everybody with --allow-unauthenticated"},
        {"dashboard:\n  host: \"::\"\n",
         "farm.yaml:2: dashboard.host: \"::\" can be reached from other machines; set a token (FARMD_TOKEN) or allow "
         "everybody with --allow-unauthenticated"},
        {"groups:\n  - {name: a, count: 6000}\n  - {name: b, count: 6000}\n",
         "farm.yaml: groups: have 12000 servers together; allowed up to 10000"},
    };
    refuse_each(mistakes, ARRAY_SIZE(mistakes), "");
}

static void refuses_wrong_flags(void **state)
{
    (void)state;
    static const struct {
        const char *flags;
        const char *message;
    } mistakes[] = {
        {"--servrs 5", "--servrs: unknown flag; did you mean --servers?"},
        {"--bae-port=5", "--bae-port: unknown flag; did you mean --base-port?"},
        {"--xyzzy", "--xyzzy: unknown flag; `farmd help` lists them all"},
        {"-n 5", "-n: unknown flag; `farmd help` lists them all"},
        {"5", "\"5\": unexpected; farmd takes flags only, see `farmd help`"},
        {"--servers", "--servers: needs a value: --servers N"},
        {"--servers --port 1", "--servers: needs a value: --servers N"},
        {"--servers=", "--servers: \"\" is not a whole number; allowed 1 to 10000"},
        {"--servers abc", "--servers: \"abc\" is not a whole number; allowed 1 to 10000"},
        {"--access-log=perhaps", "--access-log: \"perhaps\" is not a yes or no; write true or false"},
        {"--config missing.yaml", "missing.yaml: cannot open the settings: No such file or directory"},
        {"--config /", "/: cannot read the settings: Is a directory"},
        {"--servers 10000 --base-port 60000",
         "--base-port: 10000 servers from port 60000 on need ports up to 69999; allowed up to 65535"},
        {"--port 8010", "--port: the servers' ports 8001 to 8050 include 8010, which is the API's; choose others"},
        {"--memory 16M --memory-reservation 17M",
         "--memory-reservation: memory_reservation of 17M is more than memory of 16M; allowed 0 to the limit"},
        {"--host 192.0.2.1", "--host: \"192.0.2.1\" can be reached from other machines; set a token (FARMD_TOKEN) or "
                             "allow everybody with --allow-unauthenticated"},
        {"--runtime-dir /0123456789012345678901234567890123456789012345678901234567890123456789012345678901",
         "--runtime-dir: \"/01234567890123456789012345678901234567890123456789012345678...\" is out of range; allowed "
         "up to 80 characters"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++)
        settings_fixture_refuse(mistakes[i].flags, mistakes[i].message);
}

static void refuses_flags_that_change_nothing(void **state)
{
    (void)state;
    settings_fixture_write("farm.yaml", "groups:\n  - {name: a, cpu: 1, base_port: 9000}\n  - {name: b, cpu: 2}\n");
    settings_fixture_refuse(
        "--servers 5", "--servers: farm.yaml has groups, each with a count of its own; change groups[].count there");
    settings_fixture_refuse("--cpu 1", "--cpu: changes nothing, since in farm.yaml every group has its own cpu");
    settings_fixture_refuse("--base-port 7000",
                            "--base-port: changes nothing, since in farm.yaml every group has its own base_port");
    settings_free(settings_fixture_load("--memory 64M"));
}

static void refuses_wrong_variables(void **state)
{
    (void)state;
    setenv("SERVER_COUNT", "abc", 1);
    settings_fixture_refuse("", "SERVER_COUNT: \"abc\" is not a whole number; allowed 1 to 10000");
    unsetenv("SERVER_COUNT");
    setenv("AUTO_REFRESH_INTERVAL", "5s", 1);
    settings_fixture_refuse("", "AUTO_REFRESH_INTERVAL: \"5s\" is not a whole number of milliseconds; allowed 100ms to "
                                "1h (the variable: 100 to 3600000)");
    unsetenv("AUTO_REFRESH_INTERVAL");
    setenv("FARMD_ALLOWED_HOSTS", "good.example,bad name", 1);
    settings_fixture_refuse("", "FARMD_ALLOWED_HOSTS: \"bad name\" is not a host name; write names such as "
                                "farm.example.org, without http://");
    unsetenv("FARMD_ALLOWED_HOSTS");
    settings_fixture_write(".env", "# the farm\n\nSERVER_MEMORY_LIMIT=256X\n");
    settings_fixture_refuse("", ".env:3: SERVER_MEMORY_LIMIT: \"256X\" is not a size; write 256M, 1G or bytes");
    settings_fixture_write(".env", "SERVER_BASE_PORT=8000\n");
    settings_fixture_refuse("", ".env:1: SERVER_BASE_PORT: the servers' ports 8000 to 8049 include 8000, which is the "
                                "API's; choose others");
    settings_fixture_write(".env", "what is this\n");
    settings_fixture_refuse("", ".env:1: not of the form KEY=value; write KEY=value or KEY=\"value\"");
}

/* A secret in a message ends up in somebody's log. */
static void never_repeats_a_token(void **state)
{
    (void)state;
    setenv("FARMD_TOKEN", "my secret", 1);
    struct settings *settings;
    struct error err;
    assert_true(settings_fixture_try("", &settings, &err) < 0);
    assert_null(strstr(err.message, "secret"));
}

/* ---- strange but right ------------------------------------------------------------------------------------------- */

static void takes_empty_files_and_values(void **state)
{
    (void)state;
    static const char *const files[] = {"",
                                        "\n\n",
                                        "# only comments\n",
                                        "---\n",
                                        "~\n",
                                        "{}\n",
                                        "servers:\ngroups:\nlog:\n",
                                        "servers: null\ngroups: []\n",
                                        "servers:\n  count: ~\n  labels:\n  command:\n",
                                        "state_dir: \"\"\napi: {token: ''}\n"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        settings_fixture_write("farm.yaml", files[i]);
        struct settings *settings = settings_fixture_load("");
        assert_int_equal(settings_total_servers(settings), 50);
        assert_string_equal(settings->config_path, "farm.yaml");
        settings_free(settings);
    }
}

static void takes_anchors_and_quotes(void **state)
{
    (void)state;
    settings_fixture_write("farm.yaml", "servers:\n"
                                        "  count: \"3\"\n"
                                        "  environment: &shared {A: \"null\", B: , C: 'it''s', D: |\n"
                                        "      two\n"
                                        "      lines\n"
                                        "    }\n");
    settings_fixture_refuse("",
                            "farm.yaml:3: not valid YAML: nothing can begin with this character; indent with spaces "
                            "instead of tabs, and quote text such as \"@home\"");
    settings_fixture_write("farm.yaml", "servers:\n"
                                        "  count: \"3\"\n"
                                        "  environment: &shared\n"
                                        "    A: \"null\"\n"
                                        "    B:\n"
                                        "    C: 'it''s'\n"
                                        "    D: |\n"
                                        "      two\n"
                                        "      lines\n"
                                        "groups:\n"
                                        "  - &first\n"
                                        "    name: a\n"
                                        "    command: [echo, null, ~, \"\"]\n"
                                        "    probes: &probes {liveness: {retries: 7}}\n"
                                        "  - name: b\n"
                                        "    environment: *shared\n"
                                        "    probes: *probes\n");
    struct settings *settings = settings_fixture_load("");
    const struct group_settings *group = &settings->groups[1];
    assert_int_equal(group->count, 3);
    assert_int_equal(group->probes[PROBE_LIVENESS].retries, 7);
    assert_int_equal(group->environment_count, 4);
    assert_string_equal(group->environment[0].value, "null");
    assert_string_equal(group->environment[1].value, "");
    assert_string_equal(group->environment[2].value, "it's");
    assert_string_equal(group->environment[3].value, "two\nlines\n");
    assert_string_equal(settings->groups[0].command[1], "null");
    assert_string_equal(settings->groups[0].command[3], "");
    settings_free(settings);
}

static void withstands_deep_and_large_files(void **state)
{
    (void)state;
    struct settings *settings;
    struct error err;
    char *text = xmalloc(2 << 20);

    memset(text, '[', 100000);
    settings_fixture_write_bytes("farm.yaml", text, 100000);
    settings_fixture_refuse("", "farm.yaml:1: nested over 32 levels deep; settings are at most 5");

    struct buffer nested = BUFFER_EMPTY;
    for (int i = 0; i < 900; i++)
        buffer_append_text(&nested, "{servers: ");
    for (int i = 0; i < 900; i++)
        buffer_append_char(&nested, '}');
    settings_fixture_write("farm.yaml", nested.data);
    assert_true(settings_fixture_try("", &settings, &err) < 0);
    buffer_done(&nested);

    memset(text, '#', 2 << 20);
    settings_fixture_write_bytes("farm.yaml", text, 2 << 20);
    settings_fixture_refuse("", "farm.yaml: is over 1 MB, which no settings are; give --config another file");

    struct buffer many = BUFFER_EMPTY;
    buffer_append_text(&many, "groups:\n");
    for (int i = 0; i < SETTINGS_MAX_GROUPS + 1; i++)
        buffer_printf(&many, "  - {name: g%d, count: 1}\n", i);
    settings_fixture_write("farm.yaml", many.data);
    settings_fixture_refuse("", "farm.yaml:1: groups: has 65 entries; allowed up to 64");
    buffer_done(&many);

    buffer_append_text(&many, "servers: {environment: {");
    for (int i = 0; i < 257; i++)
        buffer_printf(&many, "A%d: x, ", i);
    buffer_append_text(&many, "}}\n");
    settings_fixture_write("farm.yaml", many.data);
    settings_fixture_refuse("", "farm.yaml:1: servers.environment: has too many entries; allowed up to 256");
    buffer_done(&many);
    free(text);
}

/* No file makes it crash: every prefix of a full one, and every byte of it broken once. */
static void withstands_broken_files(void **state)
{
    (void)state;
    static const char whole[] =
        "servers: &s\n  command: [a, \"b\\n\"]\n  probes: {startup: {path: /x}}\n"
        "groups:\n  - name: a\n    environment: {A: b}\n  - {name: b, cpu: 1}\napi: {port: 1}\n";
    size_t length = sizeof(whole) - 1;
    for (size_t i = 0; i < length; i++) {
        static const unsigned char bytes[] = {0, '\t', '\n', '&', '*', '[', '{', '}', '"', ':', '-', 0x80, 0xff};
        for (size_t j = 0; j <= ARRAY_SIZE(bytes); j++) {
            char broken[sizeof(whole)];
            memcpy(broken, whole, sizeof(whole));
            if (j < ARRAY_SIZE(bytes))
                broken[i] = (char)bytes[j];
            settings_fixture_write_bytes("farm.yaml", broken, j < ARRAY_SIZE(bytes) ? length : i);
            struct settings *settings = NULL;
            struct error err = {0};
            if (settings_fixture_try("", &settings, &err) < 0)
                assert_true(err.code > 0 && err.message[0] != '\0' && !strchr(err.message, '\n'));
            settings_free(settings);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, settings_fixture_clear)
    const struct CMUnitTest tests[] = {
        TEST(refuses_wrong_shapes),
        TEST(refuses_what_is_no_yaml),
        TEST(refuses_wrong_values),
        TEST(refuses_wrong_values_further_down),
        TEST(refuses_values_that_clash),
        TEST(refuses_wrong_flags),
        TEST(refuses_flags_that_change_nothing),
        TEST(refuses_wrong_variables),
        TEST(never_repeats_a_token),
        TEST(takes_empty_files_and_values),
        TEST(takes_anchors_and_quotes),
        TEST(withstands_deep_and_large_files),
        TEST(withstands_broken_files),
    };
    return cmocka_run_group_tests(tests, settings_fixture_enter, settings_fixture_leave);
}
