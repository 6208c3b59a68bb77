"""What must be true at the end of a world, from what was asked and answered alone. Shares nothing with services.

What a client was promised has happened; what it was refused has not; of the rest nobody knows, but whatever
of it has happened has happened everywhere, and once.

Where the database of a service was set back to a backup, this is excused, and nothing else:
- Notes' promises from when the backup was taken to when it was put back are void: a command of that time may be lost,
  and whoever repeats it may be answered otherwise (`_sure`, `_idempotence`).
- What the lost time has told stays told. Others have taken it up, and notes reads it again itself: a comment that is
  not stored any more is judged, counted and asked about like any other (`_told`), and an answer counts that was lost.
- What follows from two topics of a lane, whichever came last, is told once for each way in which they came: a pair that
  met after the backup may be told, and counted, a second time (`_pairs`). See docs/adr/0050.
- Large posts of an erased person may have been told in the lost time, and want nothing any more when they are folded
  again: what their parts told stays told (`_parts`).
- A state is told more than once. But each sequence of it is one event, the highest is the document as the owner has
  it now, and every reader ends with that one (`_states`).
"""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from zlib import crc32

from shared.contracts import dead_topic
from tests.simulation.end import Answered, End, Seen
from tests.simulation.plan import READ, WEEK

SEATS = 3
ECHOES = 5
NOTICED = 15.0
"""Seconds after which a process that was not stopped has heard that it lost a lane, and what was sent is there."""
PATIENCE = timedelta(seconds=6)
"""How long a question waits for an answer."""
LIFTED = 1_000_000
REPLIES: dict[str, dict[str, Any]] = {
    "post": {"status": 201, "comment_id": str, "text": str, "at": str},
    "edit": {"status": 200, "edits": int},
    "take": {"status": 201, "seat": int},
    "shut": {"status": 200, "seats": int},
    "answer": {"status": 202},
}
"""What each kind of command is answered."""
REFUSALS = {
    "post": {"exists", "person-erased"},
    "edit": set[str](),
    "take": {"taken-before", "full", "shut"},
    "shut": {"shut-before"},
    "answer": {"unknown-need"},
}
"""For what each may be refused."""
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
    most = {i for i, a in _told(end).items() if a.ask.text in texts}
    return most - _quiet(end), most


def _lost(end: End, at: float) -> bool:
    """Whether what notes promised then was lost by a restore."""
    return any(lost.taken <= at <= lost.back for lost in end.lost if lost.service == "notes")


def _sure(end: End, answers: list[Answered]) -> list[Answered]:
    """What was promised, and not in a time that was lost."""
    return [a for a in answers if a.outcome == "accepted" and not (_lost(end, a.at) and _lost(end, a.last))]


def _answer(end: End, answered: Answered) -> dict[str, Any]:
    """What a client was told that still holds."""
    return answered.repeated if answered.repeated and _lost(end, answered.at) else answered.body


def _restored(end: End, service: str) -> bool:
    return any(lost.service == service for lost in end.lost)


def _sequence(end: End, service: str, document: dict[str, Any]) -> int:
    """Under which sequence the owner has told the document as it is: none is below the floor of its last restore."""
    floor = end.documents[service]["restored"].get("floor", {"sequence": 0})
    return int(max(document["v"], floor["sequence"]))


def _told(end: End) -> dict[str, Answered]:
    """Comments that are stored, or were told before they were lost."""
    told = set(end.documents["notes"]["comments"])
    if _restored(end, "notes"):
        told |= {seen.body["comment_id"] for seen in _records(end, 0, "comment_posted")}
    return {a.ask.id: a for a in _of(end, "post") if a.ask.id in told}


def _between(what: str, least: set[str], found: set[str], most: set[str]) -> Iterator[str]:
    if lost := least - found:
        yield f"{what}: lost {sorted(lost)}"
    if extra := found - most:
        yield f"{what}: from nowhere {sorted(extra)}"


