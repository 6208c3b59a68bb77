"""The API of moderation: why something is hidden, for those whom it concerns."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.moderation.core import RULES, Content, Found
from shared.contracts.moderation import ContentJudged
from tests.integration.edge import Edge, running

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
CONTENT = Content(
    id="c",
    kind="comment",
    place_id="n",
    author_id="bob",
    text="加微信 abc12345",
    posted_at=START,
    hidden=True,
    score=1.5,
    reasons=(Found("contact", 0.9, 0, 12), Found("forgotten", 0.6, 0, 3)),
    rules="v1",
)


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """A verdict on a comment of bob's."""
    async with running("moderation") as made:
        made.seed(CONTENT)
        yield made


@pytest.mark.parametrize("person", ["bob", "eve/moderation"])
async def test_a_verdict_is_shown_to_its_author_and_to_staff(edge: Edge, person: str) -> None:
    """Score, version of the rules, and each reason in words; a rule that is gone since has none."""
    read = (await edge.ask("GET", "/v1/verdicts/c", person)).json()
    assert (read["hidden"], read["score"], read["rules"], read["kind"]) == (True, 1.5, "v1", "comment")
    why = {rule.name: rule.why for rule in RULES.table}["contact"]
    assert read["reasons"] == [
        {"rule": "contact", "why": why, "weight": 0.9, "start": 0, "end": 12},
        {"rule": "forgotten", "why": "", "weight": 0.6, "start": 0, "end": 3},
    ]
    assert "text" not in read
    assert (read["note_id"], read["group_id"], read["decision"]) == ("n", None, None)


@pytest.mark.parametrize("person", ["ann", "eve/relay", "bo", "bob2", "ann/moderators"])
async def test_others_are_told_that_there_is_none(edge: Edge, person: str) -> None:
    """The same answer as for content that never was, so nobody learns what was judged."""
    hidden = await edge.refuse("unknown-content", 404, "GET", "/v1/verdicts/c", person)
    assert hidden == await edge.refuse("unknown-content", 404, "GET", "/v1/verdicts/none", person)


async def test_reports_wait_for_staff_in_order(edge: Edge) -> None:
    """What waits is paged, the longest wait first, with its text and what was held against it; others see nothing."""
    waiting = [
        replace(CONTENT, id=f"w{n}", hidden=False, reported={"abuse": n}, review_since=START + timedelta(minutes=n))
        for n in (3, 1, 2)
    ]
    edge.seed(*waiting)
    first = (await edge.ask("GET", "/v1/reports?limit=2", "eve/moderation")).json()
    then = (await edge.ask("GET", f"/v1/reports?limit=2&cursor={first['next']}", "eve/moderation")).json()
    assert [item["verdict"]["content_id"] for item in first["items"] + then["items"]] == ["w1", "w2", "w3"]
    assert then["next"] is None
    assert (first["items"][0]["reports"], first["items"][0]["text"]) == ({"abuse": 1}, CONTENT.text)
    await edge.refuse("missing-scope", 403, "GET", "/v1/reports", "bob")


async def test_a_report_is_answered_alike_twice(edge: Edge) -> None:
    """201, then 200 with the same body; a third person's limit is his own."""
    edge.seed(replace(CONTENT, id="seen", hidden=False))
    body = {"kind": "comment", "id": "seen", "reason": "fraud"}
    replies = [await edge.ask("POST", "/v1/reports", "ann", json=body) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 200]
    assert replies[0].json() == replies[1].json() == {"content_id": "seen"}
    await edge.refuse("own-content", 422, "POST", "/v1/reports", "bob", json=body)
    await edge.refuse("unknown-content", 404, "POST", "/v1/reports", "ann", json={**body, "kind": "note"})


@pytest.mark.parametrize("wrong", [{"kind": "group"}, {"reason": "boring"}, {"id": "a b"}, {"id": None}])
async def test_a_report_without_sense_is_refused(edge: Edge, wrong: dict[str, Any]) -> None:
    """A kind or a reason that is none, an id that is none."""
    body = {"kind": "comment", "id": "c", "reason": "fraud", **wrong}
    await edge.refuse("invalid-body", 422, "POST", "/v1/reports", "ann", json=body)


async def test_staff_decide_and_the_author_reads_why(edge: Edge) -> None:
    """The decision is told, shown to the author with its note, and refused to others and for another revision."""
    body = {"action": "restore", "note": "是正常的约伴."}
    await edge.refuse("missing-scope", 403, "POST", "/v1/verdicts/c", "bob", json=body)
    await edge.refuse("edited-since", 409, "POST", "/v1/verdicts/c", "eve/moderation", json={**body, "revision": 4})
    reply = await edge.ask("POST", "/v1/verdicts/c", "eve/moderation", json=body)
    assert reply.json() == {"content_id": "c", "hidden": False, "revision": 0}
    read = (await edge.ask("GET", "/v1/verdicts/c", "bob")).json()
    assert (read["hidden"], read["decision"]["action"], read["decision"]["note"]) == (False, "restore", body["note"])
    (verdict,) = [e for e in await edge.told() if isinstance(e, ContentJudged)]
    assert (verdict.hidden, verdict.by, verdict.content_id) == (False, "staff", "c")


@pytest.mark.parametrize("wrong", [{"action": "delete"}, {"note": " "}, {"note": "长" * 501}, {"revision": -1}])
async def test_a_decision_without_sense_is_refused(edge: Edge, wrong: dict[str, Any]) -> None:
    """An action that is none, a decision without a reason, a revision that cannot be."""
    body = {"action": "hide", "note": "广告", **wrong}
    await edge.refuse("invalid-body", 422, "POST", "/v1/verdicts/c", "eve/moderation", json=body)
