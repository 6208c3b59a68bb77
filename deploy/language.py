"""The page of the language of rules: ``python -m deploy.language`` writes docs/rules.md, ``--check`` compares."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.rules.page import page

PAGE = Path(__file__).resolve().parent.parent / "docs/rules.md"


def main(argv: Sequence[str]) -> int:
    """Write the page, or say whether it is as it would be written."""
    parser = argparse.ArgumentParser(prog="python -m deploy.language", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if the page is stale")
    if not parser.parse_args(argv).check:
        PAGE.write_text(page(), "utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text("utf-8") == page():
        return 0
    sys.stderr.write("docs/rules.md is stale: run python -m deploy.language\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
