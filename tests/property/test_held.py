"""M7. What a gate holds, while processes die: every held text is judged, the judgement wins, none is held for ever."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.groups import core as of_groups
from services.notes import core as of_notes
from services.notes.handlers import posting
from shared.contracts.moderation import ContentJudged, MessageJudged
from shared.contracts.notes import CommentPosted, CommentVisibilityChanged, NotePosted, NoteVisibilityChanged
from shared.contracts.talk import MessagePosted, MessageVisibilityChanged
from tests.property.story import Crashing
from tests.property.test_crashes import labels
from tests.property.town import SERVICES, End, Place, Story, tell, told_of

AD = "日结工资轻松赚钱, 加微信 abc12345 联系我"
TEA, PLAIN = "周末一起喝茶", "周日下午岩馆人不多, 新手可以来"
AWAY = 60.0
"""Longer than all is written in, a hold, and any takeover after it."""
TEXTS: tuple[str, ...] = (AD, TEA, PLAIN)
PLACES: tuple[Place, ...] = ("note", "comment", "message")
ALL = tuple((place, text) for text in TEXTS for place in PLACES)
EACH = [(place, text, 0.2) for place, text in ALL]


def right(end: End) -> None:
    """What must hold in every end, whatever broke on the way to it."""
    posted = told_of(end, NotePosted, CommentPosted, MessagePosted)
    verdicts = told_of(end, ContentJudged, MessageJudged)
    seen = told_of(end, NoteVisibilityChanged, CommentVisibilityChanged, MessageVisibilityChanged)
    for id_, held in end.answers.items():
        ((_, event),) = posted[id_]  # neither lost nor told twice under two ids
        assert (event.gate == "held") is held, id_
        sequences = [envelope.sequence for envelope, _ in verdicts[id_]]
        assert len(sequences) == len(set(sequences)), f"{id_}: two verdicts under one sequence"
        assert end.stored[id_]["hidden"] is verdicts[id_][-1][1].hidden, f"{id_}: the judgement does not hold"
        news = [event.hidden for _, event in seen.get(id_, [])]
        assert all(before != after for before, after in pairwise([False, *news])), f"{id_}: {news}"
        assert news[:1] == [True] or not held, f"{id_}: held, and nobody was told"
        assert (news[-1] if news else False) is end.stored[id_]["hidden"], id_


def test_what_is_held_is_judged_and_the_judgement_wins() -> None:
    """A gate with yesterday's rules holds an advertisement, which stays hidden, and a text that is shown again."""
    end = tell(Story(EACH))
    assert list(end.answers.values()) == [text != PLAIN for _, text in ALL]
    right(end)
    assert [end.stored[id_]["hidden"] for id_ in end.answers] == [text == AD for _, text in ALL]


def test_without_a_snapshot_nothing_is_held() -> None:
    """Processes that have not heard yet what moderation tells let all through; the judgement hides what it must."""
    end = tell(Story(EACH, told=60.0))
    assert not any(end.answers.values())
    right(end)
    assert [end.stored[id_]["hidden"] for id_ in end.answers] == [text == AD for _, text in ALL]


@pytest.mark.parametrize("service", ["notes", "groups"])
def test_nobody_is_held_for_ever_while_moderation_is_away(service: str) -> None:
    """All is shown after the hold, though who held it died; the judgement that comes later still wins."""
    end = tell(Story(EACH, away=AWAY, crashes=[Crashing(service, "commit:after", 9)]))
    assert end.crashes == 1
    right(end)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("label", sorted(labels()))
def test_a_death_at_any_step_changes_nothing(service: str, label: str) -> None:
    """Whichever process dies, wherever in its work: each text ends as it is judged, and is told once."""
    for occurrence in (1, 8):
        right(tell(Story(EACH, crashes=[Crashing(service, label, occurrence)])))


PAUSES = st.sampled_from([0.0, 0.3, 4.0])
stories = st.builds(
    Story,
    written=st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(TEXTS), st.sampled_from([0.0, 0.3, 4.0])), max_size=8
    ),
    away=st.sampled_from([0.0, 0.0, 3.0, 9.9, AWAY]),
    told=st.sampled_from([0.0, 0.0, 0.5, 3.0]),
    crashes=st.lists(
        st.builds(
            Crashing,
            service=st.sampled_from(SERVICES),
            label=st.sampled_from(sorted(labels())),
            occurrence=st.integers(1, 15),
        ),
        max_size=5,
    ),
    seed=st.integers(0, 2**32),
)


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(stories)
def test_whatever_dies_each_text_ends_as_it_was_judged(story: Story) -> None:
    """Any texts, with moderation away or not, snapshots lost or not, and any deaths."""
    right(tell(story))


# -- that it can fail -----------------------------------------------------------------------------------------


Broken = Callable[[pytest.MonkeyPatch], Story]


def _no_end(monkeypatch: pytest.MonkeyPatch) -> Story:
    """Nothing ends a hold but a verdict."""
    monkeypatch.setattr(posting, "lapse", lambda *_: None)
    return Story(EACH, away=AWAY)


def _blind_end(monkeypatch: pytest.MonkeyPatch) -> Story:
    """The end of a hold shows what is hidden, whoever has hidden it."""
    for core in (of_notes, of_groups):
        monkeypatch.setattr(core, "unjudged", lambda content: content.hidden)
    return Story(EACH)


@pytest.mark.parametrize("without", [_no_end, _blind_end])
def test_a_broken_hold_is_found(
    without: Callable[[pytest.MonkeyPatch], Story], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above can fail."""
    story = without(monkeypatch)
    with pytest.raises(AssertionError):
        right(tell(story))
