"""Texts as numbers: runs of neighbouring characters ("grams"), hashed, for many texts at once.

Four views of a text: its characters as written, in pairs; those as `shared.text.normalise` reads them; the words of
that; its outline. With the length and the rules that spoke they are all that the text model sees.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from shared.rules import Judgement, Sight
from shared.text import Normalised

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint32]
Floats = NDArray[np.float32]

BITS = 18
"""A feature is a number below 2 ** 18; two features that share one share their weight."""
MOST_CHARS = 24_000
"""A text is read this far: a little more than a note with its title may have."""
WRITTEN, READ, OUTLINE = 2, 3, 4
"""The longest run of neighbouring characters in each view; of words two."""
LATIN = 5
"""The same of plain ASCII, as read: what one Han character says takes several letters."""
SIGN_VALUE = np.float32(0.2)
"""What a rule that spoke counts in a text, and its length, where all grams together have length one."""

_KINDS = (
    (ord("0"), ord("9"), False),
    (ord("a"), ord("z"), True),
    (0x3400, 0x9FFF, True),
    (ord(" "), ord(" "), True),
)
"""First and last of a kind of characters, and whether a stretch of them counts once."""
_BEYOND_ASCII = 0x80
_START, _END = 0x110000, 0x110001  # stand for the edges of a text; no character has these numbers
SHIFT = np.uint32(32 - BITS)
_POWERS = np.array([pow(0x9E3779B1, n + 1, 1 << 32) for n in range(64)], np.uint32)


class Reading(NamedTuple):
    """A text as it was written, as it is read, what was found in it, and what the rules say of the text alone."""

    text: str
    seen: Normalised
    sight: Sight
    judgement: Judgement


class Features(NamedTuple):
    """What `size` texts have: numbers of features, whose they are (ascending), and what each counts there."""

    size: int
    ids: Ints
    owner: Ints
    values: Floats


class Line(NamedTuple):
    """Texts in a row, an edge before and behind each: code points, place in its text, number of its text."""

    codes: Hashes
    place: Ints
    owner: Ints


Run = tuple[int, NDArray[np.bool_], Hashes]
"""Of runs of one length: how many characters they have, at which places one ends, and the hash of that."""


def features(readings: Sequence[Reading]) -> Features:
    """What the model knows of these texts. Linear in their length."""
    size = len(readings)
    written, read = line([r.text for r in readings]), line([r.seen.text for r in readings])
    shape = outline(read)
    grams = (
        *_keys(written, _within(written, hashed(written, WRITTEN, 1), WRITTEN)),
        *_keys(read, runs(read)),
        *_keys(shape, _within(shape, hashed(shape, OUTLINE, 3), OUTLINE - 1)),
        *_words(read),
    )
    # A last bit tells signs from grams, and one sort finds what a text has twice, for all texts at once.
    keys = np.concatenate((np.concatenate(grams) << 1, _signs(readings) << 1 | 1))
    keys.sort()
    keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))] if len(keys) else keys
    sign, owner = (keys & 1).astype(bool), keys >> (BITS + 1)
    many = np.maximum(np.bincount(owner[~sign], minlength=size), 1)
    values = np.where(sign, SIGN_VALUE, (1 / np.sqrt(many)).astype(np.float32)[owner])
    return Features(size, (keys >> 1) & ((1 << BITS) - 1), owner, values)


def line(texts: Sequence[str]) -> Line:
    """The texts in a row, each cut at `MOST_CHARS`. Any str will do, lone surrogates too."""
    texts = [text[:MOST_CHARS] for text in texts]
    lengths = np.fromiter((len(text) + 2 for text in texts), np.int64, len(texts))
    codes = np.frombuffer("".join(f"\0{text}\0" for text in texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    codes = codes.copy()
    ends = np.cumsum(lengths)
    starts = ends - lengths
    codes[starts], codes[ends - 1] = _START, _END
    owner = np.repeat(np.arange(len(texts)), lengths)
    return Line(codes, np.arange(len(codes)) - starts[owner], owner)


def outline(row: Line) -> Line:
    """The texts, as read, with every digit a nought, and a stretch of letters, of Han or of blanks one character.

    So a telephone number, a price and an address look alike whatever they are.
    """
    codes = row.codes.copy()
    stretch = np.zeros(len(codes), bool)
    for first, last, alike in _KINDS:
        of_kind = (row.codes >= first) & (row.codes <= last)
        codes[of_kind] = first
        if alike:
            stretch |= of_kind
    kept = np.ones(len(codes), bool)
    kept[1:] = ~(stretch[1:] & (codes[1:] == codes[:-1]))
    codes, owner = codes[kept], row.owner[kept]
    return Line(codes, np.arange(len(codes)) - np.flatnonzero(codes == _START)[owner], owner)


def hashed(row: Line, longest: int, seed: int) -> tuple[Hashes, ...]:
    """Hashes of the runs of 1 to `longest` characters that end at each place, well mixed in their high bits.

    A run that would begin before its text is mixed with what stands there: `Line.place` tells which those are.
    """
    single = (row.codes + np.uint32(seed * 7919)) * np.uint32(0x9E3779B1)
    single ^= single >> np.uint32(15)
    single *= np.uint32(0x85EBCA6B)
    single ^= single >> np.uint32(13)
    chain = [single]
    for length in range(2, longest + 1):
        before = np.zeros_like(single)
        before[1:] = chain[-1][:-1]
        mixed = ((before * np.uint32(0x01000193) + np.uint32(length)) ^ single) * np.uint32(0x9E3779B1)
        chain.append(mixed ^ (mixed >> np.uint32(16)))
    return tuple(chain)


def runs(row: Line) -> Iterator[Run]:
    """The runs of texts as they read: of up to `READ` characters, of up to `LATIN` where all are plain ASCII."""
    chain = hashed(row, LATIN, 2)
    yield from _within(row, chain[:READ])
    plain = row.codes < _BEYOND_ASCII
    alike = plain
    for shorter in range(1, LATIN):
        alike = alike.copy()
        alike[shorter:] &= plain[: max(len(plain) - shorter, 0)]
        alike[:shorter] = False
        if shorter >= READ:
            yield shorter + 1, alike, chain[shorter]


def _within(row: Line, chain: Sequence[Hashes], least: int = 1) -> Iterator[Run]:
    """The runs of at least so many characters that lie within a text and are no edge alone."""
    for shorter, hashes in enumerate(chain[least - 1 :], least - 1):
        yield shorter + 1, row.place >= shorter if shorter else row.codes < _START, hashes


def _keys(row: Line, found: Iterable[Run]) -> Iterator[Ints]:
    """Text and feature in one number, for all these runs."""
    for _, ok, hashes in found:
        yield (row.owner[ok] << BITS) | (hashes[ok] >> SHIFT)


def _words(row: Line) -> tuple[Ints, ...]:
    """Text and feature in one number, for all words and pairs of neighbouring words.

    A word is a run of Latin letters or of digits; any other character is one by itself, white space is none.
    """
    codes = row.codes
    kind = (codes >= ord("a")) & (codes <= ord("z")) | (codes == ord("'"))
    kind = kind * 2 + ((codes >= ord("0")) & (codes <= ord("9")))
    some = (codes > ord(" ")) & (codes < _START)
    begins = some.copy()
    begins[1:] &= (kind[1:] == 0) | (kind[1:] != kind[:-1])
    starts = np.flatnonzero(begins)
    if not len(starts):
        return ()
    # A polynomial of the characters; what stands between two words adds nothing to the one before.
    number = np.cumsum(begins) - 1
    nth = (np.arange(len(codes)) - starts[np.maximum(number, 0)]) & (_POWERS.size - 1)
    single = _mixed(np.add.reduceat(np.where(some, codes * _POWERS[nth], 0), starts, dtype=np.uint32))
    owner = row.owner[starts]
    pair = _mixed(single[:-1] * np.uint32(0x01000193) + single[1:])
    beside = owner[:-1] == owner[1:]
    alone, together = single >> SHIFT, pair[beside] >> SHIFT
    return owner << BITS | alone, owner[1:][beside] << BITS | together


def _mixed(hashes: Hashes) -> Hashes:
    hashes = (hashes ^ (hashes >> np.uint32(15))) * np.uint32(0x85EBCA6B)
    mixed: Hashes = (hashes ^ (hashes >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return mixed ^ (mixed >> np.uint32(16))


@cache
def _number(name: str) -> int:
    return crc32(name.encode()) >> int(SHIFT)


def _signs(readings: Sequence[Reading]) -> Ints:
    """Text and feature in one number: rules that spoke and the sum of their weights in steps, the length in half
    octaves, and that of what reading took away or added."""
    keys: list[int] = []
    for place, (text, seen, _, said) in enumerate(readings):
        wide, read, owner = len(text), len(seen.text), place << BITS
        keys += (
            owner | _step("rules", min(int(said.score * 4), 8)),
            owner | _step("length", _half_octaves(wide)),
            owner | _step("changed", _half_octaves(abs(wide - read))),
        )
        if said.reasons:
            keys += (owner | _number(f"rule {reason.rule}") for reason in said.reasons)
    return np.array(keys, np.int64)


@cache
def _step(name: str, step: int) -> int:
    return _number(f"{name} {step}")


@lru_cache(4_096)
def _half_octaves(length: int) -> int:
    return int(2 * math.log2(length + 1))
