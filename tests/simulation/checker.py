"""What must be true at the end of a world, from what was asked and answered alone. Shares nothing with services.

What a client was promised has happened; what it was refused has not; of the rest nobody knows, but whatever
of it has happened has happened everywhere, and once.

Where the database of a service was set back to a backup, this is excused, and nothing else:
- Notes' promises from when the backup was taken to when it was put back are void: a command of that time may be lost,
  and whoever repeats it may be answered otherwise (`sure_of`, `idempotence`).
- What the lost time has told stays told. Others have taken it up, and notes reads it again itself: a comment that is
  not stored any more is judged, counted and asked about like any other (`told_posts`), and an answer that was lost
  counts.
- What follows from two topics of a lane, whichever came last, is told once for each way in which they came: a pair that
  met after the backup may be told, and counted, a second time (`_pairs`). See docs/adr/0050.
- Large posts of an erased person may have been told in the lost time, and want nothing any more when they are folded
  again: what their parts told stays told (`_parts`).
- A process that nobody found may go on from the backup until `ops restored` fences it: a state that it tells may stand
  under the sequence of one that was lost, and the republication tells a later one (`states_told`).
- A state is told more than once. But each sequence of it is one event, the highest is the document as the owner has
  it now, and every reader ends with that one (`states_told`).
"""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from zlib import crc32

from msgspec.msgpack import decode

from shared.contracts import dead_topic
from tests.simulation import promises
from tests.simulation.end import End
from tests.simulation.evidence import (
    between,
    quiet_posts,
    records_of,
    states_told,
    told_once,
    told_posts,
    wanting,
    was_restored,
)
from tests.simulation.plan import READ, WEEK

ECHOES = 5
NOTICED = 15.0
"""Seconds after which a process that was not stopped has heard that it lost a lane, and what was sent is there."""
TOLD = {
    *("comment_posted", "note_reacted", "note_visibility_changed", "note_relayed", "advice_taken"),
    *("need_opened", "need_answered", "need_escalated", "content_judged", "profile_taught", "dead_letter"),
}
"""Types of events, each of which a check counts."""


def violations(end: End) -> list[str]:
    """Every broken promise, in words; empty when all is well."""
    if end.stuck:
        return [f"stuck: {end.stuck}", *_surprises(end)]
    return [f"{check.__name__.strip('_')}: {broken}" for check in CHECKS for broken in check(end)]


def _types(end: End) -> Iterator[str]:
    """Nothing is told that nobody counts."""
    if unknown := {seen.type for told in end.records.values() for seen in told if seen.type.split(".")[2] not in TOLD}:
        yield f"not counted: {sorted(unknown)}"


def _parts(end: End) -> Iterator[str]:
    least, most = wanting(end, "many", "torn")
    echoes = end.documents["notes"]["echoes"]
    large = {i.partition("-")[0] for i in echoes}
    yield from between("large posts", least, large, most)
    kinds = {i: a.ask.text for i, a in told_posts(end).items()}
    wanted = {f"{i}-{kinds.get(i)}-{n}" for i in large for n in range(ECHOES)}
    times = {i: d["times"] for i, d in echoes.items()}
    if times != dict.fromkeys(wanted, 1):
        yield f"echoes {times} and not once each of {sorted(wanted)}"
    gone = {f"{i}-{kinds[i]}-{n}" for i in most & quiet_posts(end) for n in range(ECHOES) if was_restored(end, "notes")}
    yield from told_once(records_of(end, 0, "note_reacted"), "person_id", wanted, wanted | gone)


def _verdicts(end: End) -> Iterator[str]:
    least, most = wanting(end, "spam")
    verdicts = end.documents["moderation"]["verdicts"]
    yield from between("verdicts", set(told_posts(end)), set(verdicts), set(told_posts(end)))
    yield from between("spam", least, {i for i, d in verdicts.items() if d["hidden"]}, most)
    told = sorted(records_of(end, 1, "content_judged"), key=lambda seen: seen.sequence)
    latest = {seen.body["content_id"]: (seen.body["hidden"], seen.sequence) for seen in told}
    yield from between("verdicts told", set(verdicts), set(latest), set(verdicts))
    yield from states_told(
        end, "moderation", told, "content_id", verdicts, says=lambda s, d: s.body["hidden"] == d["hidden"]
    )
    seen = {i: (d["hidden"], d["sequence"]) for i, d in end.documents["notes"]["seen"].items()}
    if seen != latest:
        yield f"verdicts taken up {seen} and not {latest}"


