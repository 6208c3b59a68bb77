"""From which chance on the model may hide: fitted on the community's own texts, so that it spares them.

What the model gives to texts that the rules have spared is watched, but for what staff have found to be spam. It may
hide no more than one in a hundred of these, whatever they are: if it is wrong about all of them, that is what it costs.
Spam among them that nobody has found only makes it milder. And it must be sure by its own account, so that a community
without spam loses nothing.
"""

from collections.abc import Iterable
from typing import ClassVar
from zlib import crc32

from msgspec.structs import replace

from shared.flow.documents import Document

KEPT = 1_000
"""Chances that are remembered; the oldest go first."""
LEAST = 100
"""Chances that there must be for the bar to be fitted; before the first time the model may hide nothing."""
MOST_HIDDEN = 0.01
"""Share of the texts spared by the rules that the model may hide at most."""
SURE = 0.9
"""Below this chance nothing is hidden, however rare it is."""
RENEWED = 50
"""The bar moves after so many new chances, so that its version is not another one for every text."""
DIGITS = 4


class Bar(Document, frozen=True, kw_only=True):
    """The last chances given to texts that the rules have spared, and the bar that follows. `at` is None: no bar yet.

    `taken` counts all chances ever, `moved` how many there were when the bar was fitted last. `contents` says to what
    the chances were given, by a checksum of its id; there are fewer where the first were not noted.
    """

    COLLECTION: ClassVar[str] = "bars"
    REBUILT: ClassVar[bool] = False

    chances: tuple[float, ...] = ()
    contents: tuple[int, ...] = ()
    taken: int = 0
    moved: int = 0
    at: float | None = None

    @property
    def version(self) -> str:
        """Names the bar in a verdict."""
        return f"b{self.moved}"


def watched(bar: Bar, chances: Iterable[float], content: str = "") -> Bar:
    """The bar after more texts of the community, in their order; all of this content, if it is named."""
    mark = _mark(content)
    for chance in chances:
        kept = (*bar.chances, round(chance, DIGITS))[-KEPT:]
        bar = replace(bar, chances=kept, contents=(*bar.contents, mark)[-KEPT:], taken=bar.taken + 1)
        if len(kept) >= LEAST and bar.taken - bar.moved >= RENEWED:
            bar = replace(bar, at=fitted(kept), moved=bar.taken)
    return bar


def found_spam(bar: Bar, content: str) -> Bar:
    """The bar once staff have found a content to be spam: it says nothing of honest texts, so it is watched no more.

    The bar itself moves with the chances that come. A decision that is taken back does not bring them back.
    """
    unknown = len(bar.chances) - len(bar.contents)
    named = zip(bar.chances[unknown:], bar.contents, strict=True)
    left = [(chance, mark) for chance, mark in named if mark != _mark(content)]
    chances = (*bar.chances[:unknown], *(chance for chance, _ in left))
    return replace(bar, chances=chances, contents=tuple(mark for _, mark in left))


def above(bar: Bar) -> int:
    """How many of the chances lie above the bar; none if there is no bar."""
    return sum(chance > bar.at for chance in bar.chances) if bar.at is not None else 0


def _mark(content: str) -> int:
    return crc32(content.encode())


def fitted(chances: Iterable[float]) -> float:
    """The chance that at most `MOST_HIDDEN` of these lie above, and never less than `SURE`. Needs at least one."""
    above = sorted(chances, reverse=True)
    return max(SURE, above[int(MOST_HIDDEN * len(above))])
