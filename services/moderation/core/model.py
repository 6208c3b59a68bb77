"""How the text model learns, one text at a time, and how it is kept.

Steps after Duchi, Hazan and Singer 2011 (AdaGrad, diagonal): a weight moves by rate * g / sqrt(sum of g^2 so far),
so that what is rare still moves when what is common has settled. Nothing in it is left to chance: the same lessons in
the same order make the same model and the same version.
"""

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import islice, pairwise
from typing import ClassVar, NamedTuple
from zlib import crc32

import msgspec
import numpy as np

from shared.flow.documents import Document
from shared.judging.grams import BITS, Features, Floats, Ints, Reading, features
from shared.judging.model import CHUNK, LEAST, MOST_ODDS, SIZE, BadModel, TextModel
from shared.text import VERSION as TEXT_VERSION

MOST_SHARE = 0.9
"""A label that has this share of all lessons is refused until the other one catches up."""

COUNTER = "model:text"
"""The key of all that the model learns from: one lane writes it."""

_RATE = np.float32(0.2)
_STEPS = 3  # for one text, since it may be seen once only
_NEAR = 0.01  # a text that is judged this well teaches nothing more
_FORMAT = f"lianyi-text-model-2 {BITS} {TEXT_VERSION}"


class Learned(NamedTuple):
    """A model after lessons; for each of them its chance of being spam before it was learned, None if refused."""

    model: TextModel
    before: list[float | None]


class _Seen(NamedTuple):
    """A lesson in numbers; the last feature is the bias."""

    ids: Ints
    values: Floats
    spam: bool


Lesson = tuple[Reading, bool]
"""A text, and whether it is spam."""


def learned(model: TextModel, lessons: Iterable[Lesson], again: int = 0) -> Learned:
    """Learn texts one after the other, in their order; then all of them `again` so often, each time in another order.

    A lane has a text once, and refuses what would make the model one of a single label. Who has all of them at hand, in
    a file, comes to more by looking at them again, and refuses none: the other label is there as well.
    """
    weights, squares = model.weights.copy(), model.squares.copy()
    model = replace(model, weights=weights, squares=squares)
    before: list[float | None] = []
    kept: list[_Seen] = []
    rest = iter(lessons)
    while chunk := list(islice(rest, CHUNK)):
        found = features([reading for reading, _ in chunk])
        for (ids, values), (_, spam) in zip(_apart(found), chunk, strict=True):
            if not again and _one_sided(model, spam):
                before.append(None)
                continue
            seen = _Seen(np.append(ids, SIZE - 1), np.append(values, np.float32(1)), spam)
            before.append(_step(weights, squares, seen, _STEPS))
            if again:
                kept.append(seen)
            chain = _chained(model, bytes([spam]) + ids.tobytes())
            model = replace(model, ham=model.ham + (not spam), spam=model.spam + spam, chain=chain)
    for turn in range(again):
        for place in sorted(range(len(kept)), key=lambda place: crc32(b"%d %d" % (turn, place))):
            _step(weights, squares, kept[place], 1)
        model = replace(model, chain=_chained(model, b"again"))
    return Learned(model, before)


def _chained(model: TextModel, told: bytes) -> str:
    return blake2b(model.chain.encode() + told, digest_size=6).hexdigest()


def _step(weights: Floats, squares: Floats, seen: _Seen, steps: int) -> float:
    """Move the weights towards a label; the chance as it was before."""
    ids, values, spam = seen
    first = None
    for _ in range(steps):
        odds = float(weights[ids] @ values)
        chance = 1 / (1 + math.exp(-max(min(odds, MOST_ODDS), -MOST_ODDS)))
        first = chance if first is None else first
        wrong = chance - spam
        if abs(wrong) < _NEAR:
            break
        slope = np.float32(wrong) * values
        moved = squares[ids] + slope * slope
        squares[ids] = moved
        weights[ids] -= _RATE * slope / np.sqrt(moved)
    assert first is not None
    return first


def _one_sided(model: TextModel, spam: bool) -> bool:
    """Whether one more text of this label would make the model one of that label alone."""
    same = model.spam if spam else model.ham
    return same >= LEAST and same + 1 > MOST_SHARE * (model.ham + model.spam + 1)


def _apart(found: Features) -> Iterable[tuple[Ints, Floats]]:
    bounds = np.searchsorted(found.owner, np.arange(found.size + 1))
    for start, end in pairwise(bounds):
        yield found.ids[start:end], found.values[start:end]


# -- as it is kept ------------------------------------------------------------------------------------------


class ModelState(Document, frozen=True, kw_only=True):
    """The model of this community as it is now. Its id names what it began with, a file or nothing."""

    COLLECTION: ClassVar[str] = "models"
    REBUILT: ClassVar[bool] = False

    weights: bytes
    squares: bytes
    ham: int
    spam: int
    chain: str


def state_id(origin: TextModel) -> str:
    """The id of the state, and of the bar, of a model that began with this one."""
    return f"text:{origin.version}"


def state_of(id_: str, model: TextModel) -> ModelState:
    """A model as it is kept."""
    weights, squares = _bytes(model.weights), _bytes(model.squares)
    return ModelState(id=id_, weights=weights, squares=squares, ham=model.ham, spam=model.spam, chain=model.chain)


def model_of(state: ModelState) -> TextModel:
    """A model from what was kept of it. Raises BadModel if that is broken."""
    return _of_bytes(state.weights, state.squares, (state.ham, state.spam), state.chain)


# -- as a file -----------------------------------------------------------------------------------------------


class _Packed(msgspec.Struct, frozen=True):
    format: str
    weights: bytes
    squares: bytes
    ham: int
    spam: int
    chain: str
    scores: tuple[float, ...]


def pack(model: TextModel, scores: Sequence[float]) -> bytes:
    """A model, and what it gave to ham before it learned that, as a file. The same model makes the same bytes."""
    packed = _Packed(
        _FORMAT,
        _bytes(model.weights),
        _bytes(model.squares),
        model.ham,
        model.spam,
        model.chain,
        tuple(scores),
    )
    return zlib.compress(msgspec.msgpack.encode(packed))


def unpack(data: bytes) -> tuple[TextModel, tuple[float, ...]]:
    """The reverse. Raises BadModel for what `pack` of this release does not give."""
    try:
        packed = msgspec.msgpack.decode(zlib.decompress(data), type=_Packed)
    except (ValueError, zlib.error) as error:
        raise BadModel("not a text model") from error
    if packed.format != _FORMAT or not all(0 <= score <= 1 for score in packed.scores):
        raise BadModel("made by another release: train it again")
    return _of_bytes(packed.weights, packed.squares, (packed.ham, packed.spam), packed.chain), packed.scores


def _bytes(array: Floats) -> bytes:
    return array.astype("<f4").tobytes()


def _of_bytes(weights: bytes, squares: bytes, counts: tuple[int, int], chain: str) -> TextModel:
    arrays = [np.frombuffer(part, "<f4") if len(part) == 4 * SIZE else None for part in (weights, squares)]
    first, second = arrays
    if first is None or second is None or not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise BadModel("its weights are broken")
    return TextModel(first, second, *counts, chain)
