"""The API of notes, where a person changes or takes away what is their own."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services.notes.core import Comment, Note, Revision
from shared.contracts.notes import CommentDeleted, CommentEdited, NoteDeleted, NoteEdited
from tests.integration.edge import Edge, running

pytestmark = pytest.mark.jumping

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
READ = {"If-Match": '"0"'}


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """Ann's note n, hidden note h, deleted note d; under n bob's comment c, deleted comment gone with a reply."""
    async with running("notes") as made:
        made.seed(
            note("n"),
            note("h", hidden=True),
            note("d", deleted=True, text=""),
            comment("c"),
            comment("gone", deleted=True, text=""),
            comment("reply", parent_id="gone", depth=1),
        )
        yield made


def note(id_: str, **more: Any) -> Note:
    plain = {"title": "t", "text": "x", "topic": "climbing", "place": None, "intent": None, "created_at": AT}
    return Note(id=id_, author_id="ann", **{**plain, **more})


def comment(id_: str, **more: Any) -> Comment:
    plain = {"note_author_id": "ann", "parent_id": None, "depth": 0, "text": "x", "created_at": AT}
    return Comment(id=id_, note_id="n", author_id="bob", **{**plain, **more})


async def test_an_edit_needs_what_was_read(edge: Edge) -> None:
    """ETag of GET is the If-Match of PATCH, whose ETag is that of the next GET; the one before is stale."""
    tag = (await edge.ask("GET", "/v1/notes/n")).headers["etag"]
    reply = await edge.ask("PATCH", "/v1/notes/n", json={"text": "y"}, headers={"If-Match": tag})
    assert (reply.status_code, reply.json()) == (200, {"note_id": "n", "revision": 1, "state": "pending"})
    assert reply.headers["etag"] == (await edge.ask("GET", "/v1/notes/n")).headers["etag"] == '"1"'
    stale = await edge.refuse(
        "edited-meanwhile", 412, "PATCH", "/v1/notes/n", json={"text": "z"}, headers={"If-Match": tag}
    )
    assert stale["revision"] == 1
    assert [type(event) for event in await edge.told()] == [NoteEdited]


async def test_an_edit_that_waits_is_there_for_its_author_alone(edge: Edge) -> None:
    """Others read the text before under its own tag; the author finds the edit, its state and later its reasons."""
    await edge.ask("PATCH", "/v1/notes/n", json={"text": "y", "topic": None}, headers=READ)
    mine, theirs = [await edge.ask("GET", "/v1/notes/n", person) for person in ("ann", "bob")]
    assert (theirs.json()["text"], theirs.json()["edit"], theirs.headers["etag"]) == ("x", None, '"0"')
    assert (mine.json()["text"], mine.json()["revision"]) == ("x", 0)
    edit = mine.json()["edit"]
    assert (edit["state"], edit["text"], edit["topic"], edit["title"]) == ("pending", "y", None, "t")


async def test_a_refused_edit_says_why(edge: Edge) -> None:
    """The names of the rules stand beside the text that was refused; of a comment in the list too."""
    edge.seed(
        comment("c", latest=1),
        Revision(
            id="c:1",
            content_id="c",
            author_id="bob",
            number=1,
            text="y",
            written_at=AT,
            state="refused",
            reasons=("contact",),
        ),
    )
    for person, wanted in (("bob", ("refused", ["contact"])), ("ann", None)):
        listed = (await edge.ask("GET", "/v1/notes/n/comments", person)).json()["items"]
        one = (await edge.ask("GET", "/v1/comments/c", person)).json()
        (found,) = [item for item in listed if item["comment_id"] == "c"]
        assert found == one
        assert (one["edit"] and (one["edit"]["state"], one["edit"]["reasons"])) == wanted


@pytest.mark.parametrize("path", ["/v1/notes/n", "/v1/comments/c"])
@pytest.mark.parametrize(
    ("tag", "slug", "status"),
    [
        (None, "if-match-required", 428),
        ("*", "if-match-required", 428),
        ("0", "invalid-if-match", 400),
        ('W/"0"', "invalid-if-match", 400),
        ('"x"', "invalid-if-match", 400),
        ('"7"', "edited-meanwhile", 412),
        (f'"{10**17}"', "edited-meanwhile", 412),
    ],
)
async def test_an_edit_of_what_was_not_read_is_refused(
    edge: Edge, path: str, tag: str | None, slug: str, status: int
) -> None:
    """No tag, a tag that is none, and one of another revision."""
    headers = {"If-Match": tag} if tag else {}
    person = "ann" if "notes" in path else "bob"
    await edge.refuse(slug, status, "PATCH", path, person, json={"text": "y"}, headers=headers)


@pytest.mark.parametrize(
    ("path", "person", "body", "slug", "status"),
    [
        ("/v1/notes/n", "bob", {"text": "y"}, "not-the-author", 403),
        ("/v1/notes/h", "bob", {"text": "y"}, "unknown-note", 404),
        ("/v1/notes/none", "ann", {"text": "y"}, "unknown-note", 404),
        ("/v1/notes/d", "ann", {"text": "y"}, "note-deleted", 410),
        ("/v1/notes/n", "ann", {}, "invalid-body", 422),
        ("/v1/notes/n", "ann", {"text": " "}, "invalid-body", 422),
        ("/v1/notes/n", "ann", {"text": "x" * 20_001}, "invalid-body", 422),
        ("/v1/notes/n", "ann", {"title": None}, "invalid-body", 422),
        ("/v1/notes/n", "ann", {"place": "31.23,121.47"}, "invalid-body", 422),
        ("/v1/notes/n", "ann", {"text": "y", "hidden": False}, "invalid-body", 422),
        ("/v1/comments/c", "ann", {"text": "y"}, "not-the-author", 403),
        ("/v1/comments/gone", "bob", {"text": "y"}, "comment-deleted", 410),
        ("/v1/comments/c", "bob", {"text": "x" * 4_001}, "invalid-body", 422),
        ("/v1/comments/c", "bob", {}, "invalid-body", 422),
        ("/v1/comments/c", "bob", {"text": "y", "parent_id": "reply"}, "invalid-body", 422),
    ],
)
async def test_an_edit_that_may_not_be_is_refused(
    edge: Edge, *, path: str, person: str, body: Any, slug: str, status: int
) -> None:
    """Somebody else's, what is hidden, gone or not there, and a body that is none."""
    await edge.refuse(slug, status, "PATCH", path, person, json=body, headers=READ)


