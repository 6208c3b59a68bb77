"""The expressions of phrases: what may stand in one, and how many steps a search takes at one place at most.

A part of what `re` knows, so that a search is linear in the text: every repeat is bounded, nothing refers back, nothing
is captured. The bound counts characters compared, all ways of backtracking included.
"""

from dataclasses import dataclass, replace

from shared.rules import begins
from shared.rules.begins import ANYTHING, BLANKS, NOTHING, Begins

MOST_REPEATS = 32
MOST_NESTED = 8
MOST_LENGTH = 400
"""Characters of one expression."""
UNBOUNDED = 10**9
"""What a bound is cut at, so that it stays a small number."""
FILLED = 64
"""Characters of a class that the engine fills in, one by one, in the time in which it reads one of the expression."""
LAST_FILLED = 0xFFFF
"""It does so with those of the first plane only."""

_SPECIAL = frozenset("*+{}[]()|?.^$\\")
_ESCAPES = frozenset("sS")
_LOOKS = ("(?=", "(?!", "(?<=", "(?<!")


class BadPattern(ValueError):
    """What no phrase may hold; `at` is the place in the expression."""

    def __init__(self, at: int, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.at, self.what, self.hint = at, what, hint


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a search at one place: `steps` at most, `ways` in which it may match, `head` the first character if fixed.

    `begins` is with what a match may begin. `work` is what the engine has with the whole expression before the first
    search, in characters that it reads.
    """

    steps: int
    ways: int
    head: str = ""
    begins: Begins = NOTHING
    work: int = 0


def cost(expression: str, *, begun: bool = True) -> Cost:
    """What an expression costs. Raises BadPattern. Linear in its length. Not `begun`, classes begin with anything."""
    if len(expression) > MOST_LENGTH:
        raise BadPattern(0, f"more than {MOST_LENGTH} characters", "write several phrases")
    reader = _Reader(expression, begun)
    found = reader.either(0)
    if reader.at < len(expression):
        raise BadPattern(reader.at, f"{expression[reader.at]!r} closes nothing")
    return replace(found, work=len(expression) + reader.filled // FILLED)


class _Reader:
    def __init__(self, text: str, begun: bool) -> None:
        self.text, self.at, self.filled = text, 0, 0
        self._begun = begun

    def either(self, deep: int) -> Cost:
        """Alternatives, up to a closing bracket."""
        if deep > MOST_NESTED:
            raise BadPattern(self.at, f"more than {MOST_NESTED} groups within each other")
        found = [self._row(deep)]
        while self._now == "|":
            self.at += 1
            found.append(self._row(deep))
        if len(found) == 1:
            return found[0]
        # Of alternatives that begin with another character each, one at most goes beyond its first step.
        heads: dict[str, list[Cost]] = {}
        for one in found:
            heads.setdefault(one.head, []).append(one)
        fixed = [group for head, group in heads.items() if head]
        free = heads.get("", [])
        steps = len(found) + max((sum(c.steps for c in group) for group in fixed), default=0)
        ways = max((sum(c.ways for c in group) for group in fixed), default=0)
        begin = begins.either(c.begins for c in found)
        return _cut(steps + sum(c.steps for c in free), ways + sum(c.ways for c in free), begin=begin)

    def _row(self, deep: int) -> Cost:
        began, steps, ways, head, begin, grows = self.at, 0, 1, "", NOTHING, True
        while self._now not in ("", "|", ")"):
            first = self.at == began
            anchor = self._now in ("^", "$")
            item = self._repeated(self._item(deep))
            if anchor and self.text[self.at - 1] not in ("^", "$"):
                raise BadPattern(self.at - 1, "a place is repeated", "write \\^ or \\$ for the character")
            head = item.head if first else head
            if grows:  # hundreds of beginnings are not looked through for each character behind them
                before, begin = begin, begins.then(begin, item.begins)
                grows = begin is not before
            steps, ways = min(steps + ways * item.steps, UNBOUNDED), min(ways * item.ways, UNBOUNDED)
        if self.at == began:
            raise BadPattern(began, "an alternative is empty", "write (?:…)? for what may be missing")
        return _cut(steps, ways, head, begin)

    def _repeated(self, item: Cost) -> Cost:
        least, most = self._times()
        if (least, most) == (1, 1):
            return item
        steps, ways, power = 0, 0, 1
        for time in range(most + 1):
            ways += power if time >= least else 0
            if time < most:
                steps += power * item.steps
            power = min(power * item.ways, UNBOUNDED)
        return _cut(steps, ways, item.head if least else "", begins.times(item.begins, least, most))

    def _times(self) -> tuple[int, int]:
        if self._now == "?":
            self.at += 1
            return self._greedy((0, 1))
        if self._now in ("*", "+"):
            raise BadPattern(self.at, f"{self._now!r} has no bound", f"write {{0,{MOST_REPEATS}}}, or \\{self._now}")
        if self._now != "{":
            return 1, 1
        end = self.text.find("}", self.at)
        first, comma, second = self.text[self.at + 1 : end].partition(",") if end > 0 else ("", "", "")
        if not (_is_count(first) and (_is_count(second) if comma else True)):
            raise BadPattern(self.at, "a repeat is {3} or {0,3}", "write \\{ for the character")
        times = int(first), int(second if comma else first)
        if not times[0] <= times[1] <= MOST_REPEATS or times[1] == 0:
            raise BadPattern(self.at, f"a repeat goes from less to more, and up to {MOST_REPEATS}")
        self.at = end + 1
        return self._greedy(times)

    def _greedy(self, times: tuple[int, int]) -> tuple[int, int]:
        if self._now in ("?", "+", "*", "{"):
            raise BadPattern(self.at, "a repeat is repeated")
        return times

    def _item(self, deep: int) -> Cost:
        char = self._now
        if char == "(":
            return self._group(deep)
        if char == "[":
            return self._class()
        if char == "\\":
            self._escape()
            literal = self.text[self.at - 1]
            if literal in _ESCAPES:
                return Cost(1, 1, "", _of_escape(f"\\{literal}"))
            return Cost(1, 1, literal, frozenset({literal}))
        if char in _SPECIAL and char not in ".^$":
            raise BadPattern(self.at, f"{char!r} has nothing before it", f"write \\{char} for the character")
        self.at += 1
        if char in ".^$":
            return Cost(1, 1, "", ANYTHING if char == "." else NOTHING)
        return Cost(1, 1, char, frozenset({char}))

    def _group(self, deep: int) -> Cost:
        began = self.at
        opening = next((sign for sign in (*_LOOKS, "(?:") if self.text.startswith(sign, began)), "")
        if not opening:
            raise BadPattern(began, "a group begins with (?:", "nothing is captured; write \\( for the character")
        self.at += len(opening)
        inner = self.either(deep + 1)
        if self._now != ")":
            raise BadPattern(began, "the group has no end")
        self.at += 1
        return Cost(inner.steps, 1) if opening in _LOOKS else inner

    def _class(self) -> Cost:
        began, other = self.at, self.text.startswith("[^", self.at)
        self.at += 2 if other else 1
        members: list[Begins] = []
        while self._now not in ("", "]"):
            members.append(self._member(self._begun and not other))
        if not members or not self._now:
            raise BadPattern(began, "a class has members and an end", "write \\[ for the character")
        self.at += 1
        return Cost(1, 1, "", ANYTHING if other else begins.either(members))

    def _member(self, begun: bool) -> Begins:
        low = high = self._char()
        if self._now == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
            self.at += 1
            high = self._char()
            if len(low) > 1 or len(high) > 1 or low > high:
                raise BadPattern(self.at, f"{low}-{high} is no range")
            self.filled += min(ord(high), LAST_FILLED) - min(ord(low), LAST_FILLED)
        if not begun:
            return ANYTHING
        return _of_escape(low) if len(low) > 1 else begins.between(low, high)

    def _char(self) -> str:
        if self._now == "\\":
            return self._escape()
        if self._now == "[" or self.text[self.at : self.at + 2] in ("--", "&&", "||", "~~"):
            raise BadPattern(self.at, f"{self._now!r} is not taken in a class", f"write \\{self._now}")
        self.at += 1
        return self.text[self.at - 1]

    def _escape(self) -> str:
        escaped = self.text[self.at + 1 : self.at + 2]
        if not escaped or (escaped.isalnum() and escaped not in _ESCAPES):
            raise BadPattern(self.at, f"\\{escaped} means nothing here", "\\s, \\S, and signs")
        self.at += 2
        return f"\\{escaped}" if escaped in _ESCAPES else escaped

    @property
    def _now(self) -> str:
        return self.text[self.at : self.at + 1]


def _of_escape(escape: str) -> Begins:
    return BLANKS if escape == "\\s" else ANYTHING


def _cut(steps: int, ways: int, head: str = "", begin: Begins = NOTHING) -> Cost:
    return Cost(min(steps, UNBOUNDED), min(ways, UNBOUNDED), head, begin)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3
