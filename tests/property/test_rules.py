"""M1. No source breaks the parser, no set that was taken breaks the evaluator, and what is taken keeps its promises."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.rules import BadRules, RuleSet, Sight, judge, ruleset
from shared.rules.pattern import BadPattern, cost
from shared.rules.sight import OF_TEXT
from shared.rules.vocabulary import BY_KEY, FACTS, Fact, Value
from shared.text import normalise
from tests.timing import within

WORDS = (
    *(
        "set",
        "phrases",
        "words",
        "let",
        "rule",
        "when",
        "catches",
        "spares",
        "with",
        "before",
        "and",
        "or",
        "not",
        "has",
    ),
    *("disguises", "weigh", "hide", "review", "text", "a", "b", "threshold", "note", "true", '"why"', '"加微信 abc12"'),
    *("1", "0.5", "1m", "1h", "7d", "(", ")", ",", ".", "=", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "\n"),
    *('"""加(?:我|微信)?"""', '"""[a-z]{2,3} 日赚"""', "author.posts(1m)", "content.run", "author.age", "content.kind"),
    *("content.lookalike", "model.score", 'rule a "w" hide when', "let b =", "phrases a ="),
)
TABLES = 'phrases a = """ 加(?:我|微信)? 日赚 [a-z]{3,8}[0-9]{2} """\nphrases b = """ .[0-9]{2}(?![0-9]) 好{2,9} """\n'
TEXTS = st.text(max_size=60) | st.text(st.sampled_from("加微信我日赚abc129 好\ud800\u0301🐧"), max_size=60)


def taken(source: str) -> RuleSet | None:
    """The set, or none if it was refused as it should be."""
    refused: BadRules | None = None
    try:
        return ruleset(source)
    except BadRules as bad:
        refused = bad
    lines = source.count("\n") + 1
    assert 1 <= len(refused.faults) <= 20
    assert all(1 <= fault.place.line <= lines and fault.place.column >= 1 and fault.what for fault in refused.faults)
    return None


# -- conditions that are well typed --------------------------------------------------------------------------


def number_of(fact: Fact) -> st.SearchStrategy[str]:
    low, high = int(fact.low), int(min(fact.high, 999_999))
    return st.integers(low, high).map(lambda n: f"{n}{'s' if fact.type == 'span' else ''}")


def compared(key: str) -> st.SearchStrategy[str]:
    fact = BY_KEY[key]
    if fact.type == "truth":
        return st.just(key)
    if fact.type == "word":
        return st.builds(
            lambda sign, word: f"{key} {sign} {word}", st.sampled_from(("==", "!=")), st.sampled_from(fact.choices)
        )
    signs = st.sampled_from(("<", "<=", ">", ">=", "==", "!="))
    return st.builds(lambda sign, value: f"{key} {sign} {value}", signs, number_of(fact))


ATOMS = st.one_of(
    st.sampled_from(["text has a", "text has b", "before has a", "text disguises b"]),
    st.sampled_from(sorted(BY_KEY)).flatmap(compared),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda part: f"not ({part})"),
        st.builds(
            lambda sign, parts: f"({f' {sign} '.join(parts)})",
            st.sampled_from(("and", "or")),
            st.lists(inner, min_size=2, max_size=3),
        ),
    ),
    max_leaves=8,
)


def told(fact: Fact) -> st.SearchStrategy[Value]:
    if fact.type == "truth":
        return st.booleans()
    return (
        st.sampled_from(fact.choices)
        if fact.type == "word"
        else st.integers(int(fact.low), int(min(fact.high, 200_000)))
    )


KNOWN = st.fixed_dictionaries(
    {}, optional={key: told(fact) for fact in FACTS for key in fact.keys if key not in OF_TEXT}
)
"""What may be told beside a text; what a text tells by itself nobody tells."""


@given(st.text(max_size=200) | st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
@example('rule a "w" hide when content.run > 3 catches "\\ud800\\ud800\\ud800\\ud800\\ud800"')
@example("(" * 5_000)
@example('"""' * 3_001)
@example("not " * 10_000)
@example("let b = " * 3_000)
@settings(max_examples=400)
def test_no_source_breaks_the_parser(source: str) -> None:
    """Any text is a set of rules or is refused with faults that lie inside it; there is no third end."""
    rules = taken(source)
    if rules is not None:
        judge(rules, Sight("加微信 abc12", normalise("加微信 abc12"), {"author.posts(1m)": 3}))


