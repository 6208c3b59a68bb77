"""When X happens, do Y. The table is at the end."""

from msgspec.structs import replace

from services.notes import core
from services.notes.core import Comment, GroupCard, Need, Note, Relay
from services.notes.settings import Settings
from shared.contracts.groups import GroupChanged, GroupOpened
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import (
    AdviceTaken,
    CommentPosted,
    CommentVisibilityChanged,
    Intent,
    NeedAnswered,
    NeedEscalated,
    NeedOpened,
    NeedWithdrawn,
    NotePosted,
    NoteRelayed,
    NoteVisibilityChanged,
)
from shared.errors import Rejected
from shared.flow.router import Command, Reminder, Reply, Router
from shared.flow.work import Work


class PostNote(Command, frozen=True, kw_only=True):
    """Write a note; its id is made at the edge, the same again for a repeated request."""

    note_id: str
    title: str
    text: str
    topic: str | None
    place: str | None
    intent: Intent | None


class PostComment(Command, frozen=True, kw_only=True):
    """Write a comment under a note, or under a comment of it."""

    comment_id: str
    note_id: str
    text: str
    parent_id: str | None


class AcceptAnswer(Command, frozen=True, kw_only=True):
    """Close one's own need with somebody's comment."""

    need_id: str
    comment_id: str


class TakeAdvice(Command, frozen=True, kw_only=True):
    """Mark a comment under one's own note as advice taken."""

    comment_id: str


class RelayNote(Command, frozen=True, kw_only=True):
    """Hand a note over to a group; ``any_note`` for staff."""

    note_id: str
    group_id: str
    any_note: bool


class NeedDue(Reminder, frozen=True, kw_only=True):
    """A need may have to be escalated to ``step``."""

    need_id: str
    note_id: str
    step: int


# -- commands -----------------------------------------------------------------------------------------------


def post_note(command: PostNote, work: Work) -> Reply:
    """A new note, and the news of it."""
    if work.get(Note, command.note_id):
        raise Rejected("idempotency-key-reused", 422)
    note = work.put(
        Note(
            id=command.note_id,
            author_id=command.person_id,
            title=command.title,
            text=command.text,
            topic=command.topic,
            place=command.place,
            intent=command.intent,
            created_at=work.now,
        )
    )
    work.emit(
        NotePosted(
            note_id=note.id,
            author_id=note.author_id,
            title=note.title,
            text=note.text,
            topic=note.topic,
            place=note.place,
            intent=note.intent,
        ),
        note,
    )
    return Reply(status=201, body={"note_id": note.id, "created_at": work.now.isoformat()})


def post_comment(command: PostComment, work: Work) -> Reply:
    """A new comment. The note's counts follow in the lane of the note."""
    if work.get(Comment, command.comment_id):
        raise Rejected("idempotency-key-reused", 422)
    note = work.get(Note, command.note_id)
    parent = work.get(Comment, command.parent_id) if command.parent_id else None
    depth = core.commentable(note, parent, command.parent_id)
    assert note is not None
    comment = work.put(
        Comment(
            id=command.comment_id,
            note_id=note.id,
            note_author_id=note.author_id,
            parent_id=command.parent_id,
            depth=depth,
            author_id=command.person_id,
            text=command.text,
            created_at=work.now,
        )
    )
    work.emit(
        CommentPosted(
            comment_id=comment.id,
            note_id=note.id,
            parent_id=comment.parent_id,
            author_id=comment.author_id,
            note_author_id=note.author_id,
            text=comment.text,
        ),
        comment,
    )
    return Reply(status=201, body={"comment_id": comment.id, "note_id": note.id, "created_at": work.now.isoformat()})


def accept_answer(command: AcceptAnswer, work: Work) -> Reply:
    """Close a need. It is decided here and not in the note's lane, because the caller is told who was first."""
    answer = work.get(Comment, command.comment_id)
    need, news = core.accept(work.get(Need, command.need_id), answer, command.person_id)
    if news:
        assert answer is not None
        need = work.put(need)
        work.cancel(timer_name(need.id, need.step + 1))
        work.emit(
            NeedAnswered(
                need_id=need.id,
                note_id=need.note_id,
                comment_id=need.comment_id,
                asker_id=need.asker_id,
                answer_id=answer.id,
                helper_id=answer.author_id,
            ),
            need,
        )
    return Reply(status=200, body={"need_id": need.id, "state": need.state, "answer_id": need.answer_id})


