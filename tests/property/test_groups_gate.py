"""A gate is refused when nobody could pass it, and only then."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.groups.core import (
    All,
    Answer,
    Any,
    Applicant,
    Earned,
    Gate,
    Helped,
    Length,
    Not,
    Question,
    Rule,
    faults,
    judge,
)

QUESTIONS = (Question("choice", "?", ("a", "b", "c")), Question("text", "?"))
TIERS = ("low", "middle", "high")
CHOICES = (None, "a", "b", "c")
TEXTS = (None, "x", "yy", "q", "qq", "qqq", "qqqq")
EVERYBODY = [
    Applicant({name: given for name, given in (("choice", choice), ("text", text)) if given}, helped, TIERS[: rank + 1])
    for choice in CHOICES
    for text in TEXTS
    for helped in range(4)
    for rank in range(len(TIERS))
]
"""One applicant of every kind that the rules below can tell apart."""

conditions: st.SearchStrategy[Rule] = st.one_of(
    st.builds(Answer, st.just("choice"), st.lists(st.sampled_from("abc"), min_size=1).map(tuple)),
    st.builds(Answer, st.just("text"), st.lists(st.sampled_from(("x", "yy")), min_size=1).map(tuple)),
    st.builds(Length, st.just("text"), st.integers(1, 4)),
    st.builds(Helped, st.integers(1, 3)),
    st.builds(Earned, st.sampled_from(TIERS)),
)


def _deeper(rules: st.SearchStrategy[Rule]) -> st.SearchStrategy[Rule]:
    some = st.lists(rules, min_size=1, max_size=3).map(tuple)
    return st.one_of(st.builds(All, some), st.builds(Any, some), st.builds(Not, rules))


trees = st.recursive(conditions, _deeper, max_leaves=8)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(trees)
def test_a_gate_contradicts_itself_if_nobody_of_any_kind_can_pass(rule: Rule) -> None:
    """The search for a contradiction agrees with trying every kind of applicant."""
    gate = Gate(QUESTIONS, rule)
    wrong = list(faults(gate, TIERS))
    assume(not any("levels" in fault for fault in wrong))
    assert bool(wrong) != any(judge(gate, applicant).holds for applicant in EVERYBODY)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(trees)
def test_a_refusal_has_a_reason_and_an_admission_has_none(rule: Rule) -> None:
    """Whoever is refused is told why; reasons never hold what is accepted."""
    gate = Gate(QUESTIONS, rule)
    for applicant in EVERYBODY[::7]:
        judged = judge(gate, applicant)
        assert judged.holds is not None
        assert bool(judged.reasons) != judged.holds
