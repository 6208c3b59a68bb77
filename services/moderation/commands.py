"""The service's own command lines: its core, offline.

    python -m services.moderation train --data labelled.jsonl.gz --out model
    python -m services.moderation score --model model < texts.jsonl > scores.jsonl
    python -m services.moderation backtest --rules draft.rules --days 7 --plot hidden.svg

The last one reads the topics, and nothing else of a running system. Files are JSON lines, plain or gzipped. All rows
are read and checked before anything is learned or written.
"""

import argparse
import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from services.moderation.core import BadModel, Bar, Case, Judges, Lesson, pack, read, studied, unpack, verdicts
from services.moderation.core import watched as seen
from services.moderation.core.backtest import Backtest
from services.moderation.past import SOURCES, Past
from services.moderation.report import people, plot, table
from shared.errors import Transient
from shared.history import history
from shared.release import base_rules
from shared.rows import BAD_INPUT, BadRow, rows, rows_of, watched
from shared.rules import BadRules, ruleset
from shared.settings import KafkaSettings
from shared.settings import load as load_settings

TRY_AGAIN = 75
"""The exit status while the broker is away, as of `ops`."""
AGAIN = 7
"""How often a training looks at its rows again, after it has learned each of them once."""
CHUNK = 2_048
"""Texts scored before their lines are written."""


class LabelledRow(msgspec.Struct, frozen=True):
    """A text of the community, and whether it is spam (1)."""

    text: str
    label: Literal[0, 1]


class TextRow(msgspec.Struct, frozen=True):
    """A text to score."""

    text: str


class Trained(NamedTuple):
    """What came of a training: who judges now, and the chances that ham had before it was learned."""

    judges: Judges
    chances: tuple[float, ...]


def train(words: Sequence[str]) -> int:
    """Make a model of labelled texts and write it to a file; one JSON line says what it has learned."""
    parser = argparse.ArgumentParser(prog="python -m services.moderation train", description="Make a text model.")
    parser.add_argument("--data", type=Path, required=True, nargs="+", metavar="FILE", help="rows: text, label")
    parser.add_argument("--out", type=Path, required=True, metavar="MODEL", help="where to write it")
    chosen = parser.parse_args(words)
    try:
        given = [row for path in chosen.data for _, row in rows(path, LabelledRow)]
        made = trained(watched(mixed(given), "learning"))
        if not made.judges.model.speaks:
            raise BadRow("--data", None, "too few texts of one label: the model would keep silent")
        _write(chosen.out, pack(made.judges.model, made.chances))
    except BadRow as bad:
        sys.stderr.write(f"{bad}\n")
        return BAD_INPUT
    model, bar = made.judges.model, made.judges.bar
    told = {"model": model.version, "ham": model.ham, "spam": model.spam, "bar": bar.at}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


def mixed(given: Iterable[LabelledRow]) -> list[LabelledRow]:
    """The rows in an order that depends on their texts alone: files are often sorted by label, which would bend it."""
    return sorted(given, key=lambda row: blake2b(row.text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def trained(given: Iterable[LabelledRow]) -> Trained:
    """Learn the rows in this order, and then again in others."""
    labels, rules = list[bool](), base_rules()

    def lessons() -> Iterable[Lesson]:
        for row in given:
            labels.append(row.label == 1)
            yield read(row.text, rules), labels[-1]

    model, before = studied(lessons(), AGAIN)
    ham = tuple(c for c, spam in zip(before, labels, strict=True) if c is not None and not spam)
    return Trained(Judges(rules, model, seen(Bar(id="trained"), ham)), ham)


def score(words: Sequence[str]) -> int:
    """Score the texts on stdin; a line on stdout for each of their lines: `score` in 0..1, and `reasons`."""
    parser = argparse.ArgumentParser(prog="python -m services.moderation score", description="Score texts on stdin.")
    parser.add_argument("--model", type=Path, required=True, metavar="MODEL", help="what train has written")
    chosen = parser.parse_args(words)
    try:
        judges = load(chosen.model)
        texts = [row.text for _, row in rows_of(sys.stdin.buffer, "stdin", TextRow)]
    except (BadRow, BadModel) as bad:
        sys.stderr.write(f"{bad}\n")
        return BAD_INPUT
    try:
        for start in range(0, len(texts), CHUNK):
            for verdict in verdicts(list(map(Case, texts[start : start + CHUNK])), judges):
                reasons = [
                    {"rule": r.rule, "weight": r.weight, "start": r.evidence[0], "end": r.evidence[1]}
                    for r in verdict.reasons
                ]
                sys.stdout.write(json.dumps({"score": verdict.chance, "reasons": reasons}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def backtest(words: Sequence[str]) -> int:
    """Judge days of the topics by other rules; a table on stdout of who would be judged otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m services.moderation backtest",
        description="Judge days of the topics by other rules. Kafka is found by the settings LIANYI_KAFKA….",
    )
    parser.add_argument("--rules", type=Path, required=True, metavar="FILE", help="a set in the language of rules")
    parser.add_argument("--days", type=float, default=7.0, help="how far to go back (7)")
    parser.add_argument("--people", type=int, default=20, help="how many people to name (20)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write what is hidden over time as SVG")
    chosen = parser.parse_args(words)
    try:
        tried = Backtest(ruleset(chosen.rules.read_text("utf-8")))
    except BadRules as bad:
        sys.stderr.write("".join(f"{chosen.rules}:{fault}\n" for fault in bad.faults))
        return BAD_INPUT
    except (OSError, UnicodeDecodeError):
        sys.stderr.write(f"{chosen.rules}: cannot be read\n")
        return BAD_INPUT
    until = datetime.now(UTC)
    since = until - timedelta(days=chosen.days)
    past, begun = Past(tried), time.process_time()
    try:
        asyncio.run(_read(past, load_settings(KafkaSettings), since))
    except Transient as away:
        sys.stderr.write(f"{away}\n")
        return TRY_AGAIN
    rate = past.records / max(time.process_time() - begun, 1e-9)
    found = sorted(tried.outcomes(), key=lambda outcome: (outcome.at, outcome.content_id))
    read_ = f"{past.records:,} events, {rate:,.0f} a second of the processor, {past.unreadable:,} unreadable"
    head = f"rules {tried.rules.version}, {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}: {read_}"
    sys.stdout.write(f"{head}\n\n{table(found, tried.texts)}\n\n{people(found, chosen.people)}\n")
    try:
        if chosen.plot:
            _write(chosen.plot, plot(found, (since, until)).encode())
    except BadRow as bad_path:
        sys.stderr.write(f"{bad_path}\n")
        return BAD_INPUT
    return 0


async def _read(past: Past, settings: KafkaSettings, since: datetime) -> None:
    # Nothing here makes cycles, and what is kept is kept: looking through it again and again takes a tenth of the time.
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    async for records in history(settings.brokers, SOURCES, since):
        past.take(records)


def load(path: Path) -> Judges:
    """Who judges by a file that `train` has written. Raises BadModel if it cannot be used."""
    try:
        model, chances = unpack(path.read_bytes())
    except OSError as error:
        raise BadModel(f"{path}: {error.strerror or 'cannot be read'}") from None
    except BadModel as bad:
        raise BadModel(f"{path}: {bad}") from None
    return Judges(base_rules(), model, seen(Bar(id="trained"), chances))


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise BadRow(str(path), None, error.strerror or "cannot be written") from None
