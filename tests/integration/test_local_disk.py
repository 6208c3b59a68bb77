"""A file system that can be full, for fault tests."""

import errno
import os
from pathlib import Path

import pytest

from local.disk import MEGABYTE, disk, missing
from local.places import PREFIX, workspace

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def test_a_disk_takes_what_there_is_room_for(tmp_path: Path) -> None:
    """It is full when no more is left, takes more when it has been made larger, and is gone at the end."""
    place = tmp_path / "place"
    with disk(place) as made:
        made.leave(1.0)
        with pytest.raises(OSError, match="No space") as full:
            (place / "large").write_bytes(bytes(2 * MEGABYTE))
        assert full.value.errno == errno.ENOSPC
        made.leave(3.0)
        (place / "large").write_bytes(bytes(2 * MEGABYTE))
        assert os.path.ismount(place)
    assert not os.path.ismount(place)


async def test_what_a_killed_run_has_left_mounted_goes_with_its_workspace(tmp_path: Path) -> None:
    """The next run takes away mount and directory."""
    left = tmp_path / f"{PREFIX}of-the-dead"
    with disk(left / "broker"):
        async with workspace(tmp_path):
            assert not left.exists()
