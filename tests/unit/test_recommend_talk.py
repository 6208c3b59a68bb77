"""What comments, new texts and deletions make of a note's suggestions. Each test folds real inputs."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommend.core import GroupProfile, NoteTerms, counts, features, learn, opened, said, unlearn
from services.recommend.core.notes import MOST_REMARKS, MOST_VOICES
from services.recommend.handlers import router
from services.recommend.placed import Suggestions
from services.recommend.settings import Settings
from services.recommend.view import ProfilesView, PulsesView
from shared.contracts.groups import Charter, GroupOpened
from shared.contracts.notes import (
    CommentDeleted,
    CommentPosted,
    CommentRevised,
    CommentVisibilityChanged,
    NoteDeleted,
    NotePosted,
    NoteRelayed,
    NoteRevised,
)
from shared.contracts.recommend import GroupsSuggested, ProfileTaught, ProfileUntaught, SuggestionsWithdrawn
from tests.fakes.database import FakeDatabase, Server
from tests.unit.support import World

SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i")
VAGUE = "周末想出门动一动"
CLIMB, COOK = "岩馆抱石, 新手可以租岩鞋", "红烧肉的菜谱, 糖放多少"


def new() -> World:
    made = World(router(SETTINGS), [ProfilesView(FakeDatabase(Server()), 1.0), PulsesView(FakeDatabase(Server()), 1.0)])
    for group, name, purpose in (("climb", "攀岩抱石", "岩馆, 抱石, 岩鞋"), ("cook", "家常菜谱", "红烧肉, 菜谱")):
        charter = Charter(purpose=purpose, audience="大家", rules="r", rewards="w", service="s", exit="e")
        made.hear(GroupOpened(group_id=group, owner_id="o", name=name, charter=charter, seats=9))
    return made


@pytest.fixture
def world() -> World:
    """Two groups, and a vague note that fits neither."""
    made = new()
    posted(made)
    assert made.told.of(GroupsSuggested)[0].suggestions == ()
    return made


def posted(world: World, title: str = VAGUE) -> str:
    outcome = world.hear(NotePosted(note_id="n", author_id="a", title=title, text=""))
    world.settle()
    return outcome


def revised(world: World, title: str, revision: int = 1) -> str:
    outcome = world.hear(NoteRevised(note_id="n", author_id="a", revision=revision, title=title, text=""))
    world.settle()
    return outcome


def deleted(world: World) -> str:
    outcome = world.hear(NoteDeleted(note_id="n", author_id="a", by_id="a", revision=0), 9)
    world.settle()
    return outcome


def comments(world: World, comment: str, text: str, author: str = "") -> str:
    author = author or f"by-{comment}"
    return world.hear(
        CommentPosted(comment_id=comment, note_id="n", author_id=author, note_author_id="a", text=text), 1
    )


def edits(world: World, comment: str, text: str, revision: int = 1) -> str:
    ids = {"comment_id": comment, "note_id": "n", "author_id": f"by-{comment}", "note_author_id": "a"}
    return world.hear(CommentRevised(**ids, revision=revision, text=text))


def hides(world: World, comment: str, sequence: int, *, hidden: bool = True) -> str:
    event = CommentVisibilityChanged(comment_id=comment, note_id="n", author_id=f"by-{comment}", hidden=hidden)
    return world.hear(event, sequence)


def unsays(world: World, comment: str) -> str:
    by = f"by-{comment}"
    return world.hear(CommentDeleted(comment_id=comment, note_id="n", author_id=by, by_id=by, revision=0), 9)


def groups(world: World) -> list[str]:
    return [s.group_id for s in world.get(Suggestions, "n").groups]


# -- comments -----------------------------------------------------------------------------------------------


def test_talk_moves_a_note(world: World) -> None:
    """When a second person says where the talk goes, the note is suggested there, and that is told."""
    assert comments(world, "c1", CLIMB) == "done"
    assert groups(world) == []
    assert comments(world, "c2", CLIMB) == "done"
    assert groups(world) == ["climb"]
    told = world.told.of(GroupsSuggested)
    assert [[s.group_id for s in event.suggestions] for event in told] == [[], ["climb"]]
    assert told[0].model == told[1].model == world.get(Suggestions, "n").model


def test_one_person_moves_nothing(world: World) -> None:
    """However many comments one person writes, what nobody else says does not count."""
    outcomes = [comments(world, f"c{i}", CLIMB, "loud") for i in range(MOST_REMARKS)]
    assert outcomes[1::2].count("same") >= 1
    assert len(world.told.of(GroupsSuggested)) == 1


def test_nothing_is_told_when_nothing_has_changed(world: World) -> None:
    """Talk that leads nowhere else is looked at 2, 4, 8 and 16 times comments, and not told."""
    outcomes = [comments(world, f"c{i}", "谢谢分享") for i in range(1, 20)]
    assert [i for i, outcome in enumerate(outcomes, 1) if outcome == "same"] == [2, 4, 8, 16]
    assert outcomes[MOST_REMARKS:] == ["unread"] * 3
    assert len(world.told.of(GroupsSuggested)) == 1


def test_a_hidden_comment_says_nothing(world: World) -> None:
    """What moderation hides moves the note back, what it restores moves it again, and each is told."""
    comments(world, "c1", CLIMB)
    comments(world, "c2", CLIMB)
    hides(world, "c2", 2)
    assert groups(world) == []
    hides(world, "c2", 3, hidden=False)
    assert groups(world) == ["climb"]
    assert hides(world, "c2", 2) == "unread"
    assert len(world.told.of(GroupsSuggested)) == 4


def test_a_revised_comment_is_read_as_it_is(world: World) -> None:
    """The newest text of a comment counts, whichever came last."""
    for comment in ("c1", "c2"):
        comments(world, comment, CLIMB)
    for comment in ("c1", "c2"):
        edits(world, comment, COOK, 2)
    assert groups(world) == ["cook"]
    assert edits(world, "c1", CLIMB, 1) == "unread"
    assert groups(world) == ["cook"]


def test_a_deleted_comment_leaves_no_text(world: World) -> None:
    """Its terms leave the note, its suggestions follow, and it does not come back when it is heard of late."""
    comments(world, "c1", CLIMB)
    comments(world, "c2", CLIMB)
    unsays(world, "c2")
    assert groups(world) == []
    assert [remark.terms for remark in world.get(NoteTerms, "n").talk if remark.gone] == [""]
    assert edits(world, "c2", CLIMB) == "unread"
    assert unsays(world, "c3") == "done"
    assert comments(world, "c3", CLIMB) == "unread"


@given(st.permutations(range(6)))
def test_the_order_of_news_leaves_no_trace(order: list[int]) -> None:
    """A note's text and its first comments, changed and hidden in any order, come to the same terms."""
    world = new()
    steps = [
        lambda: posted(world),
        lambda: comments(world, "c1", CLIMB),
        lambda: comments(world, "c2", CLIMB),
        lambda: edits(world, "c2", COOK),
        lambda: hides(world, "c1", 3, hidden=False),
        lambda: hides(world, "c1", 2),
    ]
    for step in order:
        steps[step]()
    note = world.get(NoteTerms, "n")
    assert note.posted
    assert [(r.comment_id, r.revision, r.hidden) for r in note.talk] == [("c1", 0, False), ("c2", 1, False)]
    assert set(note.talk[1].terms.split()) <= features("", COOK).keys()
    assert note.terms == tuple(features(VAGUE, "").items())


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([CLIMB, COOK, VAGUE])), max_size=20))
def test_a_term_counts_by_the_people_who_say_it(talk: list[tuple[str, str]]) -> None:
    """A term of the note keeps its count, and gains one for each other person who says it, three at most."""
    world = new()
    posted(world)
    for i, (author, text) in enumerate(talk):
        comments(world, f"c{i}", text, author)
    own = features(VAGUE, "")
    for term, count in said(world.get(NoteTerms, "n")).items():
        people = {author for author, text in talk[:MOST_REMARKS] if term in features("", text)}
        others = len(people | ({"a"} if term in own else set())) - 1
        assert count - own.get(term, 0) in (0, min(others, MOST_VOICES))
        assert term in own or others > 0


