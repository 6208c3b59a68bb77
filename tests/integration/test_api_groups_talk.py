"""The API of the talk in groups, over its real lane: what is answered, written and published."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.groups.core import CHARTER_PARTS, Message, Need
from shared.contracts.talk import GroupNeedAnswered, MessageDeleted, MessagePosted
from tests.integration.edge import Edge, running

pytestmark = pytest.mark.jumping

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
GROUP = {"name": "老城咖啡馆地图", "charter": {part: f"our {part}" for part in CHARTER_PARTS}, "seats": 9}


class Talk:
    """Group ``id`` of gus, with bob and cat in it; dan has left, eve was never there."""

    def __init__(self, edge: Edge, id_: str) -> None:
        self.edge, self.id, self.path = edge, id_, f"/v1/groups/{id_}"
        self.messages, self.needs = f"{self.path}/messages", f"{self.path}/needs"

    async def say(self, text: str, person: str = "bob", **body: Any) -> str:
        reply = await self.edge.ask("POST", self.messages, person, json={"text": text, **body})
        assert reply.status_code == 201, reply.text
        return str(reply.json()["message_id"])

    async def listed(self, path: str, person: str = "bob", **params: Any) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            page = (await self.edge.ask("GET", path, person, params=params)).json()
            found += page["items"]
            if page["next"] is None:
                return found
            params["cursor"] = page["next"]

    def message(self, id_: str, author: str = "bob", minute: int = 0, **more: Any) -> Message:
        at = AT + timedelta(minutes=minute)
        fields = {"text": "x", "author_id": author, "parent_id": None, "created_at": at, **more}
        return Message(id=id_, group_id=self.id, **fields)

    def need(self, message: str, **more: Any) -> Need:
        fields = {"message_id": message, "asker_id": "bob", "opened_at": AT, **more}
        return Need(id=f"need-{message}", group_id=self.id, **fields)


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    async with running("groups") as edge:
        yield await opened(edge)


async def opened(edge: Edge) -> Talk:
    made = Talk(edge, (await edge.ask("POST", "/v1/groups", "gus", json=GROUP)).json()["group_id"])
    for person in ("bob", "cat", "dan"):
        await edge.ask("POST", f"{made.path}/members", person)
    await edge.ask("DELETE", f"{made.path}/members/me", "dan")
    return made


# -- writing ------------------------------------------------------------------------------------------------


async def test_a_message_is_written_read_and_told(talk: Talk) -> None:
    """201 with its id; members and the owner read it, a reply has its parent, and the event has the text."""
    first = await talk.say("周六谁去?")
    second = await talk.say("我去", "cat", parent_id=first)
    for reader in ("bob", "gus"):
        found = await talk.listed(talk.messages, reader)
        assert [(m["message_id"], m["parent_id"], m["author_id"], m["text"]) for m in found] == [
            (second, first, "cat", "我去"),
            (first, None, "bob", "周六谁去?"),
        ]
    told = [event for event in await talk.edge.told() if isinstance(event, MessagePosted)]
    assert [(event.message_id, event.text) for event in told] == [(first, "周六谁去?"), (second, "我去")]


async def test_a_repeated_request_is_one_message(talk: Talk) -> None:
    """The same key and body: the same id, once; the key with another body is an error."""
    body = {"text": "一次就好"}
    replies = [await talk.edge.ask("POST", talk.messages, "bob", key="k", json=body) for _ in range(2)]
    assert replies[0].json() == replies[1].json()
    assert len(await talk.listed(talk.messages)) == 1
    refused = ("idempotency-key-reused", 422, "POST", talk.messages, "bob")
    await talk.edge.refuse(*refused, key="k", json={"text": "另一句"})


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "body/text"),
        ({"text": ""}, "body/text"),
        ({"text": " \n\t "}, "body/text"),
        ({"text": "长" * 4_001}, "body/text"),
        ({"text": None}, "body/text"),
        ({"text": ["x"]}, "body/text"),
        ({"text": "x", "parent_id": ""}, "body/parent_id"),
        ({"text": "x", "parent_id": "a b"}, "body/parent_id"),
        ({"text": "x", "parent_id": 7}, "body/parent_id"),
        ({"text": "x", "author_id": "gus"}, "body"),
    ],
)
async def test_a_message_that_is_none_is_refused(talk: Talk, body: dict[str, Any], place: str) -> None:
    """What is empty, too long or unknown is named by its place; nothing is written or published."""
    told = await talk.edge.refuse("invalid-body", 422, "POST", talk.messages, "bob", json=body)
    assert [fault["place"] for fault in told["errors"]] == [place]


@pytest.mark.parametrize("text", ["x", "长" * 4_000])
async def test_a_message_may_be_short_or_long(talk: Talk, text: str) -> None:
    """From one character to 4,000."""
    await talk.say(text)
    assert (await talk.listed(talk.messages))[0]["text"] == text


@pytest.mark.parametrize(("person", "said"), [("dan", "You have left the group."), ("eve", "Only members")])
async def test_outsiders_neither_write_nor_read(talk: Talk, person: str, said: str) -> None:
    """A message to a group one has left or never joined is a 403 that says which; so are its lists."""
    body = await talk.edge.refuse("not-a-member", 403, "POST", talk.messages, person, json={"text": "x"})
    assert body["detail"].startswith(said)
    for path in (talk.messages, talk.needs):
        await talk.edge.refuse("not-a-member", 403, "GET", path, person)


async def test_a_closed_group_is_read_only(talk: Talk) -> None:
    """Nobody writes in a closed group, its owner neither; members still read."""
    message = await talk.say("还在吗")
    await talk.edge.ask("PATCH", talk.path, "gus", json={"state": "closed"})
    for person in ("bob", "gus"):
        await talk.edge.refuse("group-closed", 403, "POST", talk.messages, person, json={"text": "x"})
    assert [m["message_id"] for m in await talk.listed(talk.messages)] == [message]


async def test_a_reply_stays_in_its_group(talk: Talk) -> None:
    """A parent of another group, or none, is a 404."""
    other = await opened(talk.edge)
    elsewhere = await other.say("x")
    for parent in (elsewhere, "none"):
        body = {"text": "x", "parent_id": parent}
        await talk.edge.refuse("unknown-message", 404, "POST", talk.messages, "bob", json=body)


# -- reading ------------------------------------------------------------------------------------------------


async def test_pages_have_each_message_once(talk: Talk) -> None:
    """Page by page, newest first, also where times are equal; other groups are not in them."""
    talk.edge.seed(*(talk.message(f"m{i}", minute=i // 3) for i in range(10)), Talk(talk.edge, "x").message("other"))
    found = [m["message_id"] for m in await talk.listed(talk.messages, limit=3)]
    assert found == [f"m{i}" for i in (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)]


async def test_hidden_messages_are_seen_by_their_author_alone(talk: Talk) -> None:
    """On every page; a deleted one is seen by nobody."""
    kept = [talk.message(f"m{i}", author="cat", minute=i, hidden=i % 2 == 1) for i in range(6)]
    talk.edge.seed(*kept, talk.message("gone", minute=3, text=""))
    for reader, wanted in (("bob", [4, 2, 0]), ("gus", [4, 2, 0]), ("cat", [5, 4, 3, 2, 1, 0])):
        found = await talk.listed(talk.messages, reader, limit=2)
        assert [m["message_id"] for m in found] == [f"m{i}" for i in wanted]
        assert [m["hidden"] for m in found] == [i % 2 == 1 for i in wanted]


async def test_a_question_is_read_with_its_need(talk: Talk) -> None:
    """Who asked, since when, and whether somebody has helped."""
    talk.edge.seed(talk.message("q"), talk.need("q", step=1), talk.message("m", minute=1))
    plain, question = await talk.listed(talk.messages)
    assert plain["need"] is None
    assert (question["need"]["need_id"], question["need"]["state"], question["need"]["step"]) == ("need-q", "open", 1)


async def test_needs_are_listed_by_state(talk: Talk) -> None:
    """Those that wait, the one opened last first, page by page; or those that are answered. Withdrawn ones are not."""
    waiting = [talk.need(f"q{i}", opened_at=AT + timedelta(minutes=i // 2)) for i in range(5)]
    answered = talk.need("a", state="answered", answer_id="m", helper_id="cat")
    talk.edge.seed(*waiting, answered, talk.need("w", state="withdrawn"), Talk(talk.edge, "x").need("other"))
    found = await talk.listed(talk.needs, limit=2)
    assert [need["message_id"] for need in found] == [f"q{i}" for i in (4, 3, 2, 1, 0)]
    (done,) = await talk.listed(talk.needs, state="answered")
    assert (done["answer_id"], done["helper_id"], done["asker_id"]) == ("m", "cat", "bob")


@pytest.mark.parametrize(
    ("path", "params", "slug", "status"),
    [
        ("messages", {"limit": 0}, "invalid-query", 422),
        ("messages", {"limit": 101}, "invalid-query", 422),
        ("messages", {"cursor": "x"}, "invalid-cursor", 400),
        ("needs", {"limit": "x"}, "invalid-query", 422),
        ("needs", {"cursor": ""}, "invalid-cursor", 400),
        ("needs", {"state": "withdrawn"}, "invalid-query", 422),
    ],
)
async def test_a_window_that_is_none_is_refused(
    talk: Talk, path: str, params: dict[str, Any], slug: str, status: int
) -> None:
    """Limits and cursors of lists, and states that are not shown."""
    await talk.edge.refuse(slug, status, "GET", f"{talk.path}/{path}", "bob", params=params)


# -- deleting and accepting ---------------------------------------------------------------------------------


async def test_a_message_is_deleted_by_its_author(talk: Talk) -> None:
    """204, and again; nobody reads it any more, and its text is in no document."""
    message = await talk.say("a secret")
    path = f"{talk.messages}/{message}"
    await talk.edge.refuse("not-the-author", 403, "DELETE", path, "cat")
    for _ in range(2):
        assert (await talk.edge.ask("DELETE", path, "bob")).status_code == 204
    assert await talk.listed(talk.messages) == []
    assert "a secret" not in str(talk.edge.server.dump(Message.COLLECTION))
    told = [event for event in await talk.edge.told() if isinstance(event, MessageDeleted)]
    assert [event.message_id for event in told] == [message]
    await talk.edge.refuse("unknown-message", 404, "DELETE", f"{talk.messages}/none", "bob")


async def test_an_answer_is_accepted_once(talk: Talk) -> None:
    """200, and the same again; another answer comes too late; somebody else may not, one's own is none."""
    answers = [await talk.say("不用", "cat"), await talk.say("要的", "gus"), await talk.say("我知道了")]
    talk.edge.seed(talk.message("q"), talk.need("q"))
    path = f"{talk.needs}/need-q/accept"
    requests: list[dict[str, Any]] = [{"json": {"message_id": answer}} for answer in answers]
    first, second, own = requests
    await talk.edge.refuse("not-the-asker", 403, "POST", path, "cat", **first)
    await talk.edge.refuse("own-answer", 422, "POST", path, "bob", **own)
    replies = [await talk.edge.ask("POST", path, "bob", **first) for _ in range(2)]
    wanted = {"need_id": "need-q", "state": "answered", "answer_id": answers[0]}
    assert [reply.json() for reply in replies] == [wanted] * 2
    await talk.edge.refuse("need-closed", 409, "POST", path, "bob", **second)
    told = [event for event in await talk.edge.told() if isinstance(event, GroupNeedAnswered)]
    assert [(event.answer_id, event.helper_id) for event in told] == [(answers[0], "cat")]


async def test_of_two_answers_accepted_at_once_one_wins(talk: Talk) -> None:
    """Whatever is asked at the same time, one is 200 and the others are told that they came too late."""
    answers = [await talk.say(f"答 {i}", "cat") for i in range(5)]
    talk.edge.seed(talk.message("q"), talk.need("q"))
    path = f"{talk.needs}/need-q/accept"
    asked = (talk.edge.ask("POST", path, "bob", json={"message_id": answer}) for answer in answers)
    replies = await asyncio.gather(*asked)
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409, 409]
    assert len([event for event in await talk.edge.told() if isinstance(event, GroupNeedAnswered)]) == 1


@pytest.mark.parametrize("body", [{}, {"message_id": ""}, {"message_id": None}, {"comment_id": "x"}])
async def test_an_answer_that_is_none_is_refused(talk: Talk, body: dict[str, Any]) -> None:
    """An answer is the id of a message."""
    await talk.edge.refuse("invalid-body", 422, "POST", f"{talk.needs}/need-q/accept", "bob", json=body)
