"""When X happens, do Y. The table is at the end."""

from services.notes import core
from services.notes.core import Comment, GroupCard, Need, Note, Relay
from services.notes.handlers.commands import AcceptAnswer, NeedDue, PostComment, PostNote, RelayNote, TakeAdvice
from services.notes.handlers.helping import accept_answer, advice_taken, need_answered, need_due, take_advice
from services.notes.handlers.judging import comment_posted, content_judged
from services.notes.handlers.posting import post_comment, post_note
from services.notes.handlers.relaying import group_changed, group_opened, note_relayed, relay_note
from services.notes.settings import Settings
from shared.contracts.groups import GroupChanged, GroupOpened
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import AdviceTaken, CommentPosted, NeedAnswered, NoteRelayed
from shared.flow.router import Router


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
