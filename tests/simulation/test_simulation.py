"""Many broken worlds end as they must; with a safeguard taken away they do not."""

import ast
import os
import re
import subprocess
import sys

import pytest

from tests.simulation.kept import FOUND, KEPT
from tests.simulation.least import literal
from tests.simulation.plan import Ask, Fault, Plan
from tests.simulation.safeguards import MUTANTS

WORLDS = 600 * (os.cpu_count() or 1)
"""What all cores run in about a minute; `make simulate SEEDS=…` runs as many as there is time for."""


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
    (told,) = re.findall(r"commands (\{.*?\})", done.stdout)
    answers = ast.literal_eval(told)
    assert answers["accepted"] > 0.7 * sum(answers.values()), "a lane that refuses all keeps every promise"


def test_worlds_repeat() -> None:
    """A world is its seed: another process comes to the same records, steps, documents and times in each of them."""
    once, again = (simulate("--seeds", "16").stdout.splitlines() for _ in range(2))
    assert re.search(r" kill [1-9]", " ".join(once))
    assert once[1:] == again[1:]  # all but the speed


@pytest.fixture(scope="module")
def table() -> str:
    """Every safeguard taken away, each in the plan that is kept for it."""
    return simulate("--mutants", "--seeds", "0").stdout


@pytest.mark.parametrize("mutant", sorted(KEPT))
def test_without_a_safeguard_a_promise_breaks(mutant: str, table: str) -> None:
    """The checker sees what each safeguard is there for, and sees nothing where it stands."""
    (row,) = [line for line in table.splitlines() if line.startswith(f"{mutant}  ")]
    assert " breaks " in row, f"{row}; look for another: make simulate MUTANT='{mutant}', then with SEED=…"


@pytest.mark.parametrize("found", sorted(FOUND))
def test_what_was_found_stays_mended(found: str, table: str) -> None:
    """No promise breaks any more in the worlds in which the lane was found wanting."""
    (row,) = [line for line in table.splitlines() if line.startswith(f"found: {found}  ")]
    assert row.endswith(" mended"), row


def test_every_safeguard_has_its_plan() -> None:
    """Eighteen that the lane stands on, and fifteen more."""
    assert len(MUTANTS) == 33
    assert MUTANTS.keys() == KEPT.keys()


def test_a_kept_plan_reads_back() -> None:
    """What is printed to be kept is the plan itself, as Python."""
    for plan in (*KEPT.values(), *FOUND.values()):
        assert eval(literal(plan), {"Plan": Plan, "Ask": Ask, "Fault": Fault}) == plan  # noqa: S307
