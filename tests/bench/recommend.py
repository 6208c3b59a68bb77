"""All tables of recommend in one run, with the bars: `python -m tests.bench.recommend DATA`.

DATA holds notes/X.jsonl.gz with notes/X_nodes.jsonl.gz beside it, and memberships/*.jsonl.gz; any number of each.
What is measured and which bars hold is said in `placement.py` (a note's group), `newcomers.py` (a first list) and
`people.py` (a person's next group), whose figures these are, with one method and one set of knobs for all files. Exit
status 1 if a bar is missed.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench import newcomers, people, placement

LEAST = (5, 3)
"""Members of a group that is taken, and groups of a person who is asked about."""
SPARSE = {"mafengwo_groups": (3, 2)}
"""Files in which hardly anybody is in three groups."""
_END = ".jsonl.gz"


def tables(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Print table after table; the file, and the bars that are missed with it."""
    for path in sorted(data.glob(f"notes/*{_END}")):
        nodes = path.with_name(path.name.removesuffix(_END) + "_nodes" + _END)
        if nodes.exists():
            print(f"\nnote -> group: {path.name}")
            yield path.name, placement.measure(path, nodes) + newcomers.measure(path, nodes)
    for path in sorted(data.glob(f"memberships/*{_END}")):
        least = SPARSE.get(path.name.removesuffix(_END), LEAST)
        print(f"\nperson -> group: {path.name}, groups of at least {least[0]}, people in at least {least[1]}")
        yield path.name, people.measure(path, least)


def main(argv: list[str]) -> int:
    """Print all tables; the exit status."""
    if len(argv) != 1 or not Path(argv[0]).is_dir():
        sys.stderr.write("python -m tests.bench.recommend DATA: a folder with notes/ and memberships/\n")
        return 2
    found = list(tables(Path(argv[0])))
    if not found:
        sys.stderr.write(f"{argv[0]}: neither notes with their nodes nor memberships\n")
        return 2
    missed = [f"MISSED {name}: {bar}" for name, bars in found for bar in bars]
    print("\n" + ("\n".join(missed) or f"all bars held in {len(found)} files"))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
