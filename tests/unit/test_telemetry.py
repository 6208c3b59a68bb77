"""What is scraped: names and labels, and what a scrape says before anything has happened."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

from prometheus_client import generate_latest

from shared.contracts.dead import DeadReason
from shared.telemetry import LaneGauges, LaneReport, Metrics, ModelGauges, ModelReport

ROOT = Path(__file__).resolve().parents[2]


def test_dead_letters_count_from_zero() -> None:
    """Every reason has a sample before its first letter: an increase is seen only between two samples."""
    text = generate_latest(Metrics("notes").registry).decode()
    for reason in get_args(DeadReason):
        assert f'lianyi_lane_dead_letters_total{{reason="{reason}"}} 0.0' in text


def test_lanes_that_nobody_owns_can_be_counted() -> None:
    """The scrape says how many lanes a key has, beside those that this process reports."""
    report = LaneReport("note:1", "idle", 0, 3, 4.0, 5.0, "bad input")
    metrics = Metrics("notes")
    metrics.registry.register(LaneGauges(lambda: [report], {"note": 4}))
    text = generate_latest(metrics.registry).decode()
    assert 'lianyi_lane_partitions{key="note"} 4.0' in text
    assert 'lianyi_lane_lag_seconds{lane="note:1"} 4.0' in text
    assert 'lianyi_lane_outbox_seconds{lane="note:1"} 5.0' in text
    assert 'lianyi_lane_held{lane="note:1"} 1.0' in text


def test_a_bar_that_is_not_there_has_no_sample() -> None:
    """Nought would say that the model hides everything."""
    assert told(ModelReport(7, None)) == {"lianyi_model_lessons": [7], "lianyi_model_bar": []}
    assert told(ModelReport(300, 0.9)) == {"lianyi_model_lessons": [300], "lianyi_model_bar": [0.9]}


def told(report: ModelReport) -> dict[str, list[float]]:
    return {family.name: [s.value for s in family.samples] for family in ModelGauges(lambda: report).collect()}


def test_a_process_tells_of_itself() -> None:
    """Memory and start are scraped beside our own: restarts are seen by the start."""
    text = generate_latest(Metrics("notes").registry).decode()
    assert "\nprocess_resident_memory_bytes " in text
    assert "\nprocess_start_time_seconds " in text


FAILING = """
import asyncio

import structlog
from shared.telemetry import configure_logging

def fold(text: str) -> None:
    try:
        raise KeyError(text)
    except KeyError as error:
        raise ValueError(f"not {text}") from error

async def forget() -> None:
    asyncio.create_task(asyncio.to_thread(fold, "my own " + "words"))
    await asyncio.sleep(0.1)

configure_logging("notes")
try:
    fold("my own " + "words")
except ValueError:
    structlog.get_logger().exception("lane_failed", lane="note:1")
asyncio.run(forget())
"""


def test_a_traceback_tells_where_and_nothing_of_what() -> None:
    """A bug's line names types and places; no variable and no message, which may hold a text or a password."""
    told = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert "my own words" not in told
    line, library = map(json.loads, told.splitlines())
    assert (line["event"], line["lane"], line["level"]) == ("lane_failed", "note:1", "error")
    assert [error["exc_type"] for error in line["exception"]] == ["ValueError", "KeyError"]
    assert line["exception"][0]["frames"][-1] == {"filename": "<string>", "lineno": 11, "name": "fold"}
    assert (library["event"], library["message"]) == ("library", "Task exception was never retrieved")
    assert [error["exc_type"] for error in library["exception"]] == ["ValueError", "KeyError"]
