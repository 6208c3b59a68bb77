"""The talk in a group: who may write, and what a verdict or its author does to a message."""

from datetime import datetime
from typing import ClassVar

from msgspec.structs import replace

from shared.errors import Rejected
from shared.flow.documents import Document, Texts

from .group import Group
from .membership import Member


class Message(Document, frozen=True, kw_only=True):
    """A message; ``ruled`` is the sequence of the last verdict that was taken up."""

    COLLECTION: ClassVar[str] = "messages"
    REBUILT: ClassVar[bool] = False
    TEXTS: ClassVar[Texts] = {"author_id": ("text",)}

    group_id: str
    parent_id: str | None
    author_id: str
    text: str
    created_at: datetime
    hidden: bool = False
    ruled: int = 0

    @property
    def gone(self) -> bool:
        """Whether its author has deleted it, or was erased: nothing can be posted empty."""
        return not self.text


def listens(group: Group | None, member: Member | None, person: str) -> Group:
    """The group, to one who belongs to it: a member, or its owner.

    Raises:
        Rejected: unknown group (404), not a member or no more (403).
    """
    if group is None:
        raise Rejected("unknown-group", 404)
    if person != group.owner_id and (member is None or member.state != "member"):
        left = member is not None and member.state == "left"
        detail = "You have left the group." if left else "Only members read and write here."
        raise Rejected("not-a-member", 403, detail=detail)
    return group


def writable(group: Group, parent: Message | None, parent_id: str | None) -> None:
    """Whether one who belongs to the group may write here now.

    Raises:
        Rejected: a closed group (403), a parent that is not to be seen in this group (404).
    """
    if group.state == "closed":
        raise Rejected("group-closed", 403, detail="The group is closed: nobody writes here at present.")
    if parent_id is not None and (parent is None or not in_sight(parent, group.id)):
        raise Rejected("unknown-message", 404, detail="The parent is not a message of this group.")


def in_sight(message: Message, group_id: str) -> bool:
    """Whether a message can be seen by all in the group."""
    return message.group_id == group_id and not message.hidden and not message.gone


def take_away(message: Message | None, group_id: str, person: str) -> tuple[Message, bool]:
    """The message without its text, and whether that is news.

    Raises:
        Rejected: unknown message (404), somebody else's (403).
    """
    if message is None or message.group_id != group_id:
        raise Rejected("unknown-message", 404)
    if message.author_id != person:
        raise Rejected("not-the-author", 403, detail="Only its author takes a message away.")
    return replace(message, text=""), not message.gone


def unjudged(message: Message) -> bool:
    """Whether a message is hidden because the gate holds it, and no verdict on it has come."""
    return message.hidden and not message.gone and not message.ruled


def rule_message(message: Message, hidden: bool, sequence: int) -> Message | None:
    """The message after a verdict; None for one that is older than what was taken up."""
    return None if sequence <= message.ruled else replace(message, hidden=hidden, ruled=sequence)
