"""How much memory a process holds, and has held, in MB, as /proc tells; 0.0 where it does not."""

from pathlib import Path


def resident(pid: int) -> float:
    """Now."""
    return _told(pid, "VmRSS:")


def peak(pid: int) -> float:
    """At most so far."""
    return _told(pid, "VmHWM:")


def _told(pid: int, name: str) -> float:
    try:
        told = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in told.splitlines() if line.startswith(name)), 0.0)
