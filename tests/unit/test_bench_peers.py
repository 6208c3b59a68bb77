"""The comparison with peers, as far as it is reckoning: bars, phases, pages."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.bench.peers import capacity, sections
from tests.bench.peers.callers import crowd
from tests.bench.peers.commands import a_command, spent
from tests.bench.peers.phases import shares
from tests.bench.peers.report import others, page
from tests.bench.peers.stage import PEERS
from tests.bench.peers.targets import TARGETS, Target, judged
from tests.bench.peers.workload import author_key, comments, expected, judge

AT_LEAST = Target("times", "part", 20, 15, float)
AT_MOST = replace(AT_LEAST, target=2, bar=3, most=True)
WORLD = dict.fromkeys(("measured", "cores", "python", "broker", "database", "clients", "others"), "named")
PEER = {"rate": 1000.0, "rates": [1000.0], "own_us": 50.0, "database_us": 100.0, "broker_us": 5.0}
RATES: Any = {"world": WORLD, "keys": "uniform", "partitions": 4, "peers": dict.fromkeys(PEERS, PEER)}
TRIPS: Any = {"world": WORLD, "peers": {"ours": {"database_bytes": 600.0, "broker_bytes": 700.0}}}
CELL = {"keys": "uniform", "limit": 200, "rate": 500.0, "own_us": 50.0, "database_us": 100.0}


@pytest.mark.parametrize(
    ("target", "value", "said"),
    [
        (AT_LEAST, 20, "met"),
        (AT_LEAST, 16, "missed"),
        (AT_LEAST, 14, "fails"),
        (AT_MOST, 2, "met"),
        (AT_MOST, 2.5, "missed"),
        (AT_MOST, 3.1, "fails"),
    ],
)
def test_a_figure_fails_beyond_its_bar_only(target: Target, value: float, said: str) -> None:
    """Between target and bar it is missed, and told; beyond the bar the run fails."""
    assert target.row(value)[-1] == said
    assert target.fails(value) == (said == "fails")


def test_every_bar_lies_on_the_far_side_of_its_target() -> None:
    """A figure that fails has missed its target, too."""
    assert [t.figure for t in TARGETS if (t.bar < t.target) == t.most] == []


def test_a_target_is_judged_by_its_own_part() -> None:
    """What was not measured is not judged; what was is, by the peers it names."""
    slow = {**RATES, "peers": {**RATES["peers"], "a": {**PEER, "rate": 100.0}}}
    values = {target.figure: value for target, value in judged({"uniform": slow})}
    assert values["against (a) single message, times"] == 10
    assert values["against (d) inbox and outbox per event, times"] == 1
    assert set(values) == {target.figure for target in TARGETS if target.part == "uniform"}


def test_processes_are_compared_where_all_else_is_equal() -> None:
    """Four against one at the usual limit, with the same keys and partitions; the median of such pairs."""
    cells = [
        {**CELL, "partitions": partitions, "processes": many, "own_us": own}
        for partitions, many, own in ((4, 1, 50.0), (4, 2, 99.0), (4, 4, 60.0), (12, 1, 50.0), (12, 4, 80.0))
    ]
    values = {target.part: value for target, value in judged({"grid": {"cells": cells}})}
    assert values == {"grid": pytest.approx(1.4)}


def test_samples_are_counted_by_phase() -> None:
    """A stack is of the first phase that it shows, and shares add up to one."""
    raw = "\n".join(
        [
            "run (asyncio/base_events.py:1);step (shared/flow/step.py:2);fold (shared/flow/fold.py:3) 5",
            "run (threading.py:1);bulk_write (pymongo/collection.py:2);send (socket.py:3) 3",
            "run (threading.py:1);commit_transaction (pymongo/client_session.py:2) 1",
            "select (selectors.py:1) 1",
        ]
    )
    found = shares(raw)
    assert {name: share for name, share in found.items() if share} == {
        "fold": 0.5,
        "driver": 0.3,
        "commit": 0.1,
        "the rest": 0.1,
    }


def test_a_commands_time_is_of_the_innermost_owner() -> None:
    """What the framework calls is not the framework's, and the standard library works for who called it."""
    raw = "\n".join(
        [
            "run (runners.py:1);app (fastapi/app.py:2);handle (shared/desk.py:3);loads (json/decoder.py:4) 4",
            "run (runners.py:1);app (fastapi/app.py:2);handle (shared/desk.py:3);step (shared/flow/step.py:4) 3",
            "run (asyncio/runners.py:1);app (fastapi/routing.py:2) 2",
            "run (asyncio/runners.py:1) 1",
        ]
    )
    told = {name: share for name, share in spent(raw).items() if share}
    assert told == {"our edge": 0.4, "lane and events": 0.3, "framework": 0.2, "loop and the rest": 0.1}


def test_requests_are_those_of_the_commands() -> None:
    """What a server sent before the first of them, as it started, is none of theirs."""
    start = Counter({"mongo createIndexes": 30, "mongo insert": 2, "mongo commitTransaction": 1, "kafka Metadata": 9})
    after = start + Counter({"mongo insert": 40, "mongo commitTransaction": 20, "kafka Produce": 10})
    told = {"database_requests": 0.6, "broker_requests": 0.1, "transactions": 0.2}
    assert a_command(start, after, 100) == pytest.approx(told)


