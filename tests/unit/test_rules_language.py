"""M1. The language of rules: what is taken, what is refused and where, what it costs, and what is unknown."""

from collections.abc import Callable

import pytest

from deploy.language import PAGE
from deploy.language import main as language
from shared.rules import BadRules, RuleSet, Sight, judge, ruleset
from shared.rules.page import EXAMPLE, page
from shared.rules.vocabulary import BY_KEY, Value
from shared.text import normalise
from tests.timing import within

OFFER = 'phrases offer = """ 日赚[0-9]{2,5} 兼职 """\nphrases account = """ (?:微信|qq)[:\\s]{0,3}[a-z0-9_]{5,20} """\n'


def rule(when: str, effect: str = "weigh 0.5", name: str = "r", examples: str = "") -> str:
    return f'rule {name} "why" {effect} when {when} {examples}\n'


def holds(when: str, text: str = "", before: str | None = None, **facts: Value) -> bool | None:
    """Whether a condition holds; facts with a window are given as author_posts_1m."""
    keys = {key.replace(".", "_").replace("(", "_").rstrip(")"): key for key in BY_KEY}
    earlier = None if before is None else normalise(before)
    sight = Sight(text, normalise(text), {keys[name]: value for name, value in facts.items()}, earlier)
    used = "".join(f"{line}\n" for line in OFFER.splitlines() if line.split()[1] in when)
    return ruleset(used + rule(when)).rules[-1].holds(sight)


def said(rules: RuleSet, text: str, **facts: Value) -> list[str]:
    return [reason.rule for reason in judge(rules, Sight(text, normalise(text), facts)).reasons]


# -- what is taken -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "text", "expected"),
    [
        ("text has offer", "日賺５００啊", True),
        ("text has offer", "今天爬山", False),
        ("text has offer and not text has account", "兼职, 加VX: abcde1", False),
        ("not text has offer or text has account", "兼职", False),
        ("content.length > 3 and content.length <= 5", "四个字啊", True),
        ("content.length * 2 - 1 == 7", "四个字啊", True),
        ("3 < content.length", "四个字啊", True),
        ("content.run >= 10", "好" * 10, True),
        ("content.hosts == 2", "https://www.a.com/x b.cn a.com", True),
        ("content.lookalike", "看 tаobao.com", True),
        ("content.lookalike", "看 taobao.com, ＱＱ群", False),
    ],
)
def test_conditions_over_a_text(when: str, text: str, expected: bool) -> None:
    """Phrases are looked for in the text as it reads; what the text tells by itself needs no telling."""
    assert holds(when, text) is expected


@pytest.mark.parametrize(("text", "expected"), [("加薇❤信:abcde1", True), ("微 信：ABCDE1", False), ("爬山", False)])
def test_a_disguise_is_what_is_written_otherwise_than_it_reads(text: str, expected: bool) -> None:
    """Width, capitals and blanks are none."""
    assert holds("text disguises account", text) is expected


@pytest.mark.parametrize(
    ("when", "facts", "expected"),
    [
        ("author.posts(1m) >= 10", {"author_posts_1m": 10}, True),
        ("author.posts(1h) > 10", {"author_posts_1m": 11}, None),
        ("author.age < 1d", {"author_age": 86_399}, True),
        ("content.kind == message", {"content_kind": "message"}, True),
        ("content.kind != note", {"content_kind": "note"}, False),
        ("model.score > 0.9 and author.written < 3", {"author_written": 7}, False),
        ("model.score > 0.9 and author.written < 3", {"author_written": 1}, None),
        ("model.score > 0.9 or author.written < 3", {"author_written": 1}, True),
        ("not model.score > 0.9", {}, None),
        ("author.written - author.hidden(7d) > 1", {"author_written": 3}, None),
        ("before has offer", {}, None),
    ],
)
def test_what_is_unknown_stays_unknown_unless_the_rest_decides(
    when: str, facts: dict[str, Value], expected: bool | None
) -> None:
    """Counters that are not there, a silent model and a missing revision make no rule speak, negated or not."""
    assert holds(when, "四个字啊", None, **facts) is expected


