"""Likes and saves, each once a person; and what makes a note hot: use and youth, never applause alone."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.notes.core import Note, hot_at, score, warmed
from services.notes.handlers import router
from services.notes.handlers.commands import (
    AcceptAnswer,
    DeleteNote,
    PostComment,
    PostNote,
    React,
    TakeAdvice,
)
from services.notes.settings import Heat, Settings
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import NoteReacted, Reaction
from tests.unit.support import START, World, refused

SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i")
HEAT = Heat()
counts = st.integers(0, 10_000)


@pytest.fixture
def world() -> World:
    """Ann's note n."""
    made = World(router(SETTINGS))
    made.ask(PostNote(person_id="ann", note_id="n", title="t", text="x", topic=None, place=None, intent=None))
    made.settle()
    return made


def react(world: World, person: str = "bob", kind: Reaction = "like", *, on: bool = True, note: str = "n") -> None:
    assert world.ask(React(person_id=person, note_id=note, kind=kind, on=on)).status == 204
    world.settle()


def note(**counted: int) -> Note:
    plain = Note(id="n", author_id="a", title="t", text="x", topic=None, place=None, intent=None, created_at=START)
    return Note(**{**{f: getattr(plain, f) for f in plain.__struct_fields__}, **counted})


# -- reactions ----------------------------------------------------------------------------------------------


def test_a_person_likes_a_note_once(world: World) -> None:
    """Again is no news, taking it back counts back, and again after that counts again; likes and saves apart."""
    for on in (True, True, False, False, True):
        react(world, on=on)
    react(world, kind="save")
    react(world, "cat")
    assert (world.get(Note, "n").likes, world.get(Note, "n").saves) == (2, 1)
    changes = [(told.person_id, told.kind, told.change) for told in world.told.of(NoteReacted)]
    wanted = [("bob", "like", change) for change in (1, -1, 1)]
    assert changes == [*wanted, ("bob", "save", 1), ("cat", "like", 1)]


def test_counts_follow_in_any_order(world: World) -> None:
    """Reactions commute: whatever the order in which they are heard of, the note ends with the same counts."""
    for on in (True, False, True):
        world.ask(React(person_id="bob", note_id="n", kind="save", on=on))
    while world.pending:
        world.deliver(len(world.pending) - 1)
    assert world.get(Note, "n").saves == 1


def test_nobody_likes_their_own_note(world: World) -> None:
    """Saving it is another matter."""
    with refused("own-like", 422):
        react(world, "ann")
    react(world, "ann", "save")
    assert world.get(Note, "n").saves == 1


def test_what_is_not_seen_is_not_liked(world: World) -> None:
    """404 of what is not there or hidden, 410 of what was deleted; a count that is heard of then harms nothing."""
    with refused("unknown-note", 404):
        react(world, note="none")
    hide = ContentJudged(
        content_id="n", kind="note", note_id="n", author_id="ann", hidden=True, score=1, reasons=(), rules="1"
    )
    world.hear(hide)
    with refused("unknown-note", 404):
        react(world)
    world.hear(hide.model_copy(update={"hidden": False}), 2)
    world.ask(React(person_id="bob", note_id="n", kind="like", on=True))
    world.ask(DeleteNote(person_id="ann", note_id="n", any_note=False))
    world.settle()
    with refused("note-deleted", 410):
        react(world, on=False)
    assert world.get(Note, "n").likes == 1


# -- heat ---------------------------------------------------------------------------------------------------


def test_use_makes_a_note_hotter(world: World) -> None:
    """A save, an accepted answer and taken advice each move its moment on; a like or a comment alone does not."""
    hot = [world.get(Note, "n").hot_at]
    world.ask(PostComment(person_id="bob", comment_id="q", note_id="n", text="请问需要预约吗?", parent_id=None))
    world.ask(PostComment(person_id="cat", comment_id="a", note_id="n", text="不用.", parent_id="q"))
    react(world)
    assert world.get(Note, "n").hot_at == hot[0] == START
    for step in range(3):
        if step == 0:
            react(world, kind="save")
        elif step == 1:
            world.ask(AcceptAnswer(person_id="bob", need_id="need-q", comment_id="a"))
        else:
            world.ask(TakeAdvice(person_id="ann", comment_id="a"))
        world.settle()
        hot.append(world.get(Note, "n").hot_at)
    assert all(one is not None and other is not None and one < other for one, other in itertools.pairwise(hot))


@given(likes=st.integers(-5, 10**6))
def test_likes_alone_never_lift_a_note(likes: int) -> None:
    """Whatever their number, a note that nobody has used stays at the moment of its writing."""
    assert warmed(note(likes=likes), HEAT).hot_at == START


@given(likes=counts, saves=counts, answers=counts, advice=counts)
def test_likes_are_at_most_a_share_of_the_score(likes: int, saves: int, answers: int, advice: int) -> None:
    """A fifth, and no more than what they are worth."""
    made = note(likes=likes, saves=saves, needs_answered=answers, advice=advice)
    whole, use = score(made, HEAT), score(note(saves=saves, needs_answered=answers, advice=advice), HEAT)
    assert 0 <= whole - use <= min(likes, 0.2 * whole + 1e-6)


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(0, 10**6))
def test_the_order_of_two_notes_does_not_change_with_time(one: float, other: float, seconds: int) -> None:
    """Of equal scores the younger is hotter, of equal age the better, but for what rounds to one millisecond."""
    later = START + timedelta(seconds=seconds + 1)
    assert hot_at(later, one, 4) > hot_at(START, one, 4) >= START
    assert (hot_at(START, one, 4) <= hot_at(START, other, 4)) == (one <= other) or abs(one - other) <= 1 + one / 100


def test_a_tenfold_strength_counts_as_the_hours() -> None:
    """Strength is log10(score + 2), as Lemmy's: 2^10 - 2 is ten times as strong as nothing."""
    assert hot_at(START, 2**10 - 2, 4) == START + timedelta(hours=4)


@pytest.mark.parametrize("wrong", [{"like_share": 1}, {"hours": -1}, {"days": 0}, {"save": -1}, {"saves": 1}])
def test_a_heat_that_is_none_ends_the_start(wrong: dict[str, float]) -> None:
    """Likes that were all of the score, time that runs backwards, and names that are not known."""
    with pytest.raises(ValidationError):
        Heat(**wrong)
