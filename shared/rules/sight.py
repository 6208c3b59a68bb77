"""A content as the rules see it: its texts, what is known beside them, and what was found so far."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from shared.rules.hosts import hosts, lookalike
from shared.rules.phrases import Table
from shared.rules.vocabulary import Value
from shared.text import Normalised

RUN = "content.run"
LEAST_RUN = 4
"""A shorter one counts as none."""
_RUN = re.compile(rf"([^\s哈啊呜嘿呵])\1{{{LEAST_RUN - 1},}}")

Truth = bool | None
"""None: unknown, because a fact is."""
Span = tuple[int, int] | None


class Sight:
    """One content. Whatever is asked is looked at once, and only when it is asked.

    `written` is the text as it was written, `text` as it reads; both None where only facts are known. `facts` has what
    was told, by key; what is not there is unknown.
    """

    __slots__ = ("_before", "_disguised", "_looked", "before", "facts", "memo", "said", "spans", "text", "written")

    def __init__(
        self,
        written: str | None,
        text: Normalised | None,
        facts: Mapping[str, Value] | None = None,
        before: Normalised | None = None,
    ) -> None:
        self.written: Final = written
        self.text: Final = text
        self.before: Final = before
        self.facts: Final[dict[str, Value]] = dict(facts) if facts else {}
        self.memo: Final[dict[str, Truth]] = {}
        self.spans: Final[dict[Table, Span]] = {}
        self.said: dict[object, Any] = {}
        """What a set of rules says of the text alone, remembered for it."""
        self._before: Final[dict[Table, Truth]] = {}
        self._disguised: dict[Table, bool] = {}
        self._looked: tuple[Sequence[Table], bool] = ((), False)

    def knowing(self, facts: Mapping[str, Value], before: Normalised | None = None) -> "Sight":
        """The same text with more known beside it; what was found in the text stays found."""
        made = Sight(self.written, self.text, {**self.facts, **facts}, before)
        made.spans.update(self.spans)
        made._disguised, made._looked = self._disguised, self._looked
        if OF_TEXT.keys().isdisjoint(facts):
            made.said = self.said
        return made

    def look(self, tables: Sequence[Table]) -> bool:
        """Search for these tables at once: what most rules ask for, without a call for each of them.

        False where neither they nor any table that was searched for before has found anything.
        """
        if self.text is None:
            return True
        if self._looked[0] is tables:
            return self._looked[1]
        text, spans = self.text.text, self.spans
        plain = text.isascii()
        for table in [table for table in tables if table not in spans]:
            match = None if plain and table.han else table.search(text)
            spans[table] = match.span() if match else None
        self._looked = tables, any(spans.values())
        return self._looked[1]

    def fact(self, key: str) -> Value | None:
        """What is known under a key; what the text tells by itself is read from it."""
        if key not in self.facts and self.text is not None and self.written is not None and key in OF_TEXT:
            self.facts[key] = OF_TEXT[key](self.written, self.text)
        return self.facts.get(key)

    def place(self, table: Table) -> Span:
        """Where the text has one of the phrases first, in the text as it reads; None if nowhere or unknown."""
        if table not in self.spans:
            self.look((table,))
        return self.spans.get(table)

    def has(self, table: Table) -> Truth:
        """Whether the text has one of the phrases."""
        return None if self.text is None else self.place(table) is not None

    def had(self, table: Table) -> Truth:
        """Whether the revision before had one of them."""
        if table not in self._before:
            self._before[table] = None if self.before is None else table.search(self.before.text) is not None
        return self._before[table]

    def disguises(self, table: Table) -> Truth:
        """Whether one of the phrases is written otherwise than it reads, width, case and blanks apart."""
        if table in self.spans and self.spans[table] is None:
            return False
        if self.text is None or self.written is None:
            return None
        if self.place(table) is None:
            return False
        if table not in self._disguised:
            self._disguised[table] = any(
                _plain(self.written[slice(*self.text.original(*match.span()))]) != _plain(match.group())
                for match in table.pattern.finditer(self.text.text)
            )
        return self._disguised[table]


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def _longest_run(text: str) -> int:
    # Most texts have none: no generator for these.
    if _RUN.search(text) is None:
        return 1
    return max(len(match.group()) for match in _RUN.finditer(text))


OF_TEXT: Mapping[str, Callable[[str, Normalised], Value]] = {
    "content.length": lambda _, seen: len(seen.text),
    RUN: lambda _, seen: _longest_run(seen.text),
    "content.hosts": lambda _, seen: len(hosts(seen)),
    "content.lookalike": lookalike,
}
"""Facts that nobody tells, since the text does."""
