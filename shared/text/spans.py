"""From a place in a rewritten text back to the place in the original."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

Edit = tuple[int, int, int, int]
"""(start, end) in the new text and (start, end) in the old one; what lies between edits is the same in both."""

Cut = tuple[int, int, str]
"""(start, end) in a text, and what stands there afterwards."""

_new_start = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised text and the way back to its original.

    `text` is for matching, never for showing. `passes` holds the edits of each rewriting, first to last;
    a pass that moved nothing is left out, so an ordinary text carries none.
    """

    text: str
    passes: tuple[tuple[Edit, ...], ...] = ()

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The half-open span of the original that became `text[start:end]`.

        It covers each touched replacement whole. An empty span gives an empty span.
        Raises ValueError unless 0 <= start <= end <= len(text). O(log edits).
        """
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"span {start}:{end} is outside a text of {len(self.text)}")
        if start == end:
            edge = self._edge(start)
            return edge, edge
        first, last = start, end - 1
        for edits in reversed(self.passes):
            first, last = _place(edits, first)[0], _place(edits, last)[1] - 1
        return first, last + 1

    def _edge(self, at: int) -> int:
        """The original place between two characters; at the end of the text, behind its last character."""
        if at < len(self.text):
            return self.original(at, at + 1)[0]
        return self.original(at - 1, at)[1] if at else 0


def splice(text: str, cuts: Sequence[Cut]) -> tuple[str, tuple[Edit, ...]]:
    """`text` with the cuts made, and the edits that lead back. Cuts are in order and do not overlap; linear."""
    pieces: list[str] = []
    edits: list[Edit] = []
    done = length = 0
    for start, end, replacement in cuts:
        pieces += (text[done:start], replacement)
        length += start - done
        edits.append((length, length + len(replacement), start, end))
        length += len(replacement)
        done = end
    pieces.append(text[done:])
    return "".join(pieces), tuple(edits)


def _place(edits: Sequence[Edit], at: int) -> tuple[int, int]:
    """The span in the old text of the character `at` in the new one.

    A replaced character stands for the whole old span: there is no finer truth.
    Of edits that start at the same place (a removal, then a replacement) the last one owns the character.
    """
    before = bisect_right(edits, at, key=_new_start) - 1
    if before < 0:
        return at, at + 1
    _, new_end, old_start, old_end = edits[before]
    if at < new_end:
        return old_start, old_end
    moved = at - new_end + old_end
    return moved, moved + 1
