"""M4. Days of the topics judged by other rules: exactly what the live service makes of them, and what differs."""

import random
import re
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition

from local.campaigns import COPY, DISH, FLOOD, SWAP
from services.moderation.commands import backtest
from services.moderation.core.backtest import Backtest, Outcome
from services.moderation.handlers import DecideContent
from services.moderation.past import SOURCES, Past
from services.moderation.report import people, plot, table
from shared.contracts import Event
from shared.contracts.notes import CommentDeleted, CommentEdited, CommentPosted, NoteEdited, NotePosted
from shared.contracts.talk import MessagePosted
from shared.contracts.topics import GROUP_VERDICT, MESSAGE, NOTE, NOTE_VERDICT
from shared.flow.ports import Incoming
from shared.history import merged
from shared.rules import ruleset
from tests.unit.judging import HAM, RULES, SPAM, ham, service, spam, taught
from tests.unit.support import START, World, wire

STRICT = ruleset(RULES.source + '\nphrases rocks = """ 岩馆 """\nrule climbing "岩馆" hide when text has rocks')
SILENT = ruleset('rule long_run "重复" weigh 0.1 when content.run >= 30')


class Days:
    """What a live service and its neighbours have said, record by record, in the order in which it was sent."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or service()
        self.records: list[Incoming] = []
        self._told = 0

    def hear(self, event: Event) -> None:
        record = self.world.record(event)
        self.records.append(record)
        self.world.take([record])
        self.follow()

    def follow(self) -> None:
        self.world.settle()
        self.records += [wire(record) for record in self.world.records[self._told :]]
        self._told = len(self.world.records)

    def comment(self, id_: str, author: str, text: str, note: str = "n") -> None:
        self.hear(CommentPosted(comment_id=id_, note_id=note, author_id=author, note_author_id="ann", text=text))

    def edit(self, id_: str, author: str, text: str, revision: int = 1) -> None:
        ids = {"comment_id": id_, "note_id": "n", "author_id": author, "note_author_id": "ann"}
        self.hear(CommentEdited(**ids, text=text, revision=revision))

    def decide(self, id_: str, hide: bool) -> None:
        self.world.ask(DecideContent(person_id="s", content_id=id_, hide=hide, note="看过了", revision=0))
        self.follow()


def judged(days: Days, rules: Any = RULES) -> dict[str, Outcome]:
    tried = Backtest(rules)
    past = Past(tried)
    past.take(days.records)
    assert past.unreadable == 0
    return {outcome.content_id: outcome for outcome in tried.outcomes()}


@pytest.mark.parametrize("seed", range(12))
def test_m4_the_rules_in_force_judge_as_they_did(seed: int) -> None:
    """Floods, copies, edits, newcomers and relapses over hours: with the rules that judged then nothing differs."""
    rng, days = random.Random(seed), Days()
    texts = [*FLOOD, COPY, SWAP, SPAM, HAM, DISH[2], *map(ham, range(9)), *map(spam, range(4))]
    written = list[tuple[str, str, int]]()
    for n in range(120):
        days.world.now += timedelta(seconds=rng.choice([0.5, 3, 20, 900]))
        author, text = f"p{rng.randrange(5)}", rng.choice(texts)
        match rng.randrange(5):
            case 0:
                days.hear(NotePosted(note_id=f"n{n}", author_id=author, title="标题", text=text))
            case 1 if written:
                id_, author, revision = written.pop(rng.randrange(len(written)))
                days.edit(id_, author, text, revision + 1)
                written.append((id_, author, revision + 1))
            case 2:
                days.hear(MessagePosted(message_id=f"m{n}", group_id=f"g{n % 3}", author_id=author, text=text))
            case _:
                days.comment(f"c{n}", author, text, f"n{n % 4}")
                written.append((f"c{n}", author, 0))
    changes = Counter(outcome.change for outcome in judged(days).values())
    assert set(changes) == {"both"}
    assert changes["both"] >= 3


def test_m4_it_names_who_would_be_judged_otherwise() -> None:
    """Added, spared and neither, with the rules on both sides; who is hidden on both is not otherwise judged."""
    days = Days()
    days.comment("ad", "eve", SPAM)
    days.comment("rock", "bob", f"{HAM} 一起")
    days.comment("plain", "dan", "周日一起跑步吗")
    found = judged(days, STRICT)
    assert {id_: outcome.change for id_, outcome in found.items()} == {"ad": "both", "rock": "added"}
    assert (found["rock"].author_id, found["rock"].was, found["rock"].would) == ("bob", (), ("climbing",))
    spared = judged(days, SILENT)
    assert [(o.content_id, o.change, o.would) for o in spared.values()] == [("ad", "spared", ())]
    assert "contact" in spared["ad"].was


def test_m4_staff_hold_whatever_rules_say() -> None:
    """What they decided is told apart, hidden or restored."""
    days = Days()
    days.comment("hidden", "eve", "周日一起跑步吗")
    days.decide("hidden", hide=True)
    days.comment("restored", "bob", f"{HAM} 一起")
    days.decide("restored", hide=True)
    days.decide("restored", hide=False)
    assert {o.content_id: o.change for o in judged(days, STRICT).values()} == {"hidden": "staff", "restored": "staff"}


def test_m4_what_the_model_hid_is_told_apart() -> None:
    """Rules alone cannot say whether they would have done without it."""
    days = Days(service(origin=taught()))
    for n in range(900):
        days.comment(f"h{n}", f"p{n}", ham(n))
    days.comment("m", "eve", spam(9001))
    assert judged(days, SILENT)["m"].change == "model"


def test_m4_what_was_deleted_concerns_nobody() -> None:
    """Neither side has it any more."""
    days = Days()
    days.comment("ad", "eve", SPAM)
    gone = CommentDeleted(comment_id="ad", note_id="n", author_id="eve", note_author_id="ann", by_id="eve", revision=1)
    days.hear(gone)
    assert judged(days, STRICT) == {}


def test_m4_doubles_and_strangers_change_nothing() -> None:
    """A record that came twice is one; what cannot be read is counted, and the rest is judged."""
    days = Days()
    days.comment("ad", "eve", SPAM)
    days.comment("rock", "bob", f"{HAM} 一起")
    tried = Backtest(STRICT)
    past = Past(tried)
    broken = Incoming("t", 0, 0, None, b"{", days.records[0].headers)
    past.take([*days.records, *days.records, broken, Incoming("t", 0, 0, None, b"", ())])
    assert {o.content_id: o.change for o in tried.outcomes()} == {"ad": "both", "rock": "added"}
    assert (past.unreadable, past.records, tried.texts.total()) == (1, 2 * len(days.records) + 2, 2)


def test_m4_an_edit_that_is_added_to_is_compared_with_what_others_saw() -> None:
    """As live: an advertisement edited in is told from one that stood there."""
    days = Days()
    title, before, after = DISH
    days.hear(NotePosted(note_id="n", author_id="eve", title=title, text=before))
    days.world.now += timedelta(days=2)
    days.hear(NoteEdited(note_id="n", author_id="eve", title=title, text=after, revision=1))
    days.hear(NoteEdited(note_id="n", author_id="eve", title=title, text=f"{after}!", revision=2))
    days.hear(NotePosted(note_id="m", author_id="eve", title=title, text=after))
    assert {o.content_id: (o.change, "edited_in" in o.would) for o in judged(days).values()} == {"n": ("both", True)}


# -- as it is shown --------------------------------------------------------------------------------------------


def outcome(number: int, change: Any, author: str = "eve", was: Any = (), would: Any = ()) -> Outcome:
    return Outcome(f"c{number}", change, "comment", author, START + timedelta(hours=number), was, would)


SHOWN = [
    outcome(0, "both", was=("contact",), would=("contact",)),
    outcome(1, "added", "bob", would=("climbing", "price")),
    outcome(2, "added", "bob", would=("climbing",)),
    outcome(3, "spared", "dan", was=("flood", "price")),
    outcome(4, "staff"),
]


def test_m4_the_table_counts_by_kind_and_by_rule() -> None:
    """Texts of each kind, how they come out, and which rules hide more and spare more."""
    shown = table(SHOWN, Counter({"comment": 40, "note": 2}))
    flat = [" ".join(line.split()) for line in shown.splitlines()]
    assert "texts 2 40 0 42" in flat
    assert "hidden by these rules alone 0 2 0 2" in flat
    assert "hidden then, and spared by these rules 0 1 0 1" in flat
    assert "decided by staff, who hold whatever rules say 0 1 0 1" in flat
    assert {"climbing 2 0", "flood 0 1", "price 1 1"} <= set(flat)


def test_m4_people_are_named_by_how_much_it_concerns_them() -> None:
    """With one content each and both sides' rules; the rest is counted, and nobody is a sentence."""
    flat = [" ".join(line.split()) for line in people(SHOWN, 1).splitlines()]
    assert flat[1:] == ["bob 2 0 comment c1 - climbing price", "… and 1 more"]
    assert people(SHOWN[:1], 5) == "nobody would be judged otherwise"


