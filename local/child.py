"""Becomes the given command, tied to the life of whoever started it: `child.py PARENT COMMAND…`.

A tiny program of its own instead of `preexec_fn`, which may deadlock in a process that has threads. It
replaces itself by the command, so the command keeps this pid and the tie. Run by path, without `site`.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>; it survives exec, but is not inherited by children of the command


def become(parent: int, command: list[str]) -> None:
    """Never returns: the process is the command from here on, or has exited with 127."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the tie was made: no signal will come any more
            os._exit(127)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell ignores it for all that it runs behind `&`
    try:
        os.execvp(command[0], command)  # noqa: S606 - exec is the point
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        os._exit(127)


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
