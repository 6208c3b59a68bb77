"""The API of recommend: what was suggested for a note, as far as it still holds, and what is to a person."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from services.recommend.core import Circle, GroupProfile, Person, Pulse, Tie, opened
from services.recommend.core.pulses import Voice
from services.recommend.placed import Suggested, Suggestions, Visibility, Why
from shared.contracts.recommend import FeedbackGiven, FeedbackKind
from tests.integration.edge import Edge, running

pytestmark = pytest.mark.jumping

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
    """A group with its score and the terms that speak for it, also in words, and which model decided."""
    reply = await edge.ask("GET", "/v1/suggestions/notes/n")
    words = {"zh": "这里谈到「抱石」", "en": "They talk about “抱石” there"}
    assert reply.json() == {
        "note_id": "n",
        "suggestions": [
            {
                "group_id": "fit",
                "score": 0.5,
                "reasons": [{"kind": "term", "term": "抱石", "weight": 0.25, "words": words}],
            }
        ],
        "model": "m",
    }


async def test_what_takes_nobody_now_is_left_out(edge: Edge) -> None:
    """Groups that have filled or closed since are not shown; with a seat again they are, in the old order."""
    edge.seed(GroupProfile(id="full", name="F", seats_left=1, v=2))
    shown = (await edge.ask("GET", "/v1/suggestions/notes/n")).json()["suggestions"]
    assert [s["group_id"] for s in shown] == ["full", "fit"]


@pytest.mark.parametrize(("silent", "listed"), [(31, []), (29, ["fit"])])
async def test_a_group_that_has_died_since_is_left_out(edge: Edge, silent: int, listed: list[str]) -> None:
    """R7. At the moment of asking, by the days for which one of the last two people has been silent."""
    today = datetime.now(UTC).toordinal()
    edge.seed(Pulse(id="fit", opened=1, voices=(Voice("a", today), Voice("b", today - silent))))
    told = (await edge.ask("GET", "/v1/suggestions/notes/n")).json()["suggestions"]
    assert [s["group_id"] for s in told] == listed


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


async def test_a_deleted_note_has_no_suggestions(edge: Edge) -> None:
    """What was withdrawn is not shown: the note is as unknown as if it had never been."""
    edge.seed(Suggestions(id="n", groups=(), model="m", at=AT, withdrawn=True, v=2))
    await edge.refuse("unknown-note", 404, "GET", "/v1/suggestions/notes/n")


# -- people -------------------------------------------------------------------------------------------------


@pytest.fixture
async def town() -> AsyncIterator[Edge]:
    """Ann rides. Who rides also hikes; tea is popular, chess is full and go is closed."""
    async with running("recommend") as made:
        made.seed(
            *(GroupProfile(id=g, name=g.title(), seats_left=1) for g in ("ride", "hike", "tea")),
            GroupProfile(id="chess", name="Chess", seats_left=0),
            GroupProfile(id="go", name="Go", seats_left=3, state="closed"),
            Circle(id="ride", members=4, others="chess 64 go 64 hike 128"),
            Circle(id="hike", members=3, others="ride 128"),
            *(Circle(id=g, members=9) for g in ("chess", "go", "tea")),
            Person(id="ann", ties=(Tie("ride", member=True, sequence=1),)),
        )
        yield made


async def test_a_person_gets_groups_with_reasons(town: Edge) -> None:
    """First where people of their group are, by its name; then what is popular; nothing full, closed or their own."""
    told = (await town.ask("GET", "/v1/suggestions/people/ann")).json()
    assert [(s["group_id"], s["name"]) for s in told["suggestions"]] == [("hike", "Hike"), ("tea", "Tea")]
    why = [[(r["kind"], r["group_id"], r["name"]) for r in s["reasons"]] for s in told["suggestions"]]
    assert why == [[("members", "ride", "Ride")], [("popular", None, None)]]
    assert all(r["weight"] > 0 for s in told["suggestions"] for r in s["reasons"])
    assert told["model"].startswith("circles-1+")


async def test_a_search_finds_groups_by_words(town: Edge) -> None:
    """R10. Groups that talk about the words, with the sources that found them and the word as reason; nothing else."""
    for group, name in (("tea", "喝茶 Tea"), ("chess", "茶馆 chess")):
        profile = opened(GroupProfile(id=group), name, purpose="", audience="", seats_left=int(group == "tea"))
        town.seed(replace(profile, v=2))
    for words, first in (("喝茶", "喝茶"), ("TEA", "tea")):
        told = (await town.ask("GET", "/v1/suggestions/people/ann", params={"q": words})).json()
        assert [(s["group_id"], s["sources"]) for s in told["suggestions"]] == [("tea", ["search", "algorithm"])]
        why = told["suggestions"][0]["reasons"][0]
        assert (why["kind"], why["term"], why["group_id"]) == ("term", first, None)
        assert " placement-1+" in told["model"]
    for words in ("chess", "潜水", "🤿", "\u0000"):
        told = (await town.ask("GET", "/v1/suggestions/people/ann", params={"q": words})).json()
        assert told["suggestions"] == []


async def test_a_search_of_blanks_is_none_and_one_too_long_is_refused(town: Edge) -> None:
    """Blanks get the list as without words; 201 characters are a 422."""
    plain = (await town.ask("GET", "/v1/suggestions/people/ann")).json()
    assert (await town.ask("GET", "/v1/suggestions/people/ann", params={"q": "  "})).json() == plain
    assert {source for s in plain["suggestions"] for source in s["sources"]} == {"algorithm"}
    assert (await town.ask("GET", "/v1/suggestions/people/ann", params={"q": "茶" * 201})).status_code == 422


async def test_a_first_list_follows_what_one_says_of_oneself(town: Edge) -> None:
    """R5. Who is in no group, and says what they want, gets that first and what is popular after it."""
    hike = opened(GroupProfile(id="hike"), "徒步", purpose="周末去山里", audience="", seats_left=1)
    town.seed(replace(hike, v=2))
    path = "/v1/suggestions/people/new"
    told = (await town.ask("GET", path, "new", params={"about": "我想周末去山里走走"})).json()["suggestions"]
    assert [s["group_id"] for s in told] == ["hike", "tea", "ride"]
    assert [s["sources"] for s in told] == [["intent", "algorithm"], ["algorithm"], ["algorithm"]]
    assert told[0]["reasons"][0]["kind"] == "term"
    assert (await town.ask("GET", path, "new", params={"about": "山" * 321})).status_code == 422


async def test_what_is_near_is_found_by_cell(town: Edge) -> None:
    """R10, G29. Groups within the fence, with the sources that found them; no distance and no cell is told."""
    for group, cell in (("hike", "89309959d73ffff"), ("tea", "8944c1bb423ffff"), ("chess", "89309959d73ffff")):
        town.seed(GroupProfile(id=group, v=2, name=group, cell=cell, seats_left=int(group != "chess")))
    reply = await town.ask("GET", "/v1/suggestions/people/ann", params={"cell": "89309959d43ffff"})
    found = reply.json()["suggestions"]
    assert [(s["group_id"], s["sources"]) for s in found] == [("hike", ["place", "algorithm"])]
    assert [reason["kind"] for reason in found[0]["reasons"]] == ["near", "members"]
    assert found[0]["reasons"][0]["words"] == {"zh": "离你不远", "en": "It is not far from you"}
    assert "8930" not in reply.text


async def test_a_cell_that_is_none_is_refused(town: Edge) -> None:
    """One that looks like a cell and is none, one of another resolution, anything else; and a misspelt parameter."""
    path = "/v1/suggestions/people/ann"
    await town.refuse("unknown-cell", 422, "GET", path, params={"cell": "89ffffffffbffff"})
    for asked in ({"cell": "8a309959d737fff"}, {"cell": "here"}, {"cell": ""}, {"call": "89309959d73ffff"}):
        assert (await town.ask("GET", path, params=asked)).status_code == 422


async def test_reasons_are_told_in_two_languages(town: Edge) -> None:
    """Each reason comes with a Chinese and an English sentence that name what it is about."""
    told = (await town.ask("GET", "/v1/suggestions/people/ann")).json()["suggestions"]
    words = [reason["words"] for fit in told for reason in fit["reasons"]]
    assert words == [
        {"zh": "你所在的「Ride」里，有人也在这里", "en": "People of “Ride”, where you are, are there, too"},
        {"zh": "这里人多", "en": "Many people are there"},
    ]


async def test_what_was_shown_this_week_is_not_shown_again(town: Edge) -> None:
    """R9. A group that was seen yesterday is not on the list; one seen eight days ago is."""
    for days, listed in ((1, ["tea"]), (8, ["hike", "tea"])):
        seen = Tie("hike", seen=1, seen_at=datetime.now(UTC) - timedelta(days=days))
        town.seed(Person(id="ann", v=days, ties=(seen, Tie("ride", member=True, sequence=1))))
        told = (await town.ask("GET", "/v1/suggestions/people/ann")).json()["suggestions"]
        assert [fit["group_id"] for fit in told] == listed


async def test_after_three_refusals_nothing_is_suggested(town: Edge) -> None:
    """R6. The list is empty and says until when; nobody else's is."""
    now = datetime.now(UTC).replace(microsecond=0)
    town.seed(Person(id="ann", v=1, ties=tuple(Tie(g, answer="refused", answered_at=now) for g in ("a", "b", "c"))))
    told = (await town.ask("GET", "/v1/suggestions/people/ann")).json()
    assert told["suggestions"] == []
    assert datetime.fromisoformat(told["paused_until"]) == now + timedelta(days=1)
    told = (await town.ask("GET", "/v1/suggestions/people/new", "new")).json()
    assert told["suggestions"]
    assert told["paused_until"] is None


