"""Kustomizations as they are built, and what is asked of more than one test."""

import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.tools import MissingToolError, kustomize
from shared.contracts import TOPICS

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy" / "k8s"
OVERLAYS = ("dev", "prod")
SERVICES = tuple(dict.fromkeys(topic.owner for topic in TOPICS.values()))

Manifest = dict[str, Any]
Manifests = list[Manifest]


def build(folder: Path) -> str:
    """What is applied. Skips the test where nothing can build it; fails it when it does not build."""
    try:
        command = kustomize()
    except MissingToolError as error:
        pytest.skip(f"no kustomize: {error}")
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@lru_cache
def overlay(name: str) -> str:
    """An overlay of the repository, built once."""
    return build(K8S / "overlays" / name)


def parsed(text: str) -> Manifests:
    """The manifests in a text."""
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def of_kind(manifests: Manifests, *kinds: str) -> Manifests:
    """Those of some kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def name_of(manifest: Manifest) -> str:
    """``Kind/name``."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def templates(manifests: Manifests) -> Iterator[tuple[Manifest, Manifest]]:
    """Everything that makes pods, with its pod template."""
    for manifest in of_kind(manifests, "Deployment", "Job", "StatefulSet", "DaemonSet"):
        yield manifest, manifest["spec"]["template"]
    for manifest in of_kind(manifests, "CronJob"):
        yield manifest, manifest["spec"]["jobTemplate"]["spec"]["template"]


def containers(manifests: Manifests) -> Iterator[tuple[Manifest, Manifest]]:
    """Every container, with what makes its pod."""
    for manifest, template in templates(manifests):
        for part in ("initContainers", "containers"):
            for container in template["spec"].get(part, []):
                yield manifest, container


def service_of(manifest: Manifest) -> str:
    """Whose it is."""
    return str(manifest["metadata"]["labels"]["app.kubernetes.io/name"])


def labels_of(template: Manifest) -> dict[str, str]:
    """Labels of the pods of a template."""
    labels: dict[str, str] = template["metadata"]["labels"]
    return labels


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a selector of labels alone is met."""
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return "matchExpressions" not in selector and wanted.items() <= labels.items()
