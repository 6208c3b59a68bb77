"""A place in a row of tokens, and what is asked of the one that stands there."""

from collections.abc import Callable
from typing import TypeVar

from shared.rules.errors import BadRules, bad
from shared.rules.lexer import Token, tokens

T = TypeVar("T")
MOST_DEEP = 16
"""Expressions within each other."""
MOST_TEXT = 500
"""Characters of an example or a sentence."""
_STATEMENTS = ("set", "phrases", "words", "let", "rule", "when", "catches", "spares", "with", "before")
RESERVED = frozenset((*_STATEMENTS, "and", "or", "not", "has", "disguises"))
"""Words of the language: nothing else has such a name."""


class Cursor:
    """A source as tokens, read from the front. Whatever is wanted and not there raises BadRules with its place."""

    def __init__(self, source: str) -> None:
        self._tokens = list(tokens(source))
        self._at = 0
        self._deep = 0

    @property
    def now(self) -> Token:
        """The token that stands here."""
        return self._tokens[self._at]

    def next(self) -> Token:
        """The same, and go on behind it; at the end one stays there."""
        token = self.now
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def sees(self, text: str) -> bool:
        """Whether this name or sign stands here."""
        return self.now.kind in ("name", "sign") and self.now.text == text

    def after(self, *words: str) -> bool:
        """Whether one of these words follows."""
        following = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        return following.kind == "name" and following.text in words

    def name(self, what: str) -> str:
        """A name, taken."""
        if self.now.kind != "name" or self.now.text in RESERVED:
            raise self.wanted(what, "a name of small letters, digits and _ that is no word of the language")
        return self.next().text

    def kind(self, kind: str, what: str) -> Token:
        """A token of this kind, taken."""
        if self.now.kind != kind:
            raise self.wanted(what)
        return self.next()

    def text(self, what: str) -> str:
        """A string of bounded length, taken."""
        token = self.kind("string", what)
        if len(token.text) > MOST_TEXT:
            raise bad(token.at, f"more than {MOST_TEXT} characters")
        return token.text

    def sign(self, sign: str) -> None:
        """This sign or word, taken."""
        if not self.sees(sign):
            raise self.wanted(f"{sign!r}")
        self.next()

    def deeper(self, part: Callable[[], T]) -> T:
        """A part that stands inside another one."""
        self._deep += 1
        if self._deep > MOST_DEEP:
            raise bad(self.now.at, f"more than {MOST_DEEP} expressions within each other", "name a part with let")
        inner = part()
        self._deep -= 1
        return inner

    def wanted(self, what: str, hint: str = "") -> BadRules:
        """The error that something else is wanted here."""
        token = self.now
        found = f"a {token.kind}" if token.kind in ("string", "block") else token.text
        return bad(token.at, f"{what} is wanted, not {found}", hint)
