"""M8. The text model: it learns alike twice, keeps silent until it may speak, and hides only what it can show."""

import random
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.moderation.core import (
    MODEL,
    BadModel,
    Bar,
    Case,
    Judges,
    ahead,
    blank,
    found_spam,
    learned,
    model_of,
    pack,
    read,
    state_of,
    studied,
    unpack,
    verdicts,
    watched,
)
from services.moderation.core.bar import KEPT, LEAST, MOST_HIDDEN, SURE
from services.moderation.view import ModelView
from shared.judging.grams import features, line, runs
from shared.judging.model import ENOUGH, TextModel, chances
from shared.judging.verdict import MOST_KEPT, SHORT, Kept
from tests.fakes.database import FakeDatabase, Server
from tests.unit.judging import HAM, RULES, SPAM, ham, spam, taught

TAUGHT = taught()
OPEN = Bar(id="b", at=0.5)
"""A bar as it would be in a community where the model is never that sure of what is honest."""


def test_the_same_lessons_make_the_same_model() -> None:
    """Weights, counts and version are equal to the last bit, and so are the bytes of the file."""
    assert pack(taught(60), [0.5]) == pack(taught(60), [0.5])
    assert taught(60).version == taught(60).version


def test_one_by_one_or_all_at_once_is_the_same() -> None:
    """A lane that takes lessons singly comes to what a training run comes to."""
    many = [(read(text(n), RULES), text is spam) for n in range(80) for text in (ham, spam)]
    single = blank()
    for lesson in many:
        single = learned(single, [lesson]).model
    assert pack(single, []) == pack(learned(blank(), many).model, [])


def test_each_lesson_is_another_version() -> None:
    """Also a text that teaches nothing new, the same text with the other label, and the same in another order."""
    one, other = (read(ham(1), RULES), False), (read(spam(1), RULES), True)
    made = [learned(blank(), given).model.version for given in ([], [one], [one, one], [one, other], [other, one])]
    made.append(learned(blank(), [(one[0], True)]).model.version)
    assert len(set(made)) == len(made)


def test_learning_leaves_the_old_model_as_it_was() -> None:
    """A lane may hold one model while another is made of it."""
    before = pack(TAUGHT, [])
    learned(TAUGHT, [(read(ham(1), RULES), True)])
    assert pack(TAUGHT, []) == before


def test_it_learns_what_no_rule_knows() -> None:
    """Offers that it has never seen, of a kind that it has, are told from ordinary texts."""
    assert not any(read(spam(n), RULES).judgement.hide for n in range(1000, 1100))
    given = chances(TAUGHT, [read(text(n), RULES) for n in range(1000, 1100) for text in (ham, spam)])
    assert max(given[::2]) < 0.5 < min(given[1::2])


def test_it_keeps_silent_until_it_has_learned_enough_of_both() -> None:
    """Until then its chance is that of the rules, it hides nothing, and its version is told all the same."""
    young = learned(blank(), [(read(text(n), RULES), text is spam) for n in range(99) for text in (ham, spam)]).model
    (verdict,) = verdicts([Case(spam(1))], Judges(RULES, young, OPEN))
    assert (young.speaks, verdict.hide, verdict.chance, verdict.reasons) == (False, False, 0.0, ())
    assert verdict.model.startswith(young.version)
    old = learned(young, [(read(text(99), RULES), text is spam) for text in (ham, spam)]).model
    assert (old.ham + old.spam, old.speaks) == (ENOUGH, True)
    (advertisement,) = verdicts([Case(SPAM)], Judges(RULES, young, OPEN))
    assert advertisement.chance == pytest.approx(advertisement.score / (advertisement.score + 1), abs=1e-3)


def test_one_label_alone_is_refused() -> None:
    """A model that is shown nothing but spam stops learning it, and takes it up again when it has seen ham."""
    model, before = learned(blank(), [(read(spam(n), RULES), True) for n in range(200)])
    assert (model.spam, model.ham, before.count(None)) == (20, 0, 180)
    model, before = learned(model, [(read(ham(n), RULES), False) for n in range(10)])
    assert before.count(None) == 0
    assert learned(model, [(read(spam(n), RULES), True) for n in range(100)]).model.spam == 90


def test_without_a_bar_it_hides_nothing() -> None:
    """Sure as it may be: nobody knows yet what it would make of this community's own texts."""
    assert not verdicts([Case(spam(1))], Judges(RULES, TAUGHT, Bar(id="b")))[0].hide


