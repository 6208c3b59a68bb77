"""Edits and deletions: who sees which text, when, and what goes with a text that is taken away."""

from typing import Any, Literal

import pytest
from msgspec.structs import replace

from services.notes.core import MAX_EDITS, Comment, Need, Note, Revision, need_id, revision_id
from services.notes.handlers import router
from services.notes.handlers.commands import (
    AcceptAnswer,
    DeleteComment,
    DeleteNote,
    EditComment,
    EditNote,
    PostComment,
    PostNote,
    RelayNote,
    TakeAdvice,
)
from services.notes.settings import Settings
from shared.contracts.moderation import ContentJudged, VerdictReason
from shared.contracts.notes import (
    CommentDeleted,
    CommentEdited,
    CommentRevised,
    CommentVisibilityChanged,
    NeedOpened,
    NeedWithdrawn,
    NoteDeleted,
    NoteEdited,
    NoteRevised,
    NoteVisibilityChanged,
)
from shared.contracts.topics import NOTE
from shared.flow.router import Reply
from tests.unit.support import World, refused, wire

SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i", need_steps=(3_600, 7_200))
QUESTION, ANSWER = "请问周日下午需要预约吗?", "不用, 直接去就行."


@pytest.fixture
def world() -> World:
    """Ann's note n; under it bob's question q and cat's answer a."""
    made = World(router(SETTINGS))
    made.ask(PostNote(person_id="ann", note_id="n", title="t", text="x", topic="climbing", place=None, intent="asks"))
    for id_, person, text in (("q", "bob", QUESTION), ("a", "cat", ANSWER)):
        made.ask(PostComment(person_id=person, comment_id=id_, note_id="n", text=text, parent_id=None))
    made.settle()
    return made


def edit_note(world: World, match: int = 0, person: str = "ann", **fields: str | None) -> Reply:
    reply = world.ask(EditNote(person_id=person, note_id="n", match=match, fields=fields or {"text": f"y{match}"}))
    world.settle()
    return reply


def edit_comment(world: World, id_: str, text: str, match: int = 0, person: str = "bob") -> Reply:
    reply = world.ask(EditComment(person_id=person, comment_id=id_, match=match, fields={"text": text}))
    world.settle()
    return reply


def judge(
    world: World,
    id_: str,
    revision: int,
    *,
    hidden: bool,
    sequence: int,
    by: Literal["automatic", "staff"] = "automatic",
) -> str:
    """A verdict on one revision, and what notes makes of it; the outcome."""
    judged = ContentJudged(
        content_id=id_,
        kind="note" if id_ == "n" else "comment",
        note_id="n",
        author_id="x",
        revision=revision,
        hidden=hidden,
        score=1.5 if hidden else 0.0,
        reasons=(VerdictReason(rule="contact", weight=1.5, start=0, end=1),) if hidden else (),
        rules="1",
        by=by,
    )
    outcome = world.hear(judged, sequence)
    world.settle()
    return outcome


def delete(world: World, id_: str, person: str, *, staff: bool = False) -> Reply:
    if id_ == "n":
        reply = world.ask(DeleteNote(person_id=person, note_id=id_, any_note=staff))
    else:
        reply = world.ask(DeleteComment(person_id=person, comment_id=id_, any_comment=staff))
    world.settle()
    return reply


# -- edits --------------------------------------------------------------------------------------------------


def test_an_edit_waits_apart_until_it_was_judged(world: World) -> None:
    """Others see the text before; one event tells the whole new text to those who judge, and only it."""
    reply = edit_note(world, title="T")
    assert reply.body == {"note_id": "n", "revision": 1, "state": "pending"}
    note = world.get(Note, "n")
    assert (note.title, note.text, note.revision, note.latest) == ("t", "x", 0, 1)
    (told,) = world.told.of(NoteEdited)
    wanted = NoteEdited(
        note_id="n", author_id="ann", revision=1, title="T", text="x", topic="climbing", place=None, intent="asks"
    )
    assert told == wanted
    assert world.told.of(NoteRevised) == []


def test_an_edit_that_passes_is_what_others_see(world: World) -> None:
    """The verdict on the revision puts it in place of the text before, and one event says so."""
    edit_note(world, text="y", topic=None)
    judge(world, "n", 1, hidden=False, sequence=2)
    note = world.get(Note, "n")
    assert (note.title, note.text, note.topic, note.revision) == ("t", "y", None, 1)
    (told,) = world.told.of(NoteRevised)
    assert (told.revision, told.title, told.text, told.topic, told.intent) == (1, "t", "y", None, "asks")
    assert world.told.of(NoteVisibilityChanged) == []


