"""How a service begins."""

import json
import subprocess
import sys

import pytest

ASKED = """
import atexit, gc, json, runpy, sys
sys.argv = ["it", "--help"]
tell = lambda: print(json.dumps([gc.isenabled(), gc.get_freeze_count(), gc.get_stats()[0]["collections"]]))
atexit.register(tell)
runpy.run_module("services.{service}", run_name="__main__")
"""


@pytest.mark.parametrize("service", ["notes", "groups", "recommend", "moderation"])
def test_no_garbage_is_looked_for_in_what_a_service_imports(service: str) -> None:
    """Neither while it is imported, which takes a third of a start, nor ever after; of what comes then it is."""
    done = subprocess.run([sys.executable, "-c", ASKED.format(service=service)], capture_output=True, check=True)
    enabled, spared, looks = json.loads(done.stdout.splitlines()[-1])
    assert enabled
    assert spared > 100_000
    assert looks < 20
