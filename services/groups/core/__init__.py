"""Rules of groups: who gets in, what earns a tier. Pure."""

from .gate import Question
from .group import CHARTER_PARTS, Charter, Group, change
from .membership import Member, admit, leave, member_id
from .notes import Help, RelayedNote, helped, relayed
from .tiers import contribute, tier

__all__ = [
    "CHARTER_PARTS",
    "Charter",
    "Group",
    "Help",
    "Member",
    "Question",
    "RelayedNote",
    "admit",
    "change",
    "contribute",
    "helped",
    "leave",
    "member_id",
    "relayed",
    "tier",
]
