"""What a checker goes by: what clients know, what is stored, what was told, and what of it a restore excuses."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.simulation.end import Answered, End, Seen
from tests.simulation.plan import READ

LIFTED = 1_000_000


def of_kind(end: End, kind: str) -> list[Answered]:
    return [a for a in end.answers if a.ask.kind == kind]


def ids_of(answers: list[Answered], *outcomes: str) -> set[str]:
    return {a.ask.id for a in answers if a.outcome in outcomes}


def quiet_posts(end: End) -> set[str]:
    """Posts of erased persons: what they wanted was done, or was gone before anybody looked."""
    erased = {person for _, person in end.erased}
    return {a.ask.id for a in of_kind(end, "post") if a.ask.person in erased}


def wanting(end: End, *texts: str) -> tuple[set[str], set[str]]:
    """Posts that happened and surely want one of these, and those that may."""
    most = {i for i, a in told_posts(end).items() if a.ask.text in texts}
    return most - quiet_posts(end), most


def was_lost(end: End, at: float) -> bool:
    """Whether what notes promised then was lost by a restore."""
    return any(lost.taken <= at <= lost.back for lost in end.lost if lost.service == "notes")


def sure_of(end: End, answers: list[Answered]) -> list[Answered]:
    """What was promised, and not in a time that was lost."""
    return [a for a in answers if a.outcome == "accepted" and not (was_lost(end, a.at) and was_lost(end, a.last))]


def answer_of(end: End, answered: Answered) -> dict[str, Any]:
    """What a client was told that still holds."""
    return answered.repeated if answered.repeated and was_lost(end, answered.at) else answered.body


def was_restored(end: End, service: str) -> bool:
    return any(lost.service == service for lost in end.lost)


def sequence_of(end: End, service: str, document: dict[str, Any]) -> int:
    """Under which sequence the owner has told the document as it is: none is below the floor of its last restore."""
    floor = end.documents[service]["restored"].get("floor", {"sequence": 0})
    return int(max(document["v"], floor["sequence"]))


def told_posts(end: End) -> dict[str, Answered]:
    """Comments that are stored, or were told before they were lost."""
    told = set(end.documents["notes"]["comments"])
    if was_restored(end, "notes"):
        told |= {seen.body["comment_id"] for seen in records_of(end, 0, "comment_posted")}
    return {a.ask.id: a for a in of_kind(end, "post") if a.ask.id in told}


def between(what: str, least: set[str], found: set[str], most: set[str]) -> Iterator[str]:
    if lost := least - found:
        yield f"{what}: lost {sorted(lost)}"
    if extra := found - most:
        yield f"{what}: from nowhere {sorted(extra)}"


def told_once(told: list[Seen], field: str, wanted: set[str], most: set[str] | None = None) -> Iterator[str]:
    """Each subject has exactly one event of a type; the same one may be on the wire more than once."""
    what = told[0].type if told else f"nothing with {field}"
    ids: dict[str, set[str]] = {}
    for seen in told:
        ids.setdefault(seen.body[field], set()).add(seen.id)
    yield from between(f"{what} told", wanted, set(ids), wanted if most is None else most)
    for subject, different in ids.items():
        if len(different) > 1:
            yield f"{what} told {len(different)} times: {subject}"


def records_of(end: End, topic: int, type_: str) -> list[Seen]:
    name = READ["recommend"][topic]
    return [seen for seen in end.records[name] if seen.type.split(".")[2] == type_]


def states_told(
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
    floor = sequence_of(end, service, {"v": 0})
    for subject in sorted({seen.body[field] for seen in told} | set(stored)):
        mine = sorted((seen for seen in told if seen.body[field] == subject), key=lambda seen: seen.sequence)
        sequences = {seen.sequence for seen in mine}
        if twofold := _twofold(end, service, mine):
            yield f"{subject}: one sequence, two states: {twofold}"
        document = stored.get(subject)
        if document is None:
            continue  # it was lost, or is missed by the check of its kind
        v = document["v"]
        known = {max(v, floor), v if v > floor - LIFTED else floor}
        # The lost time's word of it may have come back before the lifted one, which says the same.
        known |= {mine[-1].sequence} if mine and v < floor - LIFTED < mine[-1].sequence < floor else set()
        if not mine or not says(mine[-1], document):
            yield f"{subject}: the last news {mine[-1:]} is not the state {document}"
        elif mine[-1].sequence not in known and not (floor and rebuilt and mine[-1].sequence < v):
            yield f"{subject}: the last news has {mine[-1].sequence}, the state {document}"
        elif not floor and not len({seen.id for seen in mine}) == len(sequences) == v:
            yield f"{subject}: {len(mine)} news of {v} changes"
        elif not rebuilt and (missing := set(range(floor + 1, v + 1)) - sequences):
            yield f"{subject}: changes {sorted(missing)} were not told"


def _twofold(end: End, service: str, told: list[Seen]) -> list[Seen]:
    """States that stand under the sequence of another one, but for one that came of a backup in the lost one's place.

    A process that nobody found goes on from what was put back, until ``ops restored`` fences it and tells all anew.
    """
    first: dict[int, Seen] = {}
    for seen in sorted(told, key=lambda seen: seen.came):
        first.setdefault(seen.sequence, seen)
    floor = sequence_of(end, service, {"v": 0})
    losses = [lost for lost in end.lost if lost.service == service]
    return [
        seen
        for seen, other in ((seen, first[seen.sequence]) for seen in told)
        if seen.body != other.body
        and not any(lost.taken < other.came and lost.back < seen.came and seen.sequence < floor for lost in losses)
    ]


def due_of(need: dict[str, Any]) -> float:
    start = need["due"].replace(hour=8, minute=0, second=0, microsecond=0)
    return float((need["due"] - start).total_seconds())
