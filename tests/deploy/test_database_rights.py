"""The roles of `deploy/mongodb/roles.js`, given to users of a real server that asks who comes.

SecantusDB knows roles of one's own, by database and action; MongoDB's own server has not been asked.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from importlib import import_module
from typing import Any

import pytest
import pytest_asyncio
from pymongo.errors import OperationFailure

from local.database import Database
from shared.app import App
from shared.errors import Transient
from shared.flow.ports import Delete, Insert, Upsert
from shared.migrations import migrate, migrated
from shared.mongo import MongoDatabase
from tests.deploy.built import SERVICES
from tests.deploy.secured import PASSWORD, guard, url

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]
EACH_SERVICE = pytest.mark.parametrize("service", SERVICES)
UNAUTHORIZED, WRONG_PASSWORD = 13, 18
ALL = {"resource": {"anyResource": True}, "actions": ["anyAction"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """A server with a user for each service, and collections made by their own migrations."""
    made = Database(tmp_path_factory.mktemp("guarded"))
    await made.start()
    try:
        await guard(made)
        for service in SERVICES:
            client = entered(made, service)
            app: App = import_module(f"services.{service}.app").APP
            assert await migrate(client, app.all_indexes, app.all_collections)
            assert await migrated(client, app.all_indexes, app.all_collections)
            await client.close()
        yield made
    finally:
        await made.kill()


def entered(database: Database, service: str, of: str = "", password: str = PASSWORD) -> MongoDatabase:
    """A service's client, at its own database or at that of another."""
    return MongoDatabase(url(database, service, password), f"lianyi_{of or service}")


async def refused(attempt: Callable[[], Awaitable[Any]]) -> bool:
    """Whether it was refused for want of a right; every other error is raised."""
    try:
        await attempt()
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        return True
    return False


def acts(raw: Any) -> dict[str, Callable[[], Awaitable[Any]]]:
    """All that a service may do in its database, tried on a collection that every service has."""
    lanes = raw["lanes"]
    return {
        "find": lambda: lanes.find_one({}),
        "insert": lambda: lanes.insert_one({"_id": "a-test"}),
        "update": lambda: lanes.update_one({"_id": "a-test"}, {"$set": {"a": 1}}),
        "modify": lambda: lanes.find_one_and_update({"_id": "a-test"}, {"$set": {"a": 2}}),
        "remove": lambda: lanes.delete_one({"_id": "a-test"}),
        "createCollection": lambda: raw.create_collection("another"),
        "createIndex": lambda: raw["another"].create_index([("a", 1)]),
        "dropIndex": lambda: raw["another"].drop_index("a_1"),
        "listCollections": raw.list_collection_names,
        "listIndexes": lanes.index_information,
    }


def others_acts(raw: Any) -> dict[str, Callable[[], Awaitable[Any]]]:
    """What no service does: things are dropped and users made by administrators."""
    return {
        "drop": raw["another"].drop,
        "dropDatabase": lambda: raw.client.drop_database(raw),
        "createUser": lambda: raw.command("createUser", "mallory", pwd="x", roles=["dbOwner"]),
        "createRole": lambda: raw.command("createRole", "all", privileges=[ALL], roles=[]),
        "grant": lambda: raw.client.admin.command("grantRolesToUser", "lianyi-notes", roles=["root"]),
        "setParameter": lambda: raw.client.admin.command("setParameter", 1, logLevel=1),
    }


@EACH_SERVICE
async def test_a_service_does_its_work_under_its_role(database: Database, service: str) -> None:
    """In its own database it does what lanes and migrations do: documents, transactions, claims, indexes."""
    client = entered(database, service)
    try:
        done = {name: await refused(act) for name, act in acts(client.raw).items()}
        assert done == dict.fromkeys(done, False)
        session, other = await client.open_session(), await client.open_session()
        await client.transact(session, [Insert("lanes", {"_id": "t"}), Upsert("lanes", {"_id": "u"})])
        assert {doc["_id"] for doc in await client.load("lanes", ["t", "u"])} == {"t", "u"}
        await client.transact(session, [Delete("lanes", {"_id": "t"}), Delete("lanes", {"_id": "u"})])
        await client.kill_session(other.id)
    finally:
        await client.close()


@EACH_SERVICE
@pytest.mark.parametrize("of", [*SERVICES, "nobody"])
async def test_a_service_is_refused_in_the_database_of_another(database: Database, service: str, of: str) -> None:
    """Neither what it does at home nor anything else: not in that of another service, and not where nobody is."""
    client = entered(database, service, of)
    try:
        attempts = others_acts(client.raw) | (acts(client.raw) if of != service else {})
        done = {name: await refused(act) for name, act in attempts.items()}
        assert done == dict.fromkeys(done, True)
    finally:
        await client.close()


@EACH_SERVICE
async def test_a_service_hears_of_no_database_but_its_own(database: Database, service: str) -> None:
    """Who does not refuse the question answers it with what the asker has rights in, as MongoDB's own server does."""
    client = entered(database, service)
    names = set[str]()

    async def ask() -> None:
        names.update(await client.raw.client.list_database_names())

    try:
        assert await refused(ask) or names == {f"lianyi_{service}"}
    finally:
        await client.close()


@EACH_SERVICE
async def test_a_service_writes_nothing_elsewhere_through_its_own(database: Database, service: str) -> None:
    """A pipeline that begins at home is refused when it would end in the database of another."""
    client = entered(database, service)
    lanes, away = client.raw["lanes"], f"lianyi_{next(name for name in SERVICES if name != service)}"
    try:
        for stage in ({"$out": {"db": away, "coll": "lanes"}}, {"$merge": {"into": {"db": away, "coll": "lanes"}}}):
            assert await refused(partial(_run, lanes, stage)), stage
    finally:
        await client.close()


async def _run(collection: Any, stage: dict[str, Any]) -> None:
    await collection.aggregate([stage]).to_list(None)


@pytest.mark.parametrize(("password", "code"), [(None, UNAUTHORIZED), ("guessed", WRONG_PASSWORD)])
async def test_nobody_gets_in_by_a_name_alone(database: Database, password: str | None, code: int) -> None:
    """Without a name, and with a wrong password, nothing is read; it is waited for until somebody mends that."""
    name = "lianyi_notes"
    client = entered(database, "notes", password=password) if password else MongoDatabase(database.address, name)
    try:
        with pytest.raises(Transient, match=f"refuses.*{code}"):
            await asyncio.wait_for(client.find("lanes", {}), 20)
    finally:
        await client.close()