async def test_a_repeated_edit_is_one(edge: Edge) -> None:
    """The same request under its key has the same answer, though the text has moved on."""
    replies = [
        await edge.ask("PATCH", "/v1/comments/c", "bob", key="k", json={"text": "y"}, headers=READ) for _ in range(2)
    ]
    assert [(r.status_code, r.json(), r.headers["etag"]) for r in replies] == [
        (200, {"comment_id": "c", "revision": 1, "state": "pending"}, '"1"')
    ] * 2
    assert [type(event) for event in await edge.told()] == [CommentEdited]


async def test_history_is_for_the_author_and_staff(edge: Edge) -> None:
    """Every text in its order with what became of it; 403 for others, and for nobody once deleted."""
    for number in range(3):
        headers = {"If-Match": f'"{number}"'}
        await edge.ask("PATCH", "/v1/notes/n", json={"text": f"y{number}"}, headers=headers)
    for person in ("ann", "sam/moderation"):
        items = (await edge.ask("GET", "/v1/notes/n/history", person)).json()["items"]
        assert [(i["revision"], i["text"], i["state"]) for i in items] == [
            (0, "x", "shown"),
            (1, "y0", "superseded"),
            (2, "y1", "superseded"),
            (3, "y2", "pending"),
        ]
    await edge.refuse("not-the-author", 403, "GET", "/v1/notes/n/history", "bob")
    await edge.refuse("note-deleted", 410, "GET", "/v1/notes/d/history")
    await edge.refuse("comment-deleted", 410, "GET", "/v1/comments/gone/history", "bob")


async def test_a_text_that_was_never_edited_has_a_history(edge: Edge) -> None:
    """One text: what was posted."""
    items = (await edge.ask("GET", "/v1/comments/c/history", "bob")).json()["items"]
    assert [(item["revision"], item["text"], item["state"]) for item in items] == [(0, "x", "shown")]


@pytest.mark.parametrize(
    ("path", "person", "kind"),
    [("/v1/notes/n", "ann", NoteDeleted), ("/v1/comments/c", "bob", CommentDeleted)],
)
@pytest.mark.parametrize("staff", [False, True])
async def test_what_is_deleted_is_gone(edge: Edge, path: str, person: str, kind: type, *, staff: bool) -> None:
    """204 each time and one event; from then on 410 for everybody, and no text in the database."""
    by = "sam/moderation" if staff else person
    assert [(await edge.ask("DELETE", path, by)).status_code for _ in range(2)] == [204, 204]
    assert [type(event) for event in await edge.told()] == [kind]
    await edge.refuse(f"{path.split('/')[2][:-1]}-deleted", 410, "GET", path, "eve")
    stored = edge.server.dump(path.split("/")[2])[path.split("/")[3]]
    assert stored["text"] == ""


@pytest.mark.parametrize(
    ("path", "person", "slug", "status"),
    [
        ("/v1/notes/n", "bob", "not-the-author", 403),
        ("/v1/notes/h", "bob", "unknown-note", 404),
        ("/v1/comments/c", "ann", "not-the-author", 403),
        ("/v1/comments/c", "ann/relay", "not-the-author", 403),
    ],
)
async def test_what_is_not_ones_own_is_not_deleted(edge: Edge, path: str, person: str, slug: str, status: int) -> None:
    """Neither the note's author nor another scope takes somebody's comment away."""
    await edge.refuse(slug, status, "DELETE", path, person)


async def test_a_deleted_comment_holds_the_place_of_its_replies(edge: Edge) -> None:
    """In the tree it has an id and no author and no text; the reply below it stays."""
    items = {i["comment_id"]: i for i in (await edge.ask("GET", "/v1/notes/n/comments")).json()["items"]}
    gone = items["gone"]
    assert (gone["deleted"], gone["author_id"], gone["text"], gone["edit"]) == (True, None, "", None)
    assert (items["reply"]["parent_id"], items["reply"]["text"]) == ("gone", "x")


async def test_comments_of_a_deleted_note_stay(edge: Edge) -> None:
    """They are read and taken away as before; the note itself is 410, and takes no new one."""
    edge.seed(note("n", deleted=True, text="", title=""))
    assert len((await edge.ask("GET", "/v1/notes/n/comments")).json()["items"]) == 3
    await edge.refuse("note-deleted", 410, "POST", "/v1/notes/n/comments", json={"text": "x"})
    assert (await edge.ask("DELETE", "/v1/comments/c", "bob")).status_code == 204
