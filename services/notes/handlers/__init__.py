"""When X happens, do Y. The table is at the end."""

from services.notes import core
from services.notes.core import Comment, GroupCard, Need, Note, Reaction, Record, Relay, Revision, need_id
from services.notes.handlers.commands import (
    AcceptAnswer,
    DeleteComment,
    DeleteNote,
    EditComment,
    EditNote,
    HoldLapses,
    NeedDue,
    NeedsOrphaned,
    PostComment,
    PostNote,
    React,
    RelayNote,
    TakeAdvice,
)
from services.notes.handlers.editing import (
    comment_deleted,
    delete_comment,
    delete_note,
    edit_comment,
    edit_note,
    note_deleted,
    written,
)
from services.notes.handlers.helping import (
    accept_answer,
    advice_taken,
    need_answered,
    need_due,
    needs_orphaned,
    take_advice,
)
from services.notes.handlers.judging import comment_posted, content_judged, hold_lapses, note_posted
from services.notes.handlers.posting import post_comment, post_note
from services.notes.handlers.reacting import note_reacted, react
from services.notes.handlers.recording import record_counted
from services.notes.handlers.relaying import group_changed, group_opened, note_relayed, relay_note
from services.notes.settings import Settings
from shared.contracts.groups import GroupChanged, GroupOpened
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import (
    AdviceTaken,
    CommentDeleted,
    CommentPosted,
    NeedAnswered,
    NoteDeleted,
    NotePosted,
    NoteReacted,
    NoteRelayed,
    RecordCounted,
)
from shared.flow.documents import Ref
from shared.flow.router import Router
from shared.gate import Gated, NoGate


def revisions(content_id: str, *numbers: int) -> list[Ref]:
    """Some of the texts of a note or comment."""
    return [(Revision, core.revision_id(content_id, number)) for number in numbers]


def discussed(note_id: str, comment_id: str) -> list[Ref]:
    """A comment with its note and what it asks."""
    return [(Note, note_id), (Comment, comment_id), (Need, need_id(comment_id))]


def answer(table: Router, gate: Gated) -> None:
    """Commands, in the api lane of whoever asks."""
    table.on(PostNote, lambda c, w: post_note(c, w, gate), lambda c: [(Note, c.note_id)], name="post_note")
    table.on(
        PostComment,
        lambda c, w: post_comment(c, w, gate),
        lambda c: [(Note, c.note_id), *((Comment, i) for i in (c.comment_id, c.parent_id) if i)],
        name="post_comment",
    )
    table.on(EditNote, edit_note, lambda c: [(Note, c.note_id), *revisions(c.note_id, c.match, c.match + 1)])
    table.on(
        EditComment,
        edit_comment,
        lambda c: [(Comment, c.comment_id), *revisions(c.comment_id, c.match, c.match + 1)],
    )
    table.on(DeleteNote, delete_note, lambda c: [(Note, c.note_id)])
    table.on(DeleteComment, delete_comment, lambda c: [(Comment, c.comment_id)])
    table.on(React, react, lambda c: [(Note, c.note_id), (Reaction, core.reaction_id(c.note_id, c.person_id, c.kind))])
    table.on(AcceptAnswer, accept_answer, lambda c: [(Need, c.need_id), (Comment, c.comment_id)])
    table.on(TakeAdvice, take_advice, lambda c: [(Comment, c.comment_id)])
    table.on(
        RelayNote,
        relay_note,
        lambda c: [(Note, c.note_id), (GroupCard, c.group_id), (Relay, core.relay_id(c.note_id, c.group_id))],
    )


def follow(table: Router, steps: tuple[int, ...]) -> None:
    """Events and timers, in the lane of the note or the group."""
    table.on(NotePosted, note_posted, lambda e: [(Note, e.note_id)])
    table.on(
        CommentPosted,
        lambda e, w: comment_posted(e, w, steps),
        lambda e: discussed(e.note_id, e.comment_id),
        name="comment_posted",
    )
    table.on(
        ContentJudged,
        lambda e, w: content_judged(e, w, steps),
        lambda e: [*discussed(e.note_id, e.content_id), *revisions(e.content_id, e.revision)],
        name="content_judged",
    )
    table.on(
        HoldLapses,
        lambda r, w: hold_lapses(r, w, steps),
        lambda r: discussed(r.note_id, r.comment_id) if r.comment_id else [(Note, r.note_id)],
        name="hold_lapses",
    )
    table.on(NoteDeleted, note_deleted, lambda e: [(Note, e.note_id), *revisions(e.note_id, *written(e.revision))])
    table.on(
        CommentDeleted,
        lambda e, w: comment_deleted(e, w, steps),
        lambda e: [*discussed(e.note_id, e.comment_id), *revisions(e.comment_id, *written(e.revision))],
        name="comment_deleted",
    )
    table.on(NoteRelayed, note_relayed, lambda e: [(Note, e.note_id)])
    table.on(NeedDue, lambda r, w: need_due(r, w, steps), lambda r: [(Need, r.need_id)], name="need_due")
    table.on(
        NeedsOrphaned,
        needs_orphaned,
        lambda r: [(Note, r.note_id), *((Need, need_id(comment_id)) for comment_id in r.comment_ids)],
    )
    table.on(GroupOpened, group_opened, lambda e: [(GroupCard, e.group_id)])
    table.on(GroupChanged, group_changed, lambda e: [(GroupCard, e.group_id)])


def count(table: Router, settings: Settings) -> None:
    """Events that count on a note, in its lane, or for a person, in theirs."""
    heat = settings.hot
    table.on(
        NeedAnswered,
        lambda e, w: need_answered(e, w, settings),
        lambda e: [(Note, e.note_id), (Need, e.need_id)],
        name="need_answered",
    )
    table.on(
        AdviceTaken,
        lambda e, w: advice_taken(e, w, heat),
        lambda e: [(Note, e.note_id), (Comment, e.comment_id)],
        name="advice_taken",
    )
    table.on(RecordCounted, record_counted, lambda e: [(Record, e.person_id)])
    table.on(NoteReacted, lambda e, w: note_reacted(e, w, heat), lambda e: [(Note, e.note_id)], name="note_reacted")


def router(settings: Settings, gate: Gated | None = None) -> Router:
    """Payload -> what it reads -> who decides. Without a gate all goes through unseen."""
    table = Router("notes")
    answer(table, gate or NoGate())
    follow(table, settings.need_steps)
    count(table, settings)
    return table
