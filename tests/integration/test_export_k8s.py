"""`farmd export k8s`: what the manifests say. `make test-k8s` holds them against Kubernetes' own schemas."""

import pytest
import yaml

from clilib import USAGE
from farmd_process import run_farmd
from farmlib import ROOT

GROUPS = (ROOT / "tests" / "k8s" / "groups.yaml").read_text()


def export(tmp_path, *arguments):
    done = run_farmd("export", "k8s", *arguments, directory=tmp_path)
    assert done.returncode == 0, done.stderr
    listed = yaml.safe_load(done.stdout)
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "List")
    return {(item["kind"], item["metadata"]["name"]): item for item in listed["items"]}


def container(items, name):
    (only,) = items["Deployment", name]["spec"]["template"]["spec"]["containers"]
    return only


def test_each_server_is_a_deployment_and_a_service(tmp_path):
    items = export(tmp_path, "--servers", "3")
    assert set(items) == {(kind, f"server-{i}") for kind in ("Deployment", "Service") for i in (1, 2, 3)}
    for i in (1, 2, 3):
        deployment, service = items["Deployment", f"server-{i}"], items["Service", f"server-{i}"]
        selected = deployment["spec"]["selector"]["matchLabels"]
        assert selected == service["spec"]["selector"] == {"app": "farmd", "server": f"server-{i}"}
        assert selected.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
        assert deployment["spec"]["replicas"] == 1 and deployment["spec"]["strategy"] == {"type": "Recreate"}
        assert service["spec"]["ports"] == [{"name": "http", "port": 8000 + i, "targetPort": 8000}]


def test_limits_and_probes_in_the_words_of_kubernetes(tmp_path):
    only = container(export(tmp_path, "--servers", "1", "--cpu", "0.25", "--memory", "64M"), "server-1")
    assert only["resources"] == {"limits": {"cpu": "250m", "memory": str(64 * 2**20)},
                                 "requests": {"cpu": "100m", "memory": str(64 * 2**20)}}
    assert only["livenessProbe"] == {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 30,
                                     "timeoutSeconds": 3, "initialDelaySeconds": 5, "failureThreshold": 3}
    assert only["startupProbe"]["periodSeconds"] == 1, "less than a second Kubernetes does not know"
    assert only["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    environment = {entry["name"]: entry["value"] for entry in only["env"]}
    assert environment == {"SERVER_ID": "1", "PORT": "8000", "SERVER_PORT": "8000", "SERVER_HOST": "0.0.0.0"}


def test_groups(tmp_path):
    (tmp_path / "farm.yaml").write_text(GROUPS)
    items = export(tmp_path)
    environment = {entry["name"]: entry["value"] for entry in container(items, "server-1")["env"]}
    assert environment["PRICE"] == "5 $" and environment["MOTTO"] == 'a "b": c'
    assert items["Deployment", "server-1"]["metadata"]["annotations"] == {"farmd/zone": "a"}
    assert items["Service", "server-2"]["spec"]["type"] == "NodePort"
    assert items["Service", "server-2"]["spec"]["ports"][0]["nodePort"] == 30002
    app = container(items, "server-3")
    assert (app["image"], app["args"]) == ("mine:1", ["serve", "--now"])
    assert items["Deployment", "server-3"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 1


@pytest.mark.parametrize("config, why", [
    ("servers: {restart: never}\n", "a Deployment restarts always"),
    ("servers: {command: [serve]}\n", "say which image has it: --image NAME"),
])
def test_what_has_no_counterpart_is_refused(tmp_path, config, why):
    (tmp_path / "farm.yaml").write_text(config)
    done = run_farmd("export", "k8s", directory=tmp_path)
    assert done.returncode == USAGE and why in done.stderr and done.stdout == ""
