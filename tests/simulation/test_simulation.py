"""Hundreds of broken worlds end as they must; with a safeguard taken away they do not."""

import os
import subprocess
import sys

import pytest

from tests.simulation.safeguards import SAFEGUARDS

WORLDS = 400
"""So many fit into `make test`; `make simulate SEEDS=…` runs as many as there is time for."""

RARE = {"timers wait for the topic"}
"""Only some hundreds of worlds show that these are missing: `make simulate WITHOUT=…` does, the tests do not wait."""


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, with the hash seed that makes worlds repeat."""
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)


def test_every_promise_is_kept_in_every_world() -> None:
    """Whatever dies, stands still, is lost, doubled or late: every effect once, and nothing waits for ever."""
    done = simulate("--seeds", str(WORLDS))
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "steps never passed" not in done.stdout


def test_a_seed_is_told_the_same_again() -> None:
    """A world is its seed: two runs of it tell the same story to the millisecond."""
    assert simulate("--seed", "14").stdout == simulate("--seed", "14").stdout


@pytest.mark.parametrize("safeguard", sorted(SAFEGUARDS.keys() - RARE))
def test_without_a_safeguard_a_promise_breaks(safeguard: str) -> None:
    """The checker sees what each safeguard is there for."""
    done = simulate("--seeds", "1500", "--without", safeguard)
    assert done.returncode == 1, done.stdout + done.stderr