def test_an_edit_that_is_refused_leaves_the_text_before(world: World) -> None:
    """An advertisement that is edited in is never seen; its author finds the rules that refused it."""
    edit_note(world, text="加V看主页")
    assert judge(world, "n", 1, hidden=True, sequence=2) == "refused"
    note, edit = world.get(Note, "n"), world.get(Revision, revision_id("n", 1))
    assert (note.text, note.hidden, note.revision) == ("x", False, 0)
    assert (edit.state, edit.reasons) == ("refused", ("contact",))
    assert not world.told.of(NoteRevised)
    assert not world.told.of(NoteVisibilityChanged)


@pytest.mark.parametrize("id_", ["n", "q"])
def test_a_refused_edit_does_not_shield_the_text_before(world: World, id_: str) -> None:
    """What staff hide is hidden, though moderation knows only the edit that came after it; a late verdict changes
    nothing."""
    edit_note(world, text="加V看主页") if id_ == "n" else edit_comment(world, "q", "加V看主页")
    judge(world, id_, 1, hidden=True, sequence=2)
    judge(world, id_, 1, hidden=True, sequence=3, by="staff")
    assert judge(world, id_, 0, hidden=False, sequence=1) == "older"
    content = world.get(Note, "n") if id_ == "n" else world.get(Comment, "q")
    assert content.hidden
    notes, comments = world.told.of(NoteVisibilityChanged), world.told.of(CommentVisibilityChanged)
    assert [told.hidden for told in notes] + [told.hidden for told in comments] == [True]


def test_an_appeal_lets_a_refused_edit_through(world: World) -> None:
    """A newer verdict on the same revision counts, an older one does not."""
    edit_note(world, text="y")
    judge(world, "n", 1, hidden=True, sequence=5)
    assert judge(world, "n", 1, hidden=False, sequence=4) == "older"
    judge(world, "n", 1, hidden=False, sequence=6)
    assert world.get(Note, "n").text == "y"


def test_a_later_edit_replaces_one_that_waits(world: World) -> None:
    """It builds on the one before; a verdict on that one, either way, changes nothing any more."""
    edit_note(world, title="T")
    edit_note(world, 1, text="y")
    assert [judge(world, "n", 1, hidden=hidden, sequence=s) for s, hidden in ((2, False), (3, True))] == [
        "superseded"
    ] * 2
    assert (world.get(Note, "n").title, world.get(Note, "n").hidden) == ("t", False)
    judge(world, "n", 2, hidden=False, sequence=4)
    assert (world.get(Note, "n").title, world.get(Note, "n").text) == ("T", "y")
    assert [told.revision for told in world.told.of(NoteRevised)] == [2]


def test_a_late_verdict_on_the_text_before_hides_only_that(world: World) -> None:
    """While an edit waits, what others see can still be hidden; when the edit passes the note is back."""
    edit_note(world, text="y")
    judge(world, "n", 0, hidden=True, sequence=1)
    assert world.get(Note, "n").hidden
    judge(world, "n", 1, hidden=False, sequence=2)
    note = world.get(Note, "n")
    assert (note.text, note.hidden) == ("y", False)
    assert [told.hidden for told in world.told.of(NoteVisibilityChanged)] == [True, False]
    assert judge(world, "n", 0, hidden=True, sequence=3) == "superseded"


def test_an_edit_of_a_hidden_comment_brings_it_back(world: World) -> None:
    """Edit and resubmit: counted again and told as text and as visible."""
    judge(world, "a", 0, hidden=True, sequence=1)
    assert world.get(Note, "n").hidden_comments == 1
    edit_comment(world, "a", "不用.", person="cat")
    judge(world, "a", 1, hidden=False, sequence=2)
    comment = world.get(Comment, "a")
    assert (comment.text, comment.hidden, world.get(Note, "n").hidden_comments) == ("不用.", False, 0)
    assert [told.text for told in world.told.of(CommentRevised)] == ["不用."]
    assert [told.hidden for told in world.told.of(CommentVisibilityChanged)] == [True, False]


