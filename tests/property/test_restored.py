"""What staff restore comes back everywhere, whatever order the news of it takes through four services."""

import random
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.groups.core import Charter, Message
from services.groups.handlers import OpenGroup, PostMessage
from services.groups.handlers import router as groups
from services.groups.settings import Settings as GroupsSettings
from services.moderation.core import Content
from services.moderation.handlers import DecideContent
from services.notes.core import Comment, Need, Note, need_id
from services.notes.handlers import router as notes
from services.notes.handlers.commands import PostComment, PostNote
from services.notes.settings import Settings as NotesSettings
from services.recommend.handlers import router as recommend
from services.recommend.placed import Suggestions, Visibility
from services.recommend.settings import Settings as RecommendSettings
from services.recommend.view import ProfilesView, PulsesView
from shared.contracts import TOPICS
from shared.contracts.moderation import ContentJudged, MessageJudged
from tests.fakes.database import FakeDatabase, Server
from tests.unit.judging import EDGE, SPAM, service
from tests.unit.support import World, wire

CHARTER = Charter(purpose="抱石", audience="新手", rules="r", rewards="w", service="s", exit="e")
ASKS = f"{SPAM} 请问周末几点开门?"
"""An advertisement by the rules, and a question: staff will find that it is honest."""


class Four:
    """The four services in memory. What one tells the others hear, each topic in its order, topics in any order."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.worlds: dict[str, World] = {
            "notes": World(notes(NotesSettings(**EDGE))),
            "groups": World(groups(GroupsSettings(**EDGE))),
            "recommend": World(
                recommend(RecommendSettings(**EDGE)),
                [view(FakeDatabase(Server()), 1.0) for view in (ProfilesView, PulsesView)],
            ),
            "moderation": service(),
        }
        self._heard: dict[tuple[str, str, str], int] = {}

    def __getitem__(self, name: str) -> World:
        return self.worlds[name]

    def settle(self) -> None:
        """Until nobody has anything more to say."""
        while choices := self._waiting():
            self.rng.choice(choices)()

    def _waiting(self) -> list[Callable[[], None]]:
        found: list[tuple[tuple[str, str, str], Callable[[], None]]] = []
        for teller, world in self.worlds.items():
            for topic in {record.topic for record in world.records}:
                told = [record for record in world.records if record.topic == topic]
                for reader in TOPICS[topic].readers:
                    place = (teller, topic, reader)
                    if self._heard.get(place, 0) < len(told):
                        found.append((place, partial(self._hear, place, told)))
        return [hear for _, hear in sorted(found, key=lambda choice: choice[0])]

    def _hear(self, place: tuple[str, str, str], told: list[Any]) -> None:
        at = self._heard.get(place, 0)
        self._heard[place] = at + 1
        self.worlds[place[2]].take([wire(told[at])])

    def decide(self, content: str, *, hide: bool) -> None:
        self["moderation"].ask(
            DecideContent(person_id="staff-1", content_id=content, hide=hide, note="看过", revision=0)
        )

    @property
    def dead(self) -> list[str]:
        return [o for world in self.worlds.values() for o in world.outcomes if o.startswith("dead")]


def story(seed: int) -> Four:
    """A note and a comment, and a message in a group, all hidden by the rules."""
    four = Four(seed)
    four["groups"].ask(OpenGroup(person_id="eve", group_id="g", name="抱石小组", charter=CHARTER, seats=5))
    four.settle()
    four["notes"].ask(note("plain", "想找附近的抱石馆"))
    four["notes"].ask(note("ad", f"抱石馆 {SPAM}"))
    four["notes"].ask(PostComment(person_id="bob", comment_id="c", note_id="plain", text=ASKS, parent_id=None))
    four["groups"].ask(PostMessage(person_id="eve", message_id="m", group_id="g", text=SPAM, parent_id=None))
    four.settle()
    return four


def note(id_: str, text: str) -> PostNote:
    return PostNote(person_id="ann", note_id=id_, title="抱石", text=text, topic=None, place=None, intent=None)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_what_staff_restore_comes_back_everywhere(seed: int) -> None:
    """Note, comment with its need and its count, message, suggestions: as if they had never been hidden."""
    four = story(seed)
    assert four["notes"].get(Note, "ad").hidden
    assert four["notes"].get(Comment, "c").hidden
    assert four["groups"].get(Message, "m").hidden
    assert four["recommend"].get(Visibility, "ad").hidden
    assert four["notes"].get(Note, "plain").hidden_comments == 1
    for content in four.rng.sample(["ad", "c", "m"], 3):
        four.decide(content, hide=False)
    four.settle()
    assert not four["notes"].get(Note, "ad").hidden
    assert not four["notes"].get(Comment, "c").hidden
    assert not four["groups"].get(Message, "m").hidden
    assert not four["recommend"].get(Visibility, "ad").hidden
    assert four["recommend"].get(Suggestions, "ad").groups
    plain = four["notes"].get(Note, "plain")
    assert (plain.comments, plain.hidden_comments, plain.needs) == (1, 0, 1)
    assert four["notes"].get(Need, need_id("c")).state == "open"
    assert [timer.payload["need_id"] for timer in four["notes"].timers] == [need_id("c")]
    assert four.dead == []


@given(st.integers(0, 10_000), st.lists(st.tuples(st.sampled_from(["ad", "c", "m"]), st.booleans()), max_size=8))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_the_last_decision_holds_everywhere(seed: int, decisions: list[tuple[str, bool]]) -> None:
    """However often staff change their minds, and whether or not the others have heard of it in between."""
    four = story(seed)
    by_rules = len(told(four))
    last = {"ad": True, "c": True, "m": True}
    for content, hide in decisions:
        four.decide(content, hide=hide)
        last[content] = hide
        if four.rng.random() < 0.5:
            four.settle()
    four.settle()
    shown = {
        "ad": four["notes"].get(Note, "ad").hidden,
        "c": four["notes"].get(Comment, "c").hidden,
        "m": four["groups"].get(Message, "m").hidden,
    }
    assert shown == last
    assert {id_: four["moderation"].get(Content, id_).hidden for id_ in last} == last
    assert four["recommend"].get(Visibility, "ad").hidden == last["ad"]
    need = four["notes"].documents.get((Need.COLLECTION, need_id("c")))
    assert (isinstance(need, Need) and need.state == "open") == (not last["c"])
    assert four["notes"].get(Note, "plain").hidden_comments == last["c"]
    assert len(told(four)) == by_rules + sum(
        1 for n, (content, hide) in enumerate(decisions) if _news(decisions[:n], content, hide)
    )
    for content in ("plain", *last):
        said = [(t.hidden, t.score, t.reasons, t.by) for t in told(four) if t.content_id == content]
        assert all(one != next_ for one, next_ in pairwise(said)), "a verdict that says nothing new"
    # By the text alone, and for all but the plain one once more when the counters have answered.
    assert by_rules == 4 + 3
    assert four.dead == []


def told(four: Four) -> list[ContentJudged | MessageJudged]:
    """All verdicts, in the order in which moderation told them by kind."""
    heard = four["moderation"].told
    return [*heard.of(ContentJudged), *heard.of(MessageJudged)]


def _news(before: list[tuple[str, bool]], content: str, hide: bool) -> bool:
    """Whether a decision is another one than the last on this content; the first of staff always is news."""
    earlier = [was for id_, was in before if id_ == content]
    return not earlier or earlier[-1] != hide
