"""What happens in one world, by seed: who asks for what, and what breaks when. Plain data, so that it can be cut."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from shared.contracts.topics import NOTE, NOTE_VERDICT, PROFILE

SERVICES = ("notes", "moderation", "recommend")
WEEK = 7 * 86_400.0
FAULTY = 20.0
"""Seconds within which things break; then all heals."""
TOPICS = (NOTE.name, NOTE_VERDICT.name, PROFILE.name)
READ = {"notes": TOPICS[:2], "moderation": TOPICS[:2], "recommend": TOPICS}

NOTES = ("n0", "n1", "n4", "n5")
"""Two in each of the two partitions."""
PERSONS = ("ann", "ben", "cleo")
"""Who posts; any of them may be erased."""
TEXTS = ("hello", "hello", "spam", "why?", "why?", "bug", "many", "torn")
"""What posts say: nothing, spam, a question; they are too much for one handler, or are many things, or both."""

LATER = ("erase", "replay", "rebuild", "rewind", "resend")
"""Faults that need something to be there."""


@dataclass(frozen=True)
class Ask:
    """A client's command. ``keyed``: with an idempotency key, and again until there is an answer; one that ``insists``
    comes again without a key, too. ``again``: once more with the same key; ``misuses``: and then with another body.
    """

    at: float
    kind: str
    id: str
    note_id: str
    text: str = ""
    keyed: bool = True
    patience: float = 5.0
    again: bool = False
    person: str = "p"
    insists: bool = False
    misuses: bool = False

    @property
    def words(self) -> str:
        """What a post says, and whose words they are."""
        return f"{self.text} ~{self.person}~"


@dataclass(frozen=True)
class Fault:
    """What breaks, when, where; ``which`` picks one of the processes, ``what`` a label, a topic or a kind."""

    at: float
    kind: str
    service: str = ""
    which: int = 0
    what: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """One world. ``nodes``: processes by service; ``skew``: seconds by which clocks are wrong, at most.

    Alarms hold a lane after so many ``deaths``, and when its outbox is older than ``horizon`` seconds.
    """

    seed: int
    nodes: Mapping[str, int]
    skew: float
    inputs: int
    outbox: int
    deaths: int
    horizon: float
    asks: tuple[Ask, ...]
    faults: tuple[Fault, ...]


def plan(seed: int, labels: tuple[str, ...]) -> Plan:
    """The plan of a seed: every fifth world has no faults but those of one kind, the others have them mixed."""
    rng = random.Random(seed)
    nodes = {"notes": rng.choice([1, 2, 2, 3]), "moderation": rng.choice([1, 1, 2]), "recommend": rng.choice([1, 2])}
    kinds = sorted(MAKERS)
    chosen = [rng.choice(kinds)] if seed % 5 == 0 else kinds
    count = rng.choice([1, 2, 3, 6]) if seed % 5 == 0 else rng.choice([0, 1, 2, 4, 8, 12, 20])
    commands = asks(rng)
    faults = [_timed(MAKERS[rng.choice(chosen)](rng, labels), commands, rng) for _ in range(count)]
    return Plan(
        seed=seed,
        nodes=nodes,
        skew=rng.choice([0.0, 0.0, 0.5, 2.0]),
        inputs=rng.choice([1, 2, 5, 20, 200]),
        outbox=rng.choice([2_000, 20_000, 1_000_000]),
        deaths=rng.choice([50, 50, 2]),
        horizon=rng.choice([WEEK, WEEK, WEEK, 8.0]),
        asks=tuple(sorted(commands, key=lambda a: a.at)),
        faults=tuple(sorted(faults, key=lambda f: f.at)),
    )


def asks(rng: random.Random) -> list[Ask]:
    """Some dozen commands on few notes; a part of the clients has no key and asks once."""
    made = []
    bursts = [rng.uniform(0.5, FAULTY) for _ in range(rng.choice([1, 3, 100]))]
    for n in range(rng.randint(8, 30)):
        at, note_id = rng.choice(bursts), rng.choice(NOTES)
        keyed = rng.random() < 0.75
        patience = rng.choice([0.3, 1.0, 5.0, 20.0])
        kind = rng.choice(["post", "post", "post", "post", "edit", "take", "take", "shut"])
        text = rng.choice(TEXTS) if kind == "post" else ""
        person = rng.choice(PERSONS) if kind == "post" else "p"
        again, rare = rng.random() < (0.2 if keyed else 0.5), rng.random() < 0.13
        insists, misuses = again and not keyed and kind in ("post", "edit"), rare and keyed
        patience = rng.choice([0.05, 0.1, 0.3]) if insists else patience
        made.append(Ask(at, kind, f"a{n}", note_id, text, keyed, patience, again, person, insists, misuses))
        if text == "why?" and rng.random() < 0.7:
            made.append(Ask(at + rng.uniform(0.2, 8.0), "answer", f"a{n}", note_id, "", keyed, patience))
    return made


def _kill(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    return Fault(_at(rng), "kill", rng.choice(SERVICES), rng.randrange(9), seconds=rng.choice([0.0, 0.5, 3.0]))


def _crash(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    service = rng.choice(SERVICES)
    return Fault(_at(rng), "crash", service, rng.randrange(9), rng.choice(_passed(service, labels)))


def _freeze(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    return Fault(_at(rng), "freeze", rng.choice(SERVICES), rng.randrange(9), seconds=rng.uniform(0.1, 3.0))


def _zombie(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    service = rng.choice(SERVICES)
    what = rng.choice(["", "commit:before", *_passed(service, labels)])
    return Fault(_at(rng), "zombie", service, rng.randrange(9), what, rng.choice([1.0, 9.0, 12.0]))


def _lag(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    return Fault(_at(rng), "lag", rng.choice(SERVICES), rng.randrange(9), seconds=rng.choice([0.5, 3.0, 9.0]))


def _cut(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    """One process cannot send; the others can."""
    return Fault(_at(rng), "cut", rng.choice(SERVICES), rng.randrange(9), seconds=rng.choice([0.5, 3.0, 9.0]))


def _hold(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    service = rng.choice(SERVICES)
    lanes = ["note:0", "note:1", *(["group:0", "group:1"] if service == "recommend" else [])]
    return Fault(_at(rng), "hold", service, what=rng.choice(lanes), seconds=rng.choice([0.0, 2.0]))


def _expel(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    return Fault(_at(rng), "expel", rng.choice(SERVICES), rng.randrange(9), seconds=rng.uniform(0.0, 2.0))


def _shrink(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    return Fault(_at(rng), "shrink", rng.choice(SERVICES), rng.randrange(9), seconds=rng.choice([0.0, 1.0, 12.0]))


def _grow(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    return Fault(_at(rng), "grow", rng.choice(SERVICES), rng.randrange(9))


def _broker_away(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    return Fault(_at(rng), "broker away", seconds=rng.choice([0.1, 1.0, 10.0]))


def _database_away(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    return Fault(_at(rng), "database away", rng.choice(SERVICES), seconds=rng.choice([0.1, 1.0, 10.0]))


def _commit(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    what = rng.choice(["refused", "conflict", "applied, reply lost", "not applied, reply lost"])
    return Fault(_at(rng), "commit", rng.choice(SERVICES), rng.randrange(9), what, rng.choice([0.0, 0.0, 10.0]))


def _send(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    what = rng.choice(["lost", "doubled", "late", "acknowledgement lost", "acknowledged late", "acknowledged never"])
    return Fault(_at(rng), "send", rng.choice(SERVICES), rng.randrange(9), what)


def _rewind(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    service = rng.choice(SERVICES)
    return Fault(_at(rng), "rewind", service, what=rng.choice(READ[service]))


def _resend(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    return Fault(_at(rng), "resend", which=rng.randrange(1_000), what=rng.choice(TOPICS))


def _poison(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    """``seconds`` is how many of them come; ``which`` says in which partition, and of which of four kinds."""
    return Fault(_at(rng), "poison", which=rng.randrange(8), what=rng.choice(TOPICS), seconds=rng.choice([1, 1, 4]))


def _rebuild(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    """With ``which`` the command is killed after so many of its steps, and run again."""
    return Fault(_at(rng), "rebuild", rng.choice(SERVICES), rng.choice([0, 0, 1, 3]))


def _restore(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    """At ``at`` a backup is taken, ``seconds`` later it is put back; with ``what`` one process sleeps through it,
    from a label on if it comes by.
    """
    what = rng.choice(["", "", "asleep", "commit:before"])
    return Fault(_at(rng), "restore", rng.choice(SERVICES), rng.randrange(9), what, rng.choice([0.5, 3.0, 3.0, 10.0]))


def _erase(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    """With ``seconds`` the command is killed after so long, in each service, and run again."""
    return Fault(_at(rng), "erase", what=rng.choice(PERSONS), seconds=rng.choice([0.0, 0.01, 0.05, 0.2]))


def _replay(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    return Fault(_at(rng), "replay", rng.choice(SERVICES), seconds=rng.choice([0.0, 0.05, 0.2]))


def _mend(rng: random.Random, labels: tuple[str, ...]) -> Fault:
    """The bug is gone: what comes later does not die of it."""
    return Fault(_at(rng), "mend")


def _at(rng: random.Random) -> float:
    return rng.uniform(0.0, FAULTY)


def _timed(fault: Fault, commands: list[Ask], rng: random.Random) -> Fault:
    """Half of the faults come when somebody asks for something, or when what was asked for is there."""
    if rng.random() < 0.5:
        return fault
    after = rng.uniform(0.0, 4.0) if fault.kind in LATER else rng.uniform(-0.3, 0.3)
    at = rng.choice([command for command in commands if command.kind == "post"] or commands).at
    return replace(fault, at=min(max(0.0, at + after), FAULTY))


def _passed(service: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels that processes of a service come to: only one service is asked by clients."""
    return labels if service == "notes" else tuple(label for label in labels if label != "reply:sent")


MAKERS: dict[str, Callable[[random.Random, tuple[str, ...]], Fault]] = {
    "kill": _kill,
    "crash": _crash,
    "freeze": _freeze,
    "zombie": _zombie,
    "lag": _lag,
    "cut": _cut,
    "hold": _hold,
    "expel": _expel,
    "shrink": _shrink,
    "grow": _grow,
    "broker away": _broker_away,
    "database away": _database_away,
    "commit": _commit,
    "send": _send,
    "rewind": _rewind,
    "resend": _resend,
    "poison": _poison,
    "rebuild": _rebuild,
    "restore": _restore,
    "erase": _erase,
    "replay": _replay,
    "mend": _mend,
}
