"""Days of the topics, handed to a backtest: only what it asks for is read of a record, the rest is passed over."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.moderation.core import Kind, Text
from services.moderation.core.backtest import Backtest, Told
from shared.contracts import TOPICS, Event
from shared.contracts.moderation import ContentJudged, MessageJudged
from shared.contracts.notes import CommentDeleted, CommentEdited, CommentPosted, NoteDeleted, NoteEdited, NotePosted
from shared.contracts.talk import MessageDeleted, MessagePosted

WRITTEN: tuple[type[Event], ...] = (
    *(NotePosted, NoteEdited, NoteDeleted, CommentPosted, CommentEdited, CommentDeleted),
    *(MessagePosted, MessageDeleted),
)
JUDGED: tuple[type[Event], ...] = (ContentJudged, MessageJudged)
SOURCES = tuple(name for name in TOPICS if name in {kind.TOPIC.name for kind in (*WRITTEN, *JUDGED)})
"""The topics that have them."""
GONE = frozenset(kind.TYPE for kind in (NoteDeleted, CommentDeleted, MessageDeleted))
NOTES = frozenset(kind.TYPE for kind in (NotePosted, NoteEdited, NoteDeleted))
COMMENTS = frozenset(kind.TYPE for kind in (CommentPosted, CommentEdited, CommentDeleted))


class _Written(msgspec.Struct):
    """What a text event says that is asked for; not the model of the contract, which takes ten times as long."""

    author_id: str
    note_id: str = ""
    comment_id: str = ""
    message_id: str = ""
    group_id: str = ""
    title: str = ""
    text: str = ""
    revision: int = 0


class _Reason(msgspec.Struct):
    rule: str


class _Judged(msgspec.Struct):
    content_id: str
    author_id: str
    hidden: bool
    reasons: tuple[_Reason, ...]
    kind: Kind = "message"
    by: str = "automatic"


class Past:
    """Takes records in the order of their sending; counts those that were looked at and those of other types.

    What is no event of ours, or cannot be read, is counted as unreadable and left out.
    """

    def __init__(self, backtest: Backtest) -> None:
        self._backtest = backtest
        self.records = 0
        self.unreadable = 0
        written, judged = msgspec.json.Decoder(_Written), msgspec.json.Decoder(_Judged)
        self._take: Mapping[bytes, Callable[[bytes, Mapping[str, bytes]], None]] = {
            **{kind.TYPE.encode(): _writer(kind.TYPE, written, backtest) for kind in WRITTEN},
            **{kind.TYPE.encode(): _teller(judged, backtest) for kind in JUDGED},
        }

    def take(self, records: Iterable[Any]) -> None:
        """Records of a Kafka client: with `headers` and `value`."""
        for record in records:
            self.records += 1
            headers = dict(record.headers)
            take = self._take.get(headers.get("ce_type", b""))
            if take is not None:
                try:
                    take(record.value, headers)
                except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
                    self.unreadable += 1


def _time(headers: Mapping[str, bytes]) -> datetime:
    return datetime.fromisoformat(headers["ce_time"].decode())


def _writer(
    type_: str, decoder: "msgspec.json.Decoder[_Written]", backtest: Backtest
) -> Callable[[bytes, Mapping[str, bytes]], None]:
    gone = type_ in GONE
    kind: Kind = "note" if type_ in NOTES else "comment" if type_ in COMMENTS else "message"

    def take(value: bytes, headers: Mapping[str, bytes]) -> None:
        of = decoder.decode(value)
        id_ = of.note_id if kind == "note" else of.comment_id or of.message_id
        if gone:
            backtest.gone(id_)
            return
        text = f"{of.title}\n{of.text}" if kind == "note" else of.text
        place = of.group_id if kind == "message" else of.note_id
        made = Text(id=id_, kind=kind, place_id=place, author_id=of.author_id, text=text, revision=of.revision)
        backtest.wrote(made, _time(headers))

    return take


def _teller(
    decoder: "msgspec.json.Decoder[_Judged]", backtest: Backtest
) -> Callable[[bytes, Mapping[str, bytes]], None]:
    def take(value: bytes, headers: Mapping[str, bytes]) -> None:
        of = decoder.decode(value)
        reasons = tuple(reason.rule for reason in of.reasons)
        sequence = int(headers["ce_sequence"])
        told = Told(sequence, of.hidden, of.by, of.kind, of.author_id, _time(headers), reasons)
        backtest.told(of.content_id, told)

    return take
