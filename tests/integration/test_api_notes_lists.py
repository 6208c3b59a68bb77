"""The lists of notes and of what was asked under them, and what a reader thinks of a note."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notes.core import Need, Note, Record
from shared.contracts.notes import NoteReacted
from tests.integration.edge import Edge, running, wall

pytestmark = pytest.mark.jumping

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """Ann's note n, hidden note h, deleted note d; under n three needs of bob's, one in each state."""
    async with running("notes") as made:
        made.seed(
            note("n"),
            note("h", hidden=True),
            note("d", deleted=True),
            need("a", 0, step=1),
            need("b", 1, state="answered", answer_id="x", helper_id="cat"),
            need("c", 2, state="withdrawn"),
        )
        yield made


def note(id_: str, **more: Any) -> Note:
    plain = {"title": "t", "text": "x", "topic": None, "place": None, "intent": None, "created_at": AT, "hot_at": AT}
    return Note(id=id_, author_id="ann", **{**plain, **more})


def need(comment: str, minutes: int, **more: Any) -> Need:
    at = AT + timedelta(minutes=minutes)
    return Need(id=f"need-{comment}", note_id="n", comment_id=comment, asker_id="bob", opened_at=at, **more)


async def pages(edge: Edge, path: str) -> list[dict[str, Any]]:
    """Every item of a list, by its cursors."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        page = (await edge.ask("GET", f"{path}&limit=3{cursor and '&cursor=' + cursor}", "bob")).json()
        items += page["items"]
        cursor = page["next"]
    return items