def test_m4_the_plot_has_a_bar_for_every_hour_that_differs() -> None:
    """Bars as high as their counts, in the place of their hour, and well-formed: no text of people in it."""
    drawn = plot(SHOWN, (START, START + timedelta(hours=10)))
    bars = re.findall(r'x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="(#\w+)"', drawn)
    hours = [(round((float(x) - 50) / 80), fill) for x, _, wide, _, fill in bars if float(wide) > 20]
    assert hours == [(0, "#9aa5b1"), (1, "#c8442e"), (2, "#c8442e"), (3, "#2f7dc1")]
    assert len({tall for *_, tall, _ in bars if float(tall) > 20}) == 1
    assert "eve" not in drawn
    assert plot([], (START, START)).endswith("</svg>\n")


# -- as it is read ---------------------------------------------------------------------------------------------


@dataclass
class Sent:
    """A record as a client hands it over."""

    offset: int
    timestamp: int


class Log:
    """What the reader asks of a consumer, over lists; each partition gives one record at a time."""

    def __init__(self, partitions: Mapping[TopicPartition, Sequence[int]]) -> None:
        self._left = {p: deque(Sent(n, t) for n, t in enumerate(times)) for p, times in partitions.items()}
        self._ends = {p: len(times) for p, times in partitions.items()}

    async def position(self, place: TopicPartition) -> int:
        return self._ends[place] - len(self._left[place])

    async def getmany(self, place: TopicPartition, **_: int) -> dict[TopicPartition, list[Sent]]:
        return {place: [self._left[place].popleft()]} if self._left[place] else {}


