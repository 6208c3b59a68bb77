"""G29, R10. Where things are: moved before it is kept, found within the fence, and not to be found out."""

from collections.abc import Iterator
from random import Random

import h3
import pytest

from services.recommend.core import (
    Asked,
    Because,
    Candidate,
    Circle,
    Circles,
    GroupProfile,
    Near,
    Person,
    Picture,
    Places,
    Profiles,
    Reason,
    joined,
    opened,
    search,
)
from shared.contracts.groups import Charter, GroupOpened
from shared.desk import Call
from shared.place import FENCE_KM, blurred, district, districts, fence, is_cell, kilometres, number
from tests.unit.test_recommend_search import WEIGHTS
from tests.unit.test_recommend_shown import AT

TOWNS = {
    "上海": (31.2304, 121.4737),
    "Nashville": (36.1627, -86.7816),
    "Tromsø": (69.6492, 18.9553),
    "Quito": (-0.18, -78.47),
}
CELL = h3.latlng_to_cell(*TOWNS["上海"], 9)


def spots(seed: int, count: int) -> Iterator[tuple[float, float]]:
    """Places in and around four towns."""
    chance = Random(seed)
    for _ in range(count):
        lat, lng = chance.choice(list(TOWNS.values()))
        yield lat + chance.uniform(-0.05, 0.05), lng + chance.uniform(-0.05, 0.05)


def placed(cell: str, id_: str = "g", v: int = 1) -> GroupProfile:
    return GroupProfile(id=id_, v=v, name=id_, cell=cell, seats_left=1)


def found_out(places: Places, around: str) -> tuple[float, float]:
    """Trilateration by somebody who may ask from anywhere: the middle of all cells from which the group is near.

    They ask from every cell within 6 km of where they suppose it: as many answers as there are.
    """
    inside = [cell for cell in h3.grid_disk(around, 20) if places.near(cell)]
    assert inside
    points = [h3.cell_to_latlng(cell) for cell in inside]
    return sum(lat for lat, _ in points) / len(points), sum(lng for _, lng in points) / len(points)


@pytest.mark.parametrize("moved", [True, False])
def test_trilateration_errs_by_half_a_kilometre(moved: bool) -> None:
    """An attacker who asks from everywhere misses each of eight places by 500 m; had they not been moved, by 100 m."""
    errors = []
    for n, spot in enumerate(spots(29, 8)):
        cell = h3.latlng_to_cell(*spot, 9)
        places = Places()
        told = blurred(cell, Call("p", frozenset(), "c", f"key-{n}", "").draw("cell")) if moved else cell
        places.put(placed(told))
        errors.append(h3.great_circle_distance(found_out(places, told), h3.cell_to_latlng(cell), unit="km"))
    if moved:
        assert min(errors) >= 0.5
    else:
        assert max(errors) <= 0.1


def test_the_fence_holds_what_is_near_and_nothing_else() -> None:
    """Reckoned for hundreds of cells at once it is what it is for each alone, at the edge, too."""
    for spot in spots(31, 8):
        cell = h3.latlng_to_cell(*spot, 9)
        far = {number(other): kilometres(cell, other) for other in h3.grid_disk(cell, 20)}
        assert fence(cell, far) == pytest.approx({other: km for other, km in far.items() if km <= FENCE_KM})
        assert fence(cell, ()) == {}


def test_wherever_people_meet_is_far_from_what_is_told() -> None:
    """No point of the cell that was given is within 500 m of the middle of the one that is told, nor 2 km from it."""
    for n, spot in enumerate(spots(30, 300)):
        cell = h3.latlng_to_cell(*spot, 9)
        told = blurred(cell, n * 7919)
        assert is_cell(told)
        middle = h3.cell_to_latlng(told)
        assert min(h3.great_circle_distance(edge, middle, unit="km") for edge in h3.cell_to_boundary(cell)) >= 0.5
        assert kilometres(cell, told) <= 2


def test_a_place_is_moved_any_way_and_always_the_same_way() -> None:
    """All 24 cells around come about; the same key of the same person moves it the same way, another one does not."""
    assert len({blurred(CELL, draw) for draw in range(100)}) == 24
    call = Call("p", frozenset(), "c", "k", "")
    assert call.draw("cell") == Call("p", frozenset(), "other", "k", "").draw("cell")
    others = {Call(who, frozenset(), "c", key, "").draw("cell") for who, key in (("q", "k"), ("p", "l"), ("p", None))}
    assert len(others | {call.draw("cell")}) == 4
    assert Call("p", frozenset(), "c", None, "").draw("cell") != Call("p", frozenset(), "c", None, "").draw("cell")


