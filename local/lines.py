"""One short line for each event as it arrives, for people who look on."""

import time
from collections import Counter
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from local.ledger import Seen
from shared.contracts import Event
from shared.contracts import groups as g
from shared.contracts import moderation as m
from shared.contracts import notes as n
from shared.contracts import recommend as r
from shared.contracts import talk as t
from shared.contracts.dead import DeadLetter

COLOURS = {"notes": "cyan", "groups": "green", "recommend": "magenta", "moderation": "yellow"}
WIDE = 26


class Lines:
    """A watcher of the witness that prints. Kinds that only repeat what another line says are counted instead.

    It learns what ids stand for from the events themselves: titles, names, the beginnings of comments.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._names: dict[str, str] = {}
        self.quiet: Counter[str] = Counter()

    def __call__(self, seen: Seen, seconds: float | None) -> None:
        self._learn(seen.event)
        told = self._words(seen.event)
        if told is None:
            self.quiet[seen.kind] += 1
            return
        what, detail = told
        line = Text(time.strftime("%H:%M:%S", time.localtime(seen.at)), style="dim")
        line.append(f"{'' if seconds is None else f'{seconds * 1000:7.0f} ms'}  ")
        line.append(f"{seen.event.TOPIC.owner:<10} ", COLOURS.get(seen.event.TOPIC.owner, ""))
        line.append(f"{what:<18} ", "bold red" if isinstance(seen.event, DeadLetter) else "bold")
        line.append(detail, "not dim")
        self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)

    def name(self, id_: str) -> str:
        """What an id stands for, as far as events have told; else the id, cut."""
        return self._names.get(id_, id_[:8])

    def _learn(self, event: Event) -> None:
        match event:
            case n.NotePosted():
                self._names[event.note_id] = f"《{_cut(event.title)}》"
            case n.CommentPosted():
                self._names[event.comment_id] = f"“{_cut(event.text)}”"
            case t.MessagePosted():
                self._names[event.message_id] = f"“{_cut(event.text)}”"
            case t.GroupNeedOpened():
                self._names[event.need_id] = self.name(event.message_id)
            case n.NeedOpened():
                self._names[event.need_id] = self.name(event.comment_id)
            case g.GroupOpened():
                self._names[event.group_id] = f"[{_cut(event.name)}]"

    def _words(self, event: Event) -> tuple[str, str] | None:
        """What happened, and to what; None for what needs no line."""
        say = WORDS.get(type(event))
        return say(event, self.name) if say else None


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= WIDE else f"{text[: WIDE - 1]}…"


Name = Callable[[str], str]
Words = Callable[..., tuple[str, str] | None]


def _judged(e: m.ContentJudged | m.MessageJudged, name: Name) -> tuple[str, str] | None:
    if not e.hidden:
        return None
    return "judged as an ad", f"{name(e.content_id)} {e.score:.2f}: {', '.join(x.rule for x in e.reasons)}"


def _hidden(e: n.CommentVisibilityChanged, name: Name) -> tuple[str, str]:
    return f"comment {'hidden' if e.hidden else 'shown'}", name(e.comment_id)


def _suggested(e: r.GroupsSuggested, name: Name) -> tuple[str, str]:
    first = [f"{name(s.group_id)} {s.score:.2f} ({why(s)})" for s in e.suggestions[:2]]
    return "groups suggested", f"{name(e.note_id)} → {'; '.join(first) or 'none'}"


def why(suggestion: r.Suggestion) -> str:
    """The reasons of a suggestion, strongest first."""
    return " ".join(reason.term or reason.kind for reason in suggestion.reasons)


WORDS: dict[type[Event], Words] = {
    n.NotePosted: lambda e, name: ("note posted", f"{name(e.note_id)} by {e.author_id}"),
    n.NoteVisibilityChanged: lambda e, name: (f"note {'hidden' if e.hidden else 'shown'}", name(e.note_id)),
    n.NoteRevised: lambda e, name: ("note edited", f"{name(e.note_id)} revision {e.revision}, judged"),
    n.NoteReacted: lambda e, name: (f"{e.kind} {e.change:+}", f"{name(e.note_id)} by {e.person_id}"),
    n.CommentDeleted: lambda e, name: ("comment deleted", name(e.comment_id)),
    n.CommentPosted: lambda e, name: ("comment posted", f"{name(e.comment_id)} by {e.author_id}"),
    n.CommentVisibilityChanged: _hidden,
    n.NeedOpened: lambda e, name: ("need opened", f"{name(e.comment_id)} due {e.due_at.astimezone():%H:%M:%S}"),
    n.NeedAnswered: lambda e, name: ("need answered", f"{name(e.need_id)} by {e.helper_id}"),
    n.NeedEscalated: lambda e, name: ("need escalated", f"{name(e.need_id)} step {e.step}"),
    n.NeedWithdrawn: lambda e, name: ("need withdrawn", name(e.need_id)),
    n.AdviceTaken: lambda e, name: ("advice taken", f"{name(e.comment_id)} of {e.adviser_id}"),
    n.NoteRelayed: lambda e, name: ("note relayed", f"{name(e.note_id)} → {name(e.group_id)} by {e.by_id}"),
    m.ContentJudged: _judged,
    m.MessageJudged: _judged,
    r.GroupsSuggested: _suggested,
    r.FeedbackGiven: lambda e, name: ("feedback", f"{e.person_id} on {name(e.group_id)}: {e.kind}"),
    g.GroupOpened: lambda e, name: ("group opened", f"{name(e.group_id)} {e.seats} seats, by {e.owner_id}"),
    g.MemberJoined: lambda e, name: ("member joined", f"{name(e.group_id)} {e.person_id} as {e.tier}"),
    g.ApplicationChanged: lambda e, name: ("at the door", f"{name(e.group_id)} {e.person_id} {e.state}"),
    g.MemberLeft: lambda e, name: ("member left", f"{name(e.group_id)} {e.person_id}"),
    g.ContributionMade: lambda e, name: ("contribution", f"{name(e.group_id)} {e.person_id}: {e.kind}"),
    g.TierChanged: lambda e, name: ("tier changed", f"{name(e.group_id)} {e.person_id}: {e.old} → {e.new}"),
    t.MessagePosted: lambda e, name: ("message posted", f"{name(e.message_id)} by {e.author_id} in {name(e.group_id)}"),
    t.MessageVisibilityChanged: lambda e, name: (f"message {'hidden' if e.hidden else 'shown'}", name(e.message_id)),
    t.MessageDeleted: lambda e, name: ("message deleted", name(e.message_id)),
    t.GroupNeedOpened: lambda e, name: ("need opened", f"{name(e.message_id)} due {e.due_at.astimezone():%H:%M:%S}"),
    t.GroupNeedAnswered: lambda e, name: ("need answered", f"{name(e.need_id)} by {e.helper_id}"),
    t.GroupNeedEscalated: lambda e, name: ("need escalated", f"{name(e.need_id)} step {e.step}"),
    t.GroupNeedWithdrawn: lambda e, name: ("need withdrawn", name(e.need_id)),
    DeadLetter: lambda e, _: ("dead letter", f"{e.reason} in {e.handler or 'no handler'}: {e.fingerprint}"),
}