# -- new texts and deletions --------------------------------------------------------------------------------


def test_suggestions_follow_the_revised_text(world: World) -> None:
    """A new text is suggested for anew, with reasons out of it alone; an older revision that comes late is not."""
    revised(world, COOK, 2)
    assert groups(world) == ["cook"]
    assert {r.term for s in world.get(Suggestions, "n").groups for r in s.reasons} <= features(COOK, "").keys()
    assert [revised(world, CLIMB, 1), revised(world, CLIMB, 2), posted(world, CLIMB)] == ["known"] * 3
    assert groups(world) == ["cook"]


def test_a_new_text_is_taught_in_place_of_the_old() -> None:
    """The group that has the note knows the new terms and not the old; a text with the same terms teaches nothing."""
    world, other = new(), new()
    for each, first in ((world, CLIMB), (other, COOK)):
        posted(each, first)
        each.hear(NoteRelayed(note_id="n", group_id="cook", by_id="a"))
        each.settle()
    revised(world, COOK)
    assert counts(world.get(GroupProfile, "cook")) == counts(other.get(GroupProfile, "cook"))
    assert world.get(GroupProfile, "cook").notes == 1
    before = len(world.told.of(ProfileTaught))
    revised(world, COOK, 2)
    assert len(world.told.of(ProfileTaught)) == before