def _once(told: list[Seen], field: str, wanted: set[str], most: set[str] | None = None) -> Iterator[str]:
    """Each subject has exactly one event of a type; the same one may be on the wire more than once."""
    what = told[0].type if told else f"nothing with {field}"
    ids: dict[str, set[str]] = {}
    for seen in told:
        ids.setdefault(seen.body[field], set()).add(seen.id)
    yield from _between(f"{what} told", wanted, set(ids), wanted if most is None else most)
    for subject, different in ids.items():
        if len(different) > 1:
            yield f"{what} told {len(different)} times: {subject}"


def _records(end: End, topic: int, type_: str) -> list[Seen]:
    name = READ["recommend"][topic]
    return [seen for seen in end.records[name] if seen.type.split(".")[2] == type_]


def _replies(end: End) -> Iterator[str]:
    """Each reply is that of the command that was asked, and each refusal has a reason that can be true."""
    for a in end.answers:
        shape = REPLIES[a.ask.kind]
        for body in (a.body, a.repeated) if a.outcome == "accepted" else ():
            if body is None or (a.ask.insists and body.get("type") == "exists"):
                continue
            wrong = body.keys() != shape.keys() or body["status"] != shape["status"]
            if wrong or any(not isinstance(body[name], kind) for name, kind in shape.items() if name != "status"):
                yield f"{a.ask.kind} {a.ask.id} is told {body}"
            if a.ask.kind == "post" and (body["comment_id"], body["text"]) != (a.ask.id, a.ask.words):
                yield f"post {a.ask.id} is told of another: {body}"
        if a.outcome == "refused" and a.body["type"] not in REFUSALS[a.ask.kind]:
            yield f"{a.ask.kind} {a.ask.id} is refused: {a.body}"
    opened = {seen.body["need_id"]: seen.came for seen in reversed(_records(end, 0, "need_opened"))}
    told, erased = set(_told(end)), {person for _, person in end.erased}
    for a in end.answers:
        match a.body.get("type"):
            case "exists" if a.ask.id not in told:
                yield f"{a.ask.id} is said to exist"
            case "person-erased" if a.ask.person not in erased:
                yield f"{a.ask.id} is refused, and {a.ask.person} was not erased"
            case "unknown-need" if opened.get(a.ask.id, a.last) < a.ask.at and not _restored(end, "notes"):
                yield f"{a.ask.id} is unknown, and was opened at {opened[a.ask.id]}"
        if a.outcome == "unknown" and not end.plan.faults and a.ask.patience >= 5.0:
            yield f"{a.ask.kind} {a.ask.id} had no answer, and nothing was broken"


def _types(end: End) -> Iterator[str]:
    """Nothing is told that nobody counts."""
    if unknown := {seen.type for told in end.records.values() for seen in told if seen.type.split(".")[2] not in TOLD}:
        yield f"not counted: {sorted(unknown)}"


def _posts(end: End) -> Iterator[str]:
    posts, found = _of(end, "post"), set(_told(end))
    kept, most = set(end.documents["notes"]["comments"]), _ids(posts, "accepted", "unknown")
    yield from _between("comments", _ids(_sure(end, posts), "accepted"), kept, most)
    yield from _between("comments told", kept, found, most)
    yield from _once(_records(end, 0, "comment_posted"), "comment_id", found)
    notes = end.documents["notes"]
    tallies = Counter(a.ask.note_id for a in _told(end).values())
    counted = {note: d["comments"] for note, d in notes["tallies"].items()}
    if counted != dict(tallies):
        yield f"tallies {counted} and not {dict(tallies)}"
    words = {i: "" if i in _quiet(end) else a.ask.words for i, a in _told(end).items()}
    stored = {"notes": notes["comments"], "moderation": end.documents["moderation"]["copies"]}
    stored["recommend"] = end.documents["recommend"]["pairs"]
    for service, documents in stored.items():
        wanted = {i: text for i, text in words.items() if service != "notes" or i in kept}
        if (texts := {i: d["text"] for i, d in documents.items()}) != wanted:
            yield f"{service}: texts {texts} and not {wanted}"
    times = {i: d["times"] for i, d in notes["remembered"].items()}
    if times != dict.fromkeys(found, 1):
        yield f"remembered {times} and not once each of {sorted(found)}"


