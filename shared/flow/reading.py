"""What a process reads before its lanes begin: the views. What a batch reads before it is folded: its documents, the
marks of doubles, and what is noted as dead."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from .documents import DEAD, INBOX, Document, from_mongo
from .inputs import Input
from .letters import letter_id
from .runtime import Runtime


async def begun(runtime: Runtime) -> None:
    """Have every view whole, page by page, while everything else has its turn. Raises Transient.

    Who was erased, and whether the database was restored, is read before: a first claim that finds it new would have
    the views read once more.
    """
    await told(runtime)
    for view in runtime.views:
        await view.refresh()


async def told(runtime: Runtime) -> None:
    """Who was erased, and whether the database was restored: views read before that is known are forgotten, for they
    may keep what was taken away. Raises Transient."""
    for known in (runtime.floor, runtime.erased):
        if await known.refresh(runtime.database):  # at once: the other may fail, and who tries again finds nothing new
            for view in runtime.views:
                view.forget()


async def documents(runtime: Runtime, inputs: Sequence[Input]) -> dict[tuple[str, str], Document | None]:
    """Every declared document, one query a collection; None for those that are not there."""
    wanted: dict[type[Document], set[str]] = {}
    for input_ in inputs:
        for kind, id_ in input_.refs:
            wanted.setdefault(kind, set()).add(id_)
    loaded: dict[tuple[str, str], Document | None] = {}
    for view in runtime.views:
        await view.refresh()
    found = await asyncio.gather(*(runtime.database.load(kind.COLLECTION, ids) for kind, ids in wanted.items()))
    for (kind, ids), all_ in zip(wanted.items(), found, strict=True):
        loaded.update(dict.fromkeys((kind.COLLECTION, id_) for id_ in ids))
        for stored in all_:
            document = from_mongo(kind, stored)
            loaded[kind.COLLECTION, document.id] = document
    return loaded


async def seen(runtime: Runtime, inputs: Sequence[Input]) -> set[bytes]:
    """Marks of these inputs that the inbox has."""
    marks = [m for i in inputs for m in i.marks]
    if not marks:
        return set()
    pages = await runtime.database.find(INBOX, {"ids": {"$in": marks}}, fields=("ids",))
    return {bytes(m) for page in pages for m in page["ids"]}


async def as_noted(runtime: Runtime, inputs: Sequence[Input]) -> Sequence[Input]:
    """The inputs, each with those handlers alone that are still to fold it, by what is noted as dead.

    Of a rebuild's, not those in which it had died: a replay folds these. Muted as the rebuild is, what they have to
    tell would never be told. Of a letter's, none that is noted no more: it died in a time that a restore has taken
    back, and what there was to do in it is done anew.
    """
    past = {id_ for i in inputs if i.past for h in i.handlers for id_ in (letter_id(i, h.name), letter_id(i, ""))}
    ids = past | {i.letter for i in inputs if i.letter}
    if not ids:
        return inputs
    dead = {stored["_id"] for stored in await runtime.database.load(DEAD, ids)}
    return [_noted(i, dead) for i in inputs]


def _noted(input_: Input, dead: set[str]) -> Input:
    if input_.letter and input_.letter not in dead:
        return replace(input_, handlers=(), marks=(), death=None)
    if not input_.past:
        return input_
    whole = letter_id(input_, "") in dead
    pairs = zip(input_.handlers, input_.marks, strict=True)
    left = [(h, m) for h, m in pairs if not whole and letter_id(input_, h.name) not in dead]
    return replace(input_, handlers=tuple(h for h, _ in left), marks=tuple(m for _, m in left))
