"""The reference page of the language, docs/rules.md, made of the grammar, the facts and the limits.

`python -m deploy.language` writes it.
"""

from collections.abc import Iterator

from shared.rules.check import MOST_LEVELS, MOST_NODES, MOST_WEIGHT
from shared.rules.cursor import MOST_DEEP, MOST_TEXT, RESERVED
from shared.rules.lexer import MOST_SOURCE, SECONDS
from shared.rules.parser import MOST_STATEMENTS, MOST_TERMS, Parser
from shared.rules.pattern import MOST_LENGTH, MOST_NESTED, MOST_REPEATS
from shared.rules.phrases import MOST_PHRASES, MOST_WORK
from shared.rules.phrases import MOST_STEPS as MOST_TABLE_STEPS
from shared.rules.prove import MOST_EXAMPLES
from shared.rules.ruleset import MOST_STEPS
from shared.rules.sense import MOST_WAYS
from shared.rules.vocabulary import EFFECTS, FACTS, KNOBS, MOST_COUNTED, TEXTS, WINDOW, Fact

EXAMPLE = '''phrases offer = """
  日(?:赚|入)[0-9]{2,5} 兼职 躺赚
"""
phrases account = """
  (?:微信|qq)[:\\s]{0,3}[a-z0-9_-]{5,20}
"""
let newcomer = author.written < 3 or author.age < 1d

rule offer_to_strangers "新来的人在招揽, 又留了联系方式"
  weigh 0.7
  when newcomer and text has offer and text has account
  catches "日赚500, 加v: abc12345" with author.written = 0, author.age = 0s
  spares "日赚500? 骗人的吧"
'''

LEXICAL = """\
name       = a small letter, then small letters, digits, "_" ;
number     = digits [ "." digits ] ;
span       = digits ( "s" | "m" | "h" | "d" ) ;
string     = '"' characters, \\n \\t \\" \\\\ \\uXXXX \\UXXXXXXXX '"' ;
block      = '\"""' anything '\"""' ;
comment    = "#" anything to the end of the line ;"""


WIDE = 118
"""Characters of a line of the page."""


def page() -> str:
    """The page, as Markdown."""
    return "\n".join(
        [
            *_head(),
            *_grammar(),
            *_texts(),
            *_facts(),
            *_numbers(),
            *_phrases(),
            *_unknown(),
            *_limits(),
            *_refused(),
            "",
        ]
    )


def _head() -> Iterator[str]:
    yield from ("# The language of rules", "")
    yield from _said(
        "Made by `python -m deploy.language` from `shared/rules`; not to be edited. Why it is so: "
        "[0055](adr/0055-rules-are-a-language.md)."
    )
    yield from ("", "A set of rules is one text. It is taken as a whole or not at all.", "")
    yield from ("```", *EXAMPLE.rstrip("\n").split("\n"), "```", "")


def _grammar() -> Iterator[str]:
    lines = [m.__doc__ for m in vars(Parser).values() if callable(m) and m.__doc__ and m.__doc__.rstrip().endswith(";")]
    yield from (
        "## Grammar",
        "",
        "```",
        *(line.strip() for doc in lines for line in doc.split("\n")),
        LEXICAL,
        "```",
        "",
    )
    yield from _said(
        f"Words of the language, which name nothing else: "
        f"{', '.join(f'`{word}`' for word in sorted(RESERVED))}. "
        "A name stands for what was written above it, so nothing can refer to itself and there are "
        "no loops."
    )
    yield ""
    yield from _said("The effects:")
    yield ""
    yield from (f"- `{name}` {about}." for name, about in EFFECTS.items())
    yield ""
    yield from _said(
        "`why` is read by the author of the text. A rule's examples are tried before the set is "
        "taken: `catches` must make "
        "the rule hold, `spares` must not. Besides its text an example has the revision before it "
        "(`before`) and the facts "
        "that it is given (`with`); all other facts are unknown to it."
    )
    yield ""


def _texts() -> Iterator[str]:
    yield from ("## Texts", "", "| text | meaning |", "| --- | --- |")
    yield from (f"| `{name}` | {about} |" for name, about in TEXTS.items())
    yield ""
    yield from _said(
        "`text has offer` holds where one of the phrases stands in it. `text disguises offer` "
        "holds where one of them is "
        "written otherwise than it reads: 加薇❤信 reads 加微信. Width, small and capital letters and "
        "blanks are no disguise."
    )
    yield ""


