"""M3. A draft or a model on trial: judged beside what is in force, told apart, labelled by staff, proven or refused."""

import pytest

from services.moderation.core import Content, Draft, Judges, Proof, Trial, blank, lower_bound, proof, sampled
from services.moderation.core.bar import Bar
from services.moderation.core.trial import CONFIDENCE, MOST_LABELS, NEEDED
from services.moderation.handlers import (
    ApproveRules,
    DecideContent,
    EndTrial,
    ProposeRules,
    RollBackRules,
    TryRules,
)
from shared.contracts.moderation import ContentCounted, ContentJudged, ContentTried, RulesChanged, TrialLabelled
from shared.contracts.notes import CommentDeleted, CommentEdited, CommentPosted
from shared.rules import ruleset
from tests.unit.judging import HAM, RULES, SPAM, service, taught
from tests.unit.support import World, refused

DRAFT = RULES.source + '\nphrases rocks = """ 岩馆 """\nrule climbing "岩馆" hide when text has rocks catches "去岩馆"'
OFFER = f"{HAM}, 都来岩馆"


@pytest.fixture
def world() -> World:
    made = service()
    made.ask(ProposeRules(person_id="ann", draft_id="d", source=DRAFT, note="因为"))
    return made


def begin(world: World, draft: str = "d") -> None:
    world.ask(TryRules(person_id="ann", draft_id=draft))


def write(world: World, id_: str, text: str = OFFER) -> Content:
    world.hear(CommentPosted(comment_id=id_, note_id="n", author_id=f"by-{id_}", note_author_id="ann", text=text))
    world.settle()
    return world.get(Content, id_)


def decide(world: World, id_: str, hide: bool) -> None:
    world.ask(DecideContent(person_id="s", content_id=id_, hide=hide, note="看过了", revision=0))
    world.settle()


def drawn(many: int, trial: str = "d") -> list[str]:
    """Ids that are in the sample of a trial."""
    return [id_ for id_ in map("c{}".format, range(many * 8)) if sampled(id_, trial)][:many]


def label(world: World, right: int, wrong: int, first: int = 0) -> None:
    """Texts that the draft alone would hide, as staff say: so many spam, so many honest."""
    for place, id_ in enumerate(drawn(first + right + wrong)[first:]):
        write(world, id_, f"{OFFER} {place}")
        decide(world, id_, hide=place < right)


def test_m3_what_is_on_trial_judges_and_hides_nothing(world: World) -> None:
    """Its verdict is told on a topic of its own, with its version and reasons; the live one is what it was."""
    before = write(world, "before")
    assert world.told.of(ContentTried) == []
    begin(world)
    content = write(world, "c")
    (tried,) = world.told.of(ContentTried)
    assert (tried.content_id, tried.trial_id, tried.rules) == ("c", "d", ruleset(DRAFT).version)
    assert (tried.hidden, tried.live, [r.rule for r in tried.reasons]) == (True, False, ["climbing"])
    assert [(OFFER[r.start : r.end]) for r in tried.reasons] == ["岩馆"]
    assert tried.TOPIC is not ContentJudged.TOPIC
    assert (content.hidden, content.rules, content.reasons) == (before.hidden, before.rules, before.reasons)
    assert world.told.of(ContentJudged)[-1].rules == RULES.version


def test_m3_what_both_hide_is_told_as_such(world: World) -> None:
    """Whether it would be hidden, and whether it is."""
    begin(world)
    write(world, "both", SPAM)
    write(world, "none", "周日一起跑步吗")
    told = {t.content_id: (t.hidden, t.live) for t in world.told.of(ContentTried)}
    assert told == {"both": (True, True), "none": (False, False)}


