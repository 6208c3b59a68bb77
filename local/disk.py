"""A file system of its own under a server's data, so that it can be full: a tmpfs, which takes root on Linux."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEGABYTE = 1 << 20
MOUNTS = Path("/proc/self/mounts")
ROOM = 1024.0
"""MB that are free at first: more than the longest round writes."""


def missing() -> str | None:
    """Why no file system can be mounted here, in words; None when one can."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return "no mount or unshare on PATH"
    allowed = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
    return None if allowed else "mounting a file system takes root"


class Disk:
    """A mounted file system, as `disk` makes it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def leave(self, megabytes: float = ROOM) -> None:
        """Makes it so small, or so large, that so much is free."""
        told = os.statvfs(self._directory)
        used = (told.f_blocks - told.f_bfree) * told.f_frsize
        _mount(self._directory, f"remount,size={used + int(megabytes * MEGABYTE)}")


@contextmanager
def disk(directory: Path) -> Iterator[Disk]:
    """An empty file system at `directory` while the block runs. What a killed run has left mounted is unmounted with
    its workspace. Raises subprocess.CalledProcessError where `missing` says why."""
    directory.mkdir(parents=True)
    _mount(directory, f"size={int(ROOM * MEGABYTE)},mode=700")
    try:
        yield Disk(directory)
    finally:
        unmount(directory)


def unmount(directory: Path) -> None:
    """Takes away what is mounted at the directory or below it; it is gone when nobody uses it any more."""
    for line in reversed(MOUNTS.read_text().splitlines() if MOUNTS.exists() else []):
        place = Path(line.split()[1])
        if place.is_relative_to(directory):
            subprocess.run(["umount", "--lazy", str(place)], capture_output=True, check=False)


def _mount(directory: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "lianyi", str(directory)], capture_output=True, check=True)
