"""What clients were promised, against what is stored and told: replies, refusals, seats, doors, edits, needs."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.simulation.end import Answered, End
from tests.simulation.evidence import (
    answer_of,
    between,
    due_of,
    ids_of,
    of_kind,
    quiet_posts,
    records_of,
    sequence_of,
    states_told,
    sure_of,
    told_once,
    told_posts,
    wanting,
    was_lost,
    was_restored,
)

SEATS = 3
PATIENCE = timedelta(seconds=6)
"""How long a question waits for an answer."""
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


def replies(end: End) -> Iterator[str]:
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
    opened = {seen.body["need_id"]: seen.came for seen in reversed(records_of(end, 0, "need_opened"))}
    told, erased = set(told_posts(end)), {person for _, person in end.erased}
    for a in end.answers:
        match a.body.get("type"):
            case "exists" if a.ask.id not in told and not was_lost(end, a.last):
                yield f"{a.ask.id} is said to exist"
            case "person-erased" if a.ask.person not in erased:
                yield f"{a.ask.id} is refused, and {a.ask.person} was not erased"
            case "unknown-need" if opened.get(a.ask.id, a.last) < a.ask.at and not was_restored(end, "notes"):
                yield f"{a.ask.id} is unknown, and was opened at {opened[a.ask.id]}"
        if a.outcome == "unknown" and not end.plan.faults and a.ask.patience >= 5.0:
            yield f"{a.ask.kind} {a.ask.id} had no answer, and nothing was broken"


def posts(end: End) -> Iterator[str]:
    posts, found = of_kind(end, "post"), set(told_posts(end))
    kept, most = set(end.documents["notes"]["comments"]), ids_of(posts, "accepted", "unknown")
    yield from between("comments", ids_of(sure_of(end, posts), "accepted"), kept, most)
    yield from between("comments told", kept, found, most)
    yield from told_once(records_of(end, 0, "comment_posted"), "comment_id", found)
    notes = end.documents["notes"]
    tallies = Counter(a.ask.note_id for a in told_posts(end).values())
    counted = {note: d["comments"] for note, d in notes["tallies"].items()}
    if counted != dict(tallies):
        yield f"tallies {counted} and not {dict(tallies)}"
    words = {i: "" if i in quiet_posts(end) else a.ask.words for i, a in told_posts(end).items()}
    stored = {"notes": notes["comments"], "moderation": end.documents["moderation"]["copies"]}
    stored["recommend"] = end.documents["recommend"]["pairs"]
    for service, documents in stored.items():
        wanted = {i: text for i, text in words.items() if service != "notes" or i in kept}
        if (texts := {i: d["text"] for i, d in documents.items()}) != wanted:
            yield f"{service}: texts {texts} and not {wanted}"
    times = {i: d["times"] for i, d in notes["remembered"].items()}
    if times != dict.fromkeys(found, 1):
        yield f"remembered {times} and not once each of {sorted(found)}"


def edits(end: End) -> Iterator[str]:
    for note in {a.ask.note_id for a in of_kind(end, "edit")}:
        asked = [a for a in of_kind(end, "edit") if a.ask.note_id == note]
        sure = sure_of(end, asked)
        stored: dict[str, Any] = end.documents["notes"]["notes"].get(note, {"edits": 0})
        if not len(sure) <= stored["edits"] <= sum(a.tries if a.ask.insists else 1 for a in asked):
            yield f"{note}: {stored['edits']} edits, {len(sure)} accepted of {len(asked)}"
        counts = {answer_of(end, a)["edits"] for a in sure}
        if len(counts) != len(sure) or not counts <= set(range(1, stored["edits"] + 1)):
            yield f"{note}: callers were told {sorted(counts)} of {stored['edits']} edits"
    notes, told = end.documents["notes"]["notes"], records_of(end, 0, "note_visibility_changed")
    yield from states_told(
        end, "notes", told, "note_id", notes, says=lambda s, d: s.body["reasons"] == [str(d["edits"])]
    )
    for note, document in notes.items():
        followed = end.documents["moderation"]["followed"].get(note, {})
        if (followed.get("sequence"), followed.get("edits")) != (
            sequence_of(end, "notes", document),
            document["edits"],
        ):
            yield f"{note}: moderation has {followed} of {document}"


def seats(end: End) -> Iterator[str]:
    for note in {a.ask.note_id for a in of_kind(end, "take")}:
        asked = [a for a in of_kind(end, "take") if a.ask.note_id == note]
        takers = end.documents["notes"]["rows"].get(note, {"takers": []})["takers"]
        if len(takers) > SEATS or len(set(takers)) != len(takers):
            yield f"{note}: seats {takers}"
        sure = ids_of(sure_of(end, asked), "accepted")
        yield from between(f"{note}: seats", sure, set(takers), ids_of(asked, "accepted", "unknown"))
        seats = {a.ask.id: answer_of(end, a)["seat"] for a in sure_of(end, asked)}
        if wrong := {i: seat for i, seat in seats.items() if i in takers and takers[seat - 1 : seat] != [i]}:
            yield f"{note}: seats {takers}, and told {wrong}"
        if len(takers) < SEATS and any(a.body.get("type") == "full" and not was_lost(end, a.last) for a in asked):
            yield f"{note}: refused as full with {takers}"
    takers = {t for d in end.documents["notes"]["rows"].values() for t in d["takers"]}
    lost = {a.ask.id for a in of_kind(end, "take")} if was_restored(end, "notes") else set()
    yield from told_once(records_of(end, 0, "note_relayed"), "by_id", takers, takers | lost)


def doors(end: End) -> Iterator[str]:
    """Who shut a door was told how many had come in, and nobody came after."""
    doors, rows = end.documents["notes"]["doors"], end.documents["notes"]["rows"]
    for note in {a.ask.note_id for a in end.answers}:
        asked = [a for a in of_kind(end, "shut") if a.ask.note_id == note]
        shut = not doors.get(note, {"open": True})["open"]
        sure = sure_of(end, asked)
        if len(sure) > 1 or shut < len(sure) or shut > any(a.outcome != "refused" for a in asked):
            yield f"{note}: shut {shut}, though {len(sure)} were told so of {len(asked)}"
        refused = [a for a in end.answers if a.ask.note_id == note and not was_lost(end, a.last)]
        late = [a for a in refused if a.body.get("type") in ("shut", "shut-before")]
        if late and not shut:
            yield f"{note}: open, and {sorted(a.ask.id for a in late)} were told that it is shut"
        takers = len(rows.get(note, {"takers": ()})["takers"])
        if shut and {takers, *(answer_of(end, a)["seats"] for a in sure)} != {doors[note]["seats"]}:
            yield f"{note}: shut with {doors[note]['seats']} seats taken, and then there were {takers}"


def needs(end: End) -> Iterator[str]:
    least, most = wanting(end, "why?")
    needs = end.documents["notes"]["needs"]
    yield from between("needs", least, set(needs), most)
    closed = {state: {i for i, d in needs.items() if d["state"] == state} for state in ("answered", "escalated")}
    if set.union(*closed.values()) != set(needs):
        yield f"needs are open for ever: {needs}"
    told = [seen for state in ("opened", *closed) for seen in records_of(end, 0, f"need_{state}")]
    yield from states_told(end, "notes", told, "need_id", needs, says=lambda s, d: d["state"] in s.type)
    if not was_restored(end, "notes"):
        yield from told_once(records_of(end, 0, "need_opened"), "need_id", set(needs))
        yield from told_once(records_of(end, 0, "need_answered"), "need_id", closed["answered"])
        yield from told_once(records_of(end, 0, "need_escalated"), "need_id", closed["escalated"])
    answers = of_kind(end, "answer")
    if not was_restored(end, "notes"):
        sure, most = ids_of(answers, "accepted"), ids_of(answers, "accepted", "unknown")
        yield from told_once(records_of(end, 0, "advice_taken"), "comment_id", sure, most)
    refused = {a.ask.id for a in answers if a.outcome == "refused" and not _answered_once(end, a)}
    if never := closed["answered"] - ({a.ask.id for a in answers} - refused):
        yield f"answered by nobody: {sorted(never)}"
    for answered in sure_of(end, answers):
        at = answered.last if was_lost(end, answered.at) else answered.at
        need = needs.get(answered.ask.id, {})
        if need.get("state") == "escalated" and at < due_of(need) - end.plan.skew * 2:
            yield f"{answered.ask.id}: answered at {at}, escalated though it was due at {due_of(need)}"


def _answered_once(end: End, answered: Answered) -> bool:
    """Whether one that was refused in the end may have been accepted before, in a time that was lost."""
    return any(lost.taken < answered.last for lost in end.lost if lost.service == "notes")


def timers(end: End) -> Iterator[str]:
    needs: dict[str, dict[str, Any] | None] = dict(end.documents["notes"]["needs"])
    for id_, need in needs.items():
        if need is not None and need["rung"] != (need["state"] == "escalated"):
            yield f"{id_}: {need['state']}, and its timer fired {need['rung']} times"
    asked = {(seen.body["comment_id"], seen.time) for seen in records_of(end, 0, "comment_posted")}
    for id_, need in needs.items():
        if need is not None and (id_, need["due"] - PATIENCE) not in asked:
            yield f"{id_}: due at {need['due']}, and not asked {PATIENCE} before"
    for seen in records_of(end, 0, "need_escalated"):
        need = needs.get(seen.body["need_id"])
        due = due_of(need) if need is not None else 0.0
        if seen.came < due - end.plan.skew:
            yield f"{seen.body['need_id']}: escalated at {seen.came}, due at {due}"


def idempotence(end: End) -> Iterator[str]:
    quiet = quiet_posts(end)
    for a in end.answers:
        if a.misused not in ("", "idempotency-key-reused") and not was_lost(end, a.at) and a.ask.id not in quiet:
            yield f"{a.ask.kind} {a.ask.id}: its key for another body gave {a.misused}"
        if a.repeated is not None and a.repeated != a.body and not was_lost(end, a.at):
            yield f"{a.ask.kind} {a.ask.id}: {a.body}, and under the same key {a.repeated}"
