"""Two toy services over real contract events: just enough to see every rule of the lane.

notes      PostNote, PostComment, Accept -> events; comments are counted twice over (two handlers), a question
           becomes a need with a timer; verdicts are taken up, the higher sequence wins.
moderation every comment gets a verdict.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec

from shared.contracts.groups import MemberJoined
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import AdviceTaken, CommentPosted, NeedAnswered, NeedEscalated, NeedOpened, NotePosted
from shared.contracts.topics import GROUP, NOTE, NOTE_VERDICT
from shared.errors import Rejected
from shared.flow.documents import Document
from shared.flow.known import is_known
from shared.flow.parts import PART, cut
from shared.flow.router import Command, Reminder, Reply, Router
from shared.flow.work import Work

READS = {
    "notes": {"note": [NOTE.name, NOTE_VERDICT.name]},
    "moderation": {"note": [NOTE.name, NOTE_VERDICT.name]},
}


class Note(Document, frozen=True, kw_only=True):
    COLLECTION = "notes"
    REBUILT = False
    TEXTS: ClassVar = {"author_id": ("title",)}
    FOLLOWED = True
    author_id: str
    title: str
    edits: int = 0


class Tally(Document, frozen=True, kw_only=True):
    COLLECTION = "tallies"
    REBUILT = True
    comments: int = 0


class Remembered(Document, frozen=True, kw_only=True):
    COLLECTION = "remembered"
    REBUILT = True
    TEXTS: ClassVar = {"author_id": ("text",)}
    author_id: str = ""
    text: str = ""
    times: int = 0


class Need(Document, frozen=True, kw_only=True):
    COLLECTION = "needs"
    REBUILT = False  # what its timer decided stands nowhere else
    note_id: str
    asker_id: str
    due: datetime
    state: str = "open"
    checks: int = 0


class Seen(Document, frozen=True, kw_only=True):
    COLLECTION = "seen"
    REBUILT = True
    sequence: int
    hidden: bool


class Verdict(Document, frozen=True, kw_only=True):
    COLLECTION = "verdicts"
    REBUILT = True
    note_id: str
    hidden: bool


COLLECTIONS = {
    "notes": ("notes", "tallies", "remembered", "needs", "seen"),
    "moderation": ("verdicts",),
}


class PostNote(Command, frozen=True, kw_only=True):
    note_id: str
    title: str


class EditNote(Command, frozen=True, kw_only=True):
    note_id: str


class Shut(Command, frozen=True, kw_only=True):
    """Shut a note, as long as the other one is open."""

    note_id: str
    other_id: str
    guarded: bool


class PostComment(Command, frozen=True, kw_only=True):
    comment_id: str
    note_id: str
    text: str


class Accept(Command, frozen=True, kw_only=True):
    need_id: str


class CheckNeed(Reminder, frozen=True, kw_only=True):
    need_id: str


class RememberAll(Reminder, frozen=True, kw_only=True):
    ids: tuple[str, ...]


@dataclass
class Toy:
    """What tests turn: whether the bug is still there, how long a need waits, how often it is checked."""

    broken: bool = True
    patience: timedelta = timedelta(seconds=5)
    spam: str = "spam"
    checks: int = 1
    part: int = PART
    """How many comments of a "many <count>" are remembered in one part."""


def notes(toy: Toy) -> Router:
    def post_note(command: PostNote, work: Work) -> Reply:
        if work.get(Note, command.note_id):
            raise Rejected("exists", 409)
        note = work.put(Note(id=command.note_id, author_id=command.person_id, title=command.title))
        work.emit(NotePosted(note_id=note.id, author_id=note.author_id, title=note.title, text=""), of=note)
        match command.title:
            case "bug":
                raise RuntimeError("a bug")
            case "refused":
                raise Rejected("bad-title")
            case "overflow":
                work.put(msgspec.structs.replace(note, edits=2**70))
        return Reply(status=201, body={"note_id": note.id, "at": work.now.isoformat()})

    def edit_note(command: EditNote, work: Work) -> Reply:
        note = work.get(Note, command.note_id) or Note(id=command.note_id, author_id=command.person_id, title="")
        note = work.put(msgspec.structs.replace(note, edits=note.edits + 1))
        return Reply(status=200, body={"edits": note.edits})

    def shut(command: Shut, work: Work) -> Reply:
        note = work.get(Note, command.note_id)
        other = (work.guard if command.guarded else work.get)(Note, command.other_id)
        if other is None or other.title == "shut":
            raise Rejected("the-last-one", 409)
        assert note is not None
        work.put(msgspec.structs.replace(note, title="shut"))
        return Reply(status=200, body={})

    def post_comment(command: PostComment, work: Work) -> Reply:
        work.emit(comment(command.note_id, command.comment_id, command.text))
        return Reply(status=201, body={"comment_id": command.comment_id})

    def accept(command: Accept, work: Work) -> Reply:
        need = work.get(Need, command.need_id)
        if need is None:
            raise Rejected("unknown-need", 404)
        work.emit(AdviceTaken(comment_id=need.id, note_id=need.note_id, author_id=need.asker_id, adviser_id="helper"))
        return Reply(status=202, body={})

    def count_comment(event: CommentPosted, work: Work) -> str | None:
        tally = work.get(Tally, event.note_id) or Tally(id=event.note_id)
        work.put(msgspec.structs.replace(tally, comments=tally.comments + 1))
        _misbehave(event, work, toy)
        if event.text.startswith("many "):
            ids = [f"{event.comment_id}-{n:04d}" for n in range(int(event.text[5:]))]
            parts = (RememberAll(ids=tuple(some)) for some in cut(ids, toy.part))
            work.continue_with(parts, ("note", event.note_id))
        if event.text.endswith("?"):
            due = work.now + toy.patience
            need = work.put(Need(id=event.comment_id, note_id=event.note_id, asker_id=event.author_id, due=due))
            work.emit(_opened(need), of=need)
            work.remind(f"need:{need.id}", due, CheckNeed(need_id=need.id), ("note", event.note_id))
        return None

    def remember_comment(event: CommentPosted, work: Work) -> None:
        seen = work.get(Remembered, event.comment_id) or Remembered(id=event.comment_id, author_id=event.author_id)
        work.put(msgspec.structs.replace(seen, times=seen.times + 1, text=event.text))

    def remember_all(reminder: RememberAll, work: Work) -> None:
        for id_ in reminder.ids:
            seen = work.get(Remembered, id_) or Remembered(id=id_)
            work.put(msgspec.structs.replace(seen, times=seen.times + 1))
        if "buggy" in reminder.ids[0] and toy.broken:
            raise RuntimeError("a bug")
        work.emit(comment("elsewhere", f"part-{reminder.ids[0]}"))

    def close_need(event: AdviceTaken, work: Work) -> str | None:
        need = work.get(Need, event.comment_id)
        if need is None or need.state != "open":
            return "late"
        need = work.put(msgspec.structs.replace(need, state="answered"))
        work.cancel(f"need:{need.id}")
        work.emit(
            NeedAnswered(
                need_id=need.id,
                note_id=need.note_id,
                comment_id=need.id,
                asker_id=need.asker_id,
                answer_id="answer",
                helper_id=event.adviser_id,
            ),
            of=need,
        )
        return None

    def take_verdict(event: ContentJudged, work: Work) -> str | None:
        seen = work.get(Seen, event.content_id)
        if seen is not None and seen.sequence >= work.cause.sequence:
            return "older"
        work.put(Seen(id=event.content_id, v=0, sequence=work.cause.sequence, hidden=event.hidden))
        return None

    def check_need(reminder: CheckNeed, work: Work) -> str | None:
        need = work.get(Need, reminder.need_id)
        if need is None or need.state != "open":
            return "late"
        if need.id.startswith("buggy") and toy.broken:
            raise RuntimeError("a bug")
        checks = need.checks + 1
        if checks < toy.checks:
            need = work.put(msgspec.structs.replace(need, checks=checks))
            work.remind(f"need:{need.id}", work.now + toy.patience, reminder, ("note", need.note_id))
            return "again"
        need = work.put(msgspec.structs.replace(need, checks=checks, state="escalated"))
        work.emit(
            NeedEscalated(
                need_id=need.id,
                note_id=need.note_id,
                comment_id=need.id,
                asker_id=need.asker_id,
                step=1,
                due_at=need.due,
            ),
            of=need,
        )
        return None

    router = Router("notes")
    router.on(PostNote, post_note, lambda c: [(Note, c.note_id)])
    router.on(EditNote, edit_note, lambda c: [(Note, c.note_id)])
    router.on(Shut, shut, lambda c: [(Note, c.note_id), (Note, c.other_id)])
    router.on(PostComment, post_comment, lambda c: [])
    router.on(Accept, accept, lambda c: [(Need, c.need_id)])
    router.on(CommentPosted, count_comment, lambda e: [(Tally, e.note_id), (Need, e.comment_id)])
    router.on(CommentPosted, remember_comment, lambda e: [(Remembered, e.comment_id)])
    router.on(RememberAll, remember_all, lambda r: [(Remembered, i) for i in r.ids])
    router.on(AdviceTaken, close_need, lambda e: [(Need, e.comment_id)])
    router.on(ContentJudged, take_verdict, lambda e: [(Seen, e.content_id)])
    router.on(CheckNeed, check_need, lambda r: [(Need, r.need_id)])
    return router


def moderation(toy: Toy) -> Router:
    def judge(event: CommentPosted, work: Work) -> str | None:
        if work.past:
            return "decided"
        hidden = toy.spam in event.text
        verdict = work.put(Verdict(id=event.comment_id, note_id=event.note_id, hidden=hidden))
        work.emit(judged(verdict), of=verdict)
        return None

    def verdict_told(event: ContentJudged, work: Work) -> str | None:
        known = work.get(Verdict, event.content_id)
        if is_known(known, work):
            return "known"
        verdict = known or Verdict(id=event.content_id, note_id=event.note_id, hidden=event.hidden)
        work.restore(msgspec.structs.replace(verdict, hidden=event.hidden), work.cause.sequence)
        return None

    router = Router("moderation")
    router.on(CommentPosted, judge, lambda e: [(Verdict, e.comment_id)])
    router.on(ContentJudged, verdict_told, lambda e: [(Verdict, e.content_id)])
    router.own(ContentJudged)
    return router


def judged(verdict: Verdict) -> ContentJudged:
    return ContentJudged(
        content_id=verdict.id,
        kind="comment",
        note_id=verdict.note_id,
        author_id="someone",
        hidden=verdict.hidden,
        score=1.0,
        reasons=(),
        rules="1",
    )


def _opened(need: Need) -> NeedOpened:
    return NeedOpened(
        need_id=need.id, note_id=need.note_id, comment_id=need.id, asker_id=need.asker_id, due_at=need.due
    )


def _misbehave(event: CommentPosted, work: Work, toy: Toy) -> None:
    if event.text == "rejected" or event.comment_id == "refused":
        raise Rejected("not-wanted")
    if event.text == "bug" and toy.broken:
        work.emit(AdviceTaken(comment_id="c", note_id=event.note_id, author_id="a", adviser_id="b"))
        work.remind("never", work.now, CheckNeed(need_id="never"), ("note", event.note_id))
        raise RuntimeError("a bug")
    if event.text == "overflow" and toy.broken:
        work.put(Tally(id=event.note_id, comments=2**70))
    if event.text == "huge":
        for n in range(300):
            work.emit(comment(event.note_id, f"{event.comment_id}-{n}", "x" * 20_000))
    if event.text == "large":
        for n in range(10):
            work.emit(comment("elsewhere", f"{event.comment_id}-{n}", "x" * 20_000))
    if event.text == "wrong topic":
        work.emit(MemberJoined(group_id="g", person_id="p", tier="guest"))


def comment(note_id: str, comment_id: str, text: str = "hello") -> CommentPosted:
    return CommentPosted(comment_id=comment_id, note_id=note_id, author_id="writer", note_author_id="author", text=text)


ROUTERS = {"notes": notes, "moderation": moderation}
GROUP_TOPIC = GROUP.name