def _pairs(end: End) -> Iterator[str]:
    found = told_posts(end)
    quiet = quiet_posts(end)  # an erasure is a change more
    pairs = end.documents["recommend"]["pairs"]
    restored = was_restored(end, "recommend")
    met = {i for i, d in pairs.items() if d["posted"] and d["judged"] and (restored or d["v"] in (2, 2 + (i in quiet)))}
    if met != set(found) or set(pairs) != met:
        yield f"pairs {pairs} and not {sorted(found)}"
    told = records_of(end, 2, "profile_taught")
    ids: dict[str, set[str]] = {}
    for seen in told:
        ids.setdefault(seen.body["terms"][0][0], set()).add(seen.id)
    yield from between("pairs told", set(found), set(ids), set(found))
    losses = [lost.taken for lost in end.lost if lost.service == "recommend"]
    for pair, different in ids.items():
        first = min(seen.came for seen in told if seen.id in different)
        if len(different) > 1 + sum(taken <= first for taken in losses):
            yield f"pair {pair} is told {len(different)} times"
    circles = {g: d["pairs"] for g, d in end.documents["recommend"]["circles"].items()}
    wanted = Counter(_group(found[pair].ask.note_id) for pair in ids.keys() & found.keys() for _ in ids[pair])
    if circles != dict(wanted):
        yield f"circles {circles} and not {dict(wanted)}"


def _group(note_id: str) -> str:
    return f"g{crc32(note_id.encode()) % 2}"


def _views(end: End) -> Iterator[str]:
    """Every process has in memory what is stored."""
    followed = {note: d["edits"] for note, d in end.documents["moderation"]["followed"].items()}
    for view in end.views:
        if view != followed:
            yield f"a view has {view} of {followed}"


def _letters(end: End) -> Iterator[str]:
    """Every poisoned record has one letter of each reader; a buggy handler one for each time it was given.

    Once the bug is mended, or the words that it dies of are gone, what comes is no letter any more.
    """
    sure, bugs = wanting(end, "bug")
    posted = [seen for seen in records_of(end, 0, "comment_posted") if seen.came < end.looked]
    given = {(*s.place, "count_comment"): s.body["comment_id"] for s in posted}
    torn_sure, torn = wanting(end, "torn")
    mended = any(fault.kind == "mend" for fault in end.plan.faults)
    for service, letters in end.before_replay.items():
        least: set[tuple[Any, ...]] = {(*place, "") for place in end.poisoned if place[0] in READ[service]}
        most = set(least)
        if service == "notes":
            most |= {place for place, id_ in given.items() if id_ in bugs} | {(f"{i}-torn-2", "echo_all") for i in torn}
        if service == "notes" and not mended:
            least |= {place for place, id_ in given.items() if id_ in sure}
            least |= {(f"{id_}-torn-2", "echo_all") for id_ in torn_sure}
        found = {_place(letter) for letter in letters}
        yield from _told_right(end, service)
        if not least <= found <= most:
            yield f"{service}: letters {sorted(found - most)} too many, {sorted(least - found)} missing"


def _told_right(end: End, service: str) -> Iterator[str]:
    """Until a replay an input has one letter of a handler, and it quotes the record at its place."""
    topic = dead_topic(service).name
    ids: dict[str, set[str]] = {}
    quoted = {seen.place: seen.body for told in end.records.values() for seen in told}
    erased = {person for _, person in end.erased}
    for seen in end.records[topic]:
        letter = seen.body
        if seen.came < end.replayed.get(service, seen.came + 1):
            ids.setdefault(letter["letter_id"], set()).add(seen.id)
        if letter["reason"] not in ({"bug"} if letter["handler"] else {"envelope", "body"}):
            yield f"{service}: {letter['letter_id']} for {letter['reason']}"
        place = (letter["topic"], letter["partition"], letter["offset"])
        if letter["handler"] and letter["topic"] != "timers":
            body = json.loads(b64decode(letter["value"]))
            if body != quoted[place] and body.get("author_id") not in erased:
                yield f"{service}: {letter['letter_id']} quotes {body} and not {quoted[place]}"
    yield from (f"{service}: {letter} was told as {sorted(of)}" for letter, of in ids.items() if len(of) > 1)