def take_advice(command: TakeAdvice, work: Work) -> Reply:
    """Mark advice as taken, once."""
    comment, news = core.take_advice(work.get(Comment, command.comment_id), command.person_id)
    if news:
        comment = work.put(comment)
        work.emit(
            AdviceTaken(
                comment_id=comment.id,
                note_id=comment.note_id,
                author_id=comment.note_author_id,
                adviser_id=comment.author_id,
            ),
            comment,
        )
    return Reply(status=200, body={"comment_id": comment.id, "advice": True})


def relay_note(command: RelayNote, work: Work) -> Reply:
    """Hand a note over to a group, once for the pair."""
    body = {"note_id": command.note_id, "group_id": command.group_id}
    note, group = work.get(Note, command.note_id), work.get(GroupCard, command.group_id)
    id_ = core.relay_id(command.note_id, command.group_id)
    again = work.get(Relay, id_) is not None
    core.relayable(note, group, command.person_id, any_note=command.any_note, again=again)
    if again:
        return Reply(status=200, body=body)
    relay = Relay(id=id_, note_id=command.note_id, group_id=command.group_id, by_id=command.person_id, at=work.now)
    work.emit(NoteRelayed(note_id=command.note_id, group_id=command.group_id, by_id=command.person_id), work.put(relay))
    return Reply(status=201, body=body)


# -- events in the lane of the note -------------------------------------------------------------------------


def comment_posted(event: CommentPosted, work: Work, steps: tuple[int, ...]) -> str | None:
    """Count the comment; a question in it opens a need with a timer."""
    note, comment = work.get(Note, event.note_id), work.get(Comment, event.comment_id)
    if note is None or comment is None:
        return "unknown"
    note = replace(note, comments=note.comments + 1)
    note = open_need(note, comment, work, steps)
    work.put(note)
    return None


def open_need(note: Note, comment: Comment, work: Work, steps: tuple[int, ...]) -> Note:
    """Open the need of a question, if it is one and has none; returns the note with the need counted."""
    need = core.need_of(comment, work.get(Need, core.need_id(comment.id)), work.now)
    if need is None:
        return note
    need = work.put(need)
    due = core.due(need, steps)
    work.emit(
        NeedOpened(need_id=need.id, note_id=note.id, comment_id=comment.id, asker_id=need.asker_id, due_at=due),
        need,
    )
    remind(need, work, steps)
    return replace(note, needs=note.needs + 1)


def need_answered(event: NeedAnswered, work: Work) -> str | None:
    """Count an answered need on its note."""
    note = work.get(Note, event.note_id)
    if note is None:
        return "unknown"
    work.put(replace(note, needs_answered=note.needs_answered + 1))
    return None


def advice_taken(event: AdviceTaken, work: Work) -> str | None:
    """Count taken advice on its note."""
    note = work.get(Note, event.note_id)
    if note is None:
        return "unknown"
    work.put(replace(note, advice=note.advice + 1))
    return None


def note_relayed(event: NoteRelayed, work: Work) -> str | None:
    """Note where the talk goes on."""
    note = work.get(Note, event.note_id)
    if note is None or event.group_id in note.groups:
        return "unknown" if note is None else "known"
    work.put(replace(note, groups=(*note.groups, event.group_id)))
    return None


def content_judged(event: ContentJudged, work: Work, steps: tuple[int, ...]) -> str | None:
    """Hide or restore what was judged; the need of a hidden question is withdrawn, of a restored one opened."""
    reasons = tuple(reason.rule for reason in event.reasons)
    note = work.get(Note, event.note_id)
    if note is None:
        return "unknown"
    if event.kind == "note":
        ruled = core.rule_note(note, event.hidden, work.cause.sequence)
        if ruled is None:
            return "older"
        stored = work.put(ruled)
        if stored.hidden != note.hidden:
            work.emit(
                NoteVisibilityChanged(note_id=note.id, author_id=note.author_id, hidden=stored.hidden, reasons=reasons),
                stored,
            )
        return None
    return judge_comment(event, note, work, steps)


def judge_comment(event: ContentJudged, note: Note, work: Work, steps: tuple[int, ...]) -> str | None:
    """The comment's half of a verdict."""
    comment = work.get(Comment, event.content_id)
    ruled = core.rule_comment(comment, event.hidden, work.cause.sequence) if comment else None
    if comment is None or ruled is None:
        return "unknown" if comment is None else "older"
    stored = work.put(ruled)
    if stored.hidden == comment.hidden:
        return None
    work.emit(
        CommentVisibilityChanged(
            comment_id=comment.id,
            note_id=note.id,
            author_id=comment.author_id,
            hidden=stored.hidden,
            reasons=tuple(reason.rule for reason in event.reasons),
        ),
        stored,
    )
    note = replace(note, hidden_comments=note.hidden_comments + (1 if stored.hidden else -1))
    note = withdraw_need(note, stored, work) if stored.hidden else open_need(note, stored, work, steps)
    work.put(note)
    return None