def _parts(end: End) -> Iterator[str]:
    least, most = _wanting(end, "many", "torn")
    echoes = end.documents["notes"]["echoes"]
    large = {i.partition("-")[0] for i in echoes}
    yield from _between("large posts", least, large, most)
    kinds = {i: a.ask.text for i, a in _told(end).items()}
    wanted = {f"{i}-{kinds.get(i)}-{n}" for i in large for n in range(ECHOES)}
    times = {i: d["times"] for i, d in echoes.items()}
    if times != dict.fromkeys(wanted, 1):
        yield f"echoes {times} and not once each of {sorted(wanted)}"
    gone = {f"{i}-{kinds[i]}-{n}" for i in most & _quiet(end) for n in range(ECHOES) if _restored(end, "notes")}
    yield from _once(_records(end, 0, "note_reacted"), "person_id", wanted, wanted | gone)


def _verdicts(end: End) -> Iterator[str]:
    least, most = _wanting(end, "spam")
    verdicts = end.documents["moderation"]["verdicts"]
    yield from _between("verdicts", set(_told(end)), set(verdicts), set(_told(end)))
    yield from _between("spam", least, {i for i, d in verdicts.items() if d["hidden"]}, most)
    told = sorted(_records(end, 1, "content_judged"), key=lambda seen: seen.sequence)
    latest = {seen.body["content_id"]: (seen.body["hidden"], seen.sequence) for seen in told}
    yield from _between("verdicts told", set(verdicts), set(latest), set(verdicts))
    yield from _states(
        end, "moderation", told, "content_id", verdicts, says=lambda s, d: s.body["hidden"] == d["hidden"]
    )
    seen = {i: (d["hidden"], d["sequence"]) for i, d in end.documents["notes"]["seen"].items()}
    if seen != latest:
        yield f"verdicts taken up {seen} and not {latest}"


def _pairs(end: End) -> Iterator[str]:
    found = _told(end)
    quiet = _quiet(end)  # an erasure is a change more
    pairs = end.documents["recommend"]["pairs"]
    restored = _restored(end, "recommend")
    met = {i for i, d in pairs.items() if d["posted"] and d["judged"] and (restored or d["v"] in (2, 2 + (i in quiet)))}
    if met != set(found) or set(pairs) != met:
        yield f"pairs {pairs} and not {sorted(found)}"
    told = _records(end, 2, "profile_taught")
    ids: dict[str, set[str]] = {}
    for seen in told:
        ids.setdefault(seen.body["terms"][0][0], set()).add(seen.id)
    yield from _between("pairs told", set(found), set(ids), set(found))
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


def _edits(end: End) -> Iterator[str]:
    for note in {a.ask.note_id for a in _of(end, "edit")}:
        asked = [a for a in _of(end, "edit") if a.ask.note_id == note]
        sure = _sure(end, asked)
        stored: dict[str, Any] = end.documents["notes"]["notes"].get(note, {"edits": 0})
        if not len(sure) <= stored["edits"] <= sum(a.tries if a.ask.insists else 1 for a in asked):
            yield f"{note}: {stored['edits']} edits, {len(sure)} accepted of {len(asked)}"
        counts = {_answer(end, a)["edits"] for a in sure}
        if len(counts) != len(sure) or not counts <= set(range(1, stored["edits"] + 1)):
            yield f"{note}: callers were told {sorted(counts)} of {stored['edits']} edits"
    notes, told = end.documents["notes"]["notes"], _records(end, 0, "note_visibility_changed")
    yield from _states(end, "notes", told, "note_id", notes, says=lambda s, d: s.body["reasons"] == [str(d["edits"])])
    for note, document in notes.items():
        followed = end.documents["moderation"]["followed"].get(note, {})
        if (followed.get("sequence"), followed.get("edits")) != (_sequence(end, "notes", document), document["edits"]):
            yield f"{note}: moderation has {followed} of {document}"


