"""Rules of the hand-over: who may relay a note where."""

from services.notes.core.documents import GroupCard, Note
from services.notes.core.texts import seen
from shared.errors import Rejected


def relayable(note: Note | None, group: GroupCard | None, person: str, *, any_note: bool, again: bool) -> None:
    """Whether a person may hand a note over to a group; its author, the group's owner, or staff.

    A closed group takes no new note; ``again`` is one that it has.

    Raises:
        Rejected: unknown note or group (404), a deleted note (410), no right (403), a closed group (409).
    """
    note = seen(note, "note")
    if group is None or not group.owner_id:
        raise Rejected("unknown-group", 404)
    if not any_note and person not in (note.author_id, group.owner_id):
        raise Rejected("not-yours-to-relay", 403, detail="The note's author, the group's owner or staff relay it.")
    if group.state == "closed" and not again:
        raise Rejected("group-closed", 409)
