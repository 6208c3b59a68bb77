"""The API of notes, over its real lane: what is answered, written and published."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notes.core import Comment, GroupCard, Need, Note
from shared.contracts.notes import AdviceTaken, CommentPosted, NeedAnswered, NotePosted, NoteRelayed
from tests.integration.edge import Edge, problem, running

pytestmark = pytest.mark.jumping

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
NOTE = {"title": "周末有人一起去岩馆吗", "text": "新手, 最好周日下午.", "intent": "asks", "place": "wtw3s"}


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """Ann's note n, hidden note h; under n bob's question q with its need and cat's answer a; group g of gus."""
    async with running("notes") as made:
        made.seed(
            note("n"),
            note("h", hidden=True),
            comment("q", "bob", "请问需要预约吗?"),
            comment("a", "cat", at=1),
            comment("hid", "eve", at=2, hidden=True),
            Need(id="need-q", note_id="n", comment_id="q", asker_id="bob", opened_at=AT),
            GroupCard(id="g", owner_id="gus", name="G", seats=3, sequence=2),
            GroupCard(id="closed", owner_id="gus", name="G", seats=3, sequence=2, state="closed"),
        )
        yield made


def note(id_: str, **more: Any) -> Note:
    plain = Note(id=id_, author_id="ann", title="t", text="x", topic=None, place=None, intent=None, created_at=AT)
    return Note(**{**{f: getattr(plain, f) for f in plain.__struct_fields__}, **more})


def comment(id_: str, person: str, text: str = "x", at: int = 0, *, hidden: bool = False) -> Comment:
    return Comment(
        id=id_,
        note_id="n",
        note_author_id="ann",
        parent_id=None,
        depth=0,
        author_id=person,
        text=text,
        created_at=AT + timedelta(seconds=at),
        hidden=hidden,
    )


# -- notes --------------------------------------------------------------------------------------------------


async def test_a_note_is_written_read_and_told(edge: Edge) -> None:
    """201 with its id; the same fields are read back by anybody, and one event says so."""
    reply = await edge.ask("POST", "/v1/notes", json=NOTE)
    assert reply.status_code == 201
    id_ = reply.json()["note_id"]
    read = (await edge.ask("GET", f"/v1/notes/{id_}", "bob")).json()
    assert {name: read[name] for name in NOTE} == NOTE
    assert (read["author_id"], read["comments"]) == ("ann", 0)
    assert datetime.fromisoformat(read["created_at"]) == datetime.fromisoformat(reply.json()["created_at"])
    (event,) = await edge.told()
    assert isinstance(event, NotePosted)
    assert (event.note_id, event.author_id, event.text, event.place) == (id_, "ann", NOTE["text"], "wtw3s")


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({"title": "t"}, {"body/text"}),
        ({}, {"body/title", "body/text"}),
        ({**NOTE, "title": "  "}, {"body/title"}),
        ({**NOTE, "title": "x" * 201}, {"body/title"}),
        ({**NOTE, "text": "x" * 20_001}, {"body/text"}),
        ({**NOTE, "place": "31.23,121.47"}, {"body/place"}),
        ({**NOTE, "intent": "sells"}, {"body/intent"}),
        ({**NOTE, "topic": ""}, {"body/topic"}),
        ({**NOTE, "author_id": "eve"}, {"body"}),
    ],
)
async def test_a_note_that_is_none_is_refused(edge: Edge, given: dict[str, str], places: set[str]) -> None:
    """What is missing, empty, too long, too exact or unknown is named by its place; the value is not repeated."""
    body = await edge.refuse("invalid-body", 422, "POST", "/v1/notes", json=given)
    assert {fault["place"] for fault in body["errors"]} == places
    assert "eve" not in str(body)


async def test_a_hidden_note_is_there_for_its_author_alone(edge: Edge) -> None:
    """Others get the answer of a note that never was, for its comments too."""
    assert (await edge.ask("GET", "/v1/notes/h", "ann")).json()["hidden"] is True
    for path in ("/v1/notes/h", "/v1/notes/h/comments"):
        hidden = await edge.refuse("unknown-note", 404, "GET", path, "bob")
        assert hidden == await edge.refuse("unknown-note", 404, "GET", path.replace("h", "never", 1), "bob")


async def test_a_count_is_never_below_nothing(edge: Edge) -> None:
    """A verdict that was counted before its comment makes no negative number of comments."""
    edge.seed(note("early", hidden_comments=1))
    assert (await edge.ask("GET", "/v1/notes/early")).json()["comments"] == 0


