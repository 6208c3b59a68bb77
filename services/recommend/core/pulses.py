"""Whether a group is alive, and how well it answers: one small document a group, and a view of them.

Alive is a group in which two people were heard within 30 days, or one helped another, or that is younger than that.
One voice alone is no talk, joins are none either (what is suggested would keep itself alive), and nor is a text that
the gate has held. Of a group that is alive,

    grade = (answered + 2) / (asked + 2)

multiplies the score: of the questions of four weeks that were answered, or are older than their day. Who asks there may
hope for that, and more chatter does not move it. Of people and questions the newest news counts, so that the order in
which it comes leaves no trace.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar, Literal

import msgspec
from msgspec.structs import replace

from shared.flow.documents import Document

Fate = Literal["open", "answered", "withdrawn"]

MOST_DAYS = 30
"""A group of which nothing was heard for longer is dead: suggested to nobody until people talk there again."""
RECENT_DAYS = 28
KEPT = 16
"""Questions of a group that are looked at, the newest."""
HOPE = 2
"""Questions that every group is supposed to have answered before its first."""


class Voice(msgspec.Struct, frozen=True):
    """Somebody, and the last day on which they were heard."""

    person_id: str
    day: int


class Ask(msgspec.Struct, frozen=True):
    """A question in the talk of a group, as the news of the highest sequence has it, and the day of that."""

    need_id: str
    day: int
    sequence: int
    fate: Fate


class Pulse(Document, frozen=True, kw_only=True):
    """What was heard of a group. Days are counted from year 1, UTC; 0 is never.

    `voices` are the two people heard last, the later one first; `helped` is when help was last accepted in a note that
    was relayed here; `asks` are the questions of which there was news last, in the order of that.
    """

    COLLECTION: ClassVar[str] = "pulses"
    REBUILT: ClassVar[bool] = True
    FOLLOWED: ClassVar[bool] = True

    opened: int = 0
    voices: tuple[Voice, ...] = ()
    helped: int = 0
    asks: tuple[Ask, ...] = ()


def founded(pulse: Pulse, at: datetime) -> Pulse:
    """The pulse of a group that was founded then."""
    return replace(pulse, opened=_day(at))


def heard(pulse: Pulse, person_id: str, at: datetime) -> Pulse:
    """The pulse after somebody wrote in the group; the same object if that is no news."""
    last = {voice.person_id: voice.day for voice in pulse.voices}
    last[person_id] = max(last.get(person_id, 0), _day(at))
    latest = sorted(last.items(), key=lambda one: (-one[1], one[0]))[:2]
    voices = tuple(Voice(person, day) for person, day in latest)
    return pulse if voices == pulse.voices else replace(pulse, voices=voices)


def helped(pulse: Pulse, at: datetime) -> Pulse:
    """The pulse after somebody's help was accepted in a note that was relayed to the group."""
    return replace(pulse, helped=max(pulse.helped, _day(at)))


def asked(pulse: Pulse, need_id: str, fate: Fate, at: datetime, sequence: int) -> Pulse:
    """The pulse after news of a question; the same object if it is older than what is known."""
    asks = {ask.need_id: ask for ask in pulse.asks}
    if need_id in asks and sequence <= asks[need_id].sequence:
        return pulse
    asks[need_id] = Ask(need_id, _day(at), sequence, fate)
    newest = sorted(asks.values(), key=lambda ask: (ask.day, ask.need_id))[-KEPT:]
    return replace(pulse, asks=tuple(newest))


def alive(pulse: Pulse, now: datetime) -> bool:
    """Whether somebody may be sent there."""
    both = pulse.voices[1].day if len(pulse.voices) > 1 else 0
    return max(pulse.opened, pulse.helped, both) >= _day(now) - MOST_DAYS


def grade(pulse: Pulse, now: datetime) -> float:
    """What a score is multiplied by, above 0 and at most 1; 0 for a group that is dead."""
    if not alive(pulse, now):
        return 0.0
    today, answered, waiting = _day(now), 0, 0
    for ask in pulse.asks:
        if ask.day >= today - RECENT_DAYS:
            answered += ask.fate == "answered"
            waiting += ask.fate == "open" and ask.day < today
    return (answered + HOPE) / (answered + waiting + HOPE)


class _Grades(dict[str, float]):
    """The grades of a day, as far as they were asked for."""

    def __init__(self, held: dict[str, Pulse], now: datetime) -> None:
        super().__init__()
        self._held, self._now = held, now

    def __missing__(self, group_id: str) -> float:
        held = self._held.get(group_id)
        known = self[group_id] = 1.0 if held is None else grade(held, self._now)
        return known


class Pulses:
    """The groups of which anything was heard; a view. Any other one is as good as the best.

    That is one whose opening was heard of by a release that kept no pulses, until a rebuild.
    """

    def __init__(self) -> None:
        self._held: dict[str, Pulse] = {}
        self._day = 0
        self._grades = _Grades({}, datetime.min.replace(tzinfo=UTC))

    def put(self, pulse: Pulse) -> None:
        """Take up what was heard of a group."""
        self._held[pulse.id] = pulse
        self._grades.pop(pulse.id, None)

    def remove(self, group_id: str) -> None:
        """Forget a group; one that is not held is no error."""
        self._held.pop(group_id, None)
        self._grades.pop(group_id, None)

    def alive(self, group_id: str, now: datetime) -> bool:
        """As of `alive`."""
        return self.grade(group_id, now) > 0

    def grade(self, group_id: str, now: datetime) -> float:
        """As of `grade`."""
        return self.grades(now)[group_id]

    def grades(self, now: datetime) -> Mapping[str, float]:
        """As of `grade`, for any group; for as long as nothing is put."""
        if (day := _day(now)) != self._day:
            self._day, self._grades = day, _Grades(self._held, now)
        return self._grades


def _day(at: datetime) -> int:
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).toordinal()
