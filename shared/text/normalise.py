"""The passes, in order: fold characters, close spelled-out words, name contact words alike."""

import re
from hashlib import sha256
from itertools import pairwise

from shared.text import tables
from shared.text.fold import fold
from shared.text.spans import Cut, Normalised, splice

VERSION = sha256(
    repr((1, sorted(tables.LOOKALIKES.items()), tables.SEPARATORS, sorted(tables.NUMERALS), tables.TOKENS)).encode()
).hexdigest()[:12]
"""Changes whenever a table here does; a verdict that names its rules names this too. The 1 is the code's own."""

_MOST_APART = 3
"""Characters between two letters of a spelled-out word, at most."""

_NUMERAL = "0-9" + "".join(tables.NUMERALS)
_GROUP = re.compile(f"([{_NUMERAL}]+)|([a-z]+)|([一-鿿]+)")
_SEPARATED = re.compile(f"[{tables.SEPARATORS}]+")
# Worth a closer look: a character on its own between separators, a phone cut in parts, a row of numerals.
_SUSPECT = re.compile(
    f"[{tables.SEPARATORS}][{_NUMERAL}a-z一-鿿][{tables.SEPARATORS}]"
    f"|[0-9]{{3,4}}[{tables.SEPARATORS}]{{1,3}}[0-9]{{4}}|[{_NUMERAL}]{{7}}"
)
_TO_DIGITS = str.maketrans(tables.NUMERALS)
_MOBILE = re.compile("1[3-9][0-9]{9}")

_Group = tuple[int, int, int]
"""(start, end, class): 1 numerals, 2 Latin letters, 3 Han characters."""


def normalise(text: str) -> Normalised:
    """`text` as rules should see it, with the way back to the original.

    Any str will do, lone surrogates too. Linear in the length, which the caller limits; the result has at most
    four times the characters, plus six for each contact word. Normalising the result again changes nothing.
    """
    folded, edits = fold(text)
    passes = [edits]
    for find in (_spelled_out, _tokens):
        cuts = find(folded)
        if cuts:
            folded, edits = splice(folded, cuts)
            passes.append(edits)
    return Normalised(folded, tuple(edits for edits in passes if edits))


def _tokens(text: str) -> list[Cut]:
    """Every form of a contact word (薇信, V信, vx, 加扣 …) becomes the one name of it."""
    return [
        (match.start(), match.end(), token)
        for match in tables.TOKEN.finditer(text)
        if (token := tables.TOKENS[(match.lastindex or 1) - 1][0]) != match.group()
    ]


def _spelled_out(text: str) -> list[Cut]:
    """Words and numbers with something between each two characters ("加*微*信", "1 3 8-…") are closed up."""
    # Looking only costs where there is something to see: most texts have no character on its own.
    if not _SUSPECT.search(f" {text} "):
        return []
    groups: list[_Group] = [(m.start(), m.end(), m.lastindex or 0) for m in _GROUP.finditer(text)]
    cuts: list[Cut] = []
    chain: list[_Group] = []
    for group in groups:
        if chain and not _linked(text, chain[-1], group):
            cuts += _closed(text, chain)
            chain = []
        if group[2] == 1 or _alone(text, group):
            chain.append(group)
    return cuts + _closed(text, chain)


def _alone(text: str, group: _Group) -> bool:
    """One letter with no letter beside it: 号 in "qq号" is part of a word although its script stands alone."""
    start, end, _ = group
    beside = text[max(start - 1, 0) : start] + text[end : end + 1]
    return end - start == 1 and not any(map(str.isalnum, beside))


def _linked(text: str, left: _Group, right: _Group) -> bool:
    """May `right` go on the word that `left` is in: the same class, only a few separators or nothing between."""
    between = text[left[1] : right[0]]
    if left[2] != right[2] or len(between) > _MOST_APART:
        return False
    if right[2] != 1 and not _alone(text, right):
        return False
    return not between or _SEPARATED.fullmatch(between) is not None


def _closed(text: str, chain: list[_Group]) -> list[Cut]:
    """The cut that closes a chain, or none where it reads like ordinary writing (a date, a list, a price)."""
    if not chain:
        return []
    joined = "".join(text[start:end] for start, end, _ in chain)
    kind = chain[0][2]
    if kind == 1:
        joined = joined.translate(_TO_DIGITS)
        if not _is_hidden_number(chain, joined):
            return []
    elif len(chain) < (4 if kind == 2 else 3):
        return []
    start, end = chain[0][0], chain[-1][1]
    return [] if text[start:end] == joined else [(start, end, joined)]


def _is_hidden_number(chain: list[_Group], digits: str) -> bool:
    """Seven digits or more, written one by one or cut like a mobile number; "170 175 180" stays as it is."""
    if len(digits) < 7 or len(chain) == 1:
        return len(digits) >= 7
    singles = sum(end - start == 1 for start, end, _ in chain)
    gaps = sum(left[1] < right[0] for left, right in pairwise(chain))
    return gaps > 0 and (singles * 2 > len(chain) or _MOBILE.fullmatch(digits) is not None)
