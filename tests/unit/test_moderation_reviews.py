"""Reports and decisions of staff: who may, what is counted, what is final."""

from datetime import timedelta
from typing import Any

import pytest

from services.moderation.core import Content, Report, Reporter, report_id
from services.moderation.handlers import DecideContent, ReportContent
from shared.contracts.moderation import ContentFlagged, ContentJudged, MessageFlagged, MessageJudged
from shared.contracts.notes import CommentDeleted, CommentPosted
from shared.contracts.talk import MessagePosted
from shared.flow.router import Reply
from tests.unit.judging import SPAM, service
from tests.unit.support import World, refused


@pytest.fixture
def world() -> World:
    """A comment of bob's and a message of eve's, both shown; two reports are enough."""
    made = service(reports_for_review=2, reports_per_hour=3)
    made.hear(comment("周日下午岩馆人不多"))
    made.hear(MessagePosted(message_id="m", group_id="g", author_id="eve", text="明天谁去?"))
    return made


def comment(text: str, id_: str = "c") -> CommentPosted:
    return CommentPosted(comment_id=id_, note_id="n", author_id="bob", note_author_id="ann", text=text)


def report(world: World, person: str, content: str = "c", kind: Any = "comment") -> Reply:
    reply = world.ask(ReportContent(person_id=person, content_id=content, kind=kind, reason="advertising"))
    world.settle()
    return reply


def decide(world: World, *, hide: bool, content: str = "c", revision: int = 0) -> Reply:
    return world.ask(
        DecideContent(person_id="staff-1", content_id=content, hide=hide, note="看过了", revision=revision)
    )


def test_a_report_counts_once_a_person(world: World) -> None:
    """The second report of a person is answered like the first and changes nothing."""
    assert [report(world, "ann").status for _ in range(2)] == [201, 200]
    assert world.get(Content, "c").reported == {"advertising": 1}
    assert len(world.told.of(ContentFlagged)) == 1


def test_enough_people_put_it_up_for_review_and_hide_nothing(world: World) -> None:
    """The last of them starts the wait; no verdict is told for reports alone."""
    report(world, "ann")
    assert world.get(Content, "c").review_since is None
    report(world, "eve")
    content = world.get(Content, "c")
    assert (content.review_since, content.hidden, content.reported) == (world.now, False, {"advertising": 2})
    world.now += timedelta(minutes=1)
    report(world, "dan")
    assert world.get(Content, "c").review_since == world.now - timedelta(minutes=1)
    assert [v.by for v in world.told.of(ContentJudged)] == ["automatic"]


def test_a_message_is_reported_in_its_group(world: World) -> None:
    """What concerns a message goes to the lane of its group."""
    for person in ("ann", "bob"):
        report(world, person, "m", "message")
    assert [(e.content_id, e.group_id) for e in world.told.of(MessageFlagged)] == [("m", "g")] * 2
    assert world.get(Content, "m").review_since is not None


def test_nobody_learns_who_reported(world: World) -> None:
    """Neither body nor headers of what is told name the reporter, and the id of a report does not either."""
    report(world, "reporter-of-it")
    told = b"".join(r.value + repr(r.envelope).encode() for r in world.records)
    assert b"reporter-of-it" not in told
    assert world.get(Report, report_id("c", "reporter-of-it")).person_id == "reporter-of-it"


def test_what_cannot_be_reported(world: World) -> None:
    """Unknown content, another kind of content, one's own, and what only its author sees."""
    world.hear(comment(SPAM, "hidden"))
    for content, kind in (("none", "comment"), ("c", "note"), ("c", "message"), ("hidden", "comment")):
        with refused("unknown-content", 404):
            report(world, "ann", content, kind)
    with refused("own-content", 422):
        report(world, "bob")
    assert not [d for d in world.documents.values() if isinstance(d, Report | Reporter)]


def test_reports_are_bounded_by_the_hour(world: World) -> None:
    """The fourth within an hour is refused, and may be made when the first is an hour old; a repeat costs nothing."""
    for n in range(4):
        world.hear(comment("好", f"c{n}"))
    for n in range(3):
        report(world, "ann", f"c{n}")
        world.now += timedelta(minutes=10)
    assert report(world, "ann", "c0").status == 200
    with refused("too-many-reports", 429):
        report(world, "ann", "c3")
    world.now += timedelta(minutes=30)
    assert report(world, "ann", "c3").status == 201


def test_staff_hide_and_restore_with_higher_sequences(world: World) -> None:
    """Each decision is a verdict of its own; the review is over, and the author reads why."""
    for person in ("ann", "eve"):
        report(world, person)
    assert decide(world, hide=True).body == {"content_id": "c", "hidden": True, "revision": 0}
    content = world.get(Content, "c")
    assert (content.hidden, content.review_since, content.decision and content.decision.note) == (True, None, "看过了")
    decide(world, hide=False)
    verdicts = [
        (r.envelope.sequence, v.hidden, v.by, [x.rule for x in v.reasons])
        for r, v in zip(world.records, world.told, strict=True)
        if isinstance(v, ContentJudged)
    ]
    assert [v[1:] for v in verdicts] == [
        (False, "automatic", []),
        (True, "staff", ["staff"]),
        (False, "staff", []),
    ]
    assert [v[0] for v in verdicts] == sorted({v[0] for v in verdicts})


def test_the_same_decision_again_is_no_news(world: World) -> None:
    """Two of the staff who agree make one verdict."""
    first, again = decide(world, hide=True, content="m"), decide(world, hide=True, content="m")
    assert (first.status, first.body) == (again.status, again.body)
    assert [v.by for v in world.told.of(MessageJudged)] == ["automatic", "staff"]


def test_staff_decide_what_they_have_read(world: World) -> None:
    """Another revision than the one at hand is a conflict, unknown content is a 404; nothing is written."""
    before = dict(world.documents)
    with refused("edited-since", 409):
        decide(world, hide=True, revision=1)
    with refused("unknown-content", 404):
        decide(world, hide=True, content="none")
    assert world.documents == before


def test_reports_do_not_reopen_what_staff_have_decided(world: World) -> None:
    """Of the same revision, however many come; they are still counted."""
    decide(world, hide=False)
    for person in ("ann", "eve", "dan"):
        report(world, person)
    content = world.get(Content, "c")
    assert (content.review_since, content.reported) == (None, {"advertising": 3})


def test_an_automatic_advertisement_is_restored_by_staff(world: World) -> None:
    """The verdict of staff outranks that of the rules, whose reasons stay to be read."""
    world.hear(comment(SPAM, "ad"))
    assert world.get(Content, "ad").hidden
    decide(world, hide=False, content="ad")
    verdict = world.told.of(ContentJudged)[-1]
    assert (verdict.hidden, verdict.by) == (False, "staff")
    assert verdict.score > 1
    assert verdict.reasons


def test_what_is_deleted_can_be_neither_reported_nor_decided(world: World) -> None:
    """Deleted while it waited for staff: the wait is over, and it is unknown from then on."""
    for person in ("ann", "eve"):
        report(world, person)
    world.hear(CommentDeleted(comment_id="c", note_id="n", author_id="bob", by_id="bob", revision=0))
    assert world.get(Content, "c").review_since is None
    with refused("unknown-content", 404):
        report(world, "dan")
    with refused("unknown-content", 404):
        decide(world, hide=True)