def _replayed(end: End) -> Iterator[str]:
    """After the last replay only what nobody can read waits for another one."""
    for service, documents in end.documents.items():
        wanted = {f"{t}:{p}:{o}:" for t, p, o in end.poisoned if t in READ[service]}
        if (found := set(documents["dead"])) != wanted:
            yield f"{service}: dead for ever {sorted(found - wanted)}, forgotten {sorted(wanted - found)}"


def _erased(end: End) -> Iterator[str]:
    """No store has a word of an erased person, none is sent once every former owner has noticed, and of the letters
    that were there before none that can still be read."""
    for (service, person), done in end.erased.items():
        mark = f"~{person}~"
        for when, stored in (("then", end.just_erased[service, person]), ("in the end", end.documents[service])):
            for place, document in ((f"{c} {i}", d) for c, found in stored.items() for i, d in found.items()):
                if mark in _plain(document):
                    yield f"{service}: {person} speaks in {place} {when}"
        for topic, records in end.records.items():
            for seen in records if topic.split(".")[1] == service else ():
                late = seen.came > done + NOTICED and seen.place not in end.copied
                if late and mark in _plain(seen.body):
                    yield f"{topic}: {person}, erased at {done}, speaks at {seen.came}"
        topic = dead_topic(service).name
        for seen in end.records[topic]:
            _, number, offset = seen.place
            old = seen.came <= end.erasing[service, person] and offset >= end.firsts[topic, number]
            if old and mark in _plain(seen.body):
                yield f"{topic}: {person}, erased at {done}, is still quoted at {number}:{offset}"


def _plain(value: Any) -> str:
    """All that is in a value, what letters quote too."""
    match value:
        case dict() if "fingerprint" in value and "value" in value:
            return b64decode(value["value"]).decode("utf-8", "replace")
        case dict():
            return " ".join(_plain(part) for part in value.values())
        case list() | tuple():
            return " ".join(_plain(part) for part in value)
        case bytes() if value.startswith(b"{"):
            return _plain(json.loads(value))
        case _:
            return str(value)


def _alarms(end: End) -> Iterator[str]:
    """No lane is held by an alarm without its cause."""
    for service, lane, reason in end.alarms:
        if reason.startswith("horizon") and end.plan.horizon >= WEEK:
            yield f"{service} {lane}: {reason}"
        if reason.startswith("dying") and len(end.letters[service]) < end.plan.deaths:
            yield f"{service} {lane}: {reason}, and there are {len(end.letters[service])} letters"
    yield from (f"{lane} went on though it was held" for lane in end.moved)
    bugs = [ask for ask in end.plan.asks if ask.text == "bug"]
    if not end.plan.faults and len(bugs) == len(end.plan.asks) >= 4 * end.plan.deaths and not end.alarms:
        yield f"{len(bugs)} inputs died, and nobody was told"


def _place(letter: dict[str, Any]) -> tuple[Any, ...]:
    """Where the input of a letter stood; of a part, which was its first effect."""
    if letter["topic"] == "timers":
        return json.loads(b64decode(letter["value"]))["payload"]["ids"][0], letter["handler"]
    return letter["topic"], letter["partition"], letter["offset"], letter["handler"]


def _surprises(end: End) -> Iterator[str]:
    """No process met a bug, not even one that it then lived with."""
    yield from end.surprises


def _nothing_left(end: End) -> Iterator[str]:
    """What an outbox still holds after the end was sent; only that it was could not be noted any more."""
    sent = {seen.id for records in end.records.values() for seen in records}
    for service, collections in end.documents.items():
        for lane, control in collections["lanes"].items():
            unsent = {known[0] for batch in control.get("outbox", []) for *_, known in decode(batch["r"])} - sent
            if unsent:
                yield f"{service} {lane}: never sent {sorted(unsent)}"
            if control.get("held"):
                yield f"{service} {lane}: held, {control['held']}"


CHECKS: tuple[Callable[[End], Iterator[str]], ...] = (
    promises.replies,
    _types,
    promises.posts,
    _parts,
    _verdicts,
    _pairs,
    promises.edits,
    _views,
    promises.seats,
    promises.doors,
    promises.needs,
    promises.timers,
    _letters,
    _replayed,
    _erased,
    _alarms,
    promises.idempotence,
    _nothing_left,
    _surprises,
)
