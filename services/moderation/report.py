"""What a backtest comes to, to be read: a table of plain text, and a plot as SVG."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import get_args

from services.moderation.core import Kind
from services.moderation.core.backtest import Change, Outcome

WORDS: dict[Change, str] = {
    "both": "hidden then, and by these rules",
    "added": "hidden by these rules alone",
    "spared": "hidden then, and spared by these rules",
    "model": "hidden then with the text model, which these rules do not see",
    "staff": "decided by staff, who hold whatever rules say",
}
COLOURS: dict[Change, str] = {"both": "#9aa5b1", "added": "#c8442e", "spared": "#2f7dc1"}
WIDE, HIGH, EDGE = 900, 300, 50
"""Pixels of the plot, and of the space around it."""
HOURS = timedelta(days=3)
"""Up to so long a time is shown by the hour, a longer one by the day."""


def table(outcomes: Sequence[Outcome], texts: Counter[Kind]) -> str:
    """How many contents of each kind come out how, and which rules do it."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    counts = Counter((outcome.change, outcome.kind) for outcome in outcomes)
    rows = [["", *(f"{kind}s" for kind in kinds), "all"]]
    rows += [["texts", *(f"{texts[kind]:,}" for kind in kinds), f"{texts.total():,}"]]
    for change, words in WORDS.items():
        found = [counts[change, kind] for kind in kinds]
        rows.append([words, *(f"{count:,}" for count in found), f"{sum(found):,}"])
    added = Counter(rule for outcome in outcomes if outcome.change == "added" for rule in outcome.would)
    spared = Counter(rule for outcome in outcomes if outcome.change == "spared" for rule in outcome.was)
    by_rule = [["rule", "hides more", "spares more"]]
    by_rule += [[rule, f"{added[rule]:,}", f"{spared[rule]:,}"] for rule in sorted(added.keys() | spared.keys())]
    return f"{_aligned(rows)}\n\n{_aligned(by_rule)}" if len(by_rule) > 1 else _aligned(rows)


def people(outcomes: Iterable[Outcome], most: int) -> str:
    """Who would be judged otherwise, those with most of it first: what is added, what is spared, and one content."""
    changed = [outcome for outcome in outcomes if outcome.change in ("added", "spared")]
    counts = Counter(outcome.author_id for outcome in changed)
    one = {outcome.author_id: outcome for outcome in reversed(changed)}
    rows = [["author", "added", "spared", "for example", "then", "now"]]
    for person, _ in counts.most_common(most):
        of = Counter(outcome.change for outcome in changed if outcome.author_id == person)
        shown = one[person]
        reasons = (" ".join(shown.was) or "-", " ".join(shown.would) or "-")
        rows.append([person, str(of["added"]), str(of["spared"]), f"{shown.kind} {shown.content_id}", *reasons])
    more = [f"… and {len(counts) - most:,} more"] if len(counts) > most else []
    return "\n".join([_aligned(rows), *more]) if counts else "nobody would be judged otherwise"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns under each other: the first to the left, numbers to the right."""
    wide = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    numbers = {place for place in range(1, len(wide)) if all(row[place][:1].isdigit() for row in rows[1:])}
    lines = (
        "  ".join(
            cell.rjust(wide[place]) if place in numbers else cell.ljust(wide[place]) for place, cell in enumerate(row)
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def plot(outcomes: Iterable[Outcome], span: tuple[datetime, datetime]) -> str:
    """Contents hidden over time, as an SVG image: on both sides, by these rules alone, and then alone."""
    since, until = span
    step = timedelta(hours=1) if until - since <= HOURS else timedelta(days=1)
    many = max(1, -(-(until - since) // step))
    counts = Counter((min(max((o.at - since) // step, 0), many - 1), o.change) for o in outcomes if o.change in COLOURS)
    top = max((sum(counts[place, change] for change in COLOURS) for place in range(many)), default=0) or 1
    wide, high = (WIDE - 2 * EDGE) / many, HIGH - 2 * EDGE
    parts = [_text(EDGE, 20, f"hidden, by the {'hour' if step < timedelta(days=1) else 'day'}")]
    for place in range(many):
        base = float(HIGH - EDGE)
        for change, colour in COLOURS.items():
            tall = high * counts[place, change] / top
            base -= tall
            parts += [_bar((EDGE + place * wide, base, wide * 0.9, tall), colour)] if tall else []
    for place, (change, colour) in enumerate(COLOURS.items()):
        parts += [_bar((EDGE + 250 * place, 28, 10, 10), colour), _text(EDGE + 250 * place + 15, 38, WORDS[change])]
    ends = [_text(EDGE, HIGH - 25, f"{since:%Y-%m-%d %H:%M}"), _text(WIDE - 160, HIGH - 25, f"{until:%Y-%m-%d %H:%M}")]
    axis = f'<path d="M{EDGE} {EDGE}V{HIGH - EDGE}H{WIDE - EDGE}" fill="none" stroke="#333"/>'
    body = "\n".join([*parts, *ends, axis, _text(8, EDGE + 5, f"{top:,}"), _text(8, HIGH - EDGE, "0")])
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" font-family="sans-serif" font-size="12">'
    )
    return f'{head}\n<rect width="{WIDE}" height="{HIGH}" fill="white"/>\n{body}\n</svg>\n'


def _bar(place: tuple[float, float, float, float], colour: str) -> str:
    left, up, wide, tall = place
    return f'<rect x="{left:.1f}" y="{up:.1f}" width="{wide:.1f}" height="{tall:.1f}" fill="{colour}"/>'


def _text(left: float, up: float, words: str) -> str:
    return f'<text x="{left:.0f}" y="{up:.0f}">{escape(words)}</text>'
