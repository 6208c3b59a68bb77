"""What must be true at the end of a world, from what was asked and answered alone. Shares nothing with services.

What a client was promised has happened; what it was refused has not; of the rest nobody knows, but whatever
of it has happened has happened everywhere, and once.
"""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from zlib import crc32

from tests.simulation.end import Answered, End, Seen
from tests.simulation.plan import READ, WEEK

SEATS = 3
ECHOES = 5
NOTICED = 15.0
"""Seconds after which a process that was not stopped has heard that it lost a lane, and what was sent is there."""
PATIENCE = 6.0
SLACK = 5.0
"""Seconds that an answer must be earlier than its due time to count as surely in time, beyond the clocks' error."""


def violations(end: End) -> list[str]:
    """Every broken promise, in words; empty when all is well."""
    if end.stuck:
        return [f"stuck: {end.stuck}"]
    return [f"{check.__name__.strip('_')}: {broken}" for check in CHECKS for broken in check(end)]


def _of(end: End, kind: str) -> list[Answered]:
    return [a for a in end.answers if a.ask.kind == kind]


def _ids(answers: list[Answered], *outcomes: str) -> set[str]:
    return {a.ask.id for a in answers if a.outcome in outcomes}


def _quiet(end: End) -> set[str]:
    """Posts of erased persons: what they wanted was done, or was gone before anybody looked."""
    erased = {person for _, person in end.erased}
    return {a.ask.id for a in _of(end, "post") if a.ask.person in erased}


def _wanting(end: End, *texts: str) -> tuple[set[str], set[str]]:
    """Posts that happened and surely want one of these, and those that may."""
    most = {i for i, a in _happened(end).items() if a.ask.text in texts}
    return most - _quiet(end), most


def _happened(end: End) -> dict[str, Answered]:
    stored = end.documents["notes"]["comments"]
    return {a.ask.id: a for a in _of(end, "post") if a.ask.id in stored}


def _between(what: str, least: set[str], found: set[str], most: set[str]) -> Iterator[str]:
    if lost := least - found:
        yield f"{what}: lost {sorted(lost)}"
    if extra := found - most:
        yield f"{what}: from nowhere {sorted(extra)}"


def _once(told: list[Seen], field: str, wanted: set[str]) -> Iterator[str]:
    """Each subject has exactly one event of a type; the same one may be on the wire more than once."""
    what = told[0].type if told else f"nothing with {field}"
    ids: dict[str, set[str]] = {}
    for seen in told:
        ids.setdefault(seen.body[field], set()).add(seen.id)
    yield from _between(f"{what} told", wanted, set(ids), wanted)
    for subject, different in ids.items():
        if len(different) > 1:
            yield f"{what} told {len(different)} times: {subject}"


def _records(end: End, topic: int, type_: str) -> list[Seen]:
    name = READ["recommend"][topic]
    return [seen for seen in end.records[name] if seen.type.split(".")[2] == type_]


def _posts(end: End) -> Iterator[str]:
    posts, found = _of(end, "post"), set(_happened(end))
    yield from _between("comments", _ids(posts, "accepted"), found, _ids(posts, "accepted", "unknown"))
    yield from _once(_records(end, 0, "comment_posted"), "comment_id", found)
    notes = end.documents["notes"]
    tallies = Counter(a.ask.note_id for a in _happened(end).values())
    counted = {note: d["comments"] for note, d in notes["tallies"].items()}
    if counted != dict(tallies):
        yield f"tallies {counted} and not {dict(tallies)}"
    words = {i: "" if i in _quiet(end) else a.ask.words for i, a in _happened(end).items()}
    stored = {"notes": notes["comments"], "moderation": end.documents["moderation"]["copies"]}
    stored["recommend"] = end.documents["recommend"]["pairs"]
    for service, documents in stored.items():
        if (kept := {i: d["text"] for i, d in documents.items()}) != words:
            yield f"{service}: texts {kept} and not {words}"
    times = {i: d["times"] for i, d in notes["remembered"].items()}
    if times != dict.fromkeys(found, 1):
        yield f"remembered {times} and not once each of {sorted(found)}"


def _parts(end: End) -> Iterator[str]:
    least, most = _wanting(end, "many", "torn")
    echoes = end.documents["notes"]["echoes"]
    large = {i.partition("-")[0] for i in echoes}
    yield from _between("large posts", least, large, most)
    kinds = {i: a.ask.text for i, a in _happened(end).items()}
    wanted = {f"{i}-{kinds.get(i)}-{n}" for i in large for n in range(ECHOES)}
    times = {i: d["times"] for i, d in echoes.items()}
    if times != dict.fromkeys(wanted, 1):
        yield f"echoes {times} and not once each of {sorted(wanted)}"
    yield from _once(_records(end, 0, "note_reacted"), "person_id", wanted)


