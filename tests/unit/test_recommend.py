"""What recommend does: suggestions for a new note, and what relays teach. Each test folds real inputs."""

from itertools import permutations

import h3
import pytest
from bson import encode

from services.recommend.core import GroupProfile, NoteTerms, counts, features
from services.recommend.handlers import router
from services.recommend.placed import Suggestions, Visibility
from services.recommend.settings import Settings
from services.recommend.view import ProfilesView, PulsesView
from shared.contracts.groups import Charter, GroupChanged, GroupOpened
from shared.contracts.notes import NoteDeleted, NotePosted, NoteRelayed, NoteRevised, NoteVisibilityChanged
from shared.contracts.recommend import GroupsSuggested, ProfileTaught
from shared.errors import Transient
from shared.flow.documents import LANES, to_mongo
from shared.place import district
from tests.fakes.database import FakeDatabase, Server
from tests.unit.support import World
from tests.unit.test_place import CELL

SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i")
PENTAGON = h3.get_pentagons(9)[0]
CLIMB, COOK = "周末去岩馆抱石, 新手求带", "红烧肉要放多少糖, 菜谱分享"


@pytest.fixture
def world() -> World:
    """Two groups, one that climbs and one that cooks."""
    made = new()
    opened(made, "climb", "攀岩抱石", "岩馆, 抱石, 攀岩的人一起练")
    opened(made, "cook", "家常菜谱", "做饭, 菜谱, 红烧肉怎么做")
    return made


def new() -> World:
    return World(router(SETTINGS), [ProfilesView(FakeDatabase(Server()), 1.0), PulsesView(FakeDatabase(Server()), 1.0)])


def opened(world: World, group: str, name: str, purpose: str, seats: int = 9) -> str:
    charter = Charter(purpose=purpose, audience="大家", rules="r", rewards="w", service="s", exit="e")
    return world.hear(GroupOpened(group_id=group, owner_id="o", name=name, charter=charter, seats=seats))


def changed(world: World, group: str, sequence: int, *, state: str = "open", members: int = 0) -> str:
    return world.hear(
        GroupChanged.model_validate({"group_id": group, "state": state, "seats": 9, "members": members}), sequence
    )


def posted(world: World, note: str, title: str = CLIMB) -> str:
    outcome = world.hear(NotePosted(note_id=note, author_id="a", title=title, text=""))
    world.settle()
    return outcome


def relayed(world: World, note: str, group: str) -> str:
    outcome = world.hear(NoteRelayed(note_id=note, group_id=group, by_id="a"))
    world.settle()
    return outcome


def suggested(world: World, note: str) -> list[str]:
    """Groups of the last suggestion for the note, as told."""
    return [s.group_id for e in world.told.of(GroupsSuggested) if e.note_id == note for s in e.suggestions]


# -- suggestions --------------------------------------------------------------------------------------------


def test_a_note_is_suggested_the_group_that_talks_of_it(world: World) -> None:
    """The first group is the one whose charter shares the note's words, with those words as reasons."""
    posted(world, "n")
    (event,) = world.told.of(GroupsSuggested)
    first = event.suggestions[0]
    assert first.group_id == "climb"
    assert {reason.term for reason in first.reasons} <= features(CLIMB, "").keys()
    assert all(0 < reason.weight <= first.score <= 1 for reason in first.reasons[:1])


def test_what_is_told_is_what_is_kept(world: World) -> None:
    """The API shows the same groups, scores, reasons and model as the event."""
    posted(world, "n")
    (event,) = world.told.of(GroupsSuggested)
    kept = world.get(Suggestions, "n")
    assert event.model == kept.model
    assert [(s.group_id, s.score, [(r.term, r.weight) for r in s.reasons]) for s in event.suggestions] == [
        (s.group_id, s.score, [(r.term, r.weight) for r in s.reasons]) for s in kept.groups
    ]


def test_a_note_about_nothing_known_goes_nowhere(world: World) -> None:
    """Without a shared word there is no suggestion, and that is told too."""
    posted(world, "n", "zzzz qqqq")
    (event,) = world.told.of(GroupsSuggested)
    assert event.suggestions == ()


def test_a_note_is_suggested_for_once(world: World) -> None:
    """The second news of one note decides nothing anew."""
    posted(world, "n")
    assert posted(world, "n") == "known"
    assert len(world.told.of(GroupsSuggested)) == 1