def test_it_hides_above_its_bar_and_shows_where() -> None:
    """The reasons of the model lie in the text as it was written, and their weights add up to its chance."""
    text = f"你们好呀, 今天天气很不错, 想认识一些朋友. {spam(7)} 下次再聊, 祝大家周末愉快."
    (verdict,) = verdicts([Case(text)], Judges(RULES, TAUGHT, OPEN))
    assert verdict.hide
    assert verdict.spared
    reasons = [reason for reason in verdict.reasons if reason.rule == MODEL]
    assert sum(reason.weight for reason in reasons) == pytest.approx(verdict.chance, abs=0.002)
    shown = "".join(text[slice(*reason.evidence)] for reason in reasons)
    assert set(spam(7)) & set(shown) >= {"缘", "分"}
    assert "天气" not in shown


def test_the_model_leaves_the_rules_their_reasons() -> None:
    """Where both speak, both are told, and the score is the sum of all weights."""
    (verdict,) = verdicts([Case(f"{SPAM} {spam(3)} {spam(4)}")], Judges(RULES, TAUGHT, OPEN))
    assert {MODEL, "contact"} <= {reason.rule for reason in verdict.reasons}
    assert verdict.score == pytest.approx(sum(reason.weight for reason in verdict.reasons), abs=0.002)
    assert not verdict.spared


@settings(deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=8))
def test_a_text_is_judged_alike_alone_and_among_others(texts: list[str]) -> None:
    """Batches change nothing but the time, whatever stands in them; evidence lies inside its text."""
    judges = Judges(RULES, TAUGHT, Bar(id="b", at=0.0))
    together = verdicts(list(map(Case, texts)), judges)
    assert together == [verdicts([Case(text)], judges)[0] for text in texts]
    for text, verdict in zip(texts, together, strict=True):
        assert 0 <= verdict.chance <= 1
        assert all(0 <= r.evidence[0] <= r.evidence[1] <= len(text) for r in verdict.reasons)


# -- the bar -------------------------------------------------------------------------------------------------


def test_texts_that_were_read_ahead_are_judged_alike() -> None:
    """M6. A batch is read at once, and the verdicts are those of each text alone; other judges read for themselves."""
    texts = [*map(ham, range(8)), *map(spam, range(8)), SPAM, HAM, "", "\udc00"]
    judges, others = Judges(RULES, TAUGHT, OPEN), Judges(RULES, taught(100), OPEN)
    before = ahead(texts, judges)
    for who in (judges, others, Judges(RULES, blank(), OPEN)):
        for text in (*texts, "which was not read ahead"):
            case = Case(text, {"author.posts(1h)": 3})
            assert verdicts([case], who, before) == verdicts([case], who)


def test_what_was_read_a_moment_ago_is_not_read_again() -> None:
    """M6. A text that counters have judged again is taken as it was read, by the same rules and the same model alone;
    long texts, and the oldest of too many, are forgotten."""
    judges, others, kept = Judges(RULES, TAUGHT, OPEN), Judges(RULES, taught(100), OPEN), Kept()
    texts = [*map(ham, range(8)), *map(spam, range(8))]
    first = ahead(texts, judges, kept)
    again = ahead([*texts[4:], "new"], judges, kept)
    assert all(again.known[text] is first.known[text] for text in texts[4:])
    for who in (others, judges):
        anew = ahead(texts, who, kept)
        assert all(anew.known[text] is not first.known[text] for text in texts)
        assert [verdicts([Case(text)], who, anew) for text in texts] == [verdicts([Case(text)], who) for text in texts]
    long = "x" * (SHORT + 1)
    assert ahead([long], judges, kept).known[long] is not ahead([long], judges, kept).known[long]
    assert long not in repr(vars(kept))
    ahead(map(str, range(MOST_KEPT)), judges, kept)
    assert not kept.known(texts, judges)


def test_what_was_read_goes_with_the_view() -> None:
    """M6. A view that is to forget, as after an erasure, keeps no text."""
    view, judges = ModelView(FakeDatabase(Server()), 1.0, TAUGHT), Judges(RULES, TAUGHT, OPEN)
    ahead([HAM], judges, view.kept)
    assert view.kept.known([HAM], judges)
    view.forget()
    assert not view.kept.known([HAM], judges)