def _verdicts(end: End) -> Iterator[str]:
    least, most = _wanting(end, "spam")
    verdicts = end.documents["moderation"]["verdicts"]
    yield from _between("verdicts", set(_happened(end)), set(verdicts), set(_happened(end)))
    yield from _between("spam", least, {i for i, d in verdicts.items() if d["hidden"]}, most)
    yield from _once(_records(end, 1, "content_judged"), "content_id", set(verdicts))
    seen = {i: (d["hidden"], d["sequence"]) for i, d in end.documents["notes"]["seen"].items()}
    if seen != {i: (d["hidden"], d["v"]) for i, d in verdicts.items()}:
        yield f"verdicts taken up {seen} and not {verdicts}"


def _pairs(end: End) -> Iterator[str]:
    found = _happened(end)
    quiet = _quiet(end)  # an erasure is a change more
    pairs = end.documents["recommend"]["pairs"]
    met = {i for i, d in pairs.items() if d["posted"] and d["judged"] and d["v"] in (2, 2 + (i in quiet))}
    if met != set(found) or set(pairs) != met:
        yield f"pairs {pairs} and not {sorted(found)}"
    told = {seen.body["terms"][0][0]: seen.id for seen in _records(end, 2, "profile_taught")}
    yield from _between("pairs told", set(found), set(told), set(found))
    if len({seen.id for seen in _records(end, 2, "profile_taught")}) != len(told):
        yield "a pair is told twice"
    circles = {g: d["pairs"] for g, d in end.documents["recommend"]["circles"].items()}
    wanted = Counter(f"g{crc32(a.ask.note_id.encode()) % 2}" for a in found.values())
    if circles != dict(wanted):
        yield f"circles {circles} and not {dict(wanted)}"


def _edits(end: End) -> Iterator[str]:
    for note in {a.ask.note_id for a in _of(end, "edit")}:
        asked = [a for a in _of(end, "edit") if a.ask.note_id == note]
        sure = [a for a in asked if a.outcome == "accepted"]
        stored: dict[str, Any] = end.documents["notes"]["notes"].get(note, {"edits": 0})
        if not len(sure) <= stored["edits"] <= sum(a.outcome != "refused" for a in asked):
            yield f"{note}: {stored['edits']} edits, {len(sure)} accepted of {len(asked)}"
        if len({a.body["edits"] for a in sure}) != len(sure):
            yield f"{note}: two callers were told the same count"
    for note, document in end.documents["notes"]["notes"].items():
        told = [s for s in _records(end, 0, "note_visibility_changed") if s.body["note_id"] == note]
        latest = max(told, key=lambda s: s.sequence, default=None)
        if latest is None or (latest.sequence, latest.body["reasons"]) != (document["v"], [str(document["edits"])]):
            yield f"{note}: the last news {latest} is not the state {document}"
        if len({(s.sequence, s.id) for s in told}) != document["v"] or len({s.sequence for s in told}) != document["v"]:
            yield f"{note}: {len(told)} news of {document['v']} changes"
        followed = end.documents["moderation"]["followed"].get(note, {})
        if (followed.get("sequence"), followed.get("edits")) != (document["v"], document["edits"]):
            yield f"{note}: moderation has {followed} of {document}"


def _views(end: End) -> Iterator[str]:
    """Every process has in memory what is stored."""
    followed = {note: d["edits"] for note, d in end.documents["moderation"]["followed"].items()}
    for view in end.views:
        if view != followed:
            yield f"a view has {view} of {followed}"


def _seats(end: End) -> Iterator[str]:
    for note in {a.ask.note_id for a in _of(end, "take")}:
        asked = [a for a in _of(end, "take") if a.ask.note_id == note]
        takers = end.documents["notes"]["rows"].get(note, {"takers": []})["takers"]
        if len(takers) > SEATS or len(set(takers)) != len(takers):
            yield f"{note}: seats {takers}"
        yield from _between(f"{note}: seats", _ids(asked, "accepted"), set(takers), _ids(asked, "accepted", "unknown"))
        if any(a.body.get("type") == "full" for a in asked) and len(takers) < SEATS:
            yield f"{note}: refused as full with {takers}"
    takers = {t for d in end.documents["notes"]["rows"].values() for t in d["takers"]}
    yield from _once(_records(end, 0, "note_relayed"), "by_id", takers)


def _doors(end: End) -> Iterator[str]:
    """Who shut a door was told how many had come in, and nobody came after."""
    doors, rows = end.documents["notes"]["doors"], end.documents["notes"]["rows"]
    for note in {a.ask.note_id for a in end.answers}:
        asked = [a for a in _of(end, "shut") if a.ask.note_id == note]
        shut = not doors.get(note, {"open": True})["open"]
        sure = [a for a in asked if a.outcome == "accepted"]
        if len(sure) > 1 or shut < len(sure) or shut > any(a.outcome != "refused" for a in asked):
            yield f"{note}: shut {shut}, though {len(sure)} were told so of {len(asked)}"
        late = [a for a in end.answers if a.ask.note_id == note and a.body.get("type") in ("shut", "shut-before")]
        if late and not shut:
            yield f"{note}: open, and {sorted(a.ask.id for a in late)} were told that it is shut"
        takers = len(rows.get(note, {"takers": ()})["takers"])
        if shut and {takers, *(a.body["seats"] for a in sure)} != {doors[note]["seats"]}:
            yield f"{note}: shut with {doors[note]['seats']} seats taken, and then there were {takers}"


