"""The fold: inputs and loaded documents in, changes out. In memory, without await, deterministic."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from shared.errors import Rejected

from .documents import StoredReply
from .inputs import Death, Input, fingerprint
from .letters import letter, letter_id
from .router import Ahead, Handler, Payload, Reply
from .work import Cause, TooLarge, Work

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a batch is cut: inputs taken, writes made, bytes of outbox."""

    inputs: int = 200
    writes: int = 1_000
    outbox: int = 1_000_000


@dataclass(slots=True)
class Folded:
    """What a batch came to. ``taken`` inputs of those given were folded; the rest did not fit."""

    work: Work
    taken: int = 0
    marks: list[bytes] = field(default_factory=list)
    answers: list[tuple[Input, Reply | Exception]] = field(default_factory=list)
    outcomes: list[tuple[str, str, Cause]] = field(default_factory=list)
    """Every input's end: what it is called in metrics, the outcome, and which it was."""
    died: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    """Ids of the letters that were written, and of those that a replay has brought to an end."""


def fold(service: str, work: Work, inputs: Sequence[Input], seen: Iterable[bytes], limits: Limits) -> Folded:
    """Fold inputs in order. ``seen`` are marks that the inbox has; doubles inside the batch are dropped too."""
    folded = Folded(work)
    for _ in folding(service, folded, inputs, seen, limits):
        pass
    return folded


def folding(
    service: str, folded: Folded, inputs: Sequence[Input], seen: Iterable[bytes], limits: Limits
) -> Iterator[None]:
    """The same piece by piece: between two of them the caller may let others go on. Done when it is exhausted."""
    work, known = folded.work, set(seen)
    _look_ahead(work, inputs, known)
    yield
    for input_ in inputs:
        full = work.size() >= limits.writes or work.bytes >= limits.outbox
        if folded.taken and full:
            break
        folded.taken += 1
        if input_.letter:
            folded.settled.append(input_.letter)
        if input_.asked is not None:
            _command(folded, input_)
        elif input_.death is not None:
            _bury(service, folded, input_, "", input_.death)
        elif input_.timer is not None and not work.untouched(input_.timer):
            _ended(folded, input_, "cancelled")
        else:
            _deliver(service, folded, input_, known)
        yield
    work.close()


def _look_ahead(work: Work, inputs: Sequence[Input], known: Collection[bytes]) -> None:
    """Have done at once what handlers would do for each input alone; nothing but time depends on it."""
    asked: dict[Ahead, list[Payload]] = {}
    for input_ in inputs:
        for handler, mark in zip(input_.handlers, _marks(input_), strict=True):
            if handler.ahead is not None and input_.payload is not None and not input_.past and mark not in known:
                asked.setdefault(handler.ahead, []).append(input_.payload)
    for ahead, payloads in asked.items():
        try:
            ahead(payloads, work)
        except Exception:
            # One of them is bad. Its handler meets it again, alone, and so does each of the others.
            log.exception("ahead_failed")


def _deliver(service: str, folded: Folded, input_: Input, known: set[bytes]) -> None:
    for handler, mark in zip(input_.handlers, _marks(input_), strict=True):
        if mark and mark in known:
            _ended(folded, input_, "double")
            continue
        died = _run(folded.work, input_, handler)
        if isinstance(died, Death):
            # No mark: once the bug is mended, a replay of the letter may fold it.
            _bury(service, folded, input_, handler.name, died)
            continue
        if input_.timer is not None:
            folded.work.fire(input_.timer)
        if mark:
            known.add(mark)
            folded.marks.append(mark)
        _ended(folded, input_, died if isinstance(died, str) else "done")


def _marks(input_: Input) -> Sequence[bytes]:
    """What the inbox knows each handler's part by; empty where nothing can come twice."""
    return input_.marks or (b"",) * len(input_.handlers)


def _run(work: Work, input_: Input, handler: Handler) -> Reply | str | Death | None:
    """Run one handler; one that raises leaves nothing behind."""
    work.begin(handler.name, input_.cause, past=input_.past)
    try:
        return handler.handle(input_.payload, work)
    except Rejected as error:
        work.rollback()
        return Death("rejected", error.type)
    except TooLarge as error:
        work.rollback()
        return Death("size", fingerprint(error))
    except Exception as error:
        work.rollback()
        return Death("bug", fingerprint(error))


def _command(folded: Folded, input_: Input) -> None:
    work, asked, handler = folded.work, input_.asked, input_.handlers[0]
    assert asked is not None
    if asked.key is not None and (stored := work.get(StoredReply, asked.key)):
        folded.answers.append((input_, _again(stored, asked.digest)))
        _ended(folded, input_, "repeated")
        return
    work.begin(handler.name, input_.cause)
    try:
        reply = handler.handle(input_.payload, work)
        if not isinstance(reply, Reply):
            raise TypeError(f"{handler.name} gave no reply")
        if asked.key is not None:
            body = msgspec.json.encode(reply.body)
            work.put(
                StoredReply(
                    id=asked.key,
                    person=getattr(input_.payload, "person_id", ""),
                    digest=asked.digest,
                    status=reply.status,
                    body=body,
                    at=input_.cause.at,
                )
            )
    except Exception as error:
        # Refusals are not kept under the key: the caller may come again when things have changed.
        work.rollback()
        outcome = error.type if isinstance(error, Rejected) else "bug"
        _ended(folded, input_, outcome)
        folded.answers.append((input_, error))
        return
    folded.answers.append((input_, reply))
    _ended(folded, input_, "done")


def _again(stored: StoredReply, digest: bytes) -> Reply | Rejected:
    if stored.digest != digest:
        return Rejected(
            "idempotency-key-reused", 422, detail="This Idempotency-Key was used with another body or route."
        )
    return Reply(status=stored.status, body=msgspec.json.decode(stored.body))


def _bury(service: str, folded: Folded, input_: Input, handler: str, death: Death) -> None:
    # A double on the wire makes the same letter; one that dies again in its replay makes another.
    folded.work.begin(f"dead:{handler}{input_.again}", input_.cause, past=input_.past)
    folded.work.emit(letter(service, input_, handler, death))
    if not input_.past:
        folded.died.append(letter_id(input_, handler))
    if input_.timer is not None:
        folded.work.fire(input_.timer)
    _ended(folded, input_, f"dead:{death.reason}")


def _ended(folded: Folded, input_: Input, outcome: str) -> None:
    folded.outcomes.append((_name(input_), outcome, input_.cause))


def _name(input_: Input) -> str:
    """What the metrics call it: the event's type, or the class of command or reminder."""
    if input_.payload is None:
        return "unreadable"
    return getattr(input_.payload, "TYPE", "") or type(input_.payload).__name__