@pytest.mark.parametrize("seed", range(20))
async def test_m4_partitions_are_read_as_one_by_time(seed: int) -> None:
    """All records up to the ends of the beginning, later ones not, each in the order of its sending."""
    rng = random.Random(seed)
    times = {TopicPartition("t", n): sorted(rng.sample(range(1_000), rng.randrange(30))) for n in range(4)}
    ends = {place: rng.randrange(len(found) + 1) for place, found in times.items()}
    got = [record async for records in merged(Log(times), ends) for record in records]
    wanted = sorted(t for place, found in times.items() for t in found[: ends[place]])
    assert [record.timestamp for record in got] == wanted


def test_m4_a_file_that_is_no_set_of_rules_is_named(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """By place and fault, with the status of bad input, before anything is asked of a broker."""
    file = tmp_path / "draft.rules"
    file.write_text('rule r "w" hide when content.runs > 3')
    assert backtest(["--rules", str(file)]) == 2
    assert f"{file}:1:" in capsys.readouterr().err
    assert backtest(["--rules", str(tmp_path / "none")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_m4_only_what_holds_texts_and_verdicts_is_read() -> None:
    """Four topics; none that a service without rights on it would ask for."""
    assert tuple(topic.name for topic in (NOTE, MESSAGE, NOTE_VERDICT, GROUP_VERDICT)) == SOURCES
