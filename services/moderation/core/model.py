"""How the text model learns, one text at a time, and how it is kept.

Steps after Duchi, Hazan and Singer 2011 (AdaGrad, diagonal): a weight moves by rate * g / sqrt(sum of g^2 so far),
so that what is rare still moves when what is common has settled. Nothing in it is left to chance: the same lessons in
the same order make the same model and the same version.
"""

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import islice, pairwise
from typing import ClassVar, NamedTuple

import msgspec
import numpy as np

from shared.flow.documents import Document
from shared.judging.grams import BITS, Floats, Ints, Reading, features
from shared.judging.model import CHUNK, LEAST, MOST_ODDS, SIZE, BadModel, TextModel
from shared.text import VERSION as TEXT_VERSION

MOST_SHARE = 0.9
"""A label that has this share of all lessons is refused until the other one catches up."""

COUNTER = "model:text"
"""The key of all that the model learns from: one lane writes it."""

_RATE = np.float32(0.2)
STEPS = 3
"""For one text, since it may be seen once only."""
_NEAR = 0.01  # a text that is judged this well teaches nothing more
_FORMAT = f"lianyi-text-model-4 {BITS} {TEXT_VERSION}"


class Learned(NamedTuple):
    """A model after lessons; for each of them its chance of being spam before it was learned, None if refused."""

    model: TextModel
    before: list[float | None]


class Seen(NamedTuple):
    """A lesson in numbers; the last feature is the bias."""

    ids: Ints
    values: Floats
    spam: bool


Lesson = tuple[Reading, bool]
"""A text, and whether it is spam."""


def learned(model: TextModel, lessons: Iterable[Lesson]) -> Learned:
    """Learn texts one after the other, in their order. What would make it a model of a single label is refused."""
    weights, squares = model.weights.copy(), model.squares.copy()
    model = replace(model, weights=weights, squares=squares)
    before: list[float | None] = []
    for seen in numbers(lessons):
        if _one_sided(model, seen.spam):
            before.append(None)
            continue
        before.append(chance(step(weights, squares, seen, STEPS)))
        model = counted(model, seen)
    return Learned(model, before)


def numbers(lessons: Iterable[Lesson]) -> Iterator[Seen]:
    """Lessons in numbers, in their order."""
    rest = iter(lessons)
    while chunk := list(islice(rest, CHUNK)):
        found = features([reading for reading, _ in chunk])
        bounds = np.searchsorted(found.owner, np.arange(found.size + 1))
        for (start, end), (_, spam) in zip(pairwise(bounds), chunk, strict=True):
            ids, values = found.ids[start:end], found.values[start:end]
            yield Seen(np.append(ids, SIZE - 1), np.append(values, np.float32(1)), spam)


def step(weights: Floats, squares: Floats, seen: Seen, steps: int) -> float:
    """Move the weights towards a label; the odds as they were before."""
    ids, values, spam = seen
    first = None
    for _ in range(steps):
        odds = float(weights[ids] @ values)
        first = odds if first is None else first
        wrong = chance(odds) - spam
        if abs(wrong) < _NEAR:
            break
        slope = np.float32(wrong) * values
        moved = squares[ids] + slope * slope
        squares[ids] = moved
        weights[ids] -= _RATE * slope / np.sqrt(moved)
    assert first is not None
    return first


def chance(odds: float) -> float:
    """The chance that has these odds (as a logarithm)."""
    return 1 / (1 + math.exp(-max(min(odds, MOST_ODDS), -MOST_ODDS)))


def counted(model: TextModel, seen: Seen) -> TextModel:
    """The model with one more lesson in its version."""
    chain = chained(model.chain, bytes([seen.spam]) + seen.ids[:-1].tobytes())
    return replace(model, ham=model.ham + (not seen.spam), spam=model.spam + seen.spam, chain=chain)


def chained(chain: str, told: bytes) -> str:
    """The hash over all lessons, with one more thing."""
    return blake2b(chain.encode() + told, digest_size=6).hexdigest()


def _one_sided(model: TextModel, spam: bool) -> bool:
    """Whether one more text of this label would make the model one of that label alone."""
    same = model.spam if spam else model.ham
    return same >= LEAST and same + 1 > MOST_SHARE * (model.ham + model.spam + 1)


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