def test_near_is_what_is_within_the_fence() -> None:
    """Of groups all around, exactly those within 2.5 km come out, the nearest first."""
    places = Places()
    cells = dict(enumerate(sorted(h3.grid_disk(CELL, 16))))
    for n, cell in cells.items():
        places.put(placed(cell, f"g{n}"))
    near = places.near(CELL)
    far = [kilometres(CELL, cells[int(group[1:])]) for group in near]
    assert far == sorted(far)
    assert set(near) == {f"g{n}" for n, cell in cells.items() if kilometres(CELL, cell) <= FENCE_KM}
    assert 2 <= FENCE_KM <= 3
    assert far[-1] > FENCE_KM - 0.3


@pytest.mark.parametrize("town", TOWNS)
def test_the_districts_of_a_place_hold_all_that_is_near_and_little_more(town: str) -> None:
    """Whoever looks for notes there finds all within the fence, and looks through a few times as many at the most."""
    for cell in h3.grid_disk(h3.latlng_to_cell(*TOWNS[town], 9), 6):
        near = {other for other in h3.grid_disk(cell, 20) if kilometres(cell, other) <= FENCE_KM}
        found = set(districts(cell))
        assert {district(other) for other in near} == found
        assert sum(len(h3.cell_to_children(place, 9)) for place in found) <= 3 * len(near)


def test_the_newest_news_of_a_group_holds() -> None:
    """A group that is gone, or put in an older version, leaves no trace; one without a cell is near nothing."""
    places = Places()
    places.put(placed(CELL, v=2))
    places.put(placed("", v=1))
    assert places.near(CELL) == ["g"]
    places.put(placed("", v=3))
    assert places.near(CELL) == []
    places.put(placed(CELL, v=4))
    places.remove("g")
    places.remove("g")
    assert places.near(CELL) == []


BAD = ["", "x", "89309959d73fffg", "8f309959d73ffff", h3.cell_to_parent(CELL, 8), "89ffffffffbffff", CELL.upper() + "0"]


@pytest.mark.parametrize("cell", BAD)
def test_a_cell_that_is_none_is_refused(cell: str) -> None:
    """It is no place to ask from, none to be moved from, and a group that tells it is nowhere."""
    assert not is_cell(cell)
    for call in (lambda: blurred(cell, 1), lambda: Places().near(cell)):
        with pytest.raises(ValueError, match="not a cell of resolution 9"):
            call()
    places = Places()
    places.put(placed(cell))
    assert places.near(CELL) == []


def test_every_cell_fits_the_contract() -> None:
    """What the language lets pass holds all cells that there are, also those around a pentagon."""
    pentagon = h3.get_pentagons(9)[0]
    charter = Charter(purpose="p", audience="a", rules="r", rewards="w", service="s", exit="e")
    for cell in (*h3.grid_disk(pentagon, 4), *(h3.latlng_to_cell(*spot, 9) for spot in spots(31, 100))):
        told = blurred(cell, 5)
        opened_ = GroupOpened(group_id="g", owner_id="o", name="n", charter=charter, seats=1, cell=told)
        assert opened_.cell == told


def test_near_and_words_and_person_make_one_list() -> None:
    """Near what was asked, about the words if there are any, what fits first, each with its sources and reasons."""
    profiles, circles, places = Profiles(), Circles(), Places()
    around = h3.grid_ring(CELL, 1)
    for n, (group, name) in enumerate({"ride": "骑行", "hike": "徒步", "tea": "喝茶", "far": "徒步"}.items()):
        cell = around[n] if group != "far" else h3.latlng_to_cell(*TOWNS["Quito"], 9)
        profile = opened(
            GroupProfile(id=group, cell=cell), name, purpose="", audience="", seats_left=int(group != "tea")
        )
        profiles.put(profile)
        places.put(profile)
        circles.put(Circle(id=group, members=2))
    who = joined(Person(id="p"), "ride", 1)

    def found(words: str = "", cell: str = "") -> list[Candidate]:
        return search(who, Asked(words, cell), AT, Picture(circles, profiles, places, WEIGHTS))

    def listed(words: str = "", cell: str = "") -> list[str]:
        return [candidate.group_id for candidate in found(words, cell)]

    assert listed(cell=CELL) == ["hike"]  # not their own, nor full, nor far
    assert set(listed(words="徒步")) == {"hike", "far"}
    assert listed(words="徒步", cell=CELL) == ["hike"]
    assert listed(words="喝茶", cell=CELL) == []
    one = found("徒步", CELL)[0]
    assert one.sources == ("search", "place", "algorithm")
    assert [type(why) for why in one.reasons] == [Reason, Near, Because]
    near = one.reasons[1].weight
    assert one.score - near == pytest.approx(0.2 / 9 + 1 / 9)  # what the other two give who are first
    assert {type(why) for candidate in found("徒步") for why in candidate.reasons}.isdisjoint({Near})
