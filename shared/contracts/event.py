"""What every event is: a frozen model that knows its type, topic, key, subject and order."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from .topics import Topic

Order = Literal["state", "fact", "count"]
"""How a reader copes with doubles and swapped order.

state  the event carries the whole public state of its subject: the higher ``ce_sequence`` holds
fact   happens once to its subject and never changes: a reader may take it in any order
count  adds to something: it commutes with its like, and a reader drops a ``ce_id`` it has seen
"""

Texts = Mapping[str, tuple[str, ...]]
EVENTS: dict[str, type["Event"]] = {}
"""All event types by ``ce_type``."""

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:\-]{1,128}$")]
"""An opaque id of a person, note, comment, need or group."""
Text = Annotated[str, StringConstraints(max_length=20_000)]
Cell = Annotated[str, StringConstraints(pattern=r"^89[0-9a-f]{8}[37bf]ffff$")]
"""A cell of the H3 grid at resolution 9, about 0.1 km2; nothing finer is told of a place."""
Short = Annotated[str, StringConstraints(max_length=200)]
Gate = Literal["passed", "held", "open"]
"""What the check before publishing said of a text: nothing against it; hidden until its verdict; or nothing at all,
since the check could not be made, and so the text went through."""


class Event(BaseModel):
    """A past-tense fact on one topic. Unknown fields are ignored, so a version may grow.

    Class arguments: ``topic``; ``name``, the type's name in snake case; ``order``; ``version``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    TYPE: ClassVar[str] = ""
    TOPIC: ClassVar[Topic]
    KEY: ClassVar[str]
    SOURCE: ClassVar[str]
    ORDER: ClassVar[Order]
    TEXTS: ClassVar[Texts] = {}
    """Whose words it carries: the field of the person's id -> the fields to empty when that person was erased. What
    is called ``title`` or ``text`` is said by ``author_id``; a type whose words are others' says so itself."""

    def __init_subclass__(cls, **_: Any) -> None:
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, topic: Topic | None = None, name: str = "", order: Order = "fact", version: int = 1, **_: Any
    ) -> None:
        """Register a concrete type; a subclass without ``topic`` is a base for others."""
        if topic is None:
            return
        cls.TYPE = f"lianyi.{topic.owner}.{name}.v{version}"
        cls.TOPIC = topic
        cls.KEY, cls.SOURCE = topic.key_field, f"/lianyi/{topic.owner}"
        cls.ORDER = order
        if "author_id" in cls.model_fields and "TEXTS" not in vars(cls):
            said = tuple(name for name in ("title", "text") if name in cls.model_fields)
            cls.TEXTS = {"author_id": said} if said else {}
        if topic.key_field not in cls.model_fields:
            raise TypeError(f"{cls.__name__} lacks {topic.key_field}, the key of {topic.name}")
        if cls.TYPE in EVENTS:
            raise TypeError(f"{cls.TYPE} is declared twice")
        EVENTS[cls.TYPE] = cls

    @property
    def key(self) -> str:
        """The record's key."""
        return str(getattr(self, self.KEY))

    @property
    def source(self) -> str:
        """``ce_source``: the producing service."""
        return self.SOURCE

    @property
    def body(self) -> bytes:
        """The record's value: JSON in UTF-8, as ``model_dump_json`` has it, without a string between."""
        return self.__pydantic_serializer__.to_json(self)


def event_type(type_: str) -> type[Event]:
    """The model of a ``ce_type``; KeyError for one this release does not know."""
    return EVENTS[type_]
