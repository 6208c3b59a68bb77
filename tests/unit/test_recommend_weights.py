"""R2, R10. What ties and sources weigh: likes little, reports much, by a file that is read again while all runs."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.recommend.core import Circle, Circles, Person, Weights, answered, joined, left, share
from services.recommend.settings import Settings
from services.recommend.weights import Blend, Held, LiveWeights, weights_of
from tests.unit.test_recommend_shown import AT

GIVEN: dict[str, Any] = {"kafka": "k:1", "mongo": "mongodb://x", "jwks": "http://x", "issuer": "i"}


def town(groups: int) -> Circles:
    """So many groups, each as near to `tea` as the others."""
    circles = Circles()
    for n in range(groups):
        circles.put(Circle(id=f"g{n}", members=4, others=f"tea {share(2)}"))
    circles.put(Circle(id="tea", members=4))
    return circles


def listed(circles: Circles, who: Person) -> list[str]:
    return [fit.group_id for fit in circles.suggest(who, 500)]


def liking(groups: int) -> Person:
    who = Person(id="p")
    for n in range(groups):
        who = answered(who, f"g{n}", "liked", AT)
    return who


def test_one_report_outweighs_a_hundred_likes() -> None:
    """A hundred liked groups speak for their neighbour; one more, reported, takes it off the list for good."""
    circles, who = town(101), liking(100)
    assert listed(circles, who)[0] == "tea"
    reporting = answered(who, "g100", "reported", AT)
    assert "tea" not in listed(circles, reporting)
    assert circles.scores(reporting)["tea"] < 0
    assert "tea" in listed(circles, answered(who, "g100", "refused", AT))  # "not for me" is milder


def test_a_liked_group_stays_on_the_list_and_is_the_reason() -> None:
    """It may still be joined; what is near to it says that this is why, and falls without it by the weight."""
    circles, who = town(2), liking(1)
    first = circles.suggest(who)[0]
    assert (first.group_id, [(why.kind, why.group_id) for why in first.reasons]) == ("tea", [("liked", "g0")])
    assert first.score - circles.scores(Person(id="p"))["tea"] == pytest.approx(first.reasons[0].weight)
    assert "g0" in listed(circles, who)
    assert "g0" not in listed(circles, answered(who, "g0", "reported", AT))


def test_a_membership_counts_once_whatever_else_was_said() -> None:
    """Who is in a group and likes it, too, has the scores of a member."""
    circles, member = town(2), joined(Person(id="p"), "g0", 1)
    for answer in ("liked", "refused", "reported", "joined"):
        assert circles.scores(answered(member, "g0", answer, AT)) == circles.scores(member)


def test_joined_is_what_one_says_until_the_group_does() -> None:
    """It speaks like a membership; once the group has told of a leave, nothing of it is left, nor as a reason."""
    circles, told = town(2), answered(Person(id="p"), "g0", "joined", AT)
    assert circles.scores(told) == circles.scores(joined(Person(id="p"), "g0", 1))
    gone = left(joined(told, "g0", 1), "g0", 2)
    assert circles.scores(gone) == circles.scores(Person(id="p"))
    assert {why.kind for fit in circles.suggest(gone) for why in fit.reasons} == {"popular"}


def test_a_changed_file_holds_at_once(tmp_path: Path) -> None:
    """The next look has the new weights, and those of the release for what the file leaves out."""
    path = tmp_path / "weights.json"
    path.write_text('{"liked": 0.5}')
    live = LiveWeights(str(path))
    assert live.now().ties == Weights(liked=0.5)
    path.write_text('{"liked": 0.5, "reported": -100}')
    assert live.now().ties == Weights(liked=0.5, reported=-100)
    other = tmp_path / "other.json"
    other.write_text('{"liked": 0.7, "reported": -100}')
    os.replace(other, path)  # as a ConfigMap is changed: another file under the same name, of the same size
    assert live.now().ties == Weights(liked=0.7, reported=-100)
    assert LiveWeights("").now() == Held()


def test_what_sources_weigh_is_in_the_same_file(tmp_path: Path) -> None:
    """R10. The next list is blended by the new weights, and by those of the release for what the file leaves out."""
    path = tmp_path / "weights.json"
    path.write_text('{"blend": {"place": 2}}')
    live = LiveWeights(str(path))
    assert live.now() == Held(blend=Blend(place=2))
    path.write_text('{"liked": 0.5, "blend": {"algorithm": 0}}')
    assert live.now() == Held(Weights(liked=0.5), Blend(algorithm=0))
    assert live.now().blend.by_source() == {"search": 1.0, "intent": 0.4, "place": 0.3, "algorithm": 0.0}


BAD = [
    "",
    "[]",
    "{",
    '{"liked": NaN}',
    '{"liked": 1e400}',
    '{"liked": -1000001}',
    '{"liked": "much"}',
    '{"fade": 1.1}',
    '{"fade": -0.1}',
    '{"like": 1}',
    '{"blend": {"search": NaN}}',
    '{"blend": {"search": -1}}',
    '{"blend": {"place": 1001}}',
    '{"blend": {"words": 1}}',
    '{"blend": 1}',
    '{"liked": 1}' + " " * 20_000,
]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_file_that_cannot_be_used_changes_nothing(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While everything runs the weights before hold, and one line says why; at the start it is an error."""
    path = tmp_path / "weights.json"
    path.write_text('{"liked": 0.5}')
    live = LiveWeights(str(path))
    path.write_text(text)
    assert live.now().ties == live.now().ties == Weights(liked=0.5)
    assert capsys.readouterr().out.count("weights_refused") == 1
    with pytest.raises(ValueError, match=r"weights\.json: ."):
        weights_of(str(path))
    with pytest.raises(ValidationError, match=r"weights\.json"):
        Settings(**GIVEN, weights=str(path))
    path.write_text('{"liked": 0.25}')
    assert live.now().ties == Weights(liked=0.25)


def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    """It holds what it has until another file is there; at the start it must be there."""
    path = tmp_path / "weights.json"
    path.write_text('{"liked": 0.5}')
    live = LiveWeights(str(path))
    path.unlink()
    assert live.now().ties == Weights(liked=0.5)
    with pytest.raises(ValueError, match="No such file"):
        weights_of(str(path))