@pytest.mark.parametrize(("state", "members"), [("closed", 0), ("open", 9), ("open", 12)])
def test_a_group_that_takes_nobody_is_not_suggested(world: World, state: str, members: int) -> None:
    """A closed or full group is left out, until it has room again."""
    changed(world, "climb", 2, state=state, members=members)
    posted(world, "n")
    assert "climb" not in suggested(world, "n")
    changed(world, "climb", 3)
    posted(world, "m")
    assert "climb" in suggested(world, "m")


def test_an_older_change_of_a_group_is_ignored(world: World) -> None:
    """Of two changes the higher sequence holds, whichever comes last."""
    changed(world, "climb", 5, state="closed")
    assert changed(world, "climb", 4) == "older"
    assert world.get(GroupProfile, "climb").state == "closed"


def test_no_more_groups_than_the_setting_says() -> None:
    """Low pressure: a note gets at most so many suggestions."""
    few = SETTINGS.model_copy(update={"suggestions": 2})
    world = World(router(few), [ProfilesView(FakeDatabase(Server()), 1.0), PulsesView(FakeDatabase(Server()), 1.0)])
    for i in range(4):
        opened(world, f"g{i}", "攀岩抱石", "岩馆")
    posted(world, "n")
    assert len(suggested(world, "n")) == 2


# -- hidden notes -------------------------------------------------------------------------------------------


def seen(world: World, sequence: int, *, hidden: bool) -> str:
    return world.hear(NoteVisibilityChanged(note_id="n", author_id="a", hidden=hidden), sequence)


def test_a_notes_visibility_is_that_of_the_highest_sequence(world: World) -> None:
    """What hides or restores a note may come in any order, also before the note; the newest holds."""
    assert [seen(world, 3, hidden=True), seen(world, 2, hidden=False), seen(world, 3, hidden=False)] == [
        "done",
        "older",
        "older",
    ]
    assert world.get(Visibility, "n").hidden
    posted(world, "n")
    assert seen(world, 4, hidden=False) == "done"
    assert not world.get(Visibility, "n").hidden


# -- learning -----------------------------------------------------------------------------------------------


def test_a_relay_teaches_the_group(world: World) -> None:
    """The note's terms are told to the group's lane and stand in its profile, one note more."""
    before = counts(world.get(GroupProfile, "cook"))
    posted(world, "n")
    relayed(world, "n", "cook")
    (event,) = world.told.of(ProfileTaught)
    assert dict(event.terms) == features(CLIMB, "")
    after = world.get(GroupProfile, "cook")
    assert after.notes == 1
    assert {t: c - before.get(t, 0) for t, c in counts(after).items() if c != before.get(t, 0)} == features(CLIMB, "")


def test_what_was_taught_changes_the_next_suggestion(world: World) -> None:
    """Relays move a group towards what people bring there."""
    for i in range(5):
        posted(world, f"n{i}")
        relayed(world, f"n{i}", "cook")
    posted(world, "next")
    assert suggested(world, "next")[0] == "cook"


def test_a_relay_before_its_note_waits_for_the_terms(world: World) -> None:
    """A relay that comes first teaches as soon as the note is heard of, once."""
    assert relayed(world, "n", "cook") == "early"
    assert world.told.of(ProfileTaught) == []
    posted(world, "n")
    assert len(world.told.of(ProfileTaught)) == 1
    assert world.get(GroupProfile, "cook").notes == 1


def test_one_relay_teaches_once(world: World) -> None:
    """A pair of note and group counts once, however often it is told, and each group learns."""
    posted(world, "n")
    assert [relayed(world, "n", g) for g in ("cook", "cook", "climb")] == ["done", "known", "done"]
    assert [(e.group_id, e.note_id) for e in world.told.of(ProfileTaught)] == [("cook", "n"), ("climb", "n")]
    assert world.get(NoteTerms, "n").groups == ("cook", "climb")


def test_a_group_may_change_and_learn_before_it_opens() -> None:
    """Opening, change and lesson come to the same profile in every order."""
    ends = set()
    for order in permutations(("open", "change", "learn")):
        world = new()
        posted(world, "n")
        for step in order:
            if step == "open":
                opened(world, "g", "攀岩", "抱石")
            elif step == "change":
                changed(world, "g", 2, members=4)
            else:
                relayed(world, "n", "g")
        profile = world.get(GroupProfile, "g")
        ends.add((profile.name, profile.state, profile.seats_left, profile.notes, profile.terms, profile.sequence))
    (end,) = ends
    assert end[:4] == ("攀岩", "open", 5, 1)


def test_a_charter_is_learned_once(world: World) -> None:
    """The second news of one opening changes nothing."""
    before = world.get(GroupProfile, "climb")
    assert opened(world, "climb", "another name", "another purpose") == "known"
    assert world.get(GroupProfile, "climb") == before


