"""Where something is, as a cell of the H3 grid (https://h3geo.org) and no finer: 0.1 km2, 0.2 km from its middle.

What a group or a note says of its place is moved at the door, before anything is stored or told, so that whoever asks
from many places, and finds the cell that is kept, is still at least 500 m from where people are.
"""

from collections.abc import Container
from functools import lru_cache

import h3

RESOLUTION = 9
MOVED = 4
"""Steps by which a place is moved: 0.9 to 1.6 km, of which the cell itself is 0.2 km."""
FIRST = 5
"""The same for the first note of a person at a place, so that it may be told again of all within two steps: of others,
what was told before is told again that is as many steps away as `AGAIN`, 0.5 to 2.7 km."""
AGAIN = range(FIRST - 2, FIRST + 3)
FENCE_KM = 2.5
"""What is near: from the middle of one cell to that of another."""
DISTRICT = 7
_REACH = 14
"""Steps within which all cells of the fence are, where cells are small, too: ten of them are at least 2.1 km."""


def is_cell(text: str) -> bool:
    """Whether this is a cell of our resolution that there is."""
    return bool(h3.is_valid_cell(text) and h3.get_resolution(text) == RESOLUTION)


def blurred(cell: str, draw: int, steps: int = MOVED) -> str:
    """The cell that is told in its place: by the draw one of those so many steps away.

    Raises ValueError for what is no cell. The draw must be one that nobody else can foretell.
    """
    if not is_cell(cell):
        raise ValueError("not a cell of resolution 9")
    ring: list[str] = sorted(set(h3.grid_disk(cell, steps)) - set(h3.grid_disk(cell, steps - 1)))
    return ring[draw % len(ring)]


def around(cell: str) -> list[str]:
    """The cells of which one that was told of the same person before is told of this place, too.

    Somebody writes from home every day: were each note moved by itself, the middle of what is told would be their home.
    Raises ValueError for what is no cell.
    """
    if not is_cell(cell):
        raise ValueError("not a cell of resolution 9")
    return sorted(set(h3.grid_disk(cell, AGAIN.stop - 1)) - set(h3.grid_disk(cell, AGAIN.start - 1)))


def district(cell: str) -> str:
    """The cell of resolution 7 that holds a cell: 5 km2."""
    return str(h3.cell_to_parent(cell, DISTRICT))


def districts(cell: str) -> list[str]:
    """Those in which everything is that the fence around a cell holds: some ten. Raises ValueError."""
    if not is_cell(cell):
        raise ValueError("not a cell of resolution 9")
    around = h3.grid_disk(cell, _REACH)
    return sorted({district(other) for other in around if kilometres(cell, other) <= FENCE_KM})


def kilometres(one: str, other: str) -> float:
    """From the middle of a cell to that of another, on the sphere."""
    return float(h3.great_circle_distance(_middle(one), _middle(other), unit="km"))


def fence(cell: str, known: Container[str]) -> dict[str, float]:
    """Those of the known cells that are within the fence around a cell, with how far they are in km."""
    around = ((other, kilometres(cell, other)) for other in h3.grid_disk(cell, _REACH) if other in known)
    return {other: km for other, km in around if km <= FENCE_KM}


@lru_cache(maxsize=100_000)
def _middle(cell: str) -> tuple[float, float]:
    """Latitude and longitude, in degrees."""
    found: tuple[float, float] = h3.cell_to_latlng(cell)
    return found