def _states(
    end: End,
    service: str,
    told: list[Seen],
    field: str,
    stored: dict[str, Any],
    *,
    says: Callable[[Seen, dict[str, Any]], bool],
) -> Iterator[str]:
    """Each sequence of a subject is one state, there is one for each version, and the highest is the document.

    Of what a restored service has rebuilt the version may be higher than what was told, and what waited in an outbox
    stands just below the floor (docs/adr/0050).
    """
    rebuilt = any(f.kind == "rebuild" and f.service == service == "moderation" for f in end.plan.faults)
    floor = _sequence(end, service, {"v": 0})
    for subject in sorted({seen.body[field] for seen in told} | set(stored)):
        mine = sorted((seen for seen in told if seen.body[field] == subject), key=lambda seen: seen.sequence)
        sequences = {seen.sequence for seen in mine}
        if len({(seen.sequence, repr(seen.body)) for seen in mine}) != len(sequences):
            yield f"{subject}: one sequence, two states: {mine}"
        document = stored.get(subject)
        if document is None:
            continue  # it was lost, or is missed by the check of its kind
        v = document["v"]
        lifted = v if v > floor - LIFTED else floor
        if not mine or not says(mine[-1], document):
            yield f"{subject}: the last news {mine[-1:]} is not the state {document}"
        elif mine[-1].sequence not in (max(v, floor), lifted) and not (floor and rebuilt and mine[-1].sequence < v):
            yield f"{subject}: the last news has {mine[-1].sequence}, the state {document}"
        elif not floor and not len({seen.id for seen in mine}) == len(sequences) == v:
            yield f"{subject}: {len(mine)} news of {v} changes"
        elif not rebuilt and (missing := set(range(floor + 1, v + 1)) - sequences):
            yield f"{subject}: changes {sorted(missing)} were not told"


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
        sure = _ids(_sure(end, asked), "accepted")
        yield from _between(f"{note}: seats", sure, set(takers), _ids(asked, "accepted", "unknown"))
        seats = {a.ask.id: _answer(end, a)["seat"] for a in _sure(end, asked)}
        if wrong := {i: seat for i, seat in seats.items() if i in takers and takers[seat - 1 : seat] != [i]}:
            yield f"{note}: seats {takers}, and told {wrong}"
        if len(takers) < SEATS and any(a.body.get("type") == "full" and not _lost(end, a.last) for a in asked):
            yield f"{note}: refused as full with {takers}"
    takers = {t for d in end.documents["notes"]["rows"].values() for t in d["takers"]}
    lost = {a.ask.id for a in _of(end, "take")} if _restored(end, "notes") else set()
    yield from _once(_records(end, 0, "note_relayed"), "by_id", takers, takers | lost)


def _doors(end: End) -> Iterator[str]:
    """Who shut a door was told how many had come in, and nobody came after."""
    doors, rows = end.documents["notes"]["doors"], end.documents["notes"]["rows"]
    for note in {a.ask.note_id for a in end.answers}:
        asked = [a for a in _of(end, "shut") if a.ask.note_id == note]
        shut = not doors.get(note, {"open": True})["open"]
        sure = _sure(end, asked)
        if len(sure) > 1 or shut < len(sure) or shut > any(a.outcome != "refused" for a in asked):
            yield f"{note}: shut {shut}, though {len(sure)} were told so of {len(asked)}"
        refused = [a for a in end.answers if a.ask.note_id == note and not _lost(end, a.last)]
        late = [a for a in refused if a.body.get("type") in ("shut", "shut-before")]
        if late and not shut:
            yield f"{note}: open, and {sorted(a.ask.id for a in late)} were told that it is shut"
        takers = len(rows.get(note, {"takers": ()})["takers"])
        if shut and {takers, *(_answer(end, a)["seats"] for a in sure)} != {doors[note]["seats"]}:
            yield f"{note}: shut with {doors[note]['seats']} seats taken, and then there were {takers}"


