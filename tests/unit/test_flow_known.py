"""Which of its own decisions a service takes up when its topic brings them back."""

from datetime import UTC, datetime

import pytest

from shared.contracts.topics import NOTE
from shared.flow.known import is_known
from shared.flow.work import Cause, Scope, Work
from tests.suites.toy import Verdict

FLOOR = 1_000
SCOPE = Scope("moderation", {NOTE.name: 12}, {"note": 12})


@pytest.mark.parametrize(
    ("v", "sequence", "past", "known"),
    [
        (3, 3, False, True),  # as it was told
        (3, 4, False, True),  # of a time that a restore has taken back
        (3, 4, True, False),  # a rebuild lets the highest hold
        (3, FLOOR, False, False),  # told over
        (0, 1, False, False),  # a rebuild took it away, and the backup was made before it was read back
        (None, 1, False, False),  # likewise
    ],
)
def test_a_decision_is_known_by_version_and_floor(v: int | None, sequence: int, past: bool, known: bool) -> None:
    """Below the floor of a restore only what is not there, or undecided, is taken up, and in a rebuild all."""
    work = Work(SCOPE, {}, FLOOR)
    work.begin("handler", Cause("cause", datetime(2026, 5, 4, tzinfo=UTC), "c", "", sequence), past=past)
    document = None if v is None else Verdict(id="c", note_id="n", hidden=True, v=v)
    assert is_known(document, work) is known
