"""A set of rules as it was written: statements and expressions, each with its place. Names only lead back."""

from dataclasses import dataclass, field
from typing import Literal

from shared.rules.errors import Place

Effect = Literal["weigh", "hide", "review"]


@dataclass(frozen=True, slots=True)
class Node:
    """Anything that has a place."""

    at: Place


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A number, or a span of time in seconds."""

    value: float
    is_span: bool = False


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A fact, with its window in seconds where it has one; a `let`, an earlier rule, or a word like `comment`."""

    name: str
    window: int | None = None


@dataclass(frozen=True, slots=True)
class Has(Node):
    """Whether a text has one of the phrases; `disguised`: and writes it otherwise than it reads."""

    text: str
    phrases: str
    disguised: bool = False


@dataclass(frozen=True, slots=True)
class Not(Node):
    """The contrary."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Both(Node):
    """`and`, `or` over two parts or more."""

    operator: Literal["and", "or"]
    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """A comparison of two numbers, two spans, or a word and one that it may be."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Sum(Node):
    """`+`, `-`, `*` of two numbers."""

    operator: str
    left: "Expression"
    right: "Expression"


Expression = Constant | Name | Has | Not | Both | Compare | Sum


@dataclass(frozen=True, slots=True)
class Setting(Node):
    """A number that the whole set has."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Phrases(Node):
    """A table of phrases; `words`: each stands between edges of an English word."""

    name: str
    source: str
    words: bool


@dataclass(frozen=True, slots=True)
class Let(Node):
    """An expression with a name."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Example(Node):
    """A text that a rule catches or spares, with what is known beside it."""

    catches: bool
    text: str
    given: tuple[tuple[Name, Constant | Name], ...] = ()
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Rule(Node):
    """When something holds, a text weighs more, is hidden, or is looked at by staff. `why` is for its author."""

    name: str
    why: str
    effect: Effect
    weight: float
    when: Expression
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """All statements of a set, in their order."""

    settings: list[Setting] = field(default_factory=list)
    phrases: list[Phrases] = field(default_factory=list)
    lets: list[Let] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    order: list[Let | Rule] = field(default_factory=list)
