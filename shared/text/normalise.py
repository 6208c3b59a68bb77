"""The passes, in order: fold characters, put split ones together, close spelled-out words and numbers,
name contact words alike."""

import re
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise

from shared.text import tables
from shared.text.fold import fold
from shared.text.spans import Cut, Normalised, splice

_WORDS = (tables.LOOKALIKES, tables.NUMERALS, tables.DIGIT_LIKE, tables.TOGETHER, tables.PAIRS)
_FORMS = (tables.SEPARATORS, tables.TOKENS, tables.PINYIN)
VERSION = sha256(repr((3, [sorted(table.items()) for table in _WORDS], _FORMS)).encode()).hexdigest()[:12]
"""Changes whenever a table here does; a verdict that names its rules names this too. The 3 is the code's own."""

_MOST_APART = 3
"""Characters between two letters of a spelled-out word, at most."""

_MOST_ROUNDS = 4
"""What one contact word becomes may be the account that another one waits for; never deeper than this."""

_NUMERAL = "0-9" + "".join(tables.NUMERALS)
_LIKE = "".join(tables.DIGIT_LIKE)
_WORD = "a-z0-9一-鿿"
_LONE = "[a-z一-鿿]"
# A number, also with letters in it that look like digits, where no other letter touches it; a row of o's is one too.
_GROUP = re.compile(
    f"((?<![a-z0-9])[{_LIKE}]?[{_NUMERAL}][{_NUMERAL}{_LIKE}]{{0,20}}(?<=[o{_NUMERAL}])(?![a-z0-9])"
    f"|[{_NUMERAL}]+|(?<![a-z0-9])o{{3,4}}(?![a-z0-9]))|([a-z]+)|([一-鿿]+)"
)
_SEPARATOR = f"[{tables.SEPARATORS}]"
_LIKE_DIGIT = f"[{_NUMERAL}{_LIKE}]"
_SEPARATED = re.compile(f"{_SEPARATOR}+")
# Three characters in a row each on its own; from the first separator on.
_THREE = f"(?<={_LONE}{_SEPARATOR})(?<![{_WORD}]..){_SEPARATOR}{{0,2}}{_LONE}{_SEPARATOR}{{1,3}}{_LONE}(?![{_WORD}])"
# Worth a closer look: such three, a phone cut in parts, a row of numerals, a numeral on its own. Each is told from a
# character of one class, which the engine skips to.
_SUSPECT = re.compile(
    f"[{tables.SEPARATORS}{_NUMERAL}{_LIKE}](?:{_THREE}"
    f"|(?<=[0-9{_LIKE}]{{3}}{_SEPARATOR}){_SEPARATOR}{{0,2}}[0-9{_LIKE}]{{4}}|{_LIKE_DIGIT}{{6}}(?<={_LIKE_DIGIT}{{7}})"
    f"|(?<=[{_NUMERAL}])(?<![^{tables.SEPARATORS}].)(?![^{tables.SEPARATORS}]))",
    re.DOTALL,
)
# Words are closed up of no fewer, and numbers of no fewer digits.
_APART = re.compile(f"{_SEPARATOR}{_THREE}", re.DOTALL)
_SEVEN = re.compile(f"{_LIKE_DIGIT}(?:{_SEPARATOR}{{0,3}}{_LIKE_DIGIT}){{6}}")
_TO_DIGITS = str.maketrans(tables.NUMERALS | tables.DIGIT_LIKE)
_LEAST_DIGITS = 4
"""Real ones in a number that has letters: fewer may be a word."""
_MOBILE = re.compile("1[3-9][0-9]{9}")

_PARTS = re.compile(
    "|".join(
        (*(f"{radical}[{tables.SEPARATORS}]{{0,{_MOST_APART}}}[一-鿿]" for radical in tables.RADICALS), *tables.PAIRS)
    )
)
_Group = tuple[int, int, int]
"""(start, end, class): 1 numerals, 2 Latin letters, 3 Han characters."""


def normalise(text: str) -> Normalised:
    """`text` as rules should see it, with the way back to the original.

    Any str will do, lone surrogates too. Linear in the length, which the caller limits; the result has at most
    four times the characters, plus six for each contact word. Normalising the result again changes nothing.
    """
    folded, edits = fold(text)
    passes = [edits] if edits else []
    for seems, find in _PASSES:
        if seems(folded) and (cuts := find(folded)):
            folded, edits = splice(folded, cuts)
            passes.append(edits)
        elif find is _tokens:
            break
    return Normalised(folded, tuple(passes))


def _together(text: str) -> list[Cut]:
    """Characters written as their parts ("亻言") become whole."""
    return [
        (match.start(), match.end(), whole)
        for match in _PARTS.finditer(text)
        if (whole := tables.PAIRS.get(match[0]) or tables.TOGETHER.get(match[0][0] + match[0][-1]))
    ]


def _pinyin(text: str) -> list[Cut]:
    """Words that are written as they sound (zhuan qian) become characters."""
    return _named(text, tables.SPOKEN, tables.PINYIN)


def _tokens(text: str) -> list[Cut]:
    """Every form of a contact word (薇信, V信, vx, 加扣 …) becomes the one name of it."""
    return _named(text, tables.TOKEN, tables.TOKENS)


def _named(text: str, forms: re.Pattern[str], table: Sequence[tuple[str, str]]) -> list[Cut]:
    return [
        (match.start(), match.end(), name)
        for match in forms.finditer(text)
        if (name := table[(match.lastindex or 1) - 1][0]) != match.group()
    ]


def _spelled_out(text: str) -> list[Cut]:
    """Words and numbers with something between each two characters ("加*微*信", "1 3 8-…") are closed up."""
    if not (_SEVEN.search(text) or _APART.search(text)):
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
        if not joined.isdigit() and sum(char not in tables.DIGIT_LIKE for char in joined) < _LEAST_DIGITS:
            return []
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


_PASSES = (
    (_PARTS.search, _together),
    (_SUSPECT.search, _spelled_out),
    (_PARTS.search, _together),
    (tables.SYLLABLE.search, _pinyin),
    *[(tables.TOKEN.search, _tokens)] * _MOST_ROUNDS,
)
"""In their order, each with what is in every text where it finds something: most texts have nothing for any of them."""