@given(st.lists(CONDITIONS, min_size=1, max_size=4), TEXTS, st.none() | TEXTS, KNOWN)
@settings(max_examples=400)
def test_no_set_breaks_the_evaluator(
    conditions: list[str], text: str, before: str | None, facts: dict[str, Value]
) -> None:
    """What was taken judges any text by any facts, twice alike, with evidence inside the text."""
    rules = taken(
        TABLES + "".join(f'rule r{n} "w" weigh 0.{n + 3} when {c}\n' for n, c in enumerate(conditions)) + USED
    )
    if rules is None:
        return
    earlier = None if before is None else normalise(before)
    found, again = (judge(rules, Sight(text, normalise(text), facts, earlier)) for _ in range(2))
    assert found == again
    alone = Sight(text, normalise(text))
    assert judge(rules, alone, rules.of_text).reasons == judge(rules, Sight(text, normalise(text))).reasons
    assert all(0 <= start <= end <= len(text) for start, end in (reason.evidence for reason in found.reasons))
    assert found.score == pytest.approx(sum(reason.weight for reason in found.reasons), abs=1e-3)
    assert [r.rule for r in found.reasons] == [r.name for r in rules.rules if r.name in {s.rule for s in found.reasons}]


USED = 'rule used "w" review when text has a and text has b\n'


@given(CONDITIONS, TEXTS, KNOWN, KNOWN)
@settings(max_examples=300)
def test_what_holds_goes_on_holding_when_more_is_known(
    condition: str, text: str, facts: dict[str, Value], more: dict[str, Value]
) -> None:
    """A rule that spoke while something was unknown would have spoken had it been known: silence is the only change."""
    rules = taken(f'{TABLES}{USED}rule r "w" hide when {condition}\n')
    if rules is None:
        return
    (rule,) = [r for r in rules.rules if r.name == "r"]
    seen = normalise(text)
    little = rule.holds(Sight(text, seen, facts))
    assert little is None or rule.holds(Sight(text, seen, {**more, **facts}, normalise(text[::2]))) is little
    # A counter's lane, which has no text, never rules out what then holds.
    if rule.holds(Sight(text, seen, facts)) is True and rule.facts & facts.keys():
        assert rules.may_speak({"r"}, facts)


@given(CONDITIONS)
@settings(max_examples=300)
def test_what_can_never_hold_is_refused(condition: str) -> None:
    """Nothing that says a thing and its contrary is taken, nor what is always one of them."""
    for word, what in (("and", "can never hold|more ways"), ("or", "always holds|more ways")):
        with pytest.raises(BadRules, match=what):
            ruleset(f'{TABLES}{USED}rule r "w" hide when ({condition}) {word} not ({condition})\n')


# -- expressions of phrases ----------------------------------------------------------------------------------

PATTERNS = st.text(st.sampled_from("ab加1.[]()?:=!<|{},0123\\s^$-"), max_size=24)


@given(PATTERNS)
@settings(max_examples=1_000)
def test_an_expression_that_is_taken_is_one_of_the_engine(pattern: str) -> None:
    """What the checker takes, `re` takes, but for looking behind at several widths; and nothing captures."""
    problem, found = "", None
    try:
        found = cost(pattern)
        assert re.compile(pattern).groups == 0
    except BadPattern as bad:
        problem = bad.what if 0 <= bad.at <= len(pattern) else "outside"
    except re.error as error:
        problem = str(error)
    assert problem != "outside"
    assert found is None or not problem or "look-behind" in problem


@pytest.mark.parametrize("unit", ["a", "ab", "a1", "加", "好", " ", "\u0301", "\ud800"])
def test_the_worst_set_that_is_taken_is_linear(unit: str) -> None:
    """At the bound of its cost a set still judges 20,000 characters within two seconds of a processor."""
    worst = "".join(f'phrases p{n} = """ a.{{0,{7 + n}}}a?.{{0,12}}b好{n}{{3}} """\n' for n in range(8))
    rules = ruleset(worst + "".join(f'rule r{n} "w" weigh 1 when text has p{n}\n' for n in range(8)))
    text = (unit * 20_000)[:20_000]
    seen = normalise(text)
    assert within(2, lambda: judge(rules, Sight(text, seen)))