def test_a_replay_ends_in_the_same_state_and_the_same_events(world: World) -> None:
    """The same inputs in a new world make the same documents, and events with the same ids and times."""
    worlds = [new(), new()]
    for each in worlds:
        opened(each, "climb", "攀岩抱石", "岩馆")
        posted(each, "n")
        relayed(each, "n", "climb")
        changed(each, "climb", 2, members=1)
        posted(each, "m", COOK)
    one, other = worlds
    assert one.documents == other.documents
    assert one.records == other.records


def test_a_suggestion_names_the_profiles_that_decided(world: World) -> None:
    """The model in a suggestion moves with every profile, so that a replay that sees others can be told apart."""
    posted(world, "n")
    relayed(world, "n", "climb")
    posted(world, "m")
    first, second = (event.model for event in world.told.of(GroupsSuggested))
    assert first != second


# -- the view -----------------------------------------------------------------------------------------------


def stored(server: Server, profile: GroupProfile) -> None:
    """As another process commits it: batch v of its lane."""
    stamp = {"_lane": "group:0", "_batch": profile.v}
    lane = encode({"_id": "group:0", "batch": profile.v})
    server.store({(profile.COLLECTION, profile.id): encode(to_mongo(profile) | stamp), (LANES, "group:0"): lane})


async def test_the_view_takes_up_what_others_have_learned() -> None:
    """A look finds profiles that are new or newer, and leaves those that this process knows better."""
    server = Server()
    view = ProfilesView(FakeDatabase(server), seconds=0)
    stored(server, GroupProfile(id="climb", name="C", v=1, seats_left=3, terms="抱石 9"))
    await view.refresh()
    assert [p.group_id for p in view.profiles.place({"抱石": 1})] == ["climb"]
    view.committed({("profiles", "climb"): GroupProfile(id="climb", name="C", v=3, terms="抱石 9")})
    stored(server, GroupProfile(id="climb", name="C", v=2, seats_left=3, terms="抱石 9"))
    await view.refresh()
    assert view.profiles.place({"抱石": 1}) == []
    stored(server, GroupProfile(id="climb", name="C", v=4, seats_left=1, terms="抱石 9"))
    await view.refresh()
    assert [p.group_id for p in view.profiles.place({"抱石": 1})] == ["climb"]


async def test_the_view_does_not_look_too_often() -> None:
    """Within its seconds it asks the database nothing; what this process commits it knows at once."""
    server = Server()
    view = ProfilesView(FakeDatabase(server), seconds=1_000)
    await view.refresh()
    stored(server, GroupProfile(id="climb", name="C", v=1))
    server.away = True
    await view.refresh()
    assert len(view.profiles) == 0
    view.committed({("profiles", "climb"): GroupProfile(id="climb", name="C", v=1), ("notes", "n"): NoteTerms(id="n")})
    assert len(view.profiles) == 1


async def test_a_look_that_fails_is_made_again() -> None:
    """While the database is away a look is Transient, and the next one reads everything that was missed."""
    server = Server()
    view = ProfilesView(FakeDatabase(server), seconds=1_000)
    stored(server, GroupProfile(id="climb", name="C", v=1))
    server.away = True
    with pytest.raises(Transient):
        await view.refresh()
    server.away = False
    await view.refresh()
    assert len(view.profiles) == 1


# -- where notes are ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "cell", "kept"), [("t", CELL, CELL), ("t", None, ""), ("t", PENTAGON, PENTAGON), ("", CELL, "")]
)
def test_a_note_is_kept_where_it_was_told(world: World, title: str, cell: str | None, kept: str) -> None:
    """G29. Its cell, until it is deleted; nowhere without one, or once its author was erased and the title is empty."""
    made = NotePosted.model_construct(note_id="n", author_id="a", title=title, text="", cell=cell)
    assert world.hear(made) == "done"
    note = world.get(NoteTerms, "n")
    assert (note.cell, note.district) == (kept, district(kept) if kept else "")
    world.hear(NoteDeleted(note_id="n", author_id="a", by_id="a", revision=0))
    assert world.get(NoteTerms, "n").cell == ""


def test_a_cell_that_comes_after_the_next_text_is_taken_up(world: World) -> None:
    """What was posted may come after what was revised: its text is old, its place holds."""
    world.hear(NoteRevised(note_id="n", author_id="a", revision=1, title=COOK, text=""))
    assert world.hear(NotePosted(note_id="n", author_id="a", title=CLIMB, text="", cell=CELL)) == "known"
    assert world.get(NoteTerms, "n").cell == CELL