def _needs(end: End) -> Iterator[str]:
    least, most = _wanting(end, "why?")
    needs = end.documents["notes"]["needs"]
    yield from _between("needs", least, set(needs), most)
    closed = {state: {i for i, d in needs.items() if d["state"] == state} for state in ("answered", "escalated")}
    if set.union(*closed.values()) != set(needs):
        yield f"needs are open for ever: {needs}"
    told = [seen for state in ("opened", *closed) for seen in _records(end, 0, f"need_{state}")]
    yield from _states(end, "notes", told, "need_id", needs, says=lambda s, d: d["state"] in s.type)
    if not _restored(end, "notes"):
        yield from _once(_records(end, 0, "need_opened"), "need_id", set(needs))
        yield from _once(_records(end, 0, "need_answered"), "need_id", closed["answered"])
        yield from _once(_records(end, 0, "need_escalated"), "need_id", closed["escalated"])
    answers = _of(end, "answer")
    if not _restored(end, "notes"):
        sure, most = _ids(answers, "accepted"), _ids(answers, "accepted", "unknown")
        yield from _once(_records(end, 0, "advice_taken"), "comment_id", sure, most)
    refused = {a.ask.id for a in answers if a.outcome == "refused" and not _answered_once(end, a)}
    if never := closed["answered"] - ({a.ask.id for a in answers} - refused):
        yield f"answered by nobody: {sorted(never)}"
    for answered in _sure(end, answers):
        at = answered.last if _lost(end, answered.at) else answered.at
        need = needs.get(answered.ask.id, {})
        if need.get("state") == "escalated" and at < _due(need) - end.plan.skew * 2:
            yield f"{answered.ask.id}: answered at {at}, escalated though it was due at {_due(need)}"


def _answered_once(end: End, answered: Answered) -> bool:
    """Whether one that was refused in the end may have been accepted before, in a time that was lost."""
    return any(lost.taken < answered.last for lost in end.lost if lost.service == "notes")


def _timers(end: End) -> Iterator[str]:
    needs: dict[str, dict[str, Any] | None] = dict(end.documents["notes"]["needs"])
    for id_, need in needs.items():
        if need is not None and need["rung"] != (need["state"] == "escalated"):
            yield f"{id_}: {need['state']}, and its timer fired {need['rung']} times"
    asked = {(seen.body["comment_id"], seen.time) for seen in _records(end, 0, "comment_posted")}
    for id_, need in needs.items():
        if need is not None and (id_, need["due"] - PATIENCE) not in asked:
            yield f"{id_}: due at {need['due']}, and not asked {PATIENCE} before"
    for seen in _records(end, 0, "need_escalated"):
        need = needs.get(seen.body["need_id"])
        due = _due(need) if need is not None else 0.0
        if seen.came < due - end.plan.skew:
            yield f"{seen.body['need_id']}: escalated at {seen.came}, due at {due}"


def _due(need: dict[str, Any]) -> float:
    start = need["due"].replace(hour=8, minute=0, second=0, microsecond=0)
    return float((need["due"] - start).total_seconds())


def _letters(end: End) -> Iterator[str]:
    """Every poisoned record has one letter of each reader; a buggy handler one for each time it was given.

    Once the bug is mended, or the words that it dies of are gone, what comes is no letter any more.
    """
    sure, bugs = _wanting(end, "bug")
    posted = [seen for seen in _records(end, 0, "comment_posted") if seen.came < end.looked]
    given = {(*s.place, "count_comment"): s.body["comment_id"] for s in posted}
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
    yield from (f"{lane} went on though it was held" for lane in end.moved)
    bugs = [ask for ask in end.plan.asks if ask.text == "bug"]
    if not end.plan.faults and len(bugs) == len(end.plan.asks) >= 4 * end.plan.deaths and not end.alarms:
        yield f"{len(bugs)} inputs died, and nobody was told"


def _place(letter: dict[str, Any]) -> tuple[Any, ...]:
    """Where the input of a letter stood; of a part, which was its first effect."""
    if letter["topic"] == "timers":
        return json.loads(b64decode(letter["value"]))["payload"]["ids"][0], letter["handler"]
    return letter["topic"], letter["partition"], letter["offset"], letter["handler"]


def _idempotence(end: End) -> Iterator[str]:
    quiet = _quiet(end)
    for a in end.answers:
        if a.misused not in ("", "idempotency-key-reused") and not _lost(end, a.at) and a.ask.id not in quiet:
            yield f"{a.ask.kind} {a.ask.id}: its key for another body gave {a.misused}"
        if a.repeated is not None and a.repeated != a.body and not _lost(end, a.at):
            yield f"{a.ask.kind} {a.ask.id}: {a.body}, and under the same key {a.repeated}"


def _surprises(end: End) -> Iterator[str]:
    """No process met a bug, not even one that it then lived with."""
    yield from end.surprises


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
    _replies,
    _types,
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
    _surprises,
)