def test_a_deleted_note_is_forgotten() -> None:
    """Its suggestions are withdrawn, its text leaves note, suggestions and the group that learned it."""
    world = new()
    before = world.get(GroupProfile, "cook")
    posted(world, CLIMB)
    comments(world, "c1", COOK)
    world.hear(NoteRelayed(note_id="n", group_id="cook", by_id="a"))
    world.settle()
    assert deleted(world) == "done"
    (event,) = world.told.of(SuggestionsWithdrawn)
    assert event.note_id == "n"
    assert world.get(Suggestions, "n").groups == ()
    assert world.get(Suggestions, "n").withdrawn
    after = world.get(GroupProfile, "cook")
    assert (after.terms, after.notes) == (before.terms, before.notes)
    kept = world.get(NoteTerms, "n")
    assert (kept.terms, kept.talk, kept.groups, kept.author_id) == ((), (), (), "")
    assert len(world.told.of(ProfileUntaught)) == 1


LATE: tuple[Callable[[World], str], ...] = (
    lambda world: posted(world, CLIMB),
    lambda world: revised(world, COOK),
    lambda world: comments(world, "c1", COOK),
    lambda world: world.hear(NoteRelayed(note_id="n", group_id="cook", by_id="a")),
)


@pytest.mark.parametrize("first", list(permutations(LATE, 2)))
def test_a_deleted_note_does_not_come_back(first: Sequence[Callable[[World], str]]) -> None:
    """Whatever is heard of it late, and the deletion once more, changes and tells nothing."""
    world = new()
    for hear in first:
        hear(world)
    world.settle()
    assert deleted(world) == "done"
    told, stood = len(world.records), world.get(NoteTerms, "n")
    assert deleted(world) == "known"
    for hear in LATE:
        hear(world)
    world.settle()
    assert (len(world.records), world.get(NoteTerms, "n")) == (told, stood)
    assert counts(world.get(GroupProfile, "cook")) == counts(new().get(GroupProfile, "cook"))


@given(st.lists(st.sampled_from([CLIMB, COOK, VAGUE]), max_size=8), st.data())
def test_what_is_unlearned_was_never_learned(titles: list[str], data: st.DataObject) -> None:
    """Until it is pruned, a profile without a note is the profile of those that never had it."""
    charter = opened(GroupProfile(id="g"), "G", purpose=COOK, audience="", seats_left=1)
    gone = data.draw(st.sampled_from([CLIMB, COOK, VAGUE]))
    with_it, without = learn(charter, features(gone, "")), charter
    for title in titles:
        with_it, without = learn(with_it, features(title, "")), learn(without, features(title, ""))
    assert unlearn(with_it, features(gone, "")) == without


@pytest.mark.parametrize("groups", [3, 850])
def test_any_number_of_groups_forget_a_note(groups: int) -> None:
    """Each forgets the old text and learns the new one, once, and forgets that with the note, however many they are."""
    made, many = new(), "".join(chr(0x4E00 + 7 * n) for n in range(600))
    made.hear(NotePosted(note_id="n", author_id="a", title="t", text=many))
    for number in range(groups):
        made.hear(NoteRelayed(note_id="n", group_id=f"group-{number:030}", by_id="a"))
    made.hear(NoteRevised(note_id="n", author_id="a", revision=1, title="t", text=f"{VAGUE} {many}"))
    made.wait(seconds=1)
    made.hear(NoteDeleted(note_id="n", author_id="a", by_id="a", revision=1), 9)
    made.wait(seconds=1)
    assert not [outcome for outcome in made.outcomes if outcome.startswith("dead")]
    per_group = Counter((type(e), e.group_id) for e in made.told if isinstance(e, ProfileTaught | ProfileUntaught))
    assert len(per_group) == 2 * groups
    assert set(per_group.values()) == {2}
    assert made.get(NoteTerms, "n").terms == ()