async def test_a_command_that_is_answered_after_the_window_was_done_all_the_same() -> None:
    """It is not timed, and is counted: so is what it took of the processor."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        asyncio.get_running_loop().call_later(0.5, over.set)
        told = await crowd(server.sockets[0].getsockname()[1], ["ann", "bob"], 0.01)
    assert (told.seconds, told.all, told.refused) == ([], 2, [])


def test_what_bounds_commands_is_reckoned_from_the_tables() -> None:
    """A server of 900 us behind an edge of 300 is passed 1.5 times by ours at 600, 3 times by the edge alone; with an
    edge that costs nothing ours, at 300, would pass it twice."""
    asked = dict.fromkeys(("rate", "p50_ms", "p99_ms", "database_us", "broker_us", "callers_us"), 50.0)
    own = {"ours": 600.0, "ours, pymongo": 600.0, "insert": 900.0, "boxes": 1800.0, "edge": 300.0}
    requests = {"database_requests": 0.1, "broker_requests": 0.02, "transactions": 0.02}
    look = {"shares": {"framework": 0.4, "server": 0.6}, "requests": requests}
    part: Any = {"world": WORLD, "peers": {}, "looks": dict.fromkeys(own, look)}
    part["peers"] = {name: {many: {**asked, "own_us": micros} for many in ("64", "1")} for name, micros in own.items()}
    told = sections.api(part)
    assert "| against insert | 1.50 | 3.00 | 2.00 |" in told
    assert "| ours | 240 | 360 | 50 | 50 | 50 | 0.1 | 0.02 |" in told
    assert "had 50 commands" in told


def test_the_page_names_the_servers_with_every_table() -> None:
    """Machine, broker and database stand with the figures; parts that were not measured are not told."""
    told = page({"uniform": RATES})
    assert sections.where(RATES) in told
    assert "| against (a) single message, times | ≥ 20 | 1 | ≥ 15 | fails |" in told
    assert "kill -9" not in told


def test_what_was_written_by_hand_stays_on_the_page() -> None:
    """Made anew, the page ends as it did."""
    first = page({"uniform": RATES})
    assert page({"uniform": RATES}, first + "\nBecause.\n") == first + "\nBecause.\n"


@pytest.mark.parametrize(("busy", "own", "share"), [(12.0, 8.0, 0.2), (8.0, 8.01, 0.0)])
def test_what_others_took_is_told(busy: float, own: float, share: float) -> None:
    """Of two processors over ten seconds: what was busy beyond one's own; never less than nothing."""
    assert others(busy, own, 10.0, 2) == share


def test_slopes_are_of_a_batch_and_of_a_process() -> None:
    """A batch of 2 ms and 100 us an event is told as that; so is a process that adds 5 us to each event."""
    singles = [
        {**CELL, "partitions": 4, "processes": 1, "limit": n, "rate": 4 * n / (0.002 + n / 1e4)} for n in (1, 200)
    ]
    more = [{**CELL, "partitions": 4, "processes": n, "own_us": 45.0 + 5 * n} for n in (2, 4)]
    told = sections.grid({"world": WORLD, "cells": [*singles, *more]})
    assert "| uniform | 4 | 2.0 ms | 100 us | +5.0 us |" in told


def test_capacity_is_the_rule_with_the_figures_in() -> None:
    """A billion a day at 50 us is 4 cores of pods at half load; partitions follow the rate of one lane."""
    grid = {"cells": [{**CELL, "partitions": 1, "processes": 1}]}
    assert capacity.page({"uniform": RATES, "trips": TRIPS}) == ""
    told = capacity.page({"uniform": RATES, "trips": TRIPS, "grid": grid})
    assert "| 1,000,000,000 | 34,722 | extrapolated | 139 | 4 | 6.9 | 600 GB | 63 TB |" in told
    assert "| 10,000,000 | 347 | measured |" in told


def test_the_work_is_the_same_again() -> None:
    """Comments are drawn by number, so that every peer and the reckoning beside them see the same."""
    first, again = (list(comments(50, "zipf", first=10)) for _ in range(2))
    assert first == again
    assert first[0].comment_id == "c00000010"
    told = expected(50, "uniform", 4)
    assert told.judgements.keys() == {comment.comment_id for comment in comments(50, "uniform")}
    assert told.notes.total() == told.authors.total() == 50


def test_hot_keys_are_hot() -> None:
    """Zipf's first note is met more often than all of a hundred even ones."""
    notes = [comment.note_id for comment in comments(2_000, "zipf")]
    assert notes.count("n00000") > 100
    assert len({comment.note_id for comment in comments(2_000, "uniform")}) > 1_500


def test_an_author_is_counted_where_one_lane_writes() -> None:
    """The document's key names the partition of the comment's note."""
    comment = next(comments(1, "uniform"))
    assert author_key(comment, 1) == f"0:{comment.author_id}"
    assert author_key(comment, 4).split(":")[1] == comment.author_id


def test_advertisements_are_seen() -> None:
    """One comment in ten is hidden, with the rules that fired and where."""
    verdicts = [judge(comment) for comment in comments(100, "uniform")]
    assert sum(verdict.hidden for verdict in verdicts) == 10
    assert all(verdict.reasons for verdict in verdicts if verdict.hidden)
