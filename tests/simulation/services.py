"""Three small services that use every rule of the lane, over real contract events.

notes       commands (posts, edits of one shared document, seats, answers), counts by event, needs with timers,
            large posts in parts, verdicts taken up: the higher sequence holds
moderation  a verdict for every comment, read back in a rebuild; follows the edits of a note by sequence, in a view
recommend   two topics in one lane: a comment and its verdict meet, whichever comes first, and the pair is
            told to the lane of the group, where pairs are counted
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from msgspec.structs import replace

from shared.contracts import partition_of
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import (
    AdviceTaken,
    CommentPosted,
    NeedAnswered,
    NeedEscalated,
    NeedOpened,
    NoteReacted,
    NoteRelayed,
    NoteVisibilityChanged,
)
from shared.contracts.recommend import ProfileTaught
from shared.contracts.topics import NOTE, NOTE_VERDICT, PROFILE
from shared.errors import Rejected
from shared.flow.known import is_known
from shared.flow.parts import cut
from shared.flow.ports import Database, View
from shared.flow.router import Reply, Router
from shared.flow.states import State
from shared.flow.work import Work
from tests.simulation.kinds import (
    Answer,
    CheckNeed,
    Circle,
    Comment,
    Copy,
    Door,
    Echo,
    EchoAll,
    Edit,
    Followed,
    FollowedView,
    Need,
    Note,
    Pair,
    Post,
    Remembered,
    Row,
    Seen,
    Shut,
    Take,
    Tally,
    Verdict,
)

READS: dict[str, dict[str, tuple[str, ...]]] = {
    "notes": {"note": (NOTE.name, NOTE_VERDICT.name)},
    "moderation": {"note": (NOTE.name, NOTE_VERDICT.name)},
    "recommend": {"note": (NOTE.name, NOTE_VERDICT.name), "group": (PROFILE.name,)},
}
TYPES = {NOTE.name: CommentPosted.TYPE, NOTE_VERDICT.name: ContentJudged.TYPE, PROFILE.name: ProfileTaught.TYPE}
"""A type on each topic that every reader of it handles."""
SEATS = 3
LOOK = 1.0
"""Seconds between two looks of a view."""
BY_SEQUENCE = True
"""Whether readers of state events let the higher sequence hold."""
GROUPS = 2
ECHOES = 5
"""Effects of a large post, two in a part."""
TORN = "torn-2"
"""How the first effect of a part ends that dies of the bug."""


@dataclass
class Turns:
    """What the run turns: whether the bug is still there, and how long a need waits."""

    broken: bool = True
    patience: timedelta = timedelta(seconds=6)


def group_of(note_id: str) -> str:
    """The group that a note belongs to."""
    return f"g{partition_of(note_id, GROUPS)}"


def notes(turns: Turns) -> Router:
    def post(command: Post, work: Work) -> Reply:
        if work.get(Comment, command.comment_id):
            raise Rejected("exists", 409)
        person, words = command.person_id, command.text
        comment = work.put(Comment(id=command.comment_id, note_id=command.note_id, person=person, text=words))
        work.emit(posted(comment), comment)
        return Reply(status=201, body={"comment_id": comment.id, "text": words, "at": work.now.isoformat()})

    def edit(command: Edit, work: Work) -> Reply:
        note = work.get(Note, command.note_id) or Note(id=command.note_id)
        note = work.put(replace(note, edits=note.edits + 1))
        work.emit(note_news(note), note)
        return Reply(status=200, body={"edits": note.edits})

    def take(command: Take, work: Work) -> Reply:
        row = work.get(Row, command.note_id) or Row(id=command.note_id)
        if command.person_id in row.takers:
            raise Rejected("taken-before", 409)
        if len(row.takers) >= SEATS:
            raise Rejected("full", 403)
        door = work.guard(Door, row.id) or work.put(Door(id=row.id))
        if not door.open:
            raise Rejected("shut", 403)
        row = work.put(replace(row, takers=(*row.takers, command.person_id)))
        work.emit(NoteRelayed(note_id=row.id, group_id=group_of(row.id), by_id=command.person_id), row)
        return Reply(status=201, body={"seat": len(row.takers)})

    def shut(command: Shut, work: Work) -> Reply:
        door = work.get(Door, command.note_id) or Door(id=command.note_id)
        if not door.open:
            raise Rejected("shut-before", 409)
        row = work.guard(Row, door.id) or work.put(Row(id=door.id))
        door = work.put(replace(door, open=False, seats=len(row.takers)))
        return Reply(status=200, body={"seats": door.seats})

    def answer(command: Answer, work: Work) -> Reply:
        need = work.get(Need, command.need_id)
        if need is None:
            raise Rejected("unknown-need", 404)
        work.emit(AdviceTaken(comment_id=need.id, note_id=need.note_id, author_id="asker", adviser_id="helper"), need)
        return Reply(status=202, body={})

    def count_comment(event: CommentPosted, work: Work) -> None:
        tally = work.get(Tally, event.note_id) or Tally(id=event.note_id)
        work.put(replace(tally, comments=tally.comments + 1))
        kind = kind_of(event)
        if kind == "bug" and turns.broken:
            raise RuntimeError("a bug")
        if kind in ("many", "torn"):
            ids = [f"{event.comment_id}-{kind}-{n}" for n in range(ECHOES)]
            work.continue_with((EchoAll(ids=tuple(some)) for some in cut(ids, 2)), ("note", "elsewhere"))
        if kind == "why?" and not work.past:
            need = Need(id=event.comment_id, note_id=event.note_id, due=work.now + turns.patience)
            need = work.put(need)
            work.emit(need_news(need), need)
            work.remind(f"need:{need.id}", need.due, CheckNeed(need_id=need.id), ("note", event.note_id))

    def echo_all(reminder: EchoAll, work: Work) -> None:
        for id_ in reminder.ids:
            echo = work.get(Echo, id_) or Echo(id=id_)
            work.put(replace(echo, times=echo.times + 1))
            work.emit(NoteReacted(note_id="elsewhere", author_id="author", person_id=id_, kind="like", change=1))
        if reminder.ids[0].endswith(TORN) and turns.broken:
            raise RuntimeError("a bug")

    def remember_comment(event: CommentPosted, work: Work) -> None:
        seen = work.get(Remembered, event.comment_id) or Remembered(id=event.comment_id)
        work.put(replace(seen, times=seen.times + 1))

    def close_need(event: AdviceTaken, work: Work) -> str | None:
        need = work.get(Need, event.comment_id)
        if need is None or need.state != "open":
            return "late"
        need = work.put(replace(need, state="answered"))
        work.cancel(f"need:{need.id}")
        work.emit(need_news(need), need)
        return None

    def take_verdict(event: ContentJudged, work: Work) -> str | None:
        seen = work.get(Seen, event.content_id) or Seen(id=event.content_id)
        if BY_SEQUENCE and seen.sequence >= work.cause.sequence:
            return "older"
        work.put(replace(seen, sequence=work.cause.sequence, hidden=event.hidden))
        return None

    def check_need(reminder: CheckNeed, work: Work) -> str | None:
        need = work.get(Need, reminder.need_id)
        if need is None:
            return "late"
        need = work.put(replace(need, rung=need.rung + 1, state="escalated" if need.state == "open" else need.state))
        if need.rung > 1 or need.state == "answered":
            return "late"
        work.emit(need_news(need), need)
        return None

    router = Router("notes")
    router.on(Post, post, lambda c: [(Comment, c.comment_id)])
    router.on(Edit, edit, lambda c: [(Note, c.note_id)])
    router.on(Take, take, lambda c: [(Row, c.note_id), (Door, c.note_id)])
    router.on(Shut, shut, lambda c: [(Row, c.note_id), (Door, c.note_id)])
    router.on(Answer, answer, lambda c: [(Need, c.need_id)])
    router.on(CommentPosted, count_comment, lambda e: [(Tally, e.note_id), (Need, e.comment_id)])
    router.on(EchoAll, echo_all, lambda r: [(Echo, id_) for id_ in r.ids])
    router.on(CommentPosted, remember_comment, lambda e: [(Remembered, e.comment_id)])
    router.on(AdviceTaken, close_need, lambda e: [(Need, e.comment_id)])
    router.on(ContentJudged, take_verdict, lambda e: [(Seen, e.content_id)])
    router.on(CheckNeed, check_need, lambda r: [(Need, r.need_id)])
    return router


def moderation(turns: Turns) -> Router:
    def judge(event: CommentPosted, work: Work) -> None:
        work.put(Copy(id=event.comment_id, author_id=event.author_id, text=event.text))
        if work.past:
            return  # what was decided then comes by the topic of verdicts
        verdict = Verdict(
            id=event.comment_id,
            note_id=event.note_id,
            author_id=event.author_id,
            hidden=kind_of(event) == "spam",
            rules=work.view(FollowedView).version,
        )
        verdict = work.put(verdict)
        work.emit(judgement(verdict), verdict)

    def judged(event: ContentJudged, work: Work) -> str | None:
        known = work.get(Verdict, event.content_id)
        if is_known(known, work):
            return "known"
        read = Verdict(
            id=event.content_id,
            note_id=event.note_id,
            author_id=event.author_id,
            hidden=event.hidden,
            rules=event.rules,
        )
        work.restore(read, work.cause.sequence)
        return None

    def follow(event: NoteVisibilityChanged, work: Work) -> str | None:
        known = work.get(Followed, event.note_id) or Followed(id=event.note_id)
        if BY_SEQUENCE and known.sequence >= work.cause.sequence:
            return "older"
        work.put(replace(known, sequence=work.cause.sequence, edits=int(event.reasons[0])))
        return None

    router = Router("moderation")
    router.on(CommentPosted, judge, lambda e: [(Copy, e.comment_id), (Verdict, e.comment_id)])
    router.on(ContentJudged, judged, lambda e: [(Verdict, e.content_id)])
    router.own(ContentJudged)
    router.on(NoteVisibilityChanged, follow, lambda e: [(Followed, e.note_id)])
    return router


def recommend(turns: Turns) -> Router:
    def heard(event: CommentPosted, work: Work) -> None:
        pair = work.get(Pair, event.comment_id) or Pair(id=event.comment_id)
        met(replace(pair, posted=True, author_id=event.author_id, text=event.text), event.note_id, work)

    def ruled(event: ContentJudged, work: Work) -> str | None:
        pair = work.get(Pair, event.content_id) or Pair(id=event.content_id)
        if pair.judged:  # a state, which may be told again
            return "known"
        met(replace(pair, judged=True), event.note_id, work)
        return None

    def met(pair: Pair, note_id: str, work: Work) -> None:
        pair = work.put(pair)
        if pair.posted and pair.judged:
            work.emit(ProfileTaught(group_id=group_of(note_id), note_id=note_id, terms=((pair.id, 1),)))

    def count_pair(event: ProfileTaught, work: Work) -> None:
        circle = work.get(Circle, event.group_id) or Circle(id=event.group_id)
        work.put(replace(circle, pairs=circle.pairs + 1))

    router = Router("recommend")
    router.on(CommentPosted, heard, lambda e: [(Pair, e.comment_id)])
    router.on(ContentJudged, ruled, lambda e: [(Pair, e.content_id)])
    router.on(ProfileTaught, count_pair, lambda e: [(Circle, e.group_id)])
    return router


def posted(comment: Comment) -> CommentPosted:
    """A comment as its own service tells it."""
    return CommentPosted(
        comment_id=comment.id,
        note_id=comment.note_id,
        author_id=comment.person,
        note_author_id="author",
        text=comment.text,
    )


def note_news(note: Note) -> NoteVisibilityChanged:
    """The state of a note: how often it was edited."""
    return NoteVisibilityChanged(note_id=note.id, author_id="author", hidden=False, reasons=(str(note.edits),))


def need_news(need: Need) -> NeedOpened | NeedAnswered | NeedEscalated:
    """The state of a need."""
    about = {"need_id": need.id, "note_id": need.note_id, "comment_id": need.id, "asker_id": "a"}
    match need.state:
        case "open":
            return NeedOpened(**about, due_at=need.due)
        case "answered":
            return NeedAnswered(**about, answer_id="answer", helper_id="helper")
        case _:
            return NeedEscalated(**about, step=1, due_at=need.due)


def judgement(verdict: Verdict) -> ContentJudged:
    """The state of a verdict."""
    return ContentJudged(
        content_id=verdict.id,
        kind="comment",
        note_id=verdict.note_id,
        author_id=verdict.author_id,
        hidden=verdict.hidden,
        score=1.0,
        reasons=(),
        rules=verdict.rules,
    )


STATES: dict[str, tuple[State, ...]] = {
    "notes": (State(Note, note_news), State(Need, need_news)),
    "moderation": (State(Verdict, judgement),),
    "recommend": (),
}
"""What a republication tells."""


def kind_of(event: CommentPosted) -> str:
    """What a post wants; whose words have gone wants nothing."""
    return event.text.partition(" ")[0]


def views(service: str, database: Database) -> tuple[View, ...]:
    """What a process of the service keeps in memory."""
    return (FollowedView(database, Followed, LOOK),) if service == "moderation" else ()


ROUTERS: dict[str, Callable[[Turns], Router]] = {"notes": notes, "moderation": moderation, "recommend": recommend}
