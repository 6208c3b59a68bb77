"""`make feed`: real data through the HTTP APIs of a running system, and a count of what came of it."""

import argparse
import signal
import sys
from pathlib import Path


def file(name: str) -> Path:
    """A file that can be read; argparse shows the error."""
    path = Path(name)
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{name}: {error.strerror}") from None


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def main() -> int:
    """The command line. The exit status is 0 only if nothing was lost and nothing doubled."""
    # Until the loop runs there is nothing to clean up: end at once and without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parser = argparse.ArgumentParser(prog="local.feed", description=__doc__)
    parser.add_argument("--notes", type=file, help="notes: node, user, title, text, created")
    parser.add_argument("--nodes", type=file, help="communities: node, title, header; each becomes a group")
    parser.add_argument("--memberships", type=file, help="who is in which group: u, g; each g becomes a group")
    parser.add_argument("--spam", type=file, help="comments: text, and label where it is not all spam")
    parser.add_argument("--ham", type=file, help="comments: text, and label where it is not all ham")
    parser.add_argument("--limit", type=positive, help="notes, and memberships, at most")
    parser.add_argument("--comments", type=positive, help="comments, at most; a sample of both files")
    parser.add_argument("--rate", type=positive, help="commands a second, at most")
    parser.add_argument("--stack", default="", choices=["", "local", "embedded"], help="default: what runs or is there")
    told = parser.parse_args()
    if not (told.notes or told.nodes or told.memberships or told.spam or told.ham):
        parser.error("nothing to feed: name at least one of NOTES, NODES, MEMBERSHIPS, SPAM, HAM")

    from local.feeder import Bounds, Files
    from local.feeding import feed
    from local.processes import run_until_signal
    from local.rows import MissingKeyError

    files = Files(told.notes, told.nodes, told.memberships, told.spam, told.ham, told.limit, told.comments)
    try:
        files.check()
    except MissingKeyError as error:
        parser.error(str(error))
    return run_until_signal(feed(files, Bounds(rate=told.rate), told.stack))


if __name__ == "__main__":
    sys.exit(main())
