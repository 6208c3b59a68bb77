"""The API of recommend: what was suggested, as far as it still holds."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.recommend.core import GroupProfile
from services.recommend.placed import Suggested, Suggestions, Visibility, Why
from tests.integration.edge import Edge, running

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """Note n with four suggested groups, of which one has filled, one has closed and one is gone since."""
    async with running("recommend") as made:
        made.seed(
            Suggestions(
                id="n", groups=tuple(suggested(g) for g in ("full", "fit", "closed", "gone")), model="m", at=AT
            ),
            Suggestions(id="nowhere", groups=(), model="m", at=AT),
            GroupProfile(id="fit", name="F", seats_left=1),
            GroupProfile(id="full", name="F", seats_left=0),
            GroupProfile(id="closed", name="F", seats_left=3, state="closed"),
        )
        yield made


def suggested(group: str) -> Suggested:
    return Suggested(group, 0.5, (Why("term", "抱石", 0.25),))


async def test_suggestions_are_shown_with_reasons(edge: Edge) -> None:
    """A group with its score and the terms that speak for it, and which model decided."""
    reply = await edge.ask("GET", "/v1/suggestions/notes/n")
    assert reply.json() == {
        "note_id": "n",
        "suggestions": [
            {"group_id": "fit", "score": 0.5, "reasons": [{"kind": "term", "term": "抱石", "weight": 0.25}]}
        ],
        "model": "m",
    }


async def test_what_takes_nobody_now_is_left_out(edge: Edge) -> None:
    """Groups that have filled or closed since are not shown; with a seat again they are, in the old order."""
    edge.seed(GroupProfile(id="full", name="F", seats_left=1, v=2))
    shown = (await edge.ask("GET", "/v1/suggestions/notes/n")).json()["suggestions"]
    assert [s["group_id"] for s in shown] == ["full", "fit"]


async def test_a_note_that_fits_nowhere_has_an_empty_list(edge: Edge) -> None:
    """It is known, and that is told apart from a note that is not."""
    assert (await edge.ask("GET", "/v1/suggestions/notes/nowhere")).json()["suggestions"] == []
    await edge.refuse("unknown-note", 404, "GET", "/v1/suggestions/notes/none")


async def test_a_hidden_note_has_no_suggestions(edge: Edge) -> None:
    """The reasons quote the note, so they are gone while it is hidden, and come back with it."""
    edge.seed(Visibility(id="n", hidden=True, sequence=1))
    await edge.refuse("unknown-note", 404, "GET", "/v1/suggestions/notes/n")
    edge.seed(Visibility(id="n", hidden=False, sequence=2))
    assert (await edge.ask("GET", "/v1/suggestions/notes/n")).status_code == 200
