"""What a subscriber of another team is given: a principal, and where the brokers are."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from shared.contracts.asyncapi import document
from shared.contracts.topics import NOTE
from tests.deploy.built import ROOT, of_kind, overlay, parsed
from tests.deploy.test_manifests import accepted

SAMPLE = ROOT / "samples" / "consumer.py"


def user() -> Any:
    """The KafkaUser of the sample."""
    return yaml.safe_load(SAMPLE.with_name("subscriber.yaml").read_text("utf-8"))


def started(place: Path) -> subprocess.CompletedProcess[str]:
    """The sample as a user without a password; it finds the contracts where ``pip install`` would have put them."""
    (place / "lianyi_contracts").symlink_to(ROOT / "shared/contracts")
    command = [sys.executable, str(SAMPLE), "--kafka", "localhost:1", "--database", str(place / "x.db")]
    command += ["--user", "helpdesk"]
    return subprocess.run(
        command, env={"PYTHONPATH": str(place)}, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_principal_of_a_subscriber_may_do_what_the_sample_does() -> None:
    """It reads the topic and is in the group that the sample is in if nobody says otherwise; it can write nothing."""
    accepted(user(), "1.37")
    with pytest.raises(jsonschema.ValidationError):
        accepted({**user(), "spec": {**user()["spec"], "rights": []}}, "1.37")
    (group,) = re.findall(r'"--group", default="(\w+)"', SAMPLE.read_text("utf-8"))
    rules = user()["spec"]["authorization"]["acls"]
    assert {(r["resource"]["type"], r["resource"]["name"], *r["operations"]) for r in rules} == {
        ("topic", NOTE.name, "Read", "Describe"),
        ("group", group, "Read"),
    }
    assert {r["resource"]["patternType"] for r in rules} == {"literal"}


def test_it_stands_where_the_others_do() -> None:
    """Namespace and cluster are those of the services' principals, its name is none of theirs."""
    theirs = of_kind(parsed(overlay("prod")), "KafkaUser")
    mine = user()["metadata"]
    assert {m["metadata"]["namespace"] for m in theirs} == {mine["namespace"]}
    assert {m["metadata"]["labels"]["strimzi.io/cluster"] for m in theirs} == {mine["labels"]["strimzi.io/cluster"]}
    assert mine["name"] not in {m["metadata"]["name"] for m in theirs}


def test_a_user_without_a_password_is_told(tmp_path: Path) -> None:
    """The sample names what is missing instead of being refused by the broker for ever."""
    done = started(tmp_path)
    assert (done.returncode, done.stderr) == (1, "a user has a password: KAFKA_PASSWORD\n")


def test_the_servers_of_the_catalogue_are_those_that_are_deployed() -> None:
    """One is what docker-compose tells programs of the host, the other what production's services are told."""
    servers = document()["servers"]
    kafka = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["kafka"]
    assert f"HOST://{servers['one_machine']['host']}" in kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    (settings,) = of_kind(parsed(overlay("prod")), "ConfigMap")
    name, _, port = settings["data"]["LIANYI_KAFKA"].partition(":")
    assert servers["cluster"]["host"] == f"{name}.{settings['metadata']['namespace']}.svc:{port}"
    assert (servers["cluster"]["protocol"], len(servers["cluster"]["security"])) == ("kafka-secure", 1)
