"""Topics, principals and roles: made from the table, no staler than it, and no more rights than a service needs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.generate import ROOT, main, render, stale
from shared.contracts import KEYS, TOPICS, dead_topic, topics_followed_by, topics_read_by
from tests.deploy.built import SERVICES

EACH_SERVICE = pytest.mark.parametrize("service", SERVICES)


def rights(service: str) -> set[tuple[str, str, str]]:
    """Kind, name and operation of everything that a service's principal may do."""
    users = {u["metadata"]["name"]: u for u in yaml.safe_load_all(render()["k8s/base/kafka/users.yaml"])}
    rules = users[f"lianyi-{service}"]["spec"]["authorization"]["acls"]
    assert all(rule["resource"]["patternType"] == "literal" for rule in rules)
    assert all(rule.get("type", "allow") == "allow" for rule in rules)
    return {
        (rule["resource"]["type"], rule["resource"]["name"], operation)
        for rule in rules
        for operation in rule["operations"]
    }


def roles() -> list[dict[str, Any]]:
    """What the script for mongosh gives to the database."""
    found = re.search(r"^const ROLES = (.*?);$", render()["mongodb/roles.js"], re.M | re.S)
    assert found
    made: list[dict[str, Any]] = json.loads(found[1])
    return made


def test_the_files_of_the_tree_are_not_stale() -> None:
    """They are what the generator writes today; if not: python -m deploy.generate."""
    assert stale() == []
    assert main(["--check"]) == 0


def test_a_stale_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check names a file that is missing or altered, and exits with 1; writing mends it."""
    main([], tmp_path)
    gone, altered, *_ = sorted(render())
    (tmp_path / gone).unlink()
    (tmp_path / altered).write_text("---\n")
    assert main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err.splitlines() == [f"{gone}: out of date", f"{altered}: out of date"]
    assert main([], tmp_path) == 0
    assert stale(tmp_path) == []
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == sorted(Path(name).name for name in render())
    assert all((ROOT / name).exists() for name in render())


@EACH_SERVICE
def test_a_principal_may_do_what_its_service_does_and_no_more(service: str) -> None:
    """It reads what it is a reader or follower of and its dead letters, which alone it may delete, writes what it owns,
    is in its own groups."""
    read = {t.name for t in (*topics_read_by(service), *topics_followed_by(service), dead_topic(service))}
    written = {topic.name for topic in TOPICS.values() if topic.owner == service}
    groups = {f"lianyi.{service}.{key}" for key in KEYS if any(t.key == key for t in topics_read_by(service))}
    assert rights(service) == {
        *(("topic", name, "Read") for name in read),
        *(("topic", name, "Write") for name in written),
        *(("topic", name, "Describe") for name in read | written),
        ("topic", dead_topic(service).name, "Delete"),
        *(("group", name, "Read") for name in groups),
    }


def test_no_topic_has_two_that_write() -> None:
    """Each topic of the table may be written by its owner alone."""
    writers = {name: [s for s in SERVICES if ("topic", name, "Write") in rights(s)] for name in TOPICS}
    assert writers == {name: [topic.owner] for name, topic in TOPICS.items()}


def test_a_role_is_of_one_database() -> None:
    """Each service has a role of its own on its own database, and nothing of it removes a collection or a user."""
    assert [role["role"] for role in roles()] == [f"lianyi_{service}" for service in SERVICES]
    for role in roles():
        (privilege,) = role["privileges"]
        assert privilege["resource"] == {"db": role["role"], "collection": ""}
        assert {"find", "insert", "update", "remove", "createIndex", "createCollection"} <= set(privilege["actions"])
        assert not [
            action for action in privilege["actions"] if re.match("drop(Coll|Data)|any|grant|.*(User|Role)", action)
        ]