def test_what_was_read_goes_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """M6. An author may have deleted it."""
    view, judges = ModelView(FakeDatabase(Server()), 1.0, TAUGHT), Judges(RULES, TAUGHT, OPEN)
    ahead([HAM], judges, view.kept)
    monkeypatch.setattr("services.moderation.view.KEPT_SECONDS", 0.0)
    assert not view.kept.known([HAM], judges)


def test_the_bar_spares_ninety_nine_in_a_hundred() -> None:
    """Of the texts that it was fitted on at most one in a hundred lies above, whatever they are."""
    rng = random.Random(5)
    given = [rng.betavariate(8, 1) for _ in range(KEPT)]
    bar = watched(Bar(id="b"), given)
    assert bar.at is not None
    assert bar.at > SURE
    above = sum(chance > bar.at for chance in bar.chances)
    assert 0.005 * KEPT <= above <= MOST_HIDDEN * KEPT


def test_there_is_no_bar_before_enough_was_seen() -> None:
    """And a community in which the model is never sure gets one that it is hardly ever above."""
    assert watched(Bar(id="b"), [0.1] * (LEAST - 1)).at is None
    assert watched(Bar(id="b"), [0.1] * LEAST).at == SURE


def test_the_bar_follows_its_community_in_bounded_memory() -> None:
    """Old chances go, and the version changes only when the bar was fitted anew."""
    bar = watched(Bar(id="b"), [0.2] * KEPT)
    later = watched(bar, [0.99] * KEPT)
    assert (bar.at, later.at, len(later.chances), later.taken) == (SURE, 0.99, KEPT, 2 * KEPT)
    assert watched(bar, [0.3] * 49).version == bar.version != watched(bar, [0.3] * 50).version


def test_what_staff_found_to_be_spam_is_forgotten_by_the_bar_and_nothing_else() -> None:
    """Of chances that an earlier release kept nobody knows what they were given to: they stay."""
    bar = Bar(id="b", chances=(0.5, 0.6), taken=2)
    bar = watched(watched(watched(bar, [0.97], "x"), [0.1], "y"), [0.98], "x")
    assert found_spam(bar, "x").chances == (0.5, 0.6, 0.1)
    assert found_spam(bar, "unknown") == bar
    full = watched(found_spam(bar, "x"), [0.2] * KEPT, "z")
    assert (len(full.chances), len(full.contents)) == (KEPT, KEPT)
    assert found_spam(full, "z").chances == ()


def test_a_bar_is_not_fitted_on_few_chances_that_are_left() -> None:
    """It stays where it is until enough are watched again."""
    bar = watched(watched(Bar(id="b"), [0.1] * LEAST), [0.99] * (2 * LEAST), "x")
    assert bar.at == 0.99
    left = found_spam(found_spam(bar, "x"), "")
    assert watched(left, [0.1] * (LEAST - 1)).at == 0.99
    assert watched(left, [0.1] * LEAST).at == SURE


# -- as bytes ------------------------------------------------------------------------------------------------


def test_a_model_survives_its_file_and_its_document() -> None:
    """What was packed comes out as it was, scores too; the document holds all of it."""
    model, scores = unpack(pack(TAUGHT, [0.25, 0.5]))
    assert (pack(model, scores), model.version, scores) == (pack(TAUGHT, [0.25, 0.5]), TAUGHT.version, (0.25, 0.5))
    assert pack(model_of(state_of("x", TAUGHT)), []) == pack(TAUGHT, [])


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"no model",
        pack(TAUGHT, [])[:-20],
        pack(TAUGHT, [])[:40] + b"x" * 40 + pack(TAUGHT, [])[80:],
        pack(TAUGHT, [2.0]),
        pack(TAUGHT, [float("nan")]),
        pack(TextModel(TAUGHT.weights[:-1], TAUGHT.squares), []),
        pack(TextModel(TAUGHT.weights + float("inf"), TAUGHT.squares), []),
    ],
)
def test_a_file_that_is_no_model_is_refused(broken: bytes) -> None:
    """Empty, something else, cut, damaged, of another size, with what is no number."""
    with pytest.raises(BadModel):
        unpack(broken)


def test_a_model_of_another_release_says_so() -> None:
    """Its features would mean something else here: the line tells what to do."""
    other = zlib.compress(zlib.decompress(pack(TAUGHT, [])).replace(b"text-model-4", b"text-model-3"))
    with pytest.raises(BadModel, match="another release: train it again"):
        unpack(other)


