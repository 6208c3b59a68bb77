"""R4. The live system judged by its topics: what was told before a relay, and nothing of the relay itself."""

from datetime import UTC, datetime, timedelta
from xml.dom.minidom import parseString

import pytest

from services.recommend.commands import evaluate
from services.recommend.core import Evaluation, GroupProfile, Looks, figures
from services.recommend.handlers import router
from services.recommend.past import Past, parts, plot, shown, table
from services.recommend.view import CirclesView, ProfilesView, PulsesView
from shared.contracts.groups import GroupOpened
from shared.contracts.notes import NotePosted, NoteRelayed
from shared.contracts.recommend import FeedbackGiven, MembershipHeard
from shared.flow.ports import Incoming
from tests.fakes.database import FakeDatabase, Server
from tests.unit.support import World, wire
from tests.unit.test_recommend_ties import CHARTER, SETTINGS

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
WEEK = timedelta(days=7)


def test_only_what_was_told_before_counts() -> None:
    """A suggestion after the relay changes nothing of it; of two before it the higher sequence holds."""
    found = Evaluation()
    found.suggested("n", ["a", "b"], 2)
    found.suggested("n", ["b"], 1)
    found.relayed("n", "b", AT)
    found.suggested("n", ["b"], 3)
    found.relayed("early", "b", AT)
    assert [(one.rank, one.popular, one.before) for one in found.outcomes] == [(2, 0, 0)]
    assert found.early == 1


def test_popularity_is_that_of_the_relays_before() -> None:
    """Beside each relay stand the groups that most notes had gone to before it; the same relay again is none."""
    found = Evaluation()
    for n, group in enumerate("aabcdefa"):
        found.suggested(f"n{n}", [group], 1)
        found.relayed(f"n{n}", group, AT)
        found.relayed(f"n{n}", group, AT)
    assert [one.popular for one in found.outcomes] == [0, 1, 0, 0, 0, 0, 0, 1]
    assert [one.before for one in found.outcomes] == [0, 1, 0, 0, 0, 0, 0, 2]


def test_figures_are_as_by_hand() -> None:
    """First, within five, mean reciprocal rank, and the mean over groups, of three relays; their weeks and sizes."""
    found = Evaluation()
    for n, (group, told) in enumerate((("a", "ab"), ("a", "ba"), ("b", "a"))):
        found.suggested(f"n{n}", told, 1)
        found.relayed(f"n{n}", group, AT + n * WEEK)
    all_ = figures(found.outcomes)
    assert (all_.n, all_.first, all_.within) == (3, 1 / 3, 2 / 3)
    assert all_.mrr == pytest.approx((1 + 1 / 2) / 3)
    assert all_.macro == pytest.approx((1 + 0) / 2)
    assert all_.popular == pytest.approx(1 / 3)
    by_part = dict(parts(found.outcomes))
    assert list(by_part) == ["all", "2026-W19", "2026-W20", "2026-W21", "groups of under 20"]
    assert [by_part[name].first for name in ("2026-W19", "2026-W20", "2026-W21")] == [1, 0, 0]
    assert figures([]).n == 0


def test_the_topics_of_the_live_service_give_the_figures() -> None:
    """Notes posted, suggested for and relayed through the real lanes; what cannot be read is counted."""
    database = FakeDatabase(Server())
    world = World(router(SETTINGS), [view(database, 1.0) for view in (ProfilesView, CirclesView, PulsesView)])
    for group, name in (("ride", "骑行"), ("cook", "厨房")):
        world.hear(GroupOpened(group_id=group, owner_id="o", name=name, charter=CHARTER, seats=9))
    records: list[Incoming] = []
    for n, (title, group) in enumerate((("周末骑行", "ride"), ("厨房里的骑行", "cook"), ("桑拿", "cook"))):
        world.hear(NotePosted(note_id=f"n{n}", author_id="a", title=title, text=""))
        records += [wire(record) for record in world.records]
        relay = world.record(NoteRelayed(note_id=f"n{n}", group_id=group, by_id="a"))
        world.take([relay])
        world.settle()
        records.append(relay)
    assert world.get(GroupProfile, "cook").notes == 2
    evaluation = Evaluation()
    past = Past(evaluation)
    past.take(records)
    assert past.unreadable == 0
    assert [one.rank > 0 for one in evaluation.outcomes] == [True, True, False]
    past.take([type("Bad", (), {"headers": [("ce_type", NoteRelayed.TYPE.encode())], "value": b"{"})()])
    assert past.unreadable == 1
    assert table(evaluation.outcomes).splitlines()[1].split()[:2] == ["all", "3"]
    for outcomes in (evaluation.outcomes, []):
        image = parseString(plot(outcomes))  # noqa: S318  our own
        assert len(image.getElementsByTagName("rect")) == 1 + 2 * len(parts(outcomes))


def test_what_people_were_shown_is_counted_once_a_look() -> None:
    """R6, R9. Again within the hour is the same look, within a week a repeat, later neither; joined counts for a week,
    once, and not for a group that was never shown."""
    looks, hour = Looks(), timedelta(hours=1)
    for at in (AT, AT + hour / 2, AT + 2 * WEEK, AT + 2 * WEEK + hour):
        looks.saw("p", "a", at)
    looks.saw("p", "b", AT)
    looks.saw("q", "a", AT)
    assert (looks.shown, looks.again) == (5, 1)
    for person, group, at in (
        ("p", "a", AT + 3 * WEEK), ("p", "a", AT + 3 * WEEK), ("p", "b", AT + WEEK), ("q", "a", AT + WEEK - hour),
        ("q", "never", AT),
    ):  # fmt: skip
        looks.went(person, group, at)
    assert looks.joined == 2


def test_looks_and_joins_of_the_topic_are_read() -> None:
    """Of what people say and where they are, what was seen and joined; a leave and a "not for me" are neither."""
    world = World(router(SETTINGS))
    evaluation = Evaluation()
    Past(evaluation).take(
        world.record(event)
        for event in (
            *(FeedbackGiven(person_id="p", group_id=group, kind="seen") for group in ("a", "b", "c", "d")),
            FeedbackGiven(person_id="p", group_id="b", kind="not_for_me"),
            MembershipHeard(person_id="p", group_id="a", member=True, sequence=1),
            MembershipHeard(person_id="p", group_id="c", member=False, sequence=2),
        )
    )
    assert shown(evaluation.looks) == (
        "4 groups shown to people, 0 (0.0%) again within a week, 1 (25.0%) joined within a week"
    )
    assert shown(Looks()).startswith("0 groups")


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "soon", "3651"])
def test_days_are_a_number(days: str) -> None:
    """Anything else is refused with exit status 2, before a broker is asked."""
    with pytest.raises(SystemExit) as refused:
        evaluate(["--days", days])
    assert refused.value.code == 2
