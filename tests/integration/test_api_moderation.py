"""The API of moderation: why something is hidden, for those whom it concerns."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.moderation.content import Content, Found
from services.moderation.core import RULES
from tests.integration.edge import Edge, running

CONTENT = Content(
    id="c",
    kind="comment",
    note_id="n",
    author_id="bob",
    text="加微信 abc12345",
    posted_at=datetime(2026, 5, 4, 8, tzinfo=UTC),
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


@pytest.mark.parametrize("person", ["ann", "eve/relay", "bo", "bob2", "ann/moderators"])
async def test_others_are_told_that_there_is_none(edge: Edge, person: str) -> None:
    """The same answer as for content that never was, so nobody learns what was judged."""
    hidden = await edge.refuse("unknown-content", 404, "GET", "/v1/verdicts/c", person)
    assert hidden == await edge.refuse("unknown-content", 404, "GET", "/v1/verdicts/none", person)