def test_m3_a_trial_hears_what_its_own_rules_count() -> None:
    """A draft that asks for counters gets them, though nothing in force does; only its verdict changes by that."""
    quiet = ruleset('rule long_run "重复" weigh 0.1 when content.run >= 30')
    made, source = service(rules=quiet), 'rule twice "又来" hide when author.posts(1m) >= 1'
    made.ask(ProposeRules(person_id="ann", draft_id="d", source=source, note="因为"))
    begin(made)
    for id_ in ("x", "y"):
        made.hear(CommentPosted(comment_id=id_, note_id="n", author_id="bob", note_author_id="ann", text="早"))
        made.settle()
    assert [(t.content_id, t.hidden) for t in made.told.of(ContentTried)] == [("x", False), ("y", False), ("y", True)]
    assert [v.hidden for v in made.told.of(ContentJudged)][:2] == [False, False]
    assert made.told.of(ContentCounted)[-1].asking == ("twice",)
    assert not made.get(Content, "y").hidden


def test_m3_a_sample_of_what_it_would_hide_waits_for_staff(world: World) -> None:
    """Drawn by lot, about one in four, of what it hides alone; the rest, and what it spares, is nobody's work."""
    begin(world)
    ids = [f"c{n}" for n in range(200)]
    waiting = {id_ for id_ in ids if write(world, id_).review_since}
    assert waiting == {id_ for id_ in ids if sampled(id_, "d")}
    assert 30 <= len(waiting) <= 70
    assert write(world, drawn(60)[-1] + "x", "周日一起跑步吗").review_since is None


def test_m3_staffs_word_on_the_sample_is_counted(world: World) -> None:
    """Right and wrong, and of what only the trial hides; a decision that is taken back replaces the first."""
    begin(world)
    one, two, three = drawn(3)
    write(world, one)
    write(world, two)
    write(world, three, SPAM)
    for id_, hide in ((one, True), (two, True), (three, True)):
        decide(world, id_, hide)
    found = proof(world.get(Trial, "trial:d"))
    assert found == Proof(right=3, labelled=3, added_right=2, added=2)
    decide(world, two, hide=False)
    assert proof(world.get(Trial, "trial:d")) == Proof(right=2, labelled=3, added_right=1, added=2)


def test_m3_what_was_not_drawn_proves_nothing(world: World) -> None:
    """Staff see what people report, which is no fair sample: a decision on it is no label of the trial."""
    begin(world)
    other = next(f"c{n}" for n in range(99) if not sampled(f"c{n}", "d"))
    write(world, other)
    decide(world, other, hide=True)
    spared = drawn(1)[0]
    write(world, spared, "周日一起跑步吗")
    decide(world, spared, hide=True)
    assert world.told.of(TrialLabelled) == []


def test_m3_a_label_is_of_the_revision_that_was_judged(world: World) -> None:
    """An edit that the trial has judged otherwise is labelled as that; a deleted content has no opinion any more."""
    begin(world)
    id_ = drawn(1)[0]
    write(world, id_)
    ids = {"comment_id": id_, "note_id": "n", "author_id": f"by-{id_}", "note_author_id": "ann"}
    world.hear(CommentEdited(**ids, revision=1, text="周日一起跑步吗"))
    world.settle()
    world.ask(DecideContent(person_id="s", content_id=id_, hide=True, note="看过了", revision=1))
    assert world.told.of(TrialLabelled) == []
    assert world.told.of(ContentTried)[-1].revision == 1
    world.hear(CommentDeleted(**ids, by_id=f"by-{id_}", revision=2))
    assert world.get(Content, id_).opinion is None


@pytest.mark.parametrize(
    ("right", "of", "bound"), [(0, 0, 0.0), (0, 10, 0.0), (10, 10, 0.7225), (73, 73, 0.95), (95, 100, 0.8882)]
)
def test_m3_the_lower_bound_is_wilsons(right: int, of: int, bound: float) -> None:
    """Against values from his formula: few labels prove little, however good they are."""
    assert lower_bound(right, of) == pytest.approx(bound, abs=1e-4)


def test_m3_the_bound_solves_its_equation() -> None:
    """It is the share from which what was seen lies just as many standard deviations away as we ask for."""
    for of in (1, 7, 73, 400):
        for right in range(1, of + 1):
            share = lower_bound(right, of)
            assert abs(right / of - share) == pytest.approx(CONFIDENCE * (share * (1 - share) / of) ** 0.5, abs=1e-9)