async def test_new_notes_come_in_pages(edge: Edge) -> None:
    """Each visible note once, the newest first, however many were written at one moment; a hidden one for nobody."""
    edge.seed(*(note(f"m{i}", created_at=AT + timedelta(seconds=i // 3)) for i in range(10)))
    found = [(item["created_at"], item["note_id"]) for item in await pages(edge, "/v1/notes?sort=new")]
    assert found == sorted(found, reverse=True)
    assert {id_ for _, id_ in found} == {"n", *(f"m{i}" for i in range(10))}
    assert len(found) == 11


async def test_hot_notes_come_in_pages(edge: Edge) -> None:
    """The latest moment first; none that is older than the days of the settings, however hot it was."""
    now = wall()
    hours = {"old": 24 * 7 + 1, "e": 30, "f": 3, "g": 2, "i": 1, "j": 0}
    ahead = {"old": 24 * 8, "e": 31, "f": 0, "g": 0, "i": 5, "j": 0}
    edge.seed(
        *(
            note(
                id_,
                created_at=now - timedelta(hours=ago, minutes=1),
                hot_at=now - timedelta(hours=ago - ahead[id_], minutes=1),
            )
            for id_, ago in hours.items()
        )
    )
    assert [item["note_id"] for item in await pages(edge, "/v1/notes?sort=hot")] == ["i", "e", "j", "g", "f"]


@pytest.mark.parametrize(
    ("path", "slug", "status"),
    [
        ("/v1/notes?sort=best", "invalid-query", 422),
        ("/v1/notes?sort=hot&cursor=abc", "invalid-cursor", 400),
        ("/v1/notes?limit=101", "invalid-query", 422),
        ("/v1/notes/n/needs?state=lost", "invalid-query", 422),
        ("/v1/notes/n/needs?cursor=abc", "invalid-cursor", 400),
        ("/v1/notes/h/needs", "unknown-note", 404),
        ("/v1/notes/d/needs", "note-deleted", 410),
    ],
)
async def test_a_list_that_is_none_is_refused(edge: Edge, path: str, slug: str, status: int) -> None:
    """An unknown order or state, a cursor that we never gave, and lists of what is not seen."""
    await edge.refuse(slug, status, "GET", path, "bob")


async def test_needs_are_listed_by_state(edge: Edge) -> None:
    """All, the last one first, or those of one state; an open one says when it is escalated next."""
    found = {i["comment_id"]: i for i in await pages(edge, "/v1/notes/n/needs?sort=x")}
    assert list(found) == ["c", "b", "a"]
    assert (found["a"]["step"], datetime.fromisoformat(found["a"]["due_at"])) == (1, AT + timedelta(hours=12))
    assert (found["b"]["answer_id"], found["b"]["helper_id"], found["b"]["due_at"]) == ("x", "cat", None)
    for state, comment in (("open", "a"), ("answered", "b"), ("withdrawn", "c")):
        assert [i["comment_id"] for i in await pages(edge, f"/v1/notes/n/needs?state={state}")] == [comment]


async def test_a_need_that_was_escalated_to_the_end_is_due_no_more(edge: Edge) -> None:
    """After its last step there is no next one."""
    edge.seed(need("a", 0, step=3))
    (item,) = await pages(edge, "/v1/notes/n/needs?state=open")
    assert (item["step"], item["due_at"]) == (3, None)


async def test_a_reader_sees_what_they_think_of_a_note(edge: Edge) -> None:
    """204 for each, and the note says so to them and not to others; taken back it says so no longer."""
    for kind in ("like", "save"):
        for _ in range(2):
            assert (await edge.ask("PUT", f"/v1/notes/n/{kind}", "bob")).status_code == 204
    mine, theirs = [(await edge.ask("GET", "/v1/notes/n", person)).json() for person in ("bob", "cat")]
    assert (mine["liked"], mine["saved"], theirs["liked"], theirs["saved"]) == (True, True, False, False)
    assert (await edge.ask("DELETE", "/v1/notes/n/like", "bob")).status_code == 204
    listed = (await edge.ask("GET", "/v1/notes", "bob")).json()["items"]
    assert [(item["note_id"], item["liked"], item["saved"]) for item in listed] == [("n", False, True)]
    changes = [(event.kind, event.change) for event in await edge.told() if isinstance(event, NoteReacted)]
    assert changes == [("like", 1), ("save", 1), ("like", -1)]


async def test_many_likes_at_once_of_one_person_are_one(edge: Edge) -> None:
    """Requests that arrive together have one effect."""
    replies = await asyncio.gather(*(edge.ask("PUT", "/v1/notes/n/like", "bob") for _ in range(10)))
    assert {reply.status_code for reply in replies} == {204}
    assert len(await edge.told()) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    ("path", "person", "slug", "status"),
    [
        ("/v1/notes/h/like", "bob", "unknown-note", 404),
        ("/v1/notes/h/save", "ann", "unknown-note", 404),
        ("/v1/notes/d/save", "bob", "note-deleted", 410),
        ("/v1/notes/n/like", "ann", "own-like", 422),
    ],
)
async def test_what_is_not_liked_is_refused(
    edge: Edge, *, method: str, path: str, person: str, slug: str, status: int
) -> None:
    """What is hidden or deleted, and one's own note."""
    await edge.refuse(slug, status, method, path, person)


async def test_a_record_says_what_a_person_has_done(edge: Edge) -> None:
    """Counts, and the share of questions under their notes that were answered in time; 404 where nothing is known."""
    edge.seed(
        Record(id="bob", notes=2, comments=5, advice=1, asked=3, answered=4, questions=4, in_time=3),
        Record(id="cat", comments=-1),
    )
    assert (await edge.ask("GET", "/v1/authors/bob/record")).json() == {
        "person_id": "bob",
        "notes": 2,
        "comments": 5,
        "advice": 1,
        "needs_asked": 3,
        "needs_answered": 4,
        "questions": 4,
        "questions_in_time": 0.75,
    }
    early = (await edge.ask("GET", "/v1/authors/cat/record")).json()
    assert (early["comments"], early["questions_in_time"]) == (0, None)
    await edge.refuse("unknown-author", 404, "GET", "/v1/authors/none/record")