def test_a_need_follows_the_text_that_others_see(world: World) -> None:
    """A question edited away needs no answer, one edited in needs one; the edit alone changes nothing."""
    edit_comment(world, "q", "我知道了.")
    assert world.get(Need, need_id("q")).state == "open"
    judge(world, "q", 1, hidden=False, sequence=2)
    assert (world.get(Need, need_id("q")).state, world.timers, world.get(Note, "n").needs) == ("withdrawn", [], 0)
    edit_comment(world, "a", QUESTION, person="cat")
    judge(world, "a", 1, hidden=False, sequence=2)
    assert (world.get(Need, need_id("a")).state, world.get(Note, "n").needs) == ("open", 1)
    assert len(world.told.of(NeedOpened)) == 2
    assert len(world.told.of(NeedWithdrawn)) == 1


def test_history_keeps_every_text(world: World) -> None:
    """From the first edit on: what was posted, and each edit, whatever became of it."""
    edit_comment(world, "q", "y1")
    judge(world, "q", 1, hidden=False, sequence=2)
    edit_comment(world, "q", "y2", 1)
    texts = [(world.get(Revision, revision_id("q", n)).text, n) for n in range(3)]
    assert texts == [(QUESTION, 0), ("y1", 1), ("y2", 2)]
    assert world.told.of(CommentEdited)[-1].revision == 2


def test_an_edit_that_changes_nothing_is_none(world: World) -> None:
    """The same text again: the revision that there is, no event, nothing written."""
    before = world.state()
    assert edit_note(world, text="x").body == {"note_id": "n", "revision": 0, "state": "shown"}
    assert world.state() == before
    assert world.told.of(NoteEdited) == []


@pytest.mark.parametrize(
    ("match", "person", "slug", "status"),
    [(1, "ann", "edited-meanwhile", 412), (10**17, "ann", "edited-meanwhile", 412), (0, "eve", "not-the-author", 403)],
)
def test_an_edit_that_may_not_be_is_refused(world: World, match: int, person: str, slug: str, status: int) -> None:
    """One must have read what was written last, and it must be one's own."""
    with refused(slug, status):
        edit_note(world, match, person)


def test_of_two_edits_of_one_reading_the_second_is_refused(world: World) -> None:
    """Nobody overwrites what they have not read, in one batch either."""
    commands = [EditNote(person_id="ann", note_id="n", match=0, fields={"text": t}) for t in ("y", "z")]
    first, second = world.ask_at_once(commands)
    assert isinstance(first, Reply)
    assert (getattr(second, "type", ""), getattr(second, "extra", {})) == ("edited-meanwhile", {"revision": 1})


def test_edits_have_an_end(world: World) -> None:
    """One text is not edited without bound."""
    for n in range(MAX_EDITS):
        edit_note(world, n)
    with refused("too-many-edits", 409):
        edit_note(world, MAX_EDITS)


def test_a_verdict_on_a_revision_that_is_not_there_changes_nothing(world: World) -> None:
    """It is an outcome, not a dead letter."""
    before = world.state()
    assert judge(world, "n", 7, hidden=True, sequence=2) == "superseded"
    assert world.state() == before


# -- deletions ----------------------------------------------------------------------------------------------


def test_a_deleted_comment_leaves_no_text(world: World) -> None:
    """Gone from the comment and from every revision; it is counted out, and its question needs no answer."""
    edit_comment(world, "q", "y")
    delete(world, "q", "bob")
    texts = [world.get(Comment, "q").text, *(world.get(Revision, revision_id("q", n)).text for n in (0, 1))]
    assert texts == ["", "", ""]
    note = world.get(Note, "n")
    assert (note.deleted_comments, note.needs, note.asking, world.timers) == (1, 0, (), [])
    assert world.told.of(CommentDeleted) == [
        CommentDeleted(comment_id="q", note_id="n", author_id="bob", by_id="bob", revision=1)
    ]
    assert [told.comment_id for told in world.told.of(NeedWithdrawn)] == ["q"]


def test_a_deleted_note_leaves_no_text_and_no_needs(world: World) -> None:
    """Title, text and history go, open needs are withdrawn with their timers; comments stay."""
    edit_note(world, text="y")
    delete(world, "n", "ann")
    world.wait(seconds=0)
    note = world.get(Note, "n")
    assert (note.title, note.text, note.topic, note.intent, note.deleted) == ("", "", None, None, True)
    assert [world.get(Revision, revision_id("n", n)).text for n in (0, 1)] == ["", ""]
    assert (world.get(Need, need_id("q")).state, note.asking, note.needs, world.timers) == ("withdrawn", (), 0, [])
    assert world.get(Comment, "q").text == QUESTION
    assert [(told.revision, told.by_id) for told in world.told.of(NoteDeleted)] == [(1, "ann")]


