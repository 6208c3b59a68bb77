"""The next release, as a rollout sees it: a topic and a type of event more, told by notes, read by groups.

python -m tests.faults.newer notes run                as `python -m services.notes run`
python -m tests.faults.newer topics --partitions 4    as `python -m shared.admin topics`, which comes first
"""

import sys
from dataclasses import replace
from importlib import import_module
from typing import Any

from shared import admin, app
from shared.app import App, Parts
from shared.contracts import TOPICS, Event, Topic
from shared.contracts.event import Id
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE
from shared.flow.work import Work

CHOIR = Topic("lianyi.notes.choir.v1", "notes", "note", ("groups",), "What a later release tells beside the rest.")
TOPICS[CHOIR.name] = CHOIR


class CommentSung(Event, topic=NOTE, name="comment_sung", order="fact"):
    """A new type on a topic that all know."""

    note_id: Id
    comment_id: Id


class ChoirHeard(Event, topic=CHOIR, name="choir_heard", order="fact"):
    """A type on a topic that the release before does not read."""

    note_id: Id
    comment_id: Id


def sing(event: CommentPosted, work: Work) -> None:
    """Tells both."""
    work.emit(CommentSung(note_id=event.note_id, comment_id=event.comment_id))
    work.emit(ChoirHeard(note_id=event.note_id, comment_id=event.comment_id))


def hear(event: ChoirHeard, work: Work) -> str:
    """An outcome, which the metrics count."""
    return "heard"


def newer(now: App) -> App:
    """The service as it will be."""

    def build(*with_: Any) -> Parts:
        parts = now.build(*with_)
        if now.name == "notes":
            parts.router.on(CommentPosted, sing, lambda e: [])
        if now.name in CHOIR.readers:
            parts.router.on(ChoirHeard, hear, lambda e: [])
        return parts

    return replace(now, build=build)


def main() -> int:
    """The command line."""
    name, *words = sys.argv[1:]
    if name == "topics":
        return admin.main([name, *words])
    return app.main(newer(import_module(f"services.{name}.app").APP), words)


if __name__ == "__main__":
    raise SystemExit(main())
