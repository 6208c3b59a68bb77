"""Days of the topics, read for an evaluation, and what that comes to: a table of plain text, and a plot as SVG."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.recommend.core import Evaluation, Figures, Looks, Outcome, figures
from services.recommend.core.evaluation import LARGE, SIZES, WITHIN
from shared.contracts.notes import NoteRelayed
from shared.contracts.recommend import FeedbackGiven, GroupsSuggested, MembershipHeard

SOURCES = (NoteRelayed.TOPIC.name, GroupsSuggested.TOPIC.name, FeedbackGiven.TOPIC.name)
"""The topics that have them."""
COLUMNS = ("", "relays", "first", f"of {WITHIN}", "MRR", f"macro of {WITHIN}", f"popular of {WITHIN}")
WIDE, HIGH, EDGE = 900, 300, 50
"""Pixels of the plot, and of the space around it."""
OURS, POPULAR = "#2f7dc1", "#9aa5b1"


class _Relayed(msgspec.Struct):
    note_id: str
    group_id: str


class _Suggestion(msgspec.Struct):
    group_id: str


class _Suggested(msgspec.Struct):
    note_id: str
    suggestions: tuple[_Suggestion, ...]


class _Tie(msgspec.Struct):
    person_id: str
    group_id: str
    kind: str = ""
    member: bool = False


class Past:
    """Takes records in the order of their sending; what cannot be read is counted and left out."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._relayed, self._suggested = msgspec.json.Decoder(_Relayed), msgspec.json.Decoder(_Suggested)
        self._tie = msgspec.json.Decoder(_Tie)
        self.records = 0
        self.unreadable = 0

    def take(self, records: Iterable[Any]) -> None:
        """Records of a Kafka client: with `headers` and `value`."""
        for record in records:
            self.records += 1
            headers = dict(record.headers)
            try:
                self._take(headers.get("ce_type", b"").decode(), record.value, headers)
            except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
                self.unreadable += 1

    def _take(self, kind: str, value: bytes, headers: dict[str, bytes]) -> None:
        if kind == NoteRelayed.TYPE:
            to = self._relayed.decode(value)
            self._evaluation.relayed(to.note_id, to.group_id, _time(headers))
        elif kind == GroupsSuggested.TYPE:
            told = self._suggested.decode(value)
            groups = [one.group_id for one in told.suggestions]
            self._evaluation.suggested(told.note_id, groups, int(headers["ce_sequence"]))
        elif kind in (FeedbackGiven.TYPE, MembershipHeard.TYPE):
            tie, looks = self._tie.decode(value), self._evaluation.looks
            if tie.kind == "seen":
                looks.saw(tie.person_id, tie.group_id, _time(headers))
            elif tie.member:
                looks.went(tie.person_id, tie.group_id, _time(headers))


def _time(headers: dict[str, bytes]) -> datetime:
    return datetime.fromisoformat(headers["ce_time"].decode())


def shown(looks: Looks) -> str:
    """What the lists of people came to, in a line."""
    share = [f"{part:,} ({part / (looks.shown or 1):.1%})" for part in (looks.again, looks.joined)]
    return f"{looks.shown:,} groups shown to people, {share[0]} again within a week, {share[1]} joined within a week"


def parts(outcomes: Sequence[Outcome]) -> list[tuple[str, Figures]]:
    """All, each week, each size of group that there is."""
    weeks = sorted({one.week for one in outcomes})
    sizes = [name for name in (*(name for _, name in SIZES), LARGE) if any(one.size == name for one in outcomes)]
    return [
        ("all", figures(outcomes)),
        *((week, figures(one for one in outcomes if one.week == week)) for week in weeks),
        *((f"groups of {size}", figures(one for one in outcomes if one.size == size)) for size in sizes),
    ]


def table(outcomes: Sequence[Outcome]) -> str:
    """A row for each part."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for name, told in parts(outcomes):
        shares = (told.first, told.within, told.mrr, told.macro, told.popular)
        rows.append((name, f"{told.n:,}", *(f"{value:.3f}" for value in shares)))
    wide = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.rjust(wide[place]) if place else cell.ljust(wide[0]) for place, cell in enumerate(row))
        for row in rows
    )


def plot(outcomes: Sequence[Outcome]) -> str:
    """How often the group was among the first five, for each week and size, beside what is popular; an SVG image."""
    told = parts(outcomes)
    wide, high = (WIDE - 2 * EDGE) / len(told), HIGH - 2 * EDGE
    body = [_text(EDGE, 20, f"relays whose group was among {WITHIN} suggested, and among the {WITHIN} most popular")]
    for place, (name, of) in enumerate(told):
        left = EDGE + place * wide
        for step, (share, colour) in enumerate(((of.within, OURS), (of.popular, POPULAR))):
            tall = high * share
            at = f'x="{left + step * wide * 0.4:.1f}" y="{HIGH - EDGE - tall:.1f}"'
            body.append(f'<rect {at} width="{wide * 0.38:.1f}" height="{tall:.1f}" fill="{colour}"/>')
        body.append(_text(left, HIGH - EDGE + 15 + 14 * (place % 2), name))
    axis = f'<path d="M{EDGE} {EDGE}V{HIGH - EDGE}H{WIDE - EDGE}" fill="none" stroke="#333"/>'
    lines = "\n".join([*body, axis, _text(20, EDGE + 5, "1"), _text(20, HIGH - EDGE, "0")])
    font = 'font-family="sans-serif" font-size="11"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" {font}>'
    return f'{head}\n<rect width="{WIDE}" height="{HIGH}" fill="white"/>\n{lines}\n</svg>\n'


def _text(left: float, up: float, words: str) -> str:
    return f'<text x="{left:.0f}" y="{up:.0f}">{words}</text>'