@pytest.mark.parametrize("text", ["日赚500, 微信 abcde1", "好" * 12, "今天爬山", "加薇❤信:abcde1"])
def test_what_is_known_later_is_judged_as_if_it_had_been_known_before(text: str) -> None:
    """What the text alone decides is asked once; facts, the revision before and other rules are asked anew."""
    conditions = {
        "offer": "text has offer",
        "told": "author.posts(1m) >= 3",
        "both": "text has account and author.posts(1m) >= 3",
        "run": "content.run >= 10 or text disguises account",
        "added": "text has offer and not before has offer",
    }
    rules = ruleset(OFFER + "".join(rule(when, name=name) for name, when in conditions.items()))
    other = ruleset(OFFER + rule("text has account or not text has offer"))
    once, earlier = Sight(text, normalise(text)), normalise("周末爬山")
    assert judge(rules, once, rules.of_text) == judge(rules, Sight(text, normalise(text)), rules.of_text)
    told: list[dict[str, Value]] = [{}, {"author.posts(1m)": 3}, {"author.posts(1m)": 1}, {"content.run": 11}]
    for facts in told:
        for before in (None, earlier):
            for asked in (rules, other):
                fresh = Sight(text, normalise(text), facts, before)
                assert judge(asked, once.knowing(facts, before)) == judge(asked, fresh)


def test_an_edit_is_compared_with_what_stood_before() -> None:
    """What was added is what the text has and the revision before had not."""
    added = "text has account and not before has account"
    assert holds(added, "加微信 abcde1", before="周末爬山") is True
    assert holds(added, "加微信 abcde1", before="qq 12345") is False
    assert holds(added, "加微信 abcde1") is None


def test_names_stand_for_what_is_above_them() -> None:
    """Expressions and earlier rules may be used by name; a rule that only marks weighs nothing by itself."""
    source = OFFER + 'let both = text has offer and text has account\nrule mark "a" review when both\n'
    rules = ruleset(source + rule("mark and author.written < 3"))
    assert said(rules, "兼职, 加VX: abcde1") == ["mark"]
    assert said(rules, "兼职, 加VX: abcde1", **{"author.written": 0}) == ["mark", "r"]
    found = judge(rules, Sight("兼职 qq:abcde1", normalise("兼职 qq:abcde1")))
    assert (found.review, found.hide, found.score) == (True, False, 0.0)


def test_a_rule_that_hides_does_it_alone() -> None:
    """It weighs as much as the threshold; other rules need the threshold and each other."""
    alone = judge(
        ruleset(OFFER + rule("text has offer or text has account", "hide")), sight := Sight("兼职", normalise("兼职"))
    )
    assert (alone.hide, alone.score, alone.reasons[0].evidence) == (True, 1.0, (0, 2))
    assert not judge(ruleset(OFFER + rule("text has offer or text has account", "weigh 5")), sight).hide


# -- what is refused -----------------------------------------------------------------------------------------

