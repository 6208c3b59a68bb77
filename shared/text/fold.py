"""One character at a time: width, case, look-alikes, the invisible."""

import unicodedata
from functools import lru_cache

from shared.text.spans import Cut, Edit, splice
from shared.text.tables import ALPHABETS, INVISIBLE, LOOKALIKES

_LONGEST = 4
"""A character that folds to more (U+FDFA gives 18) stays as it is, so that no text grows beyond four times."""
_KEPT = 16_384
_OTHER = "\ufdd0"
"""No character, and folds to itself."""


class _Folded(dict[int, str]):
    """What each character folds to, by its number, for `str.translate`; `_OTHER` where that is not one character.

    Bounded, so strange texts cost time, never memory.
    """

    def __missing__(self, number: int) -> str:
        piece = _fold_stable(chr(number))
        one = piece if len(piece) == 1 else _OTHER
        if len(self) >= _KEPT:
            self.clear()
        self[number] = one
        return one


def fold(text: str) -> tuple[str, tuple[Edit, ...]]:
    """`text` folded character by character, and its edits: none where each character gave one. Linear."""
    if text.isascii() and text.isprintable():
        return text.lower(), ()
    alike = text.translate(_FOLDED)
    if _OTHER not in alike:
        return alike, ()
    pieces = list(map(_fold_stable, text))
    folded = "".join(pieces)
    cuts: list[Cut] = [(at, at + 1, piece) for at, piece in enumerate(pieces) if len(piece) != 1]
    # The cuts carry the places; the text in between is the folded one, not the one given.
    return folded, splice(text, cuts)[1]


@lru_cache(_KEPT)
def _fold_stable(char: str) -> str:
    """The fixed point of folding `char`."""
    was, now = "", char
    while was != now:
        was, now = now, "".join(map(_fold_once, now))
        if len(now) > _LONGEST:
            return char
    return now


_FOLDED = _Folded()


def _fold_once(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cc":
        return _control(char)
    if category in {"Zl", "Zp"}:
        return "\n"
    # Cf: zero-width, direction marks, tags. Mn, Me: variation selectors, keycaps, accents piled on a letter.
    if category in {"Cf", "Mn", "Me"} or char in INVISIBLE:
        return ""
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    if char in LOOKALIKES:
        return LOOKALIKES[char]
    for first, count in ALPHABETS:
        if first <= ord(char) < first + count:
            return chr(ord("a") + ord(char) - first)
    return _plain(unicodedata.normalize("NFKC", char).casefold())


def _control(char: str) -> str:
    if char in "\n\r\x85":
        return "\n"
    return " " if char in "\t\v\f" else ""


def _plain(text: str) -> str:
    """A Latin, Greek or Cyrillic letter without its accent; other scripts compose with theirs and keep it."""
    bare = unicodedata.normalize("NFKD", text)
    return bare[0] if len(bare) > 1 and bare[0] < "\u0530" and unicodedata.combining(bare[1]) else text
