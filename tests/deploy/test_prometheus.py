"""Prometheus finds every process of every service, under the labels that rules and dashboards rely on."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.built import OVERLAYS, ROOT, SERVICES, labels_of, of_kind, overlay, parsed
from tests.deploy.rules import app_of
from tests.deploy.support import fetched, needs_prometheus, promtool

PROMETHEUS = ROOT / "deploy" / "prometheus"


def jobs(name: str) -> list[dict[str, Any]]:
    """The scrape jobs in a file."""
    loaded: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / name).read_text("utf-8"))["scrape_configs"]
    return loaded


def test_compose_is_scraped_whole() -> None:
    """A target for each service, by its name in docker-compose and the port of its metrics."""
    (job,) = jobs("prometheus.yml")
    wanted = {s: [f"{s}:{app_of(s).settings.model_fields['metrics_port'].default}"] for s in SERVICES}
    assert {group["labels"]["service"]: group["targets"] for group in job["static_configs"]} == wanted
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    assert wanted.keys() <= composed.keys()


def test_compose_is_watched_by_every_rule() -> None:
    """What Prometheus is told to load, where docker-compose mounts it, are all files of rules and nothing else."""
    loaded = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))["rule_files"]
    assert {path for pattern in loaded for path in PROMETHEUS.glob(pattern)} == set((PROMETHEUS / "rules").iterdir())
    mounts = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["prometheus"]["volumes"]
    assert "./deploy/prometheus:/etc/prometheus:ro" in mounts


def test_the_cluster_is_scraped_whole() -> None:
    """The job of Kubernetes has the same name, keeps the metrics port of our pods, and takes `service` from a label."""
    (job,) = jobs("kubernetes.yml")
    assert job["job_name"] == jobs("prometheus.yml")[0]["job_name"]
    keep, gone, service, *_ = job["relabel_configs"]
    labels, port = keep["source_labels"]
    assert (keep["action"], port) == ("keep", "__meta_kubernetes_pod_container_port_name")
    assert service["target_label"] == "service"
    assert (gone["action"], gone["source_labels"]) == ("drop", ["__meta_kubernetes_pod_phase"])
    phases = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
    assert [phase for phase in phases if re.fullmatch(gone["regex"], phase)] == ["Succeeded", "Failed"]
    (space,) = [ns for sd in job["kubernetes_sd_configs"] for ns in sd["namespaces"]["names"]]
    for name in OVERLAYS:
        for owner in of_kind(parsed(overlay(name)), "Deployment"):
            assert (owner["metadata"]["namespace"] == space) is (name == "prod")
            template = owner["spec"]["template"]
            pod = {f"__meta_kubernetes_pod_label_{re.sub(r'[./-]', '_', k)}": v for k, v in labels_of(template).items()}
            ports = [port["name"] for port in template["spec"]["containers"][0]["ports"]]
            assert [p for p in ports if re.fullmatch(keep["regex"], f"{pod[labels]};{p}")] == ["metrics"]
            assert pod[service["source_labels"][0]] in SERVICES


@needs_prometheus
async def test_all_but_the_discovery_is_checked(tmp_path: Path) -> None:
    """promtool takes the file for Kubernetes with a fixed target in place of the discovery, which Debian leaves out.

    It is scraped as often as in docker-compose: the windows of the rules are made for that.
    """
    await fetched(tmp_path / "apt.log")
    compose = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))["global"]["scrape_interval"]
    (job,) = jobs("kubernetes.yml")
    assert job["scrape_interval"] == compose
    assert set(job.pop("kubernetes_sd_configs")[0]) == {"role", "namespaces"}
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump({"scrape_configs": [job | {"static_configs": [{"targets": ["notes:9000"]}]}]}))
    assert "SUCCESS" in promtool("check", "config", str(file))
