"""What moderation does with what it hears: one verdict each, with reasons and a version."""

from dataclasses import replace
from typing import Any

import pytest

from services.moderation.core import RULES, RULES_VERSION, Content
from services.moderation.handlers import router
from services.moderation.settings import Settings
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import CommentPosted, NotePosted
from tests.unit.support import START, World

SPAM = "日结工资轻松赚钱, 加微信 abc12345 联系我"
HAM = "周日下午岩馆人不多, 新手可以来"


EDGE: dict[str, Any] = {"kafka": "k:1", "mongo": "mongodb://x", "jwks": "http://x", "issuer": "i"}


def service(**settings: Any) -> World:
    return World(router(Settings(**EDGE, **settings)))


@pytest.fixture
def world() -> World:
    return service()


def comment(text: str, id_: str = "c") -> CommentPosted:
    return CommentPosted(comment_id=id_, note_id="n", author_id="bob", note_author_id="ann", text=text)


def note(title: str, text: str) -> NotePosted:
    return NotePosted(note_id="n", author_id="ann", title=title, text=text)


def test_an_advertisement_is_hidden_with_reasons(world: World) -> None:
    """The verdict says which rules spoke, what each adds, and where in the text; their sum is the score."""
    world.hear(comment(SPAM))
    (verdict,) = world.told.of(ContentJudged)
    assert (verdict.hidden, verdict.kind, verdict.content_id, verdict.author_id) == (True, "comment", "c", "bob")
    assert len(verdict.reasons) >= 2
    assert verdict.score == pytest.approx(sum(reason.weight for reason in verdict.reasons), abs=1e-3)
    assert all(0 <= reason.start < reason.end <= len(SPAM) for reason in verdict.reasons)
    assert {reason.rule for reason in verdict.reasons} <= {rule.name for rule in RULES.table}


def test_an_ordinary_comment_stays(world: World) -> None:
    """Every text gets a verdict, also the one that says nothing against it."""
    world.hear(comment(HAM))
    (verdict,) = world.told.of(ContentJudged)
    assert (verdict.hidden, verdict.score, verdict.reasons) == (False, 0.0, ())


@pytest.mark.parametrize(("title", "text"), [(SPAM, HAM), (HAM, SPAM), (SPAM[:12], SPAM[12:])])
def test_a_note_is_judged_by_title_and_text(world: World, title: str, text: str) -> None:
    """An advertisement in the title, in the text or over both hides the note."""
    world.hear(note(title, text))
    (verdict,) = world.told.of(ContentJudged)
    assert (verdict.hidden, verdict.kind, verdict.content_id, verdict.note_id) == (True, "note", "n", "n")


def test_a_verdict_names_the_version_of_its_rules(world: World) -> None:
    """The version in the event, in the document and of the rules are one, and another threshold is another one."""
    world.hear(comment(HAM))
    assert world.told.of(ContentJudged)[0].rules == world.get(Content, "c").rules == RULES_VERSION
    other = service(threshold=0.1)
    other.hear(comment(HAM))
    assert other.told.of(ContentJudged)[0].rules == replace(RULES, threshold=0.1).version != RULES_VERSION


def test_the_threshold_decides() -> None:
    """The same text under a higher threshold stays, with the same score."""
    mild = service(threshold=100.0)
    mild.hear(comment(SPAM))
    (verdict,) = mild.told.of(ContentJudged)
    assert not verdict.hidden
    assert verdict.score > 1


def test_the_verdict_is_kept_with_its_text(world: World) -> None:
    """What the author is shown is what was told; the text stays inside."""
    world.hear(comment(SPAM))
    (verdict,), kept = world.told.of(ContentJudged), world.get(Content, "c")
    assert (kept.text, kept.posted_at, kept.hidden, kept.score) == (SPAM, START, verdict.hidden, verdict.score)
    assert [(r.rule, r.weight, r.start, r.end) for r in kept.reasons] == [
        (r.rule, r.weight, r.start, r.end) for r in verdict.reasons
    ]
    assert not any(SPAM[:6].encode() in record.value for record in world.records)


def test_the_same_event_twice_is_one_verdict(world: World) -> None:
    """A double on the wire is not judged again."""
    assert [world.hear(comment(SPAM), id_="e") for _ in range(2)] == ["done", "double"]
    assert len(world.records) == 1
