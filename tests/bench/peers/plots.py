"""The plots of docs/bench, in the environment of requirements-bench.txt: python -m tests.bench.peers.plots FOLDER."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "lianyi"  # the same figures make the same file

from matplotlib import pyplot  # noqa: E402 - after the backend was chosen

Part = Mapping[str, Any]


def peers(part: Part, place: Path) -> None:
    """Rates beside each other, on a scale of powers of ten."""
    figure, axes = pyplot.subplots(figsize=(7, 3.2))
    names = list(part["peers"])[::-1]
    bars = axes.barh(names, [part["peers"][name]["rate"] for name in names], color="#4477aa")
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
    axes.set(xscale="log", xlabel=f"events a second, {part['keys']} keys", xlim=(100, None))
    save(figure, place)


def batch(part: Part, place: Path) -> None:
    """Rate by batch limit, a line for each kind of keys and number of partitions."""
    figure, axes = pyplot.subplots(figsize=(7, 3.6))
    lines: dict[tuple[str, int], list[tuple[int, float]]] = {}
    for cell in part["cells"]:
        if cell["processes"] == 1:
            lines.setdefault((cell["keys"], cell["partitions"]), []).append((cell["limit"], cell["rate"]))
    for (keys, partitions), points in lines.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=f"{keys}, {partitions} partitions")
    axes.set(xscale="log", yscale="log", xlabel="most inputs in a batch", ylabel="events a second")
    axes.legend(fontsize=8)
    save(figure, place)


def growth(part: Part, place: Path) -> None:
    """Processor time an event by the size of a document and of an event."""
    figure, both = pyplot.subplots(1, 2, figsize=(8, 3.2), sharey=True)
    whats = (("documents", "bytes of a note's document"), ("events", "bytes of an event's text"))
    for axes, (name, label) in zip(both, whats, strict=True):
        for whose, told in (("own_us", "own"), ("database_us", "the database's")):
            axes.plot([p["bytes"] for p in part[name]], [p[whose] for p in part[name]], marker="o", label=told)
        axes.set(xlabel=label, ylim=(0, None))
    both[0].set_ylabel("us of CPU an event")
    both[0].legend(fontsize=8)
    save(figure, place)


def backlog(part: Part, place: Path) -> None:
    """Rate along one long run."""
    figure, axes = pyplot.subplots(figsize=(7, 3))
    axes.plot([p["done"] for p in part["backlog"]], [p["rate"] for p in part["backlog"]], marker="o")
    axes.set(xlabel="events done, of all that waited", ylabel="events a second", ylim=(0, None))
    save(figure, place)


def memory(part: Part, place: Path) -> None:
    """Over minutes."""
    figure, axes = pyplot.subplots(figsize=(7, 3))
    axes.plot([at / 60 for at, _ in part["samples"]], [held for _, held in part["samples"]])
    axes.set(xlabel="minutes", ylabel="resident, MB", ylim=(0, None))
    save(figure, place)


def save(figure: Any, place: Path) -> None:
    """Without the date, which would make every file new."""
    figure.tight_layout()
    figure.savefig(place, metadata={"Date": None})
    pyplot.close(figure)


PLOTS = {"uniform": (peers,), "grid": (batch,), "growth": (growth, backlog), "memory": (memory,)}
"""By part; each is saved under the name of its function."""


def main(folder: Path) -> None:
    """All that there are figures for."""
    for part, plots in PLOTS.items():
        if (told := folder / f"{part}.json").exists():
            for plot in plots:
                plot(json.loads(told.read_text()), folder / f"{plot.__name__}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
