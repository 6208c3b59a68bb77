"""What the cluster is told of topics, principals and databases, made from the table of topics.

``python -m deploy.generate`` writes it, ``--check`` compares: KafkaTopic and KafkaUser for Strimzi, the roles of
MongoDB for mongosh. A service may write what it owns, read what it reads and its own dead letters, be in the consumer
groups of its keys, and change the data of its own database. Nothing else is allowed to it, but to delete its own dead
letters (an erasure does): Kafka has one right for records and for the topic, which the Topic Operator makes anew.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from shared.admin import config_of
from shared.bus import group_of
from shared.contracts import TOPICS, Topic, dead_topic, topics_followed_by, topics_read_by

ROOT = Path(__file__).resolve().parent
SERVICES = tuple(dict.fromkeys(topic.owner for topic in TOPICS.values()))
API = "kafka.strimzi.io/v1"
HEAD = "Made from shared/contracts/topics.py by `python -m deploy.generate`; not to be edited.\n"
REPLICAS, IN_SYNC = 3, 2

ACTIONS = (
    *("find", "insert", "update", "remove"),
    *("createCollection", "createIndex", "dropIndex", "listCollections", "listIndexes"),
)
"""What the lanes do to documents, and what ``migrate`` does to collections. No collection is ever dropped."""
_ROLES = """
const admin = db.getSiblingDB("admin");
for (const {role, privileges} of ROLES) {
  const known = admin.getRole(role) !== null;
  admin.runCommand({[known ? "updateRole" : "createRole"]: role, privileges, roles: []});
}
"""


def kafka_topic(of: Topic) -> dict[str, Any]:
    """A KafkaTopic. A resource's name has no underscore, so the topic's own name stands in the spec."""
    return {
        "apiVersion": API,
        "kind": "KafkaTopic",
        "metadata": {"name": of.name.replace("_", "-")},
        "spec": {
            "topicName": of.name,
            "partitions": of.partitions,
            "replicas": REPLICAS,
            "config": {**config_of(of), "min.insync.replicas": IN_SYNC},
        },
    }


def kafka_user(service: str) -> dict[str, Any]:
    """A KafkaUser: the principal of a service and its rights."""
    own = {t for t in TOPICS.values() if t.owner == service}
    dead = dead_topic(service)
    rights = {"Read": {*topics_read_by(service), *topics_followed_by(service), dead}, "Write": own, "Delete": {dead}}
    rules = [
        _allow("topic", topic.name, [*(right for right, topics in rights.items() if topic in topics), "Describe"])
        for topic in TOPICS.values()
        if any(topic in topics for topics in rights.values())
    ]
    keys = dict.fromkeys(topic.key for topic in topics_read_by(service))
    rules += [_allow("group", group_of(service, key), ["Read"]) for key in keys]
    return {
        "apiVersion": API,
        "kind": "KafkaUser",
        "metadata": {"name": f"lianyi-{service}"},
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": rules},
        },
    }


def role(service: str) -> dict[str, Any]:
    """The role of a service in MongoDB: its own database and no other."""
    own = {"resource": {"db": f"lianyi_{service}", "collection": ""}, "actions": list(ACTIONS)}
    return {"role": f"lianyi_{service}", "privileges": [own]}


def render() -> dict[str, str]:
    """Text of every file by its path below this folder."""
    roles = json.dumps([role(service) for service in SERVICES], indent=2)
    return {
        "k8s/base/kafka/topics.yaml": _manifests([kafka_topic(t) for t in TOPICS.values()]),
        "k8s/base/kafka/users.yaml": _manifests([kafka_user(service) for service in SERVICES]),
        "mongodb/roles.js": f"// {HEAD}// mongosh <URL of an administrator> roles.js\nconst ROLES = {roles};\n{_ROLES}",
    }


def stale(folder: Path = ROOT) -> list[str]:
    """Files that are not what would be written now."""
    return [name for name, text in render().items() if not _is(folder / name, text)]


def main(argv: Sequence[str] | None = None, folder: Path = ROOT) -> int:
    """Write the files; with ``--check`` write nothing, and exit with 1 if one is stale."""
    parser = argparse.ArgumentParser(prog="python -m deploy.generate", description="Manifests of topics and rights.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is stale")
    if parser.parse_args(argv).check:
        sys.stderr.writelines(f"{name}: out of date\n" for name in stale(folder))
        return 1 if stale(folder) else 0
    for name, text in render().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return 0


def _allow(kind: str, name: str, operations: list[str]) -> dict[str, Any]:
    return {"resource": {"type": kind, "name": name, "patternType": "literal"}, "operations": operations, "host": "*"}


def _manifests(resources: Sequence[dict[str, Any]]) -> str:
    text: str = yaml.safe_dump_all(resources, sort_keys=False, width=120)
    return f"# {HEAD}{text}"


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


if __name__ == "__main__":
    raise SystemExit(main())
