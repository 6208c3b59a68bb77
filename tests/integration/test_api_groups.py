"""The API of groups, over its real lane: what is answered, written and published."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services.groups.core import CHARTER_PARTS, Charter, Group, Member, Question, member_id
from shared.contracts.groups import GroupChanged, GroupOpened, MemberJoined, MemberLeft
from tests.integration.edge import Edge, running

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
CHARTER = {part: f"our {part}" for part in CHARTER_PARTS}
GROUP = {"name": "老城咖啡馆地图", "charter": CHARTER, "seats": 3}
QUESTION = {"text": "你最常去哪一带?", "accepted": ["老城区", "old town"]}


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """Groups of gus: open with two seats, asking, closed; bob is in the first one, cat was, dan is a guest."""
    async with running("groups") as made:
        made.seed(
            group("open", members=1),
            group("asks", question=Question("你最常去哪一带?", ("老城区",))),
            group("closed", state="closed"),
            Member(id="open:bob", group_id="open", person_id="bob", tier="newcomer", state="member", joined_at=AT),
            Member(id="open:cat", group_id="open", person_id="cat", tier="contributor", state="left", advice_taken=1),
            Member(id="open:dan", group_id="open", person_id="dan", tier="newcomer", answer_accepted=1),
        )
        yield made


def group(id_: str, **more: Any) -> Group:
    charter = Charter(**CHARTER)
    fields: dict[str, Any] = {"id": id_, "owner_id": "gus", "name": "G", "charter": charter, "seats": 2}
    return Group(**{**fields, "question": None, "created_at": AT, **more})


# -- founding -----------------------------------------------------------------------------------------------


async def test_a_group_is_founded_read_and_told(edge: Edge) -> None:
    """201 with its id; anybody reads charter and question; the accepted answers stay inside, also of the event."""
    reply = await edge.ask("POST", "/v1/groups", "gus", json={**GROUP, "question": QUESTION})
    assert reply.status_code == 201
    read = (await edge.ask("GET", f"/v1/groups/{reply.json()['group_id']}", "eve")).json()
    assert (read["owner_id"], read["charter"], read["question"]) == ("gus", CHARTER, QUESTION["text"])
    assert (read["state"], read["seats"], read["members"]) == ("open", 3, 0)
    (event,) = await edge.told()
    assert isinstance(event, GroupOpened)
    assert event.charter.model_dump() == CHARTER
    assert "老城区" not in str(read) + event.model_dump_json()


@pytest.mark.parametrize("missing", [("purpose",), ("rules", "exit"), CHARTER_PARTS], ids=len)
async def test_the_missing_parts_of_a_charter_are_named(edge: Edge, missing: tuple[str, ...]) -> None:
    """422 that lists every part that is missing or says nothing, and no other."""
    absent = {**GROUP, "charter": {part: text for part, text in CHARTER.items() if part not in missing}}
    empty = {**GROUP, "charter": {**CHARTER, **dict.fromkeys(missing, " \n ")}}
    for body in (absent, empty):
        told = await edge.refuse("invalid-body", 422, "POST", "/v1/groups", json=body)
        assert [fault["place"] for fault in told["errors"]] == [f"body/charter/{part}" for part in missing]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"name": ""}, "body/name"),
        ({"name": "x" * 101}, "body/name"),
        ({"seats": 0}, "body/seats"),
        ({"seats": 100_001}, "body/seats"),
        ({"seats": 2.5}, "body/seats"),
        ({"seats": 10**400}, "body/seats"),
        ({"charter": None}, "body/charter"),
        ({"charter": {**CHARTER, "purpose": "x" * 2_001}}, "body/charter/purpose"),
        ({"charter": {**CHARTER, "motto": "x"}}, "body/charter"),
        ({"question": {"text": "?", "accepted": []}}, "body/question/accepted"),
        ({"question": {"text": "?", "accepted": ["", "x"]}}, "body/question/accepted/0"),
        ({"question": {"text": "?", "accepted": ["x" * 201, "x"]}}, "body/question/accepted/0"),
        ({"question": {"text": "x" * 201, "accepted": ["x"]}}, "body/question/text"),
        ({"owner_id": "eve"}, "body"),
    ],
)
async def test_a_group_that_is_none_is_refused(edge: Edge, change: dict[str, Any], place: str) -> None:
    """What is empty, too long, too many or unknown is named by its place."""
    body = await edge.refuse("invalid-body", 422, "POST", "/v1/groups", json={**GROUP, **change})
    assert [fault["place"] for fault in body["errors"]] == [place]


# -- the door -----------------------------------------------------------------------------------------------


async def test_a_person_joins_and_is_told(edge: Edge) -> None:
    """201 with the tier; the member can be read, the seats are counted, and two events say so."""
    reply = await edge.ask("POST", "/v1/groups/open/members", "eve")
    assert (reply.status_code, reply.json()) == (201, {"group_id": "open", "person_id": "eve", "tier": "newcomer"})
    assert (await edge.ask("GET", "/v1/groups/open")).json()["members"] == 2
    member = (await edge.ask("GET", "/v1/groups/open/members/eve", "bob")).json()
    assert (member["tier"], member["contributions"]) == ("newcomer", {"answer_accepted": 0, "advice_taken": 0})
    assert [type(event) for event in await edge.told()] == [MemberJoined, GroupChanged]


@pytest.mark.parametrize("person", ["cat", "dan"])
async def test_what_was_earned_counts_at_the_door(edge: Edge, person: str) -> None:
    """A former member comes back at the tier of before, a guest at the one that help has earned."""
    reply = await edge.ask("POST", "/v1/groups/open/members", person)
    assert reply.json()["tier"] == "contributor"


@pytest.mark.parametrize(
    ("group_id", "person", "answer", "slug", "status"),
    [
        ("none", "eve", None, "unknown-group", 404),
        ("closed", "eve", None, "group-closed", 403),
        ("asks", "eve", None, "wrong-answer", 403),
        ("asks", "eve", {"answer": "新区"}, "wrong-answer", 403),
        ("asks", "eve", {"answer": "x" * 201}, "invalid-body", 422),
        ("asks", "eve", {"answer": " "}, "invalid-body", 422),
        ("open", "eve", {"answer": "老城区"}, "no-question", 422),
        ("open", "bob", None, "already-a-member", 409),
    ],
)
async def test_the_door_stays_shut_with_a_reason(
    edge: Edge, *, group_id: str, person: str, answer: Any, slug: str, status: int
) -> None:
    """Each refusal has a type of its own, takes no seat and tells nobody."""
    await edge.refuse(slug, status, "POST", f"/v1/groups/{group_id}/members", person, json=answer)


async def test_a_wrong_answer_repeats_the_question_only(edge: Edge) -> None:
    """The refusal shows what was asked, never what would have been accepted."""
    body = await edge.refuse(
        "wrong-answer", 403, "POST", "/v1/groups/asks/members", "eve", json={"answer": "secret guess"}
    )
    assert body["question"] == "你最常去哪一带?"
    assert "老城区" not in str(body)
    assert "secret" not in str(body)


async def test_an_accepted_answer_opens_the_door(edge: Edge) -> None:
    """The answer counts whatever its width and case."""
    reply = await edge.ask("POST", "/v1/groups/asks/members", "eve", json={"answer": " 老城区 "})
    assert reply.status_code == 201


async def test_seats_are_exact_when_many_ask_at_once(edge: Edge) -> None:
    """Of twenty who ask for one seat at the same moment one gets it, and the others hear that it is full."""
    replies = await asyncio.gather(*(edge.ask("POST", "/v1/groups/open/members", f"p{i}") for i in range(20)))
    assert Counter(reply.status_code for reply in replies) == {201: 1, 403: 19}
    assert {reply.json()["type"] for reply in replies if reply.status_code == 403} == {"urn:lianyi:problem:group-full"}
    assert (await edge.ask("GET", "/v1/groups/open")).json()["members"] == 2
    assert len([event for event in await edge.told() if isinstance(event, MemberJoined)]) == 1


async def test_a_member_leaves_and_the_seat_is_free(edge: Edge) -> None:
    """204 without a body; the member is gone, the seat is free, and it is told."""
    reply = await edge.ask("DELETE", "/v1/groups/open/members/me", "bob")
    assert (reply.status_code, reply.content) == (204, b"")
    await edge.refuse("not-a-member", 404, "GET", "/v1/groups/open/members/bob")
    assert [type(event) for event in await edge.told()] == [MemberLeft, GroupChanged]
    assert (await edge.ask("GET", "/v1/groups/open")).json()["members"] == 0


@pytest.mark.parametrize(
    ("path", "person", "slug"),
    [
        ("/v1/groups/open/members/me", "eve", "not-a-member"),
        ("/v1/groups/open/members/me", "cat", "not-a-member"),
        ("/v1/groups/open/members/me", "dan", "not-a-member"),
        ("/v1/groups/none/members/me", "bob", "unknown-group"),
    ],
)
async def test_who_is_not_in_cannot_leave(edge: Edge, path: str, person: str, slug: str) -> None:
    """Strangers, former members and guests hold no seat."""
    await edge.refuse(slug, 404, "DELETE", path, person)


@pytest.mark.parametrize("person", ["eve", "cat", "dan"])
async def test_only_members_are_shown(edge: Edge, person: str) -> None:
    """Whoever is not in the group is, for others, not there."""
    await edge.refuse("not-a-member", 404, "GET", f"/v1/groups/open/members/{person}")


async def test_an_id_with_a_colon_is_nobody_else(edge: Edge) -> None:
    """Group and person are told apart, also where their ids hold the sign that joins them."""
    edge.seed(Member(id=member_id("a", "b:c"), group_id="a", person_id="b:c", tier="newcomer", state="member"))
    assert (await edge.ask("GET", "/v1/groups/a/members/b:c")).status_code == 200
    await edge.refuse("not-a-member", 404, "GET", "/v1/groups/a:b/members/c")


async def test_the_owner_closes_and_opens(edge: Edge) -> None:
    """200 with the state; the same state again is no news."""
    for state, told in (("closed", 1), ("closed", 1), ("open", 2)):
        reply = await edge.ask("PATCH", "/v1/groups/open", "gus", json={"state": state})
        assert (reply.status_code, reply.json()["state"]) == (200, state)
        assert len(await edge.told()) == told


@pytest.mark.parametrize(
    ("path", "person", "body", "slug", "status"),
    [
        ("/v1/groups/open", "bob", {"state": "closed"}, "not-the-owner", 403),
        ("/v1/groups/open", "eve", {"state": "closed"}, "not-the-owner", 403),
        ("/v1/groups/none", "gus", {"state": "closed"}, "unknown-group", 404),
        ("/v1/groups/open", "gus", {"state": "paused"}, "invalid-body", 422),
        ("/v1/groups/open", "gus", {"state": "closed", "seats": 99}, "invalid-body", 422),
        ("/v1/groups/open", "gus", {}, "invalid-body", 422),
    ],
)
async def test_a_change_that_may_not_be_is_refused(
    edge: Edge, *, path: str, person: str, body: Any, slug: str, status: int
) -> None:
    """Only the owner, and only between open and closed."""
    await edge.refuse(slug, status, "PATCH", path, person, json=body)


# -- repeated requests --------------------------------------------------------------------------------------

COMMANDS: list[tuple[str, str, str, Any, Any]] = [
    ("POST", "/v1/groups", "gus", GROUP, {**GROUP, "seats": 4}),
    ("POST", "/v1/groups/asks/members", "eve", {"answer": "老城区"}, {"answer": "新区"}),
    ("PATCH", "/v1/groups/open", "gus", {"state": "closed"}, {"state": "open"}),
]
EACH_COMMAND = pytest.mark.parametrize(
    ("method", "path", "person", "body", "other"), COMMANDS, ids=[f"{c[0]} {c[1]}" for c in COMMANDS]
)


@EACH_COMMAND
async def test_a_repeated_key_repeats_the_reply(
    edge: Edge, *, method: str, path: str, person: str, body: Any, other: Any
) -> None:
    """The same request under the same key has the same status and body; it writes and publishes nothing more."""
    first = await edge.ask(method, path, person, key="k", json=body)
    before = await edge.standing()
    again = await edge.ask(method, path, person, key="k", json=body)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert await edge.standing() == before


@EACH_COMMAND
async def test_a_key_belongs_to_one_body(
    edge: Edge, *, method: str, path: str, person: str, body: Any, other: Any
) -> None:
    """Another body under a used key is an error, and nothing is done."""
    await edge.ask(method, path, person, key="k", json=body)
    await edge.refuse("idempotency-key-reused", 422, method, path, person, key="k", json=other)


async def test_leaving_twice_under_one_key_is_leaving_once(edge: Edge) -> None:
    """The repeated request answers 204 again; without the key the second one is told that nobody is there."""
    replies = [await edge.ask("DELETE", "/v1/groups/open/members/me", "bob", key="k") for _ in range(2)]
    assert [(reply.status_code, reply.content) for reply in replies] == [(204, b"")] * 2
    assert (await edge.ask("GET", "/v1/groups/open")).json()["members"] == 0
    await edge.refuse("not-a-member", 404, "DELETE", "/v1/groups/open/members/me", "bob")


async def test_joining_many_times_at_once_under_one_key_takes_one_seat(edge: Edge) -> None:
    """Requests that arrive together under one key have one reply and take one seat."""
    replies = await asyncio.gather(*(edge.ask("POST", "/v1/groups/open/members", "eve", key="k") for _ in range(5)))
    assert {(reply.status_code, reply.content) for reply in replies} == {(201, replies[0].content)}
    assert (await edge.ask("GET", "/v1/groups/open")).json()["members"] == 2


async def test_a_refusal_at_the_door_is_not_kept(edge: Edge) -> None:
    """Who was refused may come again under the same key, with the same words, when the door is open."""
    await edge.refuse("group-closed", 403, "POST", "/v1/groups/closed/members", "eve", key="k")
    await edge.ask("PATCH", "/v1/groups/closed", "gus", json={"state": "open"})
    assert (await edge.ask("POST", "/v1/groups/closed/members", "eve", key="k")).status_code == 201