def test_m3_promotion_needs_the_bound(world: World) -> None:
    """72 right of 72 are not enough and 73 are; the change names the bound, and one that was never tried has none."""
    begin(world)
    label(world, right=72, wrong=0)
    assert not proof(world.get(Trial, "trial:d")).holds
    with refused("unproven", 409):
        world.ask(ApproveRules(person_id="bob", draft_id="d"))
    assert not [c for c in world.told if isinstance(c, RulesChanged)]
    label(world, right=1, wrong=0, first=72)
    assert world.ask(ApproveRules(person_id="bob", draft_id="d")).body["rules"] == ruleset(DRAFT).version
    (change,) = world.told.of(RulesChanged)
    assert change.proven is not None
    assert NEEDED <= change.proven < 0.951
    world.ask(RollBackRules(person_id="eve", change_id="rules-000001", note="误伤"))
    assert world.told.of(RulesChanged)[-1].proven is None


def test_m3_ending_a_trial_is_no_way_round_it(world: World) -> None:
    """A draft that was tried stays one that must be proven, and its labels stay too."""
    begin(world)
    label(world, right=2, wrong=0)
    world.ask(EndTrial(person_id="ann", draft_id="d"))
    assert write(world, "later").opinion is None
    with refused("unproven", 409):
        world.ask(ApproveRules(person_id="bob", draft_id="d"))
    with refused("unknown-trial", 404):
        world.ask(EndTrial(person_id="ann", draft_id="d"))
    begin(world)
    assert proof(world.get(Trial, "trial:d")).labelled == 2


def test_m3_much_that_is_right_does_not_cover_what_is_added() -> None:
    """A draft that hides what is hidden anyway is as precise as that; what it adds is asked for by itself."""
    assert Proof(right=300, labelled=304, added_right=0, added=0).holds
    assert not Proof(right=300, labelled=304, added_right=4, added=8).holds
    assert Proof(right=319, labelled=320, added_right=19, added=20).holds


def test_m3_a_trial_ends_with_the_set_beside_which_it_was(world: World) -> None:
    """Another draft comes into force: what was tried is made for other rules now, and judges no more."""
    world.ask(ProposeRules(person_id="ann", draft_id="e", source=f"{RULES.source}\n# 又一版", note="因为"))
    begin(world)
    world.ask(ApproveRules(person_id="bob", draft_id="e"))
    assert write(world, "c").opinion is None
    with refused("rules-changed-since", 409):
        begin(world)
    with refused("unknown-draft", 404):
        begin(world, "none")
    assert world.get(Draft, "d").tried


def test_m3_a_model_on_trial_judges_beside_the_one_in_force() -> None:
    """Named by its version; it learns nothing while it is looked at."""
    model = taught()
    judges = Judges(RULES, model, Bar(id="trained", at=0.5, moved=7))
    made, ad = service(shadow=judges), "祖传秘制灵符, 心诚者请来, 缘分编号9001"
    content = write(made, "c", ad)
    tried = made.told.of(ContentTried)[-1]
    assert (tried.trial_id, tried.model) == (model.version, judges.version)
    assert (tried.hidden, tried.live, content.hidden) == (True, False, False)
    assert "model" in {r.rule for r in tried.reasons}
    assert content.model.startswith(blank().version)


def test_m3_labels_are_bounded_and_late_ones_change_nothing() -> None:
    """The newest thousand are kept; of two decisions on a content the later one holds in whatever order they come."""
    made = service()
    event = TrialLabelled(counter_id="trial:d", content_id="c", version=3, added=True, spam=True)
    made.hear(event)
    assert made.hear(event.model_copy(update={"version": 2, "spam": False})) == "older"
    assert proof(made.get(Trial, "trial:d")).right == 1
    for n in range(MOST_LABELS):
        made.hear(event.model_copy(update={"content_id": f"x{n}"}))
    assert len(made.get(Trial, "trial:d").labels) == MOST_LABELS
    assert "c" not in made.get(Trial, "trial:d").labels