def _needs(end: End) -> Iterator[str]:
    least, most = _wanting(end, "why?")
    needs = end.documents["notes"]["needs"]
    yield from _between("needs", least, set(needs), most)
    yield from _once(_records(end, 0, "need_opened"), "need_id", set(needs))
    closed = {state: {i for i, d in needs.items() if d["state"] == state} for state in ("answered", "escalated")}
    if set.union(*closed.values()) != set(needs):
        yield f"needs are open for ever: {needs}"
    yield from _once(_records(end, 0, "need_answered"), "need_id", closed["answered"])
    yield from _once(_records(end, 0, "need_escalated"), "need_id", closed["escalated"])
    answers = {a.ask.id: a for a in _of(end, "answer")}
    if never := closed["answered"] - _ids(list(answers.values()), "accepted", "unknown"):
        yield f"answered by nobody: {sorted(never)}"
    for id_ in closed["escalated"] & _ids(list(answers.values()), "accepted"):
        if answers[id_].at < _due(needs[id_]) - end.plan.skew * 2:
            yield f"{id_}: answered at {answers[id_].at}, escalated though it was due at {_due(needs[id_])}"


def _timers(end: End) -> Iterator[str]:
    for id_, need in end.documents["notes"]["needs"].items():
        if need["rung"] != (need["state"] == "escalated"):
            yield f"{id_}: {need['state']}, and its timer fired {need['rung']} times"
    for seen in _records(end, 0, "need_escalated"):
        due = _due(end.documents["notes"]["needs"][seen.body["need_id"]])
        if seen.came < due - 2 * end.plan.skew:
            yield f"{seen.body['need_id']}: escalated at {seen.came}, due at {due}"


def _due(need: dict[str, Any]) -> float:
    start = need["due"].replace(hour=8, minute=0, second=0, microsecond=0)
    return float((need["due"] - start).total_seconds())


def _letters(end: End) -> Iterator[str]:
    """Every poisoned record has one letter of each reader; a buggy handler one for each time it was given.

    Once the bug is mended, or the words that it dies of are gone, what comes is no letter any more.
    """
    sure, bugs = _wanting(end, "bug")
    given = {(*s.place, "count_comment"): s.body["comment_id"] for s in _records(end, 0, "comment_posted")}
    torn_sure, torn = _wanting(end, "torn")
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
        if not least <= found <= most:
            yield f"{service}: letters {sorted(found - most)} too many, {sorted(least - found)} missing"


def _replayed(end: End) -> Iterator[str]:
    """After the last replay only what nobody can read waits for another one."""
    for service, documents in end.documents.items():
        wanted = {f"{t}:{p}:{o}:" for t, p, o in end.poisoned if t in READ[service]}
        if (found := set(documents["dead"])) != wanted:
            yield f"{service}: dead for ever {sorted(found - wanted)}, forgotten {sorted(wanted - found)}"


def _erased(end: End) -> Iterator[str]:
    """No store has a word of an erased person, and none is sent once every former owner has noticed."""
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


def _place(letter: dict[str, Any]) -> tuple[Any, ...]:
    """Where the input of a letter stood; of a part, which was its first effect."""
    if letter["topic"] == "timers":
        return json.loads(b64decode(letter["value"]))["payload"]["ids"][0], letter["handler"]
    return letter["topic"], letter["partition"], letter["offset"], letter["handler"]


def _idempotence(end: End) -> Iterator[str]:
    for a in end.answers:
        if a.repeated is not None and a.repeated != a.body:
            yield f"{a.ask.kind} {a.ask.id}: {a.body}, and under the same key {a.repeated}"


def _nothing_left(end: End) -> Iterator[str]:
    """What an outbox still holds after the end was sent; only that it was could not be noted any more."""
    sent = {seen.id for records in end.records.values() for seen in records}
    for service, collections in end.documents.items():
        for lane, control in collections["lanes"].items():
            unsent = {known[0] for batch in control.get("outbox", []) for *_, known in batch["r"]} - sent
            if unsent:
                yield f"{service} {lane}: never sent {sorted(unsent)}"
            if control.get("held"):
                yield f"{service} {lane}: held, {control['held']}"


CHECKS: tuple[Callable[[End], Iterator[str]], ...] = (
    _posts,
    _parts,
    _verdicts,
    _pairs,
    _edits,
    _views,
    _seats,
    _doors,
    _needs,
    _timers,
    _letters,
    _replayed,
    _erased,
    _alarms,
    _idempotence,
    _nothing_left,
)
