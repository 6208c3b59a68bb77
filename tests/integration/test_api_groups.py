"""The API of groups, over its real lane: what is answered, written and published."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from services.groups.core import (
    CHARTER_PARTS,
    Answer,
    Application,
    Approval,
    Charter,
    Day,
    Gate,
    Group,
    Member,
    Place,
    Question,
    member_id,
)
from shared.contracts.groups import ApplicationChanged, GroupChanged, GroupOpened, MemberJoined, MemberLeft
from shared.place import kilometres
from tests.integration.edge import Edge, problem, running

pytestmark = pytest.mark.jumping

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
TODAY = datetime.now(UTC).toordinal()
CHARTER = {part: f"our {part}" for part in CHARTER_PARTS}
GROUP = {"name": "老城咖啡馆地图", "charter": CHARTER, "seats": 3}
QUESTION = {"text": "你最常去哪一带?", "accepted": ["老城区", "old town"]}


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """Groups of gus. open: bob is in, cat was, dan is a guest; asks, chooses, closed; private: pat has applied;
    busy: bob has the one seat, wim waits for it."""
    async with running("groups") as made:
        made.seed(
            group("open", members=1),
            group("asks", gate=Gate((Question("place", "你最常去哪一带?"),), Answer("place", ("老城区",)))),
            group("closed", state="closed"),
            group("chooses", gate=Gate((Question("place", "?", ("老城区", "新区")),), Answer("place", ("老城区",)))),
            group("private", gate=Gate((Question("why", "?"),), Approval())),
            group("busy", seats=1, members=1, waiting=1, last=1),
            Place(id="busy:1", group_id="busy", person_id="wim"),
            at_the_door("busy", "wim", "waiting", 1),
            at_the_door("private", "pat", "pending", 0),
            person("busy", "bob", "mainstay", state="member", joined_at=AT),
            person("open", "bob", state="member", joined_at=AT),
            person("open", "cat", "contributor", state="left", days=(Day(TODAY, 0, 1),)),
            person("open", "dan", "contributor", answer_accepted=1, days=(Day(TODAY, 1),)),
        )
        yield made


def person(group_id: str, id_: str, tier: str = "newcomer", **more: Any) -> Member:
    return Member(id=member_id(group_id, id_), group_id=group_id, person_id=id_, tier=tier, **more)


def at_the_door(group_id: str, id_: str, state: Literal["pending", "waiting"], place: int) -> Member:
    application = Application(AT, {} if place else {"why": "找人一起喝咖啡"}, place)
    return person(group_id, id_, state=state, application=application)


def group(id_: str, **more: Any) -> Group:
    charter = Charter(**CHARTER)
    fields: dict[str, Any] = {"id": id_, "owner_id": "gus", "name": "G", "charter": charter, "seats": 2}
    return Group(**{**fields, "gate": Gate(), "created_at": AT, **more})


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


async def test_where_a_group_meets_is_told_moved(edge: Edge) -> None:
    """G29. A cell is told about a kilometre off and kept nowhere, the same again with the same key; none is none."""
    cell = "89309959d73ffff"
    replies = [await edge.ask("POST", "/v1/groups", "gus", key="k", json={**GROUP, "cell": cell}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 201]
    [told] = [event for event in await edge.told() if isinstance(event, GroupOpened)]
    assert told.cell is not None
    assert 0.7 <= kilometres(told.cell, cell) <= 2
    assert cell.encode() not in b"".join(
        raw for documents in edge.server.documents.values() for raw in documents.values()
    )
    body = {**GROUP, "cell": "89ffffffffbffff"}
    await edge.refuse("unknown-cell", 422, "POST", "/v1/groups", "gus", json=body)
    assert (await edge.ask("POST", "/v1/groups", "gus", json={**GROUP, "cell": "8a309959d737fff"})).status_code == 422


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
        ("asks", "eve", {"answer": "x" * 2_001}, "invalid-body", 422),
        ("asks", "eve", {"answers": {"other": "老城区"}}, "no-question", 422),
        ("asks", "eve", {"answer": "老城区", "answers": {"place": "老城区"}}, "no-question", 422),
        ("asks", "eve", {"answers": {"place": 1}}, "invalid-body", 422),
        ("chooses", "eve", {"answer": "城外"}, "no-such-option", 422),
        ("busy", "wim", None, "already-waiting", 409),
        ("private", "pat", None, "already-waiting", 409),
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
    """The refusal shows what was asked and when to come back, never what would have been accepted; it is kept."""
    reply = await edge.ask("POST", "/v1/groups/asks/members", "eve", json={"answer": "secret guess"})
    body = problem(reply, "wrong-answer", 403)
    assert body["question"] == "你最常去哪一带?"
    assert body["reasons"] == [{"kind": "answer", "question": "place", "text": "你最常去哪一带?"}]
    assert "老城区" not in str(body)
    assert "secret" not in str(body)
    told = await edge.refuse("too-early", 403, "POST", "/v1/groups/asks/members", "eve", json={"answer": "老城区"})
    assert told["retry_at"] == body["retry_at"]
    assert datetime.fromisoformat(body["retry_at"]) > datetime.now(UTC)
    assert await edge.told() == []


async def test_an_accepted_answer_opens_the_door(edge: Edge) -> None:
    """The answer counts whatever its width and case."""
    reply = await edge.ask("POST", "/v1/groups/asks/members", "eve", json={"answer": " 老城区 "})
    assert reply.status_code == 201


async def test_seats_are_exact_when_many_ask_at_once(edge: Edge) -> None:
    """Of twenty who ask for one seat at the same moment one gets it, and the others wait, each in a place."""
    replies = await asyncio.gather(*(edge.ask("POST", "/v1/groups/open/members", f"p{i}") for i in range(20)))
    assert Counter(reply.status_code for reply in replies) == {201: 1, 202: 19}
    waiting = [reply.json() for reply in replies if reply.status_code == 202]
    assert {told["state"] for told in waiting} == {"waiting"}
    group = (await edge.ask("GET", "/v1/groups/open")).json()
    assert (group["members"], group["waiting"]) == (2, 19)
    listed = [told["person_id"] for told in await everything(edge, "/v1/groups/open/waiting")]
    assert listed == [told["person_id"] for told in sorted(waiting, key=lambda told: told["position"])]
    assert [told["position"] for told in sorted(waiting, key=lambda told: told["position"])] == list(range(1, 20))
    assert len([event for event in await edge.told() if isinstance(event, MemberJoined)]) == 1


async def everything(edge: Edge, path: str, person: str = "gus", limit: int = 7) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        told = (await edge.ask("GET", f"{path}?limit={limit}{cursor}", person)).json()
        found += told["items"]
        if told["next"] is None:
            return found
        cursor = f"&cursor={told['next']}"


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


# -- at the door --------------------------------------------------------------------------------------------


async def test_an_application_waits_for_the_owner(edge: Edge) -> None:
    """202 and a place nowhere yet; the person and the owner see it with its answers, others do not; yes is a seat."""
    reply = await edge.ask("POST", "/v1/groups/private/members", "eve", json={"answers": {"why": "住在附近"}})
    standing = {"group_id": "private", "person_id": "eve", "state": "pending", "position": None}
    assert (reply.status_code, reply.json()) == (202, standing)
    path = "/v1/groups/private/applications"
    for reader, id_ in (("eve", "me"), ("eve", "eve"), ("gus", "eve")):
        told = (await edge.ask("GET", f"{path}/{id_}", reader)).json()
        assert (told["state"], told["answers"], told["escalated"]) == ("pending", {"why": "住在附近"}, False)
    await edge.refuse("not-the-owner", 403, "GET", f"{path}/eve", "bob")
    assert [told["person_id"] for told in await everything(edge, path, limit=1)] == ["pat", "eve"]
    await edge.refuse("not-the-owner", 403, "POST", f"{path}/eve/approve", "eve")
    reply = await edge.ask("POST", f"{path}/eve/approve", "gus")
    assert (reply.status_code, reply.json()["state"]) == (200, "member")
    assert (await edge.ask("GET", "/v1/groups/private")).json()["members"] == 1
    await edge.refuse("already-answered", 409, "POST", f"{path}/eve/approve", "gus")
    assert [type(event) for event in await edge.told()] == [ApplicationChanged, MemberJoined, GroupChanged]


async def test_a_rejected_one_is_told_when_to_come_back(edge: Edge) -> None:
    """The owner's no needs a reason; the person may not knock again before a date, and the answers are gone."""
    path = "/v1/groups/private/applications/pat"
    await edge.refuse("invalid-body", 422, "POST", f"{path}/reject", "gus", json={})
    reply = await edge.ask("POST", f"{path}/reject", "gus", json={"reason": "住得太远"})
    assert (reply.status_code, reply.json()["state"]) == (200, "rejected")
    await edge.refuse("no-application", 404, "GET", path, "pat")
    told = await edge.refuse("too-early", 403, "POST", "/v1/groups/private/members", "pat")
    assert told["reasons"] == [{"kind": "rejected"}]
    assert datetime.fromisoformat(told["retry_at"]) > datetime.now(UTC)