async def test_an_owner_has_two_groups_on_a_list(town: Edge) -> None:
    """R8. Of three open groups by one owner the two that fit best are shown."""
    for group in ("ride", "hike", "tea"):
        town.seed(GroupProfile(id=group, v=1, name=group, owner_id="one", seats_left=1))
    told = (await town.ask("GET", "/v1/suggestions/people/new", "new")).json()["suggestions"]
    assert [fit["group_id"] for fit in told] == ["tea", "ride"]


async def test_a_dead_group_is_not_on_a_list(town: Edge) -> None:
    """R7. Neither unasked, nor by its words or the place where it is."""
    today = datetime.now(UTC).toordinal()
    town.seed(
        *(Pulse(id=group, opened=today - days) for group, days in (("hike", 32), ("tea", 29))),
        *(GroupProfile(id=group, v=2, name=group, cell="89309959d73ffff", seats_left=1) for group in ("hike", "tea")),
    )
    for asked in ({}, {"cell": "89309959d43ffff"}):
        told = (await town.ask("GET", "/v1/suggestions/people/ann", params=asked)).json()["suggestions"]
        assert [s["group_id"] for s in told] == ["tea"]


async def test_a_newcomer_gets_what_is_popular(town: Edge) -> None:
    """Somebody of whom nothing is known gets the largest groups that take people, and popularity as the reason."""
    told = (await town.ask("GET", "/v1/suggestions/people/new", "new")).json()["suggestions"]
    assert [s["group_id"] for s in told] == ["tea", "ride", "hike"]
    assert {r["kind"] for s in told for r in s["reasons"]} == {"popular"}


