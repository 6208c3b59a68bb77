"""The API of moderation: why something is hidden, for those whom it concerns."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.moderation.core import Content, Found
from shared.contracts.moderation import ContentJudged, RulesChanged
from tests.integration.edge import Edge, running
from tests.unit.judging import RULES

pytestmark = pytest.mark.jumping

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
    why = RULES.why["contact"]
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


SOURCE = 'rule run "同一字符重复过多" weigh 0.1 when content.run >= 10\n'


async def test_rules_are_proposed_approved_and_rolled_back(edge: Edge) -> None:
    """By two people of staff; drafts and changes are read in pages, the last first, and nobody else sees them."""
    draft = {"source": SOURCE, "note": "试一试"}
    for method, path in (("GET", "rules"), ("GET", "rules/changes"), ("GET", "rules/drafts")):
        await edge.refuse("missing-scope", 403, method, f"/v1/{path}", "bob")
    await edge.refuse("missing-scope", 403, "POST", "/v1/rules/drafts", "bob", json=draft)
    begun = (await edge.ask("GET", "/v1/rules", "eve/moderation")).json()
    assert (begun["number"], begun["rules"], begun["source"]) == (0, RULES.version, RULES.source)
    made = (await edge.ask("POST", "/v1/rules/drafts", "eve/moderation", json=draft, key="k")).json()
    again = (await edge.ask("POST", "/v1/rules/drafts", "eve/moderation", json=draft, key="k")).json()
    assert made == again == {**made, "replaces": RULES.version, "steps": 0, "count": 1}
    approve = f"/v1/rules/drafts/{made['draft_id']}/approve"
    await edge.refuse("own-draft", 403, "POST", approve, "eve/moderation")
    await edge.refuse("missing-scope", 403, "POST", approve, "bob")
    reply = await edge.ask("POST", approve, "dan/moderation")
    assert reply.json() == {"change_id": "rules-000001", "number": 1, "rules": made["rules"], "replaces": RULES.version}
    live = (await edge.ask("GET", "/v1/rules", "eve/moderation")).json()
    assert live == {"number": 1, "rules": made["rules"], "source": SOURCE, "trial": ""}
    back = "/v1/rules/changes/rules-000001/rollback"
    await edge.refuse("missing-scope", 403, "POST", back, "bob", json={"note": "误伤"})
    assert (await edge.ask("POST", back, "eve/moderation", json={"note": "误伤"})).json()["rules"] == RULES.version
    await edge.refuse("rules-changed-since", 409, "POST", back, "eve/moderation", json={"note": "误伤"})
    changes = [(await edge.ask("GET", "/v1/rules/changes?limit=1", "eve/moderation")).json()]
    changes.append((await edge.ask("GET", f"/v1/rules/changes?cursor={changes[0]['next']}", "eve/moderation")).json())
    assert [(c["number"], c["way"], c["by_id"]) for found in changes for c in found["items"]] == [
        (2, "rolled_back", "eve"),
        (1, "approved", "dan"),
    ]
    (waiting,) = (await edge.ask("GET", "/v1/rules/drafts", "eve/moderation")).json()["items"]
    assert (waiting["draft_id"], waiting["author_id"], waiting["source"]) == (made["draft_id"], "eve", SOURCE)
    assert [e.number for e in await edge.told() if isinstance(e, RulesChanged)] == [1, 2]


async def test_a_set_with_faults_is_answered_with_their_places(edge: Edge) -> None:
    """Each with line, column, what is wrong and a hint."""
    source = '\n rule a "w" hide when content.runs > 3\nrule b "w" hide when author.age < 3\n'
    body = {"source": source, "note": "试一试"}
    told = await edge.refuse("bad-rules", 422, "POST", "/v1/rules/drafts", "eve/moderation", json=body)
    assert [(f["line"], f["column"]) for f in told["faults"]] == [(2, 23), (3, 35)]
    assert told["faults"][1] == {
        "line": 3,
        "column": 35,
        "what": "a span is wanted, this is a number",
        "hint": "as 30s, 10m, 1h, 7d",
    }
    await edge.refuse("unknown-draft", 404, "POST", "/v1/rules/drafts/none/approve", "eve/moderation")


async def test_m3_a_draft_is_tried_and_must_be_proven(edge: Edge) -> None:
    """Staff see what is on trial and how much it has proven; nobody else may, and one that was tried waits for it."""
    draft = {"source": SOURCE, "note": "试一试"}
    made = (await edge.ask("POST", "/v1/rules/drafts", "eve/moderation", json=draft)).json()["draft_id"]
    path = f"/v1/rules/drafts/{made}"
    for method, of in (("POST", f"{path}/try"), ("POST", f"{path}/end"), ("GET", f"/v1/rules/trials/{made}")):
        await edge.refuse("missing-scope", 403, method, of, "bob")
    begun = (await edge.ask("POST", f"{path}/try", "eve/moderation")).json()
    assert begun == {"draft_id": made, "rules": begun["rules"], "beside": RULES.version}
    assert (await edge.ask("GET", "/v1/rules", "eve/moderation")).json()["trial"] == made
    trial = (await edge.ask("GET", f"/v1/rules/trials/{made}", "eve/moderation")).json()
    assert (trial["trial_id"], trial["labelled"], trial["bound"], trial["proven"]) == (made, 0, 0.0, False)
    await edge.refuse("unproven", 409, "POST", f"{path}/approve", "dan/moderation")
    assert (await edge.ask("POST", f"{path}/end", "eve/moderation")).json() == {"draft_id": made}
    assert (await edge.ask("GET", "/v1/rules", "eve/moderation")).json()["trial"] == ""
    await edge.refuse("unknown-trial", 404, "POST", f"{path}/end", "eve/moderation")