def test_many_needs_of_a_deleted_note_go_in_steps(world: World) -> None:
    """More than one step takes are all withdrawn."""
    for n in range(450):
        world.ask(PostComment(person_id="bob", comment_id=f"q{n}", note_id="n", text=QUESTION, parent_id=None))
    world.settle()
    delete(world, "n", "ann")
    world.wait(seconds=0)
    assert len(world.told.of(NeedWithdrawn)) == 451
    assert (world.get(Note, "n").asking, world.timers) == ((), [])


def test_a_question_that_was_on_its_way_opens_no_need(world: World) -> None:
    """A comment that is heard of after its note or itself was deleted asks nothing."""
    world.ask(PostComment(person_id="bob", comment_id="late", note_id="n", text=QUESTION, parent_id=None))
    world.ask(DeleteNote(person_id="ann", note_id="n", any_note=False))
    world.settle()
    world.wait(seconds=0)
    assert (need_id("late") in {id_ for _, id_ in world.documents}, world.timers) == (False, [])


def test_deleting_twice_is_deleting_once(world: World) -> None:
    """204 each time and one event; staff may delete what is not theirs, others may not."""
    with refused("not-the-author", 403):
        delete(world, "a", "bob")
    assert [delete(world, "a", person, staff=staff).status for person, staff in (("sam", True), ("cat", False))] == [
        204,
        204,
    ]
    assert [told.by_id for told in world.told.of(CommentDeleted)] == ["sam"]


def test_a_hidden_comment_is_not_counted_out_twice(world: World) -> None:
    """Hidden, then deleted: one comment less, and a verdict that comes later changes nothing."""
    judge(world, "a", 0, hidden=True, sequence=1)
    delete(world, "a", "cat")
    assert judge(world, "a", 0, hidden=False, sequence=2) == "deleted"
    note = world.get(Note, "n")
    assert (note.comments, note.hidden_comments, note.deleted_comments) == (2, 1, 0)


def test_a_deleted_note_takes_nothing(world: World) -> None:
    """No comment, no edit, no relay: 410. A verdict on an edit that waited brings no text back."""
    edit_note(world, text="y")
    delete(world, "n", "ann")
    commands: list[Any] = [
        PostComment(person_id="bob", comment_id="c", note_id="n", text="x", parent_id=None),
        EditNote(person_id="ann", note_id="n", match=1, fields={"text": "z"}),
        RelayNote(person_id="ann", note_id="n", group_id="g", any_note=False),
    ]
    for command in commands:
        with refused("note-deleted", 410):
            world.ask(command)
    assert judge(world, "n", 1, hidden=False, sequence=2) == "deleted"
    assert world.get(Note, "n").text == ""


def test_a_deleted_comment_takes_nothing(world: World) -> None:
    """No reply, no edit; it is no answer and no advice."""
    delete(world, "a", "cat")
    commands: list[Any] = [
        PostComment(person_id="bob", comment_id="c", note_id="n", text="x", parent_id="a"),
        EditComment(person_id="cat", comment_id="a", match=0, fields={"text": "z"}),
        AcceptAnswer(person_id="bob", need_id=need_id("q"), comment_id="a"),
        TakeAdvice(person_id="ann", comment_id="a"),
    ]
    for command in commands:
        with refused("comment-deleted", 410):
            world.ask(command)


def test_an_event_that_claims_many_revisions_is_harmless(world: World) -> None:
    """No more is loaded than a person may write."""
    event = NoteDeleted(note_id="n", author_id="ann", by_id="ann", revision=10**9)
    (handler,) = world.router.handlers(NoteDeleted)
    assert len(list(handler.reads(event))) == MAX_EDITS + 2
    assert world.hear(event) == "done"


def test_a_rebuild_counts_a_deleted_comment_once(world: World) -> None:
    """What counts on a note begins at nothing and is folded again from the same events: the same note."""
    delete(world, "a", "cat")
    note, records = world.get(Note, "n"), list(world.records)
    world.documents[Note.COLLECTION, "n"] = replace(note, **dict.fromkeys(("comments", "deleted_comments"), 0))
    assert {"comments", "deleted_comments"} <= {*Note.REBUILT}
    world.marks.clear()
    world.take(map(wire, (record for record in records if record.topic == NOTE.name)))
    assert replace(world.get(Note, "n"), v=0) == replace(note, v=0)
