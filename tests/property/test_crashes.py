"""A process that dies at any step, once or again and again, changes nothing in the end."""

import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.flow.fold import Limits
from tests.property.story import FULL, Crashing, End, Story, tell
from tests.suites.toy import PostComment

SHARED = Path(__file__).parents[2] / "shared"
MOST = 25
"""Occurrences of one label that are tried in one story; a lane that idles for a minute says so often."""


@cache
def undisturbed() -> End:
    return tell(FULL)


def labels() -> set[str]:
    """Every label that the sources tell of."""
    sources = [*(SHARED / "flow").glob("*.py"), SHARED / "mongo.py"]
    return {label for s in sources for label in re.findall(r'\b_?at\("([a-z:]+)"\)', s.read_text("utf-8"))}


def same(end: End, other: End, what: object) -> None:
    assert end.documents == other.documents, what
    assert end.ids == other.ids, what
    assert end.replies == other.replies, what


def test_the_story_passes_every_label() -> None:
    """A label that is new in the sources must be crashed at, too: the story has to come by."""
    assert undisturbed().labels["notes"].keys() == labels()


@pytest.mark.parametrize("service", ["notes", "moderation"])
@pytest.mark.parametrize("label", sorted(labels()))
def test_a_crash_at_any_step_changes_nothing(service: str, label: str) -> None:
    """Documents, events and stored replies are those of a run without the crash, whichever time it is."""
    for occurrence in range(1, min(undisturbed().labels[service][label], MOST) + 1):
        crash = Crashing(service, label, occurrence)
        end = tell(FULL, [crash])
        assert end.crashes == 1, crash
        same(end, undisturbed(), crash)


@pytest.mark.parametrize("label", sorted(labels() - {"stop:draining", "stop:drained"}))
def test_a_crash_of_the_successor_changes_nothing(label: str) -> None:
    """Two owners in a row die at the same step of their lives, and both services with them."""
    crashes = [Crashing("notes", label, 1), Crashing("notes", label, 1), Crashing("moderation", label, 1)]
    end = tell(FULL, crashes)
    # Moderation's outbox is never full, and a lane whose letter is committed does not hold itself for it again.
    assert end.crashes >= (1 if label == "full" or label.startswith("hold:") else 2)
    same(end, undisturbed(), label)


texts = st.sampled_from(["hello", "spam", "why?", "bug", "rejected"])
notes = st.sampled_from(["n2", "n3", "n4"])
stories = st.builds(
    Story,
    commands=st.lists(
        st.builds(
            PostComment,
            person_id=st.just("p"),
            comment_id=st.uuids().map(str),
            note_id=notes,
            text=texts.filter(lambda t: t != "why?"),
        ),
        max_size=6,
    ),
    comments=st.lists(st.tuples(notes, texts, st.integers(1, 3)), max_size=12),
    limits=st.builds(
        Limits, inputs=st.integers(1, 8), writes=st.integers(2, 20), outbox=st.sampled_from([1_500, 5_000, 1_000_000])
    ),
    seed=st.integers(0, 2**32),
    outages=st.booleans(),
)
crashes = st.lists(
    st.builds(
        Crashing,
        service=st.sampled_from(["notes", "moderation"]),
        label=st.sampled_from(sorted(labels())),
        occurrence=st.integers(1, 6),
    ),
    max_size=4,
)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(story=stories, crashes=crashes)
def test_any_story_with_any_crashes_ends_the_same(story: Story, crashes: list[Crashing]) -> None:
    """Whatever comes, in whatever batches, doubled or not, crashed or not: one end."""
    same(tell(story, crashes), tell(Story(story.commands, story.comments, Limits(), seed=1, outages=False)), crashes)