# -- comments -----------------------------------------------------------------------------------------------


async def test_a_comment_is_written_and_told(edge: Edge) -> None:
    """201 with its id; it is listed first and one event says so."""
    reply = await edge.ask("POST", "/v1/notes/n/comments", "bob", json={"text": "同去", "parent_id": "a"})
    assert reply.status_code == 201
    first = (await edge.ask("GET", "/v1/notes/n/comments")).json()["items"][0]
    assert (first["comment_id"], first["parent_id"], first["text"]) == (reply.json()["comment_id"], "a", "同去")
    (event,) = await edge.told()
    assert isinstance(event, CommentPosted)
    assert (event.parent_id, event.note_author_id) == ("a", "ann")


@pytest.mark.parametrize(
    ("path", "given", "slug", "status"),
    [
        ("/v1/notes/none/comments", {"text": "x"}, "unknown-note", 404),
        ("/v1/notes/h/comments", {"text": "x"}, "unknown-note", 404),
        ("/v1/notes/n/comments", {"text": "x", "parent_id": "none"}, "unknown-comment", 404),
        ("/v1/notes/n/comments", {"text": "x", "parent_id": "hid"}, "unknown-comment", 404),
        ("/v1/notes/n/comments", {"text": "x" * 4_001}, "invalid-body", 422),
        ("/v1/notes/n/comments", {"text": " \n "}, "invalid-body", 422),
        ("/v1/notes/n/comments", {"text": "x", "parent_id": "a b"}, "invalid-body", 422),
    ],
)
async def test_a_comment_that_is_none_is_refused(
    edge: Edge, path: str, given: dict[str, str], slug: str, status: int
) -> None:
    """A comment needs a note, a visible parent of the same note, and a text that fits."""
    await edge.refuse(slug, status, "POST", path, "bob", json=given)


