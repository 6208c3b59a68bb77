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
    axes.set(xscale="log", xlabel=f"events a second, {part['keys']} keys", xlim=(50, None))
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


def processes(part: Part, place: Path) -> None:
    """Processor time an event by processes, at the usual batch limit."""
    figure, axes = pyplot.subplots(figsize=(7, 3))
    lines: dict[tuple[str, int], list[tuple[int, float]]] = {}
    for cell in sorted(part["cells"], key=lambda cell: cell["processes"]):
        if cell["limit"] == 200:
            lines.setdefault((cell["keys"], cell["partitions"]), []).append((cell["processes"], cell["own_us"]))
    for (keys, partitions), points in lines.items():
        if len(points) > 1:
            axes.plot(*zip(*points, strict=True), marker="o", label=f"{keys}, {partitions} partitions")
    axes.set(xlabel="processes", ylabel="us of own CPU an event", ylim=(0, None))
    axes.legend(fontsize=8)
    save(figure, place)


def growth(part: Part, place: Path) -> None:
    """Processor time an event by the size of a document and of an event, and by how many notes there are."""
    figure, all_axes = pyplot.subplots(1, 3, figsize=(10, 3.2), sharey=True)
    whats = (("documents", "bytes of a note's document"), ("events", "bytes of an event's text"), ("keys", "notes"))
    for axes, (name, label) in zip(all_axes, whats, strict=True):
        for whose, told in (("own_us", "own"), ("database_us", "the database's")):
            axes.plot([_at(p) for p in part[name]], [p[whose] for p in part[name]], marker="o", label=told)
        axes.set(xlabel=label, ylim=(0, None))
    all_axes[0].set_ylabel("us of CPU an event")
    all_axes[0].legend(fontsize=8)
    all_axes[2].set_xscale("log")
    save(figure, place)


def _at(point: Part) -> float:
    """Where it stands on its axis; even keys are 10,000."""
    return float(point["bytes"] if "bytes" in point else point["notes"].replace("uniform", "10000"))


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


PLOTS = {"uniform": (peers,), "grid": (batch, processes), "growth": (growth, backlog), "memory": (memory,)}
"""By part; each is saved under the name of its function."""


def main(folder: Path) -> None:
    """All that there are figures for."""
    for part, plots in PLOTS.items():
        if (told := folder / f"{part}.json").exists():
            for plot in plots:
                plot(json.loads(told.read_text()), folder / f"{plot.__name__}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