def test_looking_again_makes_it_surer() -> None:
    """Who has all lessons at hand makes more of them: each counts once, and it is another model, always the same."""
    lessons = [(read(text(n), RULES), text is spam) for n in range(6) for text in (ham, spam)]
    once, often = learned(blank(), lessons), studied(lessons, 5)
    assert (often.before, often.model.ham, often.model.spam) == (once.before, 6, 6)
    assert often.model.version != once.model.version
    asked = [read(text(n), RULES) for n in range(1000, 1050) for text in (ham, spam)]
    few, many = chances(once.model, asked), chances(often.model, asked)
    assert many[1::2].min() - many[::2].max() > few[1::2].min() - few[::2].max()
    assert pack(often.model, []) == pack(studied(lessons, 5).model, [])


def test_studying_tells_how_sure_it_may_be() -> None:
    """Where three labels in ten are wrong a text of either kind is as sure as that, new ones and those learned."""
    rng = random.Random(3)
    lessons = [
        (read(text(n), RULES), (text is spam) ^ (rng.random() < 0.3)) for n in range(150) for text in (ham, spam)
    ]
    made = studied(lessons, 7)
    for said in (chances(made.model, [reading for reading, _ in lessons]), np.array(made.before[100:])):
        assert said[::2].mean() == pytest.approx(0.3, abs=0.1)
        assert said[1::2].mean() == pytest.approx(0.7, abs=0.1)


def test_a_lane_goes_on_from_what_was_studied() -> None:
    """Both learners are in the weights: what was studied judges after a file and a document, and learns one by one."""
    model = studied([(read(text(n), RULES), text is spam) for n in range(60) for text in (ham, spam)], 3).model
    kept, _ = unpack(pack(model_of(state_of("x", model)), []))
    asked = [read(text(n), RULES) for n in range(1000, 1050) for text in (ham, spam)]
    assert max(chances(kept, asked)[::2]) < 0.5 < min(chances(kept, asked)[1::2])
    strange = read("明天下午三点图书馆见", RULES)
    assert chances(learned(kept, [(strange, True)]).model, [strange])[0] > chances(kept, [strange])[0]


def test_texts_that_say_nothing_are_calibrated_to_the_share() -> None:
    """Labels by chance: no text is surer than the share of spam, and nothing breaks."""
    rng = random.Random(5)
    lessons = [(read(ham(n), RULES), rng.random() < 0.5) for n in range(200)]
    model = studied(lessons, 7).model
    given = chances(model, [read(ham(n), RULES) for n in range(500, 600)])
    assert 0.2 < given.min() < given.max() < 0.8


def test_words_are_seen_whole() -> None:
    """What differs in its words alone differs to the model; blanks between them do not count."""
    one, two, apart = (set(features([read(text, RULES)]).ids.tolist()) for text in ("ab cd", "ab  cd", "abcd"))
    assert len(one & two) > len(one & apart)
    assert apart - one


def test_letters_are_seen_in_longer_runs_than_han() -> None:
    """A word of letters is seen in runs of five, where three characters of Han say as much; none leaves its text."""

    def lengths(*texts: str) -> set[int]:
        return {many for many, ok, _ in runs(line(texts)) if ok.any()}

    assert lengths("abcdefg") == {1, 2, 3, 4, 5}
    assert lengths("甲乙丙丁戊己庚") == lengths("ab甲cd乙ef") == {1, 2, 3}
    assert lengths("abc", "def") == {1, 2, 3}
    assert lengths("a") == lengths("", "") | {1, 2, 3}


def test_numbers_have_an_outline() -> None:
    """Telephone numbers are alike whatever they are; as many digits in a row of words are not."""
    one, two, apart = (
        set(features([read(text, RULES)]).ids.tolist())
        for text in ("call 07915-512 Now", "call 08226-374 Now", "call 0 822 63-74 Now")
    )
    assert len(one & two) > len(one & apart)


@pytest.mark.parametrize("text", ["", "\ud800", "\x00", "❤" * 30_000, "a", HAM, "\U0010ffff\u200b"])
def test_any_text_can_be_learned_and_judged(text: str) -> None:
    """Empty, half a character, far too long: a chance is a number all the same."""
    model = learned(TAUGHT, [(read(text, RULES), True)]).model
    (verdict,) = verdicts([Case(text)], Judges(RULES, model, OPEN))
    assert 0 <= verdict.chance <= 1