IN_TABLE = 'phrases x = """{}"""\n' + rule("text has x")
REFUSED = (
    ("rule¦", "a name for the rule is wanted, not the end"),
    ("rule r¦", "in double quotes is wanted"),
    ("rule ¦Rule", "begins nothing (names are in small letters)"),
    ('rule r "w" ¦ban when content.run > 3', "an effect is wanted, not ban (weigh 0.4, hide or review)"),
    ('rule r ¦"w', "the string has no end on its line"),
    ('\n  rule r ¦"w\\q" hide when x', "\\q means nothing"),
    (rule("¦author.post(1m) > 3"), "author.post is not known (there are author.posts"),
    (rule("¦author.posts > 3"), "author.posts is counted over 1m, 1h (as author.posts(1m))"),
    (rule("¦author.posts(2h) > 3"), "author.posts is counted over 1m, 1h"),
    (rule("¦author.age(1h) > 1d"), "author.age has no window"),
    (rule("author.age < ¦3"), "a span is wanted, this is a number (as 30s, 10m, 1h, 7d)"),
    (rule("author.written < ¦3d"), "a number is wanted, this is a span"),
    (rule("¦author.written"), "a truth is wanted, this is a number (compare it with something)"),
    (rule("content.lookalike ¦== 1"), "what is true or not is not compared"),
    (rule("content.kind ¦== letter"), "one of note, comment, message"),
    (rule("content.kind ¦> note"), "by == or !="),
    (rule("content.run ¦= 3"), "a comparison is wanted, not = (write == to compare)"),
    (rule("3 ¦> 2"), "two constants are compared"),
    (rule("¦text has nothing"), "no phrases are called nothing (there are none)"),
    (rule("¦body has nothing"), "body is no text (there are text, before)"),
    (rule("¦later") + rule("content.run > 3", name="later"), "later is no fact, expression or rule above"),
    (rule("¦r or content.run > 3"), "r is no fact, expression or rule above"),
    (rule("content.run > 3") + rule("content.run > 4", name="¦r"), "r has this name already"),
    (rule("content.run > 3", "weigh 0", name="¦r"), "a weight is above 0"),
    (rule("(" * 17 + "¦(" * 1 + "(" * 9 + "content.run > 3"), "more than 16 expressions within each other"),
    (rule("not " * 17 + "¦not content.lookalike"), "more than 16 expressions within each other"),
    (rule(" + ".join(["content.run"] * 8) + " ¦+ content.run > 1"), "more than 8 terms in a row"),
    ("¦set limit = 3", "limit is no number of a set (those are threshold, least, reach, caution)"),
    ("¦set least = 0", "least lies between 1 and 100"),
    ("set least = 1 ¦set least = 2", "least is set twice"),
    ("¦let x = content.run > 3", "x is used by nothing"),
    ('phrases x = ¦"""a"""', "x is used by nothing"),
    (IN_TABLE.format("a\n b¦*"), "'*' has no bound"),
    (IN_TABLE.format("\n\n  ¦(b)"), "a group begins with (?:"),
    (IN_TABLE.format("ab¦{2,1}"), "a repeat goes from less to more"),
    (IN_TABLE.format("a¦[b"), "a class has members and an end"),
    (IN_TABLE.format("a[z-b¦]"), "z-b is no range"),
    (IN_TABLE.format("(?:¦|a)b"), "an alternative is empty"),
    (IN_TABLE.format("a¦\\d"), "\\d means nothing here"),
    ('phrases x = ¦"""a(?<=b{1,2})"""' + rule("text has x"), "look-behind requires fixed-width"),
    ('phrases x = ¦"""  """' + rule("text has x"), "x has no phrases"),
    ('phrases x = ¦"""' + ".{1,30}" * 4 + 'a"""' + rule("text has x"), "steps at one place at worst, 20000 allowed"),
    (rule("author.age > 2d and author.age < 1d", name="¦r"), "r can never hold"),
    (rule("author.posts(1m) > 500", name="¦r"), "r can never hold"),
    (rule("model.score > 1", name="¦r"), "r can never hold"),
    (rule("content.kind == note and content.kind == comment", name="¦r"), "r can never hold"),
    (rule("content.lookalike and not content.lookalike", name="¦r"), "r can never hold"),
    (rule("author.written > 3 or author.written <= 3", name="¦r"), "r always holds"),
    (rule("author.written >= 0", name="¦r"), "r always holds"),
    (
        rule("content.run > 3 and content.lookalike") + rule("content.lookalike and content.run > 3", name="¦s"),
        "s says the same as r (take one out)",
    ),
    (rule("content.run > 3", examples='¦spares "aaaaaaa"'), "r: the example is caught (it reads 'aaaaaaa')"),
    (rule("content.run > 3", examples='¦catches "ab"'), "r: the example is not caught"),
    (rule("author.written > 3", examples='catches "ab" with author.written = ¦4s'), "author.written is never that"),
    (rule("model.score > 0", examples='catches "ab" with model.score = ¦7'), "model.score is never that"),
)
"""Sources with a mark where the fault is, and what is told of it."""


