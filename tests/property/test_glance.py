"""M1, M8. Many texts at once are judged as each alone: what is ruled out at a glance is never there."""

import re
from random import Random

from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from shared.judging import read, readings
from shared.judging.verdict import FEW
from shared.release import base_rules
from shared.rules import BadRules, ruleset
from shared.rules.glance import Glance
from shared.rules.sight import OF_TEXT, RUN
from shared.text import normalise

BASE = base_rules()
PIECES = (
    "a",
    "b",
    "d",
    "ab",
    "[ab]",
    "[b-d1]",
    "[^a]",
    ".",
    "\\s",
    "\\S",
    "[\\sa]",
    "[一-鿿]",
    "(?:ab|c)",
    "(?:a|b?c)",
)
LOOKS = ("a(?<![b].)", "(?=a)", "(?!c)", "^", "微信")
TIMES = ("", "", "", "?", "{2}", "{0,2}", "{1,3}")
EXPRESSIONS = st.text("abd微", min_size=1, max_size=4) | st.lists(
    st.builds("{}{}".format, st.sampled_from(PIECES), st.sampled_from(TIMES)) | st.sampled_from(LOOKS),
    min_size=1,
    max_size=5,
).map("".join)
WORDS = st.builds("{}{}".format, st.sampled_from(("a", "b", "[ab]", "[b-d1]", "(?:ab|c)", "微信")), EXPRESSIONS)
"""Those of a table of words begin with a character of their own."""
TABLES = st.builds(
    lambda first, more: (first[0], "|".join((first[1], *more))),
    st.tuples(st.just("phrases"), EXPRESSIONS) | st.tuples(st.just("words"), WORDS),
    st.just([]) | st.lists(EXPRESSIONS, max_size=2),
)
OTHERS = st.sampled_from((0, 0, 0, 62))
"""Tables that find nothing, between the first and the second: with so many the third has the mark of the first."""
LETTERS = st.text("abd", max_size=12) | st.text("abcd1 \n\u2003微信", max_size=12)
FRAGMENTS = st.sampled_from(
    (
        "加微信",
        "abc12345",
        "兼职",
        "日赚500",
        "call now",
        "free entry",
        "http://a.cn",
        "5折",
        "！！！！！！",
        "🔥",
        "13800001234",
        " ",
    )
)
TEXTS = st.text(max_size=30) | st.lists(FRAGMENTS, max_size=6).map("".join)


@given(st.lists(TABLES, min_size=1, max_size=8), OTHERS, st.lists(LETTERS, max_size=8))
@settings(max_examples=300)
def test_a_table_is_never_ruled_out_wrongly(some: list[tuple[str, str]], others: int, texts: list[str]) -> None:
    """Whatever a table looks for, and however many tables there are: a text where it finds something keeps it."""
    every = [some[0], *(("phrases", f"q{n}") for n in range(others)), *some[1:]]
    made = "".join(
        f'{kind} t{n:02} = """ {e} """\nrule r{n} "w" hide when text has t{n:02}\n' for n, (kind, e) in enumerate(every)
    )
    try:
        tables = ruleset(made).tables
    except BadRules as bad:
        if not all("steps at one place" in fault.what for fault in bad.faults):
            raise
        reject()
    seen = [(text, normalise(text)) for text in texts]
    for sight, (_, text) in zip(Glance(tables).sights(seen), seen, strict=True):
        for table in tables:
            match = table.search(text.text)
            assert sight.place(table) == (match.span() if match else None), table.pattern.pattern


@given(st.lists(TEXTS, max_size=12))
@example(["\ud800", "", "\ud800\ud800\ud800\ud800", "啊" * 9, "\n" * 5])
@settings(max_examples=200)
def test_texts_read_together_are_read_as_each_alone(texts: list[str]) -> None:
    """Normalised text and judgement of each of many texts are those of the same text alone."""
    texts += ["再说一句"] * FEW
    for one, text in zip(readings(texts, BASE), texts, strict=True):
        alone = read(text, BASE)
        assert (one.text, one.seen, one.judgement) == (alone.text, alone.seen, alone.judgement)
        assert one.sight.fact(RUN) == OF_TEXT[RUN](text, alone.seen)


def test_most_tables_are_ruled_out() -> None:
    """An ordinary sentence is searched for a few tables only."""
    texts = [(text, normalise(text)) for text in ("周末去爬山, 谁一起来", "See you at the station tomorrow")]
    for sight in BASE.glance.sights(texts):
        assert len(sight.spans) > len(BASE.tables) / 2


def test_a_table_is_seldom_searched_for_in_vain() -> None:
    """Where none of its beginnings stands in a text, a table is ruled out but in one text of three."""
    rng = Random(1)
    texts = ["".join(chr(rng.randint(0x4E00, 0x9FFF)) for _ in range(100)) for _ in range(300)]
    begins = {table: {re.sub("\uffff$", "", begin) for begin in table.begins} for table in BASE.tables}
    vain = 0
    for sight, text in zip(BASE.glance.sights([(text, normalise(text)) for text in texts]), texts, strict=True):
        searched = [table for table in BASE.tables if table not in sight.spans]
        vain += sum(not any(begin in text for begin in begins[table]) for table in searched)
    assert vain < len(texts) / 3


def test_the_tables_of_the_base_rules_begin_with_something() -> None:
    """Of the tables that are shipped one at most is searched for in every text."""
    assert sum("" in {re.sub("\uffff$", "", begin) for begin in table.begins} for table in BASE.tables) <= 1