async def test_a_tier_may_grant_the_review(edge: Edge) -> None:
    """A member whose tier grants it sees who waits, as the owner does; any other member does not."""
    assert [told["person_id"] for told in await everything(edge, "/v1/groups/busy/waiting", "bob")] == ["wim"]
    await edge.refuse("not-the-owner", 403, "GET", "/v1/groups/open/waiting", "bob")
    await edge.refuse("not-the-owner", 403, "GET", "/v1/groups/open/applications", "bob")


async def test_positions_close_up_when_somebody_gives_up(edge: Edge) -> None:
    """One's own position is the number of people before oneself, and one; who gives up is no longer counted."""
    for person, position in (("eve", 2), ("fay", 3)):
        reply = await edge.ask("POST", "/v1/groups/busy/members", person)
        assert (reply.status_code, reply.json()["position"]) == (202, position)
    assert (await edge.ask("DELETE", "/v1/groups/busy/members/me", "eve")).status_code == 204
    told = (await edge.ask("GET", "/v1/groups/busy/applications/me", "fay")).json()
    assert (told["state"], told["position"]) == ("waiting", 2)
    assert [told["person_id"] for told in await everything(edge, "/v1/groups/busy/waiting", limit=1)] == ["wim", "fay"]
    await edge.refuse("no-application", 404, "GET", "/v1/groups/busy/applications/me", "eve")


