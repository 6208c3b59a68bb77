"""Rules of groups: who gets in, what earns a tier, what becomes of a question. Pure."""

from .gate import Question
from .group import CHARTER_PARTS, Charter, Group, change
from .membership import Member, admit, leave, member_id
from .needs import Need, accept, due, escalate, need_id, need_of
from .notes import Help, RelayedNote, helped, relayed
from .talk import Message, listens, rule_message, take_away, writable
from .tiers import contribute, tier

__all__ = [
    "CHARTER_PARTS",
    "Charter",
    "Group",
    "Help",
    "Member",
    "Message",
    "Need",
    "Question",
    "RelayedNote",
    "accept",
    "admit",
    "change",
    "contribute",
    "due",
    "escalate",
    "helped",
    "leave",
    "listens",
    "member_id",
    "need_id",
    "need_of",
    "relayed",
    "rule_message",
    "take_away",
    "tier",
    "writable",
]
