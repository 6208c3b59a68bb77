"""From tokens to statements, by recursive descent. The docstring of each method is its line of the grammar.

The reference page is made of them.
"""

from collections.abc import Callable
from typing import get_args

from shared.rules.cursor import Cursor
from shared.rules.errors import bad
from shared.rules.syntax import (
    Both,
    Compare,
    Constant,
    Effect,
    Example,
    Expression,
    Has,
    Let,
    Name,
    Not,
    Phrases,
    Rule,
    Setting,
    Source,
    Sum,
)

MOST_STATEMENTS = 1_000
MOST_TERMS = 8
"""Of a sum or a product."""
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


class Parser(Cursor):
    """One source, read once from the front."""

    def source(self) -> Source:
        """source     = { setting | phrases | let | rule } ;"""
        made = Source()
        statements: dict[str, Callable[[Source], None]] = {
            "set": self._setting,
            "phrases": self._phrases,
            "words": self._phrases,
            "let": self._let,
            "rule": self._rule,
        }
        for count in range(MOST_STATEMENTS + 1):
            token = self.now
            if token.kind == "end":
                return made
            if token.kind != "name" or token.text not in statements:
                raise self.wanted("a statement", f"one of {', '.join(statements)}")
            if count == MOST_STATEMENTS:
                raise bad(token.at, f"more than {MOST_STATEMENTS} statements")
            statements[token.text](made)
        raise AssertionError("the loop ends by a return or an error")

    def _setting(self, made: Source) -> None:
        """setting    = "set" name "=" number ;"""
        at = self.next().at
        name = self.name("the name of a number of the set")
        self.sign("=")
        made.settings.append(Setting(at, name, self.kind("number", "a number").value))

    def _phrases(self, made: Source) -> None:
        """phrases    = ( "phrases" | "words" ) name "=" block ;"""
        word = self.next()
        name = self.name("a name for the phrases")
        self.sign("=")
        block = self.kind("block", 'a table in triple quotes, """ … """')
        made.phrases.append(Phrases(block.at, name, block.text, word.text == "words"))

    def _let(self, made: Source) -> None:
        """let        = "let" name "=" or ;"""
        at = self.next().at
        name = self.name("a name for the expression")
        self.sign("=")
        let = Let(at, name, self._or())
        made.lets.append(let)
        made.order.append(let)

    def _rule(self, made: Source) -> None:
        """rule       = "rule" name string effect "when" or { example } ;
        effect     = "weigh" number | "hide" | "review" ;"""
        self.next()
        at = self.now.at
        name = self.name("a name for the rule")
        why = self.text("a sentence for the author of the text, in double quotes")
        effect = self.now.text
        if self.now.kind != "name" or effect not in get_args(Effect):
            raise self.wanted("an effect", "weigh 0.4, hide or review")
        self.next()
        weight = self.kind("number", "a weight").value if effect == "weigh" else 0.0
        self.sign("when")
        when = self._or()
        examples: list[Example] = []
        while self.sees("catches") or self.sees("spares"):
            examples.append(self._example())
        found: dict[str, Effect] = {word: word for word in get_args(Effect)}
        rule = Rule(at, name, why, found[effect], weight, when, tuple(examples))
        made.rules.append(rule)
        made.order.append(rule)

    def _example(self) -> Example:
        """example    = ( "catches" | "spares" ) string [ "before" string ] [ "with" given { "," given } ] ;
        given      = fact "=" ( number | span | name ) ;"""
        word = self.next()
        text = self.text("a text in double quotes")
        before = None
        if self.sees("before"):
            self.next()
            before = self.text("the text of the revision before, in double quotes")
        given: list[tuple[Name, Constant | Name]] = []
        while self.sees("," if given else "with"):
            self.next()
            fact = self._fact()
            self.sign("=")
            value = self._atom()
            if not isinstance(value, Constant | Name):
                raise bad(value.at, "no value", "a number, a span of time, a word, true or false")
            given.append((fact, value))
        return Example(word.at, word.text == "catches", text, tuple(given), before)

    def _or(self) -> Expression:
        """or         = and { "or" and } ;"""
        return self._both("or", lambda: self._both("and", self._not))

    def _both(self, word: str, part: Callable[[], Expression]) -> Expression:
        """and        = not { "and" not } ;"""
        at, parts = self.now.at, [part()]
        while self.sees(word):
            self.next()
            parts.append(part())
        return parts[0] if len(parts) == 1 else Both(at, "or" if word == "or" else "and", tuple(parts))

    def _not(self) -> Expression:
        """not        = "not" not | comparison ;"""
        if not self.sees("not"):
            return self._comparison()
        at = self.next().at
        return Not(at, self.deeper(self._not))

    def _comparison(self) -> Expression:
        """comparison = sum [ ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) sum ] ;"""
        left = self._sum()
        if self.now.kind == "sign" and self.now.text in _COMPARISONS:
            operator = self.next()
            return Compare(operator.at, operator.text, left, self._sum())
        if self.sees("="):
            raise self.wanted("a comparison", "write == to compare")
        return left

    def _sum(self) -> Expression:
        """sum        = product { ( "+" | "-" ) product } ;"""
        return self._chain(("+", "-"), lambda: self._chain(("*",), self._atom))

    def _chain(self, signs: tuple[str, ...], part: Callable[[], Expression]) -> Expression:
        """product    = atom { "*" atom } ;"""
        left = part()
        count = 1
        while self.now.kind == "sign" and self.now.text in signs:
            operator = self.next()
            count += 1
            if count > MOST_TERMS:
                raise bad(operator.at, f"more than {MOST_TERMS} terms in a row", "name a part with let")
            left = Sum(operator.at, operator.text, left, part())
        return left

    def _atom(self) -> Expression:
        """atom       = number | span | "(" or ")" | text ( "has" | "disguises" ) name | fact | name ;
        text       = "text" | "before" ;"""
        token = self.now
        if token.kind in ("number", "span"):
            self.next()
            return Constant(token.at, token.value, token.kind == "span")
        if self.sees("("):
            self.next()
            inner = self.deeper(self._or)
            self.sign(")")
            return inner
        if token.kind == "name" and self.after("has", "disguises"):
            self.next()
            word = self.next()
            return Has(token.at, token.text, self.name("the name of phrases"), word.text == "disguises")
        return self._fact()

    def _fact(self) -> Name:
        """fact       = name { "." name } [ "(" span ")" ] ;"""
        at = self.now.at
        path = self.name("a value")
        while self.sees("."):
            self.next()
            path += "." + self.name("the rest of the name")
        if not self.sees("("):
            return Name(at, path)
        self.next()
        window = self.kind("span", "a window, as 1h")
        self.sign(")")
        return Name(at, path, int(window.value))


def parse(source: str) -> Source:
    """The statements of a source. Raises BadRules."""
    return Parser(source).source()
