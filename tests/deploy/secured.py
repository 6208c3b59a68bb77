"""A broker and a database that ask who comes: principals, users and rights as the manifests declare them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)
from pymongo import MongoClient

from local.database import Database
from local.kafka import Kafka
from local.places import free_port
from shared.brokers import Brokers
from tests.deploy.built import K8S, ROOT, SERVICES

PASSWORD = "of-a-test"
# Who comes by the first listener is nobody and may do all; who comes by the other says who they are.
SECURED = """listeners=CLIENT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller}},USERS://127.0.0.1:{users}
advertised.listeners=CLIENT://127.0.0.1:{{port}},USERS://127.0.0.1:{users}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,USERS:SASL_PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.users.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


class Secured(Kafka):
    """Who comes to `address` may do all; at `users` a principal is asked for, and has its rights after `secure`."""

    def __init__(self, directory: Path) -> None:
        port = free_port()
        super().__init__(directory, more=SECURED.format(users=port))
        self.users = f"127.0.0.1:{port}"


def principal(users: str, service: str) -> Brokers:
    """A service's own way in."""
    return Brokers(users, f"lianyi-{service}", PASSWORD)


def secure(address: str) -> None:
    """Make the principals of users.yaml and that of the sample subscriber, with their rights."""
    admin = AdminClient({"bootstrap.servers": address})
    files = (K8S / "base/kafka/users.yaml", ROOT / "samples/subscriber.yaml")
    users = [user for file in files for user in yaml.safe_load_all(file.read_text("utf-8"))]
    scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    names = [user["metadata"]["name"] for user in users]
    made: list[UserScramCredentialAlteration] = []
    made += [UserScramCredentialUpsertion(name, scram, PASSWORD.encode()) for name in names]
    for done in admin.alter_user_scram_credentials(made).values():
        done.result(60)
    rules = [binding for user in users for binding in bindings(user)]
    for done in admin.create_acls(rules).values():
        done.result(60)


def bindings(user: dict[str, Any]) -> list[AclBinding]:
    """Rules of Strimzi as the broker's own: one for each operation."""
    return [
        AclBinding(
            ResourceType[rule["resource"]["type"].upper()],
            rule["resource"]["name"],
            ResourcePatternType[rule["resource"]["patternType"].upper()],
            f"User:{user['metadata']['name']}",
            rule["host"],
            AclOperation[operation.upper()],
            AclPermissionType.ALLOW,
        )
        for rule in user["spec"]["authorization"]["acls"]
        for operation in rule["operations"]
    ]


def roles() -> list[dict[str, Any]]:
    """The roles of `deploy/mongodb/roles.js`, out of the very file."""
    text = (ROOT / "deploy/mongodb/roles.js").read_text("utf-8")
    found: list[dict[str, Any]] = json.loads(text.partition("const ROLES = ")[2].partition(";\n")[0])
    return found


async def guard(database: Database) -> None:
    """Make the roles, and a user with one of them for each service; from then on the server asks who comes."""
    with MongoClient[dict[str, Any]](database.address) as client:
        for role in roles():
            client.admin.command("createRole", role["role"], privileges=role["privileges"], roles=[])
        for service in SERVICES:
            bound = [{"role": f"lianyi_{service}", "db": "admin"}]
            client.admin.command("createUser", f"lianyi-{service}", pwd=PASSWORD, roles=bound)
    await database.stop()
    (child,) = database.children
    child.argv.append("--auth")
    await database.start()


def url(database: Database, service: str, password: str = PASSWORD) -> str:
    """A service's own way in."""
    place = database.address.removeprefix("mongodb://")
    return f"mongodb://lianyi-{service}:{password}@{place}&authSource=admin"


def environment(broker: Secured, database: Database, service: str) -> Iterator[str]:
    """What a service is told to come in by itself, as words for `env`."""
    yield f"LIANYI_KAFKA={broker.users}"
    yield f"LIANYI_KAFKA_USER=lianyi-{service}"
    yield f"LIANYI_KAFKA_PASSWORD={PASSWORD}"
    yield f"LIANYI_MONGO={url(database, service)}"
