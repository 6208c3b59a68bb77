"""How a feed finds a system that stays up in another process."""

import json
from dataclasses import asdict
from pathlib import Path

from local.live import FILE, Live, announce, find
from local.places import PREFIX, workspace

LIVE = Live("embedded", "127.0.0.1:1", {"notes": "http://127.0.0.1:2"}, "http://127.0.0.1:3", 4)


async def test_a_system_that_stays_up_is_found(tmp_path: Path) -> None:
    """As long as its owner holds its directory, and from the moment it is announced."""
    async with workspace(tmp_path) as directory:
        assert find(tmp_path) is None
        announce(directory, LIVE)
        assert find(tmp_path) == LIVE
    assert find(tmp_path) is None


def test_what_a_dead_run_has_left_is_no_system(tmp_path: Path) -> None:
    """After kill -9 the file may still be there; nobody holds the directory, so nobody serves."""
    left = tmp_path / f"{PREFIX}1-dead"
    left.mkdir()
    (left / FILE).write_text(json.dumps(asdict(LIVE)))
    assert find(tmp_path) is None
