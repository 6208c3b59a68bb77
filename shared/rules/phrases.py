"""Tables of phrases: checked, costed, and made into one expression that the engine searches fast."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from shared.rules.begins import Begins
from shared.rules.errors import BadRules, Fault, Place
from shared.rules.pattern import UNBOUNDED, BadPattern, cost
from shared.rules.syntax import Phrases
from shared.text.patterns import either, words, written_out

MOST_PHRASES = 1_000
"""Of one table."""
MOST_STEPS = 20_000
"""Characters compared at one place of a text, at most, by one table."""

MOST_WORK = 300_000
"""What the engine may have to do for all tables of a set before the first search, in characters that it reads: about
two seconds. A class or a group at the head of a phrase makes it read the rest once for each beginning."""

_HAN = re.compile("[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table that may be searched for.

    han      every phrase begins with a Han character, so plain ASCII has none
    begins   with what a match may begin, as `shared.rules.begins` has it
    """

    name: str
    pattern: re.Pattern[str]
    search: Callable[[str], re.Match[str] | None]
    steps: int
    han: bool
    begins: Begins


class Room:
    """What is left of the work that the engine may have with a set."""

    def __init__(self) -> None:
        self._left = MOST_WORK

    def take(self, work: int) -> None:
        """Raises BadPattern where there is not so much left, and from then on."""
        self._left -= work
        if self._left < 0:
            what = f"the tables of a set have more than {MOST_WORK} characters, written out and with those of classes"
            raise BadPattern(0, what, "smaller classes, or fewer phrases that begin with a class or a group")


def table_of(phrases: Phrases, room: Room) -> Table:
    """The table of a statement.

    Raises:
        BadRules: an expression that is none, is not bounded, or costs too much; each with its place.
    """
    faults: list[Fault] = []
    heads: dict[str, int] = {}
    begin: list[Begins] = []
    for number, match in enumerate(re.finditer(r"\S+", phrases.source)):
        if number == MOST_PHRASES:
            faults.append(Fault(_place(phrases, match.start()), f"more than {MOST_PHRASES} phrases", "make two tables"))
            break
        try:
            whole = cost(match.group())  # before anything is written out
            begin.append(whole.begins)
            forms = written_out(match.group())
            room.take(whole.work * len(forms))
            for form in (cost(form, begun=False) for form in forms):
                heads[form.head] = min(heads.get(form.head, 0) + form.steps, UNBOUNDED)
        except BadPattern as bad:
            faults.append(Fault(_place(phrases, match.start() + bad.at), bad.what, bad.hint))
    if not heads and not faults:
        faults.append(Fault(phrases.at, f"{phrases.name} has no phrases"))
    if faults:
        raise BadRules(faults)
    # One character stands at a place, so only phrases that begin with it, or with no fixed one, go on from there.
    steps = max((steps for head, steps in heads.items() if head), default=0) + heads.get("", 0) + 1
    if steps > MOST_STEPS:
        hint = "fewer repeats that can end in several places, or fewer phrases with one beginning"
        raise _bad(phrases, f"{steps} steps at one place at worst, {MOST_STEPS} allowed", hint)
    pattern = _compiled(phrases)
    han = all(_HAN.match(head) for head in heads)
    return Table(phrases.name, pattern, pattern.search, steps, han, frozenset[str]().union(*begin))


def _compiled(phrases: Phrases) -> re.Pattern[str]:
    try:
        return re.compile((words if phrases.words else either)(phrases.source))
    except (ValueError, re.error) as error:
        raise _bad(phrases, str(error)) from None


def _bad(phrases: Phrases, what: str, hint: str = "") -> BadRules:
    """A fault of a table as a whole."""
    return BadRules([Fault(phrases.at, f"{phrases.name}: {what}", hint)])


def _place(phrases: Phrases, at: int) -> Place:
    """Where a character of the block stands in the source: the block begins with three quotes."""
    before = phrases.source[:at]
    lines = before.count("\n")
    if not lines:
        return Place(phrases.at.line, phrases.at.column + 3 + at)
    return Place(phrases.at.line + lines, at - before.rindex("\n"))