@pytest.mark.parametrize(("marked", "what"), REFUSED, ids=[what[:40] for _, what in REFUSED])
def test_what_is_wrong_is_told_with_its_place(marked: str, what: str) -> None:
    """Line, column, what is wrong and a hint; nothing is taken."""
    before = marked.partition("¦")[0]
    with pytest.raises(BadRules) as told:
        ruleset(marked.replace("¦", ""))
    fault = told.value.faults[0]
    assert what in str(fault)
    assert (fault.place.line, fault.place.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Types and names are looked at in the whole set, in their order, up to twenty faults."""
    with pytest.raises(BadRules) as told:
        ruleset("".join(rule("author.posts > 3", name=f"r{n}") for n in range(30)))
    assert [fault.place.line for fault in told.value.faults] == list(range(1, 21))


def refused(source: str, why: str) -> None:
    """The set is not made, for this reason."""
    with pytest.raises(BadRules, match=why):
        ruleset(source)


def test_names_that_multiply_are_refused_before_they_are_asked() -> None:
    """An expression that doubles sixty times over is bounded by what it would cost, not by what is written."""
    lets = "".join(f"let a{n} = a{n - 1} and a{n - 1}\n" for n in range(1, 60))
    source = f"let a0 = content.lookalike\n{lets}{rule('a59')}"
    assert within(1, lambda: refused(source, "parts are looked at for one text, 1000 allowed"))


def test_conditions_that_are_too_entangled_are_refused_in_bounded_time() -> None:
    """Twenty choices of three, all of which must hold, have three thousand million ways."""
    choice = " and ".join(f"(content.run > {n} or author.written > {n} or content.hosts > {n})" for n in range(1, 21))
    assert within(2, lambda: refused(rule(choice), "more ways than 256"))


LAST = "\U0010ffff"
HEADS = "".join(map(chr, range(0x4E00, 0x4E3C)))


@pytest.mark.parametrize(
    "phrase",
    [
        lambda n: "a" + "".join(f"[{chr(n + m)}-{LAST}]" for m in range(79)),
        lambda n: "[" + "".join(f"{chr(n + m)}-{LAST}" for m in range(15)) + "]" + f"[{chr(n)}-{LAST}]" * 60,
        lambda n: "[^" + "".join(f"{chr(n + m)}-{LAST}" for m in range(130)) + "]",
        lambda n: f"[{HEADS}]" + "".join(f"[{chr(n + m)}-{chr(n + m + 500)}]" for m in range(66)),
        lambda n: f"(?:{'|'.join(HEADS)})" + chr(n) * 270,
    ],
    ids=[
        "wide",
        "wide at the head",
        "all but wide",
        "hundreds behind sixty beginnings",
        "long behind sixty beginnings",
    ],
)
def test_a_set_that_takes_long_to_make_is_refused_before_it_is_made(phrase: Callable[[int], str]) -> None:
    """All that a source may hold of large classes, and of what is written out: told in seconds, not in minutes."""
    source = 'phrases x = """' + "".join(f" {phrase(0x5000 + 130 * n)}" for n in range(145)) + ' """\n'
    source += rule("text has x")
    assert within(10, lambda: refused(source, "the tables of a set have more than 300000 characters"))


def test_what_a_set_takes_to_be_made_is_of_all_its_tables() -> None:
    """Of two tables that share the bound each is taken alone."""
    phrases = " ".join(f"好[一-鿿]{{{n}}}" for n in range(1, 31)) * 18
    one, two = (f'phrases x{n} = """ {phrases} """\n' for n in (1, 2))
    assert ruleset(one + rule("text has x1")).tables
    with pytest.raises(BadRules, match="the tables of a set have more than"):
        ruleset(one + two + rule("text has x1 or text has x2"))


def test_a_set_has_one_version() -> None:
    """The same source has the same version, another one, or a rule switched off, another."""
    source = rule("content.run > 3") + rule("content.run > 4", name="s")
    assert ruleset(source).version == ruleset(source + "").version
    assert len({ruleset(source).version, ruleset(source + "#").version, ruleset(source, ("s",)).version}) == 3
    assert [r.name for r in ruleset(source, ("s",)).rules] == ["r"]
    assert ruleset(source, ("t",)).version == ruleset(source).version


def test_the_cost_grows_with_what_may_be_searched_for() -> None:
    """Steps are of the tables that rules use, of both texts; parts of the expressions."""
    one = ruleset(OFFER + rule("text has offer") + rule("text has account", name="s"))
    two = ruleset(OFFER + rule("text has offer and not before has offer") + rule("text has account", name="s"))
    assert 0 < one.steps < two.steps
    assert one.parts < two.parts


# -- the reference page --------------------------------------------------------------------------------------


def test_the_page_is_made_of_the_language() -> None:
    """docs/rules.md is what the grammar and the tables make of it today: `python -m deploy.language` writes it."""
    assert PAGE.read_text("utf-8") == page()
    assert language(["--check"]) == 0


def test_the_page_has_every_fact_and_its_example_is_taken() -> None:
    """What can be asked is told, and the first thing that a reader copies works."""
    assert [key for key in BY_KEY if f"`{key}`" not in page()] == []
    assert [r.name for r in ruleset(EXAMPLE).rules] == ["offer_to_strangers"]