async def test_the_owner_removes_with_a_reason(edge: Edge) -> None:
    """204, told as a removal; the person stays out for a while, the reason stands in the audit only."""
    path = "/v1/groups/open/members/bob"
    await edge.refuse("not-the-owner", 403, "DELETE", path, "eve", json={"reason": "x"})
    await edge.refuse("reason-missing", 422, "DELETE", path, "gus")
    await edge.refuse("not-a-member", 404, "DELETE", "/v1/groups/open/members/dan", "gus", json={"reason": "x"})
    assert (await edge.ask("DELETE", path, "gus", json={"reason": "第三次发广告"})).status_code == 204
    told = await edge.refuse("too-early", 403, "POST", "/v1/groups/open/members", "bob")
    assert told["reasons"] == [{"kind": "removed"}]
    left = next(event for event in await edge.told() if isinstance(event, MemberLeft))
    assert left == MemberLeft(group_id="open", person_id="bob", removed=True)
    (entry,) = await everything(edge, "/v1/groups/open/audit")
    assert (entry["act"], entry["by_id"], entry["person_id"], entry["why"]) == ("removed", "gus", "bob", "第三次发广告")


async def test_joining_while_being_removed_is_one_or_the_other(edge: Edge) -> None:
    """A removal and a new knock at the same moment: out, or told that they are in; never half of both."""
    asked = [edge.ask("DELETE", "/v1/groups/open/members/bob", "gus", json={"reason": "x"})]
    asked += [edge.ask("POST", "/v1/groups/open/members", "bob") for _ in range(5)]
    gone, *knocks = await asyncio.gather(*asked)
    assert gone.status_code == 204
    assert {(r.status_code, r.json()["type"].rpartition(":")[2]) for r in knocks} <= {
        (409, "already-a-member"),
        (403, "too-early"),
    }
    assert (await edge.ask("GET", "/v1/groups/open")).json()["members"] == 0