def withdraw_need(note: Note, comment: Comment, work: Work) -> Note:
    """Nobody needs to answer a question that was hidden."""
    need = work.get(Need, core.need_id(comment.id))
    if need is None or need.state != "open":
        return note
    work.cancel(timer_name(need.id, need.step + 1))
    need = work.put(replace(need, state="withdrawn"))
    work.emit(NeedWithdrawn(need_id=need.id, note_id=note.id, comment_id=comment.id, asker_id=need.asker_id), need)
    return replace(note, needs=note.needs - 1)


# -- timers -------------------------------------------------------------------------------------------------


def need_due(reminder: NeedDue, work: Work, steps: tuple[int, ...]) -> str | None:
    """Escalate a need that nobody has answered in time, and look again at the next step."""
    need = core.escalate(work.get(Need, reminder.need_id), reminder.step)
    if need is None:
        return "answered"
    need = work.put(need)
    work.emit(
        NeedEscalated(
            need_id=need.id,
            note_id=need.note_id,
            comment_id=need.comment_id,
            asker_id=need.asker_id,
            step=need.step,
            due_at=core.due(need, steps),
        ),
        need,
    )
    if need.step < len(steps):
        remind(need, work, steps)
    return None


def remind(need: Need, work: Work, steps: tuple[int, ...]) -> None:
    """Set the timer of a need's next step."""
    step = need.step + 1
    payload = NeedDue(need_id=need.id, note_id=need.note_id, step=step)
    work.remind(timer_name(need.id, step), core.due(need, steps), payload, ("note", need.note_id))


def timer_name(need_id: str, step: int) -> str:
    """The timer of one step of a need."""
    return f"{need_id}:{step}"


# -- events in the lane of the group ------------------------------------------------------------------------


def group_opened(event: GroupOpened, work: Work) -> None:
    """Learn of a group. Its changes may have come first, after a crash."""
    card = work.get(GroupCard, event.group_id) or GroupCard(id=event.group_id)
    seats = event.seats if card.sequence == 0 else card.seats
    work.put(replace(card, owner_id=event.owner_id, name=event.name, seats=seats))


def group_changed(event: GroupChanged, work: Work) -> str | None:
    """Follow a group's seats and state; the higher sequence holds."""
    card = work.get(GroupCard, event.group_id) or GroupCard(id=event.group_id)
    if work.cause.sequence <= card.sequence:
        return "older"
    work.put(replace(card, state=event.state, seats=event.seats, members=event.members, sequence=work.cause.sequence))
    return None


def router(settings: Settings) -> Router:
    """Payload -> what it reads -> who decides."""
    table, steps = Router("notes"), settings.need_steps
    table.on(PostNote, post_note, lambda c: [(Note, c.note_id)])
    table.on(
        PostComment,
        post_comment,
        lambda c: [(Note, c.note_id), *((Comment, i) for i in (c.comment_id, c.parent_id) if i)],
    )
    table.on(AcceptAnswer, accept_answer, lambda c: [(Need, c.need_id), (Comment, c.comment_id)])
    table.on(TakeAdvice, take_advice, lambda c: [(Comment, c.comment_id)])
    table.on(
        RelayNote,
        relay_note,
        lambda c: [(Note, c.note_id), (GroupCard, c.group_id), (Relay, core.relay_id(c.note_id, c.group_id))],
    )
    table.on(
        CommentPosted,
        lambda e, w: comment_posted(e, w, steps),
        lambda e: [(Note, e.note_id), (Comment, e.comment_id), (Need, core.need_id(e.comment_id))],
        name="comment_posted",
    )
    table.on(
        ContentJudged,
        lambda e, w: content_judged(e, w, steps),
        lambda e: [(Note, e.note_id), (Comment, e.content_id), (Need, core.need_id(e.content_id))],
        name="content_judged",
    )
    table.on(NeedAnswered, need_answered, lambda e: [(Note, e.note_id)])
    table.on(AdviceTaken, advice_taken, lambda e: [(Note, e.note_id)])
    table.on(NoteRelayed, note_relayed, lambda e: [(Note, e.note_id)])
    table.on(NeedDue, lambda r, w: need_due(r, w, steps), lambda r: [(Need, r.need_id)], name="need_due")
    table.on(GroupOpened, group_opened, lambda e: [(GroupCard, e.group_id)])
    table.on(GroupChanged, group_changed, lambda e: [(GroupCard, e.group_id)])
    return table
