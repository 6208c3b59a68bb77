"""What moderation does with what it hears: one verdict each, with reasons and a version."""

import pytest

from services.moderation.core import Content
from services.moderation.handlers import DecideContent
from shared.contracts import Event
from shared.contracts.moderation import ContentCounted, ContentFlagged, ContentJudged, Count
from shared.contracts.notes import CommentDeleted, CommentEdited, CommentPosted, NoteDeleted, NoteEdited, NotePosted
from shared.contracts.talk import MessageDeleted, MessagePosted
from shared.rules import ruleset
from tests.unit.judging import HAM, RULES, SPAM, ham, service, spam, taught
from tests.unit.support import START, World


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
    assert {reason.rule for reason in verdict.reasons} <= {rule.name for rule in RULES.rules}


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


MILD = ruleset(f"set threshold = 100\n{RULES.source}")


def test_a_verdict_names_the_version_of_its_rules(world: World) -> None:
    """The version in the event, in the document and of the rules are one, and another threshold is another one."""
    world.hear(comment(HAM))
    assert world.told.of(ContentJudged)[0].rules == world.get(Content, "c").rules == RULES.version
    other = service(rules=MILD)
    other.hear(comment(HAM))
    assert other.told.of(ContentJudged)[0].rules == MILD.version != RULES.version


def test_the_threshold_decides() -> None:
    """The same text under a higher threshold stays, with the same score."""
    mild = service(rules=MILD)
    mild.hear(comment(SPAM))
    (verdict,) = mild.told.of(ContentJudged)
    assert not verdict.hidden
    assert verdict.score > 1


def test_rules_that_are_switched_off_say_nothing() -> None:
    """The others go on, and the version is another one: what an operator has done is seen in every verdict."""
    whole, less = service(), service(rules=ruleset(RULES.source, ("money_promise",)))
    for made in (whole, less):
        made.hear(comment(SPAM))
    (all_,), (rest,) = whole.told.of(ContentJudged), less.told.of(ContentJudged)
    assert {r.rule for r in all_.reasons} - {r.rule for r in rest.reasons} == {"money_promise"}
    assert all_.rules != rest.rules


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
    assert len(world.told.of(ContentJudged)) == 1
    counters = [e.counter_id.partition(":")[0] for e in world.told.of(ContentCounted)]
    assert counters == ["person", "text"]


# -- later revisions, deletions ------------------------------------------------------------------------------


def edited(text: str, revision: int) -> CommentEdited:
    return CommentEdited(
        comment_id="c", note_id="n", author_id="bob", note_author_id="ann", text=text, revision=revision
    )


def test_an_edit_is_judged_again(world: World) -> None:
    """An advertisement that is edited in is caught, and one that is edited out is shown, each with its revision."""
    world.hear(comment(HAM))
    world.hear(edited(SPAM, 1))
    world.hear(edited(HAM, 2))
    world.hear(NotePosted(note_id="m", author_id="ann", title=HAM, text=HAM))
    world.hear(NoteEdited(note_id="m", author_id="ann", title=SPAM, text=HAM, revision=1))
    verdicts = [(v.content_id, v.revision, v.hidden) for v in world.told.of(ContentJudged)]
    assert verdicts == [("c", 0, False), ("c", 1, True), ("c", 2, False), ("m", 0, False), ("m", 1, True)]
    judged = [r for r in world.records if r.envelope.type == ContentJudged.TYPE]
    assert [r.envelope.sequence for r in judged] == [1, 2, 3, 1, 2]
    assert (world.get(Content, "c").text, world.get(Content, "c").revision) == (HAM, 2)


def test_an_older_revision_changes_nothing(world: World) -> None:
    """What comes late, or twice under another id, gets no verdict that would replace the later one."""
    world.hear(edited(HAM, 2))
    assert [world.hear(e) for e in (comment(SPAM), edited(SPAM, 1), edited(SPAM, 2))] == ["older"] * 3
    assert len(world.told.of(ContentJudged)) == 1
    assert world.get(Content, "c").text == HAM


def test_staff_decide_one_revision(world: World) -> None:
    """An edit after the decision is judged by the rules again."""
    world.hear(comment(SPAM))
    world.ask(DecideContent(person_id="s", content_id="c", hide=False, note="ok", revision=0))
    world.hear(edited(SPAM, 1))
    assert [(v.revision, v.hidden, v.by) for v in world.told.of(ContentJudged)] == [
        (0, True, "automatic"),
        (0, False, "staff"),
        (1, True, "automatic"),
    ]


GONE = (
    (comment(SPAM), CommentDeleted(comment_id="c", note_id="n", author_id="bob", by_id="bob", revision=3)),
    (note(HAM, SPAM), NoteDeleted(note_id="n", author_id="ann", by_id="ann", revision=0)),
    (
        MessagePosted(message_id="m", group_id="g", author_id="eve", text=SPAM),
        MessageDeleted(message_id="m", group_id="g", author_id="eve"),
    ),
)


@pytest.mark.parametrize(("posted", "gone"), GONE)
@pytest.mark.parametrize("late", [False, True])
def test_what_is_deleted_leaves_no_text(world: World, posted: Event, gone: Event, late: bool) -> None:
    """The copy goes, whichever comes first, and no later revision brings one back."""
    for event in (gone, posted) if late else (posted, gone):
        world.hear(event)
    (content,) = [d for d in world.documents.values() if isinstance(d, Content)]
    assert (content.text, content.reasons, content.deleted) == ("", (), True)
    assert world.hear(gone, sequence=9) == "known"
    if isinstance(gone, CommentDeleted):
        assert world.hear(edited(SPAM, 9)) == "older"
        assert world.get(Content, "c").text == ""


def test_the_texts_of_a_batch_are_read_at_once() -> None:
    """M6. What the model says of a batch is asked once, and each verdict is that of the text alone."""
    texts = [*map(ham, range(6)), *map(spam, range(6)), SPAM]
    events = [comment(text, f"c{n}") for n, text in enumerate(texts)]
    alone, together = service(taught()), service(taught())
    for event in events:
        alone.hear(event)
    together.hear_at_once(events)
    read_ahead = together.ahead
    assert read_ahead is not None
    assert read_ahead.known.keys() == set(texts)
    assert together.told.of(ContentJudged) == alone.told.of(ContentJudged)


def test_what_is_judged_again_is_read_with_the_batch() -> None:
    """M6. A batch of what counters tell is read at once, too; what staff are asked about is not read at all."""
    texts = [*map(ham, range(3)), *map(spam, range(3))]
    alone, together = service(taught()), service(taught())
    for world in (alone, together):
        world.hear_at_once([comment(text, f"c{n}") for n, text in enumerate(texts)])
    counts = (Count(fact="author.posts(1m)", count=20), Count(fact="author.copies(1h)", count=5))
    again = [
        ContentFlagged(content_id=f"c{n}", kind="comment", note_id="n", flag="counted", counts=counts)
        for n in range(len(texts))
    ]
    asked = ContentFlagged(content_id="c0", kind="comment", note_id="n", flag="reported", reason="abuse")
    for event in (*again[1:], asked):
        alone.hear(event)
    together.hear_at_once([*again[1:], asked])
    read_ahead = together.ahead
    assert read_ahead is not None
    assert read_ahead.known.keys() == set(texts[1:])
    assert len(alone.told.of(ContentJudged)) > len(texts)
    assert together.told.of(ContentJudged) == alone.told.of(ContentJudged)
