"""Where something is, as a cell of the H3 grid (https://h3geo.org) and no finer: 0.1 km2, 0.2 km from its middle.

What a group or a note says of its place is moved at the door, before anything is stored or told, so that whoever asks
from many places, and finds the cell that is kept, is still at least 500 m from where people are.
"""

from collections.abc import Container, Sequence
from functools import lru_cache

import h3
import numpy as np
from h3.api import numpy_int as numbers

RESOLUTION = 9
MOVED = 4
"""Steps by which a place is moved: 0.9 to 1.6 km, of which the cell itself is 0.2 km."""
FIRST = 5
"""The same for the first note of a person at a place, so that it may be told again of all within two steps: of others,
what was told before is told again that is as many steps away as `AGAIN`, 0.5 to 2.7 km."""
AGAIN = range(FIRST - 2, FIRST + 3)
EARTH_KM = 6371.007180918475
"""Its mean radius, which h3 reckons with."""
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
    within = _within(cell, numbers.grid_disk(number(cell), _REACH).tolist())
    return sorted(map(h3.int_to_str, {numbers.cell_to_parent(other, DISTRICT) for other in within}))


def kilometres(one: str, other: str) -> float:
    """From the middle of a cell to that of another, on the sphere."""
    return float(h3.great_circle_distance(_middle(number(one)), _middle(number(other)), unit="km"))


def number(cell: str) -> int:
    """The cell as a whole number. The grid is read in numbers, which takes it a tenth of the time."""
    return int(h3.str_to_int(cell))


def fence(cell: str, known: Container[int]) -> dict[int, float]:
    """Those of the known cells, by number, that are within the fence around a cell, with how far they are in km."""
    return _within(cell, [other for other in numbers.grid_disk(number(cell), _REACH).tolist() if other in known])


def _within(cell: str, others: Sequence[int]) -> dict[int, float]:
    """Those of the others within the fence, and how far they are: all at once, as there may be six hundred."""
    if not others:
        return {}
    lat, lng = np.radians(np.array([_middle(other) for other in others])).T
    here, there = np.radians(_middle(number(cell)))
    half = np.sin((lat - here) / 2) ** 2 + np.cos(lat) * np.cos(here) * np.sin((lng - there) / 2) ** 2
    km = 2 * EARTH_KM * np.arcsin(np.sqrt(half))  # the haversine formula
    return {other: far for other, far in zip(others, km.tolist(), strict=True) if far <= FENCE_KM}


@lru_cache(maxsize=100_000)
def _middle(cell: int) -> tuple[float, float]:
    """Latitude and longitude, in degrees."""
    found: tuple[float, float] = numbers.cell_to_latlng(cell)
    return found
