"""One showing of the system: start it, play the scenario, tell what flows, settle, report, stay up."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable

from rich.console import Console

from local.audit import Audit
from local.fleet import Launch, as_process
from local.ledger import Verdict
from local.lines import Lines, why
from local.live import announce
from local.processes import CannotStartError
from local.report import Row, Sheet, faults, last_line
from local.scenario import NEED_STEPS, Scenario, Story
from local.session import Session, Steps, started
from local.texts import CIRCLES

GIVE_UP = 20.0
"""Seconds without any record after which what is missing counts as lost."""
INTERRUPTED = 130


def terminal() -> Console:
    """Where everything is printed; wide enough for the table where there is no terminal to ask."""
    return Console(soft_wrap=False, width=None if sys.stdout.isatty() else 140)


async def show(choice: str, *, once: bool, launch: Launch = as_process, brokers: int = 1) -> int:
    """Plays once; then, without `once`, holds the system until cancelled. 0 when nothing is lost or doubled."""
    console = terminal()
    status = INTERRUPTED
    try:
        async with started(choice, NEED_STEPS, Steps(console), launch, brokers) as session:
            verdict = await session.watched(perform(console, session))
            status = 0 if verdict.clean else 1
            if not once:
                console.print(last_line(verdict), highlight=False)
                await session.watched(stay(console, session))
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        return status  # an orderly end: what was started has been stopped on the way here
    if once:
        print(last_line(verdict), flush=True)
    return status


async def perform(console: Console, session: Session) -> Verdict:
    """The scenario, told line by line, and its report."""
    lines = Lines(console)
    session.witness.watchers.append(lines)
    console.print(f"a need escalates after {NEED_STEPS[0]} s here, so that it is seen; the service's own are hours")
    story = await Scenario(session.client, session.witness).play()
    console.print("[dim]all said; waiting until nothing is missing and the topics are quiet …[/]")
    verdict = await session.witness.settle(GIVE_UP)
    audit = Audit(session.client, session.witness.ledger)
    verdict += await audit.all()
    hidden = {text for text, is_hidden in session.witness.ledger.hidden.items() if is_hidden}
    gates = Counter(session.witness.ledger.gates.values())
    story.check("the gates hold what is plain", gates["held"] > 0 and gates["passed"] > gates["held"], dict(gates))
    story.check("nobody else is hidden", hidden <= story.ads | story.planted, hidden - story.ads - story.planted)
    verdict += Verdict(lost=tuple(("check", check.what, check.found) for check in story.checks if not check.holds))
    quiet = ", ".join(f"{kind} {count}" for kind, count in sorted(lines.quiet.items()))
    console.print(f"[dim]events without a line above: {quiet}[/]", highlight=False)
    table = sheet(session, story)
    table.section(_of_campaigns(session, story))
    table.section([Row("values of the APIs compared with our own count", f"{audit.compared:,}")])
    table.wire(verdict)
    console.print(table.table)
    faults(console, verdict)
    return verdict


def sheet(session: Session, story: Story) -> Sheet:
    """The table: what was done, what came of it, and how long it took."""
    made = Sheet("What came of it", session.witness)
    made.section(_of_notes(session, story))
    made.section(_of_suggestions(story))
    made.section(_of_groups(session, story))
    made.section(_of_talk(session))
    return made


def _of_notes(session: Session, story: Story) -> Iterable[Row]:
    ledger, commands = session.witness.ledger, session.client.journal.commands
    hidden = {comment for comment in story.comments if ledger.hidden.get(comment)}
    opened = story.questions & ledger.need_of.keys()
    talk = story.comments - story.questions - story.ads
    yield Row("notes posted", f"{commands['note']}", "NotePosted")
    yield Row("comments posted", f"{commands['comment']}", "CommentPosted")
    judged = ledger.kinds["ContentJudged"]
    yield Row("judged", f"{judged} notes and comments", "ContentJudged")
    yield Row("advertisements hidden", f"{len(hidden & story.ads)} of {len(story.ads)}", "CommentVisibilityChanged")
    yield Row("others hidden", f"{len(hidden - story.ads)} of {len(story.comments - story.ads)}")
    gates = Counter(ledger.gates.values())
    told = f"{gates['held']} held before anybody saw them, {gates['passed']} passed, {gates['open']} unseen"
    yield Row("the gates of notes and groups", told)
    yield Row("questions opened as needs", f"{len(opened)} of {len(story.questions)}", "NeedOpened")
    yield Row("others opened as needs", f"{len(talk & ledger.need_of.keys())} of {len(talk)}")
    yield Row("needs answered", f"{ledger.kinds['NeedAnswered']} of {commands['accept']} accepted", "NeedAnswered")
    escalated = sum(need.step > 0 and not need.where for need in ledger.needs.values())
    yield Row("needs escalated, unanswered in time", f"{escalated}", "NeedEscalated")
    yield Row("advice taken", f"{ledger.kinds['AdviceTaken']} of {commands['advice']}", "AdviceTaken")
    yield Row("notes edited, judged, then shown", f"{ledger.kinds['NoteRevised']} of {commands['edit']}", "NoteRevised")
    yield Row("likes and saves", f"{ledger.kinds['NoteReacted']} counted, {commands['react']} asked for", "NoteReacted")
    yield Row("comments deleted", f"{ledger.kinds['CommentDeleted']}", "CommentDeleted")
    yield Row("notes relayed to a group", f"{ledger.kinds['NoteRelayed']} of {commands['relay']}", "NoteRelayed")


def _of_suggestions(story: Story) -> Iterable[Row]:
    names = {story.groups[circle.key]: circle.name for circle in CIRCLES if circle.key in story.groups}
    told = len(story.suggested)
    yield Row("groups suggested for notes", f"{told} of {len(story.titles)} notes, with reasons", "GroupsSuggested")
    for note, title in story.titles.items():
        event = story.suggested.get(note)
        best = event.suggestions[:2] if event else ()
        found = [f"{names.get(s.group_id, s.group_id)} {s.score:.2f} ({why(s)})" for s in best]
        yield Row(f"  《{title}》", "; ".join(found) or "none")


def _of_groups(session: Session, story: Story) -> Iterable[Row]:
    ledger, journal = session.witness.ledger, session.client.journal
    doors = Counter(refused.reason for refused in journal.refused if refused.action == "join")
    refusals = [check.holds for check in story.checks if check.what.startswith("refused")]
    yield Row("groups opened", f"{journal.commands['group']}", "GroupOpened")
    yield Row("people admitted", f"{journal.commands['join']}, {journal.commands['leave']} left", "MemberJoined")
    yield Row("people who waited for a seat", f"{journal.commands['wait']}", "ApplicationChanged")
    yield Row("people refused", _counts(doors))
    yield Row("contributions counted", f"{ledger.kinds['ContributionMade']}", "ContributionMade")
    steps = (told for standing in ledger.standings.values() for told in standing.told)
    changes = Counter(f"{old} to {new}" for _, old, new in steps if old)
    yield Row("tiers changed", _counts(changes), "TierChanged")
    yield Row("refused as they must be, at doors and elsewhere", f"{sum(refusals)} of {len(refusals)}")
    held = sum(check.holds for check in story.checks)
    yield Row("all checks on the way", f"{held} of {len(story.checks)} hold")


def _of_talk(session: Session) -> Iterable[Row]:
    kinds, commands = session.witness.ledger.kinds, session.client.journal.commands
    yield Row("messages in groups", f"{commands['message']}, {commands['delete']} deleted", "MessagePosted")
    yield Row("messages judged", f"{kinds['MessageJudged']}", "MessageJudged")
    yield Row("messages hidden", f"{kinds['MessageVisibilityChanged']}", "MessageVisibilityChanged")
    yield Row("needs opened by messages", f"{kinds['GroupNeedOpened']}", "GroupNeedOpened")
    answered = f"{kinds['GroupNeedAnswered']} of {commands['thank']} accepted"
    yield Row("needs answered by messages", answered, "GroupNeedAnswered")
    escalated = sum(need.step > 0 and need.where != "" for need in session.witness.ledger.needs.values())
    yield Row("needs in groups escalated", f"{escalated}", "GroupNeedEscalated")


def _of_campaigns(session: Session, story: Story) -> Iterable[Row]:
    for campaign in story.campaigns:
        caught = f"{campaign.hidden} of {campaign.due} hidden that had to be, {campaign.planted} planted"
        yield Row(f"campaign: {campaign.what}", f"{caught}: {campaign.why}")
    spared = sum(not session.witness.ledger.hidden.get(text) for text in story.spared)
    yield Row("honest texts that look like one, shown", f"{spared} of {len(story.spared)}")


def _counts(counts: Counter[str]) -> str:
    return f"{counts.total()}: " + ", ".join(f"{name} {n}" for name, n in counts.most_common()) if counts else "0"


async def stay(console: Console, session: Session) -> None:
    """Up until cancelled; a feed of another process finds it."""
    assert session.directory is not None
    announce(session.directory, session.live)
    for name, url in session.live.urls.items():
        console.print(f"{name:<11} {url}/docs", highlight=False)
    console.print(f"tokens      {session.live.issuer}/token?person=ann&scope=", highlight=False, markup=False)
    console.print(f"logs        {session.directory}/services", highlight=False)
    console.print("up; Ctrl-C ends it")
    await asyncio.Event().wait()
