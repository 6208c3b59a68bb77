"""How the tests are shared out among the workers of ``make test``."""

import pytest


def test_a_file_is_run_by_one_worker(request: pytest.FixtureRequest) -> None:
    """Two workers in one file would make its fixtures twice: two stacks, two installations in one folder."""
    if not hasattr(request.config, "workerinput"):
        pytest.skip("there is one worker only: nothing to share out")
    assert request.node.nodeid.endswith("@tests/unit/test_workers.py")
