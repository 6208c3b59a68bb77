"""From characters to tokens. One expression reads them all, each in linear time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from shared.rules.errors import Place, bad

MOST_SOURCE = 60_000
"""Characters of a set of rules."""

Kind = Literal["name", "number", "span", "string", "block", "sign", "end"]
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

_TOKEN = re.compile(
    r'(?P<blank>[ \t\r\n]+|\#[^\n]*)|(?P<block>"""(?P<raw>(?:[^"]|"(?!""))*)""")|(?P<string>"(?:[^"\\\n]|\\[^\n])*")'
    r"|(?P<span>[0-9]{1,9}[smhd])(?![a-z0-9_.])|(?P<number>[0-9]{1,9}(?:\.[0-9]{1,6})?)(?![a-z0-9_.])"
    r"|(?P<name>[a-z][a-z0-9_]{0,63})(?![a-z0-9_])|(?P<sign>==|!=|<=|>=|[<>=().,+*-])"
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is the name, the sign, or what a string says; `value` the number, or the span in seconds."""

    kind: Kind
    text: str
    at: Place
    value: float = 0.0


def tokens(source: str) -> Iterator[Token]:
    """The tokens of a source, an `end` last. Raises BadRules where none begins."""
    if len(source) > MOST_SOURCE:
        raise bad(Place(1, 1), f"more than {MOST_SOURCE} characters", "make several sets of it, or shorter tables")
    at, line, start = 0, 1, 0
    while at < len(source):
        place = Place(line, at - start + 1)
        match = _TOKEN.match(source, at)
        if match is None:
            raise bad(place, f"{source[at]!r} begins nothing", _hint(source, at))
        if match.lastgroup != "blank":
            yield _token(match, place)
        if breaks := match[0].count("\n"):
            line, start = line + breaks, at + match[0].rindex("\n") + 1
        at = match.end()
    yield Token("end", "the end", Place(line, at - start + 1))


def _token(match: re.Match[str], place: Place) -> Token:
    text = match[0]
    if match["block"] is not None:
        return Token("block", match["raw"], place)
    if match["string"] is not None:
        return Token("string", _ESCAPE.sub(lambda m: _escaped(m, place), text[1:-1]), place)
    if match["span"] is not None:
        return Token("span", text, place, float(text[:-1]) * SECONDS[text[-1]])
    if match["number"] is not None:
        return Token("number", text, place, float(text))
    return Token("name" if match["name"] is not None else "sign", text, place)


def _escaped(match: re.Match[str], place: Place) -> str:
    said = match[1]
    if len(said) > 1:
        code = int(said[1:], 16)
        if code > 0x10FFFF:
            raise bad(place, f"no character has the number {said[1:]}")
        return chr(code)
    if said not in _PLAIN:
        raise bad(place, f"\\{said} means nothing in a string", 'write \\n, \\t, \\", \\\\, \\uXXXX or \\UXXXXXXXX')
    return _PLAIN[said]


def _hint(source: str, at: int) -> str:
    if source[at] == '"':
        return "the string has no end on its line"
    if source[at].isdigit():
        return "a number is 12 or 0.5, a span of time 30s, 10m, 1h, 7d"
    if source[at].isupper():
        return "names are in small letters"
    return "texts stand in double quotes"