async def test_a_list_is_for_the_person(town: Edge) -> None:
    """Another person's list is refused, unless the scope is there; feedback in another's name always is."""
    await town.refuse("not-your-list", 403, "GET", "/v1/suggestions/people/ann", "bob")
    assert (await town.ask("GET", "/v1/suggestions/people/ann", "bob/recommend")).status_code == 200
    body = {"group_id": "hike", "kind": "not_for_me"}
    for who in ("bob", "bob/recommend"):
        await town.refuse("not-your-list", 403, "POST", "/v1/suggestions/people/ann/feedback", who, json=body)


async def test_a_group_that_filled_a_moment_ago_is_left_out(town: Edge) -> None:
    """The database decides whether a group takes somebody, not the view, which may be a moment behind."""
    await town.ask("GET", "/v1/suggestions/people/ann")
    town.seed(GroupProfile(id="hike", name="Hike", seats_left=0, v=2))
    told = (await town.ask("GET", "/v1/suggestions/people/ann")).json()["suggestions"]
    assert [s["group_id"] for s in told] == ["tea"]


async def test_full_groups_leave_their_places_to_others(town: Edge) -> None:
    """However many better groups are full, the list has those that take people, up to its length."""
    for n in range(6):
        town.seed(GroupProfile(id=f"full{n}", name="Full", seats_left=0), Circle(id=f"full{n}", members=20))
    told = (await town.ask("GET", "/v1/suggestions/people/ann")).json()["suggestions"]
    assert [s["group_id"] for s in told] == ["hike", "tea"]


@pytest.mark.parametrize("kind", ["not_for_me", "seen", "joined"])
async def test_feedback_is_told_once(town: Edge, kind: FeedbackKind) -> None:
    """It is taken and told on the person's topic; the same key again gets the same answer and tells nothing more."""
    body = {"group_id": "hike", "kind": kind}
    for _ in range(2):
        reply = await town.ask("POST", "/v1/suggestions/people/ann/feedback", key="k", json=body)
        assert (reply.status_code, reply.json()) == (202, {"person_id": "ann", **body})
    assert await town.told() == [FeedbackGiven(person_id="ann", group_id="hike", kind=kind)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"group_id": "hike"},
        {"kind": "seen"},
        {"group_id": "hike", "kind": "maybe"},
        {"group_id": "a b", "kind": "seen"},
    ],
)
async def test_feedback_that_is_none_is_refused(town: Edge, body: dict[str, str]) -> None:
    """A missing or unknown field, an id that is none: nothing is told."""
    await town.refuse("invalid-body", 422, "POST", "/v1/suggestions/people/ann/feedback", json=body)


async def test_feedback_on_an_unknown_group_is_refused(town: Edge) -> None:
    """A group that nobody has opened has nothing to be said of."""
    body = {"group_id": "none", "kind": "seen"}
    await town.refuse("unknown-group", 404, "POST", "/v1/suggestions/people/ann/feedback", json=body)