async def test_comments_come_in_pages_newest_first(edge: Edge) -> None:
    """Following the cursor reads every visible comment once; the last page has none."""
    edge.seed(*(comment(f"c{i}", "bob", at=10 + i // 3) for i in range(10)))
    seen, cursor = [], ""
    while cursor is not None:
        page = (await edge.ask("GET", f"/v1/notes/n/comments?sort=new&limit=5{cursor and '&cursor=' + cursor}")).json()
        seen += [(item["created_at"], item["comment_id"]) for item in page["items"]]
        cursor = page["next"]
    assert seen == sorted(seen, reverse=True)
    assert {id_ for _, id_ in seen} == {"q", "a", *(f"c{i}" for i in range(10))}
    assert len(seen) == 12


async def test_a_hidden_comment_is_there_for_its_author_alone(edge: Edge) -> None:
    """Its author sees it, marked; nobody else does, the note's author neither."""
    listed = {
        who: {
            c["comment_id"]: c["hidden"] for c in (await edge.ask("GET", "/v1/notes/n/comments", who)).json()["items"]
        }
        for who in ("eve", "ann")
    }
    assert listed["eve"] == {"q": False, "a": False, "hid": True}
    assert "hid" not in listed["ann"]


async def test_a_question_shows_its_need(edge: Edge) -> None:
    """A comment that asked carries the need: its id, state and how often it was escalated."""
    items = (await edge.ask("GET", "/v1/notes/n/comments")).json()["items"]
    needs = {item["comment_id"]: item["need"] for item in items}
    assert needs == {"q": {"need_id": "need-q", "state": "open", "answer_id": None, "step": 0}, "a": None}


@pytest.mark.parametrize(
    ("query", "slug", "status"),
    [
        ("limit=0", "invalid-query", 422),
        ("limit=101", "invalid-query", 422),
        ("limit=x", "invalid-query", 422),
        ("sort=best", "invalid-query", 422),
        ("cursor=", "invalid-cursor", 400),
        ("cursor=abc", "invalid-cursor", 400),
        (f"cursor={'A' * 300}", "invalid-cursor", 400),
    ],
)
async def test_a_page_that_is_none_is_refused(edge: Edge, query: str, slug: str, status: int) -> None:
    """A limit out of bounds, an unknown order and a cursor that we never gave are refused."""
    await edge.refuse(slug, status, "GET", f"/v1/notes/n/comments?{query}")


# -- answers, advice, relays --------------------------------------------------------------------------------


async def test_the_asker_accepts_an_answer(edge: Edge) -> None:
    """200 with the closed need; one event names who has helped."""
    reply = await edge.ask("POST", "/v1/needs/need-q/accept", "bob", json={"comment_id": "a"})
    assert reply.json() == {"need_id": "need-q", "state": "answered", "answer_id": "a"}
    (event,) = await edge.told()
    assert isinstance(event, NeedAnswered)
    assert event.helper_id == "cat"


@pytest.mark.parametrize(
    ("person", "given", "slug", "status"),
    [
        ("cat", "a", "not-the-asker", 403),
        ("ann", "a", "not-the-asker", 403),
        ("bob", "none", "unknown-comment", 404),
        ("bob", "hid", "unknown-comment", 404),
        ("bob", "q", "own-answer", 422),
    ],
)
async def test_what_closes_no_need_is_refused(edge: Edge, person: str, given: str, slug: str, status: int) -> None:
    """Only the asker, only with somebody else's visible comment."""
    await edge.refuse(slug, status, "POST", "/v1/needs/need-q/accept", person, json={"comment_id": given})


async def test_a_closed_need_takes_no_second_answer(edge: Edge) -> None:
    """409 with the state it has; the first answer stays."""
    edge.seed(comment("b", "dan"))
    await edge.ask("POST", "/v1/needs/need-q/accept", "bob", json={"comment_id": "a"})
    body = await edge.refuse("need-closed", 409, "POST", "/v1/needs/need-q/accept", "bob", json={"comment_id": "b"})
    assert body["state"] == "answered"


async def test_two_answers_at_once_close_a_need_once(edge: Edge) -> None:
    """Of two acceptances at the same moment one is told that it was first, the other that the need is closed."""
    edge.seed(comment("b", "dan"))
    replies = await asyncio.gather(
        *(edge.ask("POST", "/v1/needs/need-q/accept", "bob", json={"comment_id": c}) for c in ("a", "b"))
    )
    assert sorted(reply.status_code for reply in replies) == [200, 409]
    assert len([e for e in await edge.told() if isinstance(e, NeedAnswered)]) == 1


async def test_advice_is_taken_by_the_author_once(edge: Edge) -> None:
    """200 each time and one event."""
    for _ in range(2):
        reply = await edge.ask("POST", "/v1/comments/a/advice")
        assert (reply.status_code, reply.json()) == (200, {"comment_id": "a", "advice": True})
    assert [type(event) for event in await edge.told()] == [AdviceTaken]


@pytest.mark.parametrize(
    ("id_", "person", "slug", "status"),
    [
        ("a", "bob", "not-the-author", 403),
        ("hid", "ann", "unknown-comment", 404),
        ("none", "ann", "unknown-comment", 404),
    ],
)
async def test_what_is_no_advice_is_refused(edge: Edge, id_: str, person: str, slug: str, status: int) -> None:
    """Nobody but the note's author takes advice, and only what is seen."""
    await edge.refuse(slug, status, "POST", f"/v1/comments/{id_}/advice", person)


@pytest.mark.parametrize("person", ["ann", "gus", "eve/relay"])
async def test_a_note_is_relayed(edge: Edge, person: str) -> None:
    """Author, owner of the group and staff: 201, and 200 the next time with one event in all."""
    replies = [await edge.ask("POST", "/v1/notes/n/relays", person, json={"group_id": "g"}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 200]
    assert replies[0].json() == replies[1].json() == {"note_id": "n", "group_id": "g"}
    assert [type(event) for event in await edge.told()] == [NoteRelayed]


@pytest.mark.parametrize(
    ("note_id", "group", "person", "slug", "status"),
    [
        ("n", "g", "bob", "not-yours-to-relay", 403),
        ("n", "g", "bob/other", "not-yours-to-relay", 403),
        ("n", "closed", "ann", "group-closed", 409),
        ("n", "none", "ann", "unknown-group", 404),
        ("h", "g", "ann", "unknown-note", 404),
        ("none", "g", "eve/relay", "unknown-note", 404),
    ],
)
async def test_a_relay_that_may_not_be_is_refused(
    edge: Edge, *, note_id: str, group: str, person: str, slug: str, status: int
) -> None:
    """A stranger, a closed group, what is hidden and what is not there."""
    await edge.refuse(slug, status, "POST", f"/v1/notes/{note_id}/relays", person, json={"group_id": group})


# -- repeated requests --------------------------------------------------------------------------------------

COMMANDS = [
    ("ann", "/v1/notes", NOTE, {**NOTE, "title": "another"}),
    ("bob", "/v1/notes/n/comments", {"text": "x"}, {"text": "y"}),
    ("bob", "/v1/needs/need-q/accept", {"comment_id": "a"}, {"comment_id": "q"}),
    ("ann", "/v1/notes/n/relays", {"group_id": "g"}, {"group_id": "closed"}),
]
EACH_COMMAND = pytest.mark.parametrize(("person", "path", "body", "other"), COMMANDS, ids=[c[1] for c in COMMANDS])


@EACH_COMMAND
async def test_a_repeated_key_repeats_the_reply(edge: Edge, person: str, path: str, body: Any, other: Any) -> None:
    """The same request under the same key has the same status and body; it writes and publishes nothing more."""
    first = await edge.ask("POST", path, person, key="k", json=body)
    before = await edge.standing()
    again = await edge.ask("POST", path, person, key="k", json=body)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert await edge.standing() == before


@EACH_COMMAND
async def test_a_key_belongs_to_one_body(edge: Edge, person: str, path: str, body: Any, other: Any) -> None:
    """Another body under a used key is an error, and nothing is done."""
    await edge.ask("POST", path, person, key="k", json=body)
    await edge.refuse("idempotency-key-reused", 422, "POST", path, person, key="k", json=other)


async def test_a_key_belongs_to_one_path(edge: Edge) -> None:
    """The same body for another note under a used key is an error too."""
    edge.seed(note("m"))
    await edge.ask("POST", "/v1/notes/n/comments", key="k", json={"text": "x"})
    await edge.refuse("idempotency-key-reused", 422, "POST", "/v1/notes/m/comments", key="k", json={"text": "x"})


async def test_a_key_belongs_to_one_person_and_route(edge: Edge) -> None:
    """Somebody else's key, and one's own on another route, are other keys."""
    asked = [("ann", "/v1/notes", NOTE), ("bob", "/v1/notes", NOTE), ("ann", "/v1/notes/n/comments", {"text": "x"})]
    replies = [await edge.ask("POST", path, person, key="k", json=body) for person, path, body in asked]
    assert [reply.status_code for reply in replies] == [201] * 3
    assert replies[0].json()["note_id"] != replies[1].json()["note_id"]
    assert len(await edge.told()) == 3


async def test_one_key_many_times_at_once_is_one_note(edge: Edge) -> None:
    """Requests that arrive together under one key have one reply and one effect."""
    replies = await asyncio.gather(*(edge.ask("POST", "/v1/notes", key="k", json=NOTE) for _ in range(10)))
    assert len({(reply.status_code, reply.content) for reply in replies}) == 1
    assert len(await edge.told()) == 1


async def test_a_refusal_is_not_kept(edge: Edge) -> None:
    """What was refused may be asked again under its key when things have changed."""
    await edge.refuse("group-closed", 409, "POST", "/v1/notes/n/relays", key="k", json={"group_id": "closed"})
    edge.seed(GroupCard(id="closed", owner_id="gus", name="G", seats=3, sequence=3))
    reply = await edge.ask("POST", "/v1/notes/n/relays", key="k", json={"group_id": "closed"})
    assert reply.status_code == 201


async def test_without_a_key_every_request_counts(edge: Edge) -> None:
    """Two equal requests without a key are two notes."""
    ids = {(await edge.ask("POST", "/v1/notes", json=NOTE)).json()["note_id"] for _ in range(2)}
    assert len(ids) == len(await edge.told()) == 2


async def test_the_key_tells_what_became_of_a_request_without_an_answer() -> None:
    """A command that was not answered in time is a 503; its key brings one reply and one effect later."""
    async with running("notes", patience=0.05) as edge:
        edge.server.away = True
        problem(await edge.ask("POST", "/v1/notes", key="k", json=NOTE), "unavailable", 503)
        edge.server.away = False
        reply = await edge.ask("POST", "/v1/notes", key="k", json=NOTE)
        while reply.status_code == 503:
            reply = await edge.ask("POST", "/v1/notes", key="k", json=NOTE)
        assert reply.status_code == 201
        assert len(await edge.told()) == 1


async def test_an_event_bears_the_correlation_of_its_request(edge: Edge) -> None:
    """The id that a caller sends, or is given, stands in the answer and in the headers of the event."""
    sent = await edge.ask("POST", "/v1/notes", json=NOTE, headers={"X-Correlation-Id": "mine-1"})
    given = await edge.ask("POST", "/v1/notes", json=NOTE)
    ids = [sent.headers["x-correlation-id"], given.headers["x-correlation-id"]]
    await edge.standing()
    headers = [dict(r.headers) for topic in edge.broker.topics for r in edge.broker.records(topic)]
    assert ids[0] == "mine-1"
    assert sorted(h["ce_correlationid"].decode() for h in headers) == sorted(ids)