def _facts() -> Iterator[str]:
    yield from ("## Facts", "", "| fact | type | may be | meaning |", "| --- | --- | --- | --- |")
    for fact in FACTS:
        names = ", ".join(f"`{key}`" for key in fact.keys)
        yield f"| {names} | {fact.type} | {_may_be(fact)} | {fact.about} |"
    yield ""
    yield from _said(
        f"Counters count to {MOST_COUNTED}. A truth stands alone (`content.lookalike`), a word is "
        f"compared by `==` and `!=` "
        f"(`content.kind == comment`), a span is written in {', '.join(f'`{u}`' for u in SECONDS)}. "
        f"Windows slide: "
        f"{', '.join(WINDOW.values())} back from when the content was posted."
    )
    yield ""


def _may_be(fact: Fact) -> str:
    if fact.choices:
        return ", ".join(f"`{choice}`" for choice in fact.choices)
    return {"truth": "true, false", "span": "0s and more"}.get(fact.type) or f"{fact.low:g} to {fact.high:g}"


def _numbers() -> Iterator[str]:
    yield from ("## Numbers of a set", "", "| `set` | default | may be | meaning |", "| --- | --- | --- | --- |")
    yield from (f"| `{k.name}` | {k.default:g} | {k.low:g} to {k.high:g} | {k.about} |" for k in KNOBS)
    yield ""
    yield from _said(
        "What rules see counts at its place: of a long text only the stretch of `reach` characters "
        "that weighs most. What "
        "a rule says by facts alone has no place, and counts wherever it is."
    )
    yield ""


def _phrases() -> Iterator[str]:
    yield from ("## Phrases", "")
    yield from _said(
        "A table is expressions parted by white space, searched in the text as it reads: small "
        "letters, plain digits, signs of "
        "half width, contact words by one name each (`微信`, `加微信`, `qq`, `telegram`). In a table of "
        "`words` each stands "
        "between edges of an English word. An expression has"
    )
    yield ""
    yield "- characters; `.` for any but a line break; `\\s` for white space; `\\` before a sign that means something;"
    yield "- classes, `[日月]`, `[0-9]`, `[^,]`; groups, `(?:赚|入)`; around, `(?=…)` `(?!…)` `(?<=…)` `(?<!…)`;"
    yield f"- repeats with a bound, `?` `{{3}}` `{{0,4}}`, up to {MOST_REPEATS}. No `*`, no `+`, no capture."
    yield ""


def _unknown() -> Iterator[str]:
    yield from ("## What is unknown", "")
    yield from _said(
        "A fact that nobody has told is unknown: counters when a text is judged first, the model "
        "while it keeps silent, the "
        "revision before the first one. `not` of what is unknown is unknown; `and` fails where one "
        "part fails, `or` holds where "
        "one part holds, whatever the others are. A rule speaks only where it holds."
    )
    yield ""


def _limits() -> Iterator[str]:
    yield from ("## Limits and costs", "", "| what | at most |", "| --- | --- |")
    yield from (
        f"| {what} | {most:,} |"
        for what, most in (
            ("characters of a set", MOST_SOURCE),
            ("statements of a set", MOST_STATEMENTS),
            ("expressions in brackets within each other", MOST_DEEP),
            ("levels, with what names stand for", MOST_LEVELS),
            ("terms of a sum or product", MOST_TERMS),
            ("parts of a rule that are looked at for a text, with what names stand for", MOST_NODES),
            ("ways in which a rule may hold", MOST_WAYS),
            ("a weight", MOST_WEIGHT),
            ("characters of a string", MOST_TEXT),
            ("characters of all examples", MOST_EXAMPLES),
            ("phrases of a table", MOST_PHRASES),
            ("characters of a phrase", MOST_LENGTH),
            ("characters of all tables, written out and with those of classes", MOST_WORK),
            ("groups within each other", MOST_NESTED),
            ("steps of a table at one place of a text", MOST_TABLE_STEPS),
            ("steps of a set at one place of a text", MOST_STEPS),
        )
    )
    yield ""
    yield from _said(
        "A step is one character compared, all ways of going back included; the bound is computed "
        "from the expressions before a "
        "set may be proposed, and is told with it. Searches are linear in the text, whose length "
        "the services limit."
    )
    yield ""


def _refused() -> Iterator[str]:
    yield from ("## What is refused", "")
    yield from _said("Each fault is told with line, column, what is wrong and mostly a hint, up to 20 at once:")
    yield ""
    yield "- what does not parse, or names what is not there; types that do not fit; numbers out of their range;"
    yield "- a rule that can never hold (`author.age > 2d and author.age < 1d`, or more than a counter counts), one"
    yield "  that always holds, one that says the same as another, or too entangled to tell;"
    yield "- what is beyond a limit; phrases and expressions that nothing uses;"
    yield "- a rule of which an example comes out otherwise."


def _said(prose: str) -> Iterator[str]:
    """Prose in lines."""
    line = ""
    for word in prose.split(" "):
        if len(line) + len(word) >= WIDE:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line