async def test_the_audit_tells_every_change_newest_first(edge: Edge) -> None:
    """Who did what to whom and why, with the correlation id of the request; page by page, for the owner alone."""
    await edge.ask("POST", "/v1/groups/open/members", "eve", headers={"X-Correlation-Id": "c-1"})
    await edge.ask("PATCH", "/v1/groups/open", "gus", json={"state": "closed"})
    await edge.ask("DELETE", "/v1/groups/open/members/me", "eve")
    await edge.ask("POST", "/v1/groups/private/applications/pat/approve", "gus")
    entries = await everything(edge, "/v1/groups/open/audit", limit=1)
    assert [(e["act"], e["by_id"], e["person_id"]) for e in entries] == [
        ("left", "eve", "eve"),
        ("closed", "gus", None),
        ("joined", "eve", "eve"),
    ]
    assert entries[-1]["correlation_id"] == "c-1"
    assert [e["act"] for e in await everything(edge, "/v1/groups/private/audit")] in (
        ["approved", "joined"],
        ["joined", "approved"],
    )
    await edge.refuse("not-the-owner", 403, "GET", "/v1/groups/open/audit", "bob")


# -- gates --------------------------------------------------------------------------------------------------

ASKED = {"id": "place", "text": "哪一带?", "options": ["老城区", "新区"]}
IN_TOWN = {"kind": "answer", "question": "place", "accepted": ["老城区"]}
NOT_IN_TOWN = {"kind": "not", "rule": IN_TOWN}


@pytest.mark.parametrize(
    ("gate", "fault"),
    [
        ({"rule": {"kind": "any", "rules": []}}, "without rules"),
        ({"rule": IN_TOWN}, "not asked"),
        ({"questions": [ASKED, ASKED], "rule": IN_TOWN}, "same id"),
        ({"questions": [ASKED], "rule": {**IN_TOWN, "accepted": ["城外"]}}, "none of its options"),
        (
            {"questions": [ASKED], "rule": {"kind": "all", "rules": [IN_TOWN, {"kind": "not", "rule": IN_TOWN}]}},
            "nobody",
        ),
        ({"rule": {"kind": "not", "rule": {"kind": "approval"}}}, "approval under a not"),
        ({"rule": {"kind": "tier", "tier": "king"}}, "that there is not"),
        ({"rule": {"kind": "all", "rules": [{"kind": "approval"}] * 40}}, "at most 30 parts"),
    ],
)
async def test_a_gate_that_cannot_be_is_refused(edge: Edge, gate: dict[str, Any], fault: str) -> None:
    """A gate that contradicts itself or speaks of what is not there opens no group, and the reason is said."""
    body = await edge.refuse("bad-gate", 422, "POST", "/v1/groups", json={**GROUP, "gate": gate})
    assert fault in body["detail"]


@pytest.mark.parametrize(
    "gate",
    [
        {},
        {"rule": {"kind": "maybe"}},
        {"rule": {"kind": "helped", "at_least": 0}},
        {"rule": IN_TOWN, "questions": [{"id": "a b", "text": "?"}]},
        {"rule": {"kind": "not", "rule": {"kind": "not"}}},
    ],
)
async def test_a_gate_that_is_none_is_refused(edge: Edge, gate: dict[str, Any]) -> None:
    """What is not of the form of a gate is named by its place."""
    body = await edge.refuse("invalid-body", 422, "POST", "/v1/groups", json={**GROUP, "gate": gate})
    assert all(fault["place"].startswith("body/gate") for fault in body["errors"])


async def test_a_gate_of_several_questions(edge: Edge) -> None:
    """The questions are shown with their options and without what they accept; the rule decides over all answers."""
    rule = {"kind": "all", "rules": [IN_TOWN, {"kind": "length", "question": "why", "at_least": 5}]}
    gate = {"questions": [ASKED, {"id": "why", "text": "为什么?"}], "rule": rule}
    made = (await edge.ask("POST", "/v1/groups", "gus", json={**GROUP, "gate": gate})).json()
    path = f"/v1/groups/{made['group_id']}"
    shown = (await edge.ask("GET", path, "eve")).json()
    assert shown["questions"] == [ASKED, {"id": "why", "text": "为什么?", "options": []}]
    assert "accepted" not in str(shown)
    answers = {"place": "老城区", "why": "找人一起喝咖啡"}
    assert (await edge.ask("POST", f"{path}/members", "eve", json={"answers": answers})).status_code == 201
    reply = await edge.ask("POST", f"{path}/members", "fay", json={"answers": {**answers, "why": "嗯"}})
    assert problem(reply, "wrong-answer", 403)["reasons"] == [
        {"kind": "length", "question": "why", "text": "为什么?", "at_least": 5}
    ]
    told = await edge.refuse("wrong-answer", 403, "POST", f"{path}/members", "hal", json={"answers": {}})
    assert [reason["question"] for reason in told["reasons"]] == ["place", "why"]


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
