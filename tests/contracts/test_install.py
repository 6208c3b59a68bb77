"""The package that other teams install: alone, whole, and as its README says."""

import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from shared.contracts.generate import FOLDER
from shared.contracts.samples import all_examples

SOURCE = FOLDER.parent
PYDANTIC = ("pydantic", "pydantic-core", "annotated-types", "typing-extensions", "typing-inspection")

USE = """
import sys
sys.path[:0] = {paths!r}
import lianyi_contracts
from lianyi_contracts import EVENTS, samples
from lianyi_contracts.generate import main
{readme}
found = samples.all_examples()
for sample in found:
    envelope, event = read(list(sample.headers), sample.value)
    assert envelope.headers() == list(sample.headers)
    assert EVENTS[sample.type].model_validate_json(event.model_dump_json()) == event
assert main(["--check"]) == 0
assert "shared" not in sys.modules
print(len(found))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built from a copy, so that the tree stays as it is."""
    base = tmp_path_factory.mktemp("contracts")
    source = shutil.copytree(SOURCE, base / "source", ignore=shutil.ignore_patterns("__pycache__"))
    target = base / "target"
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir", "--disable-pip-version-check"]
    run([sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)], base)
    return target


@pytest.fixture(scope="module")
def pydantic_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds pydantic and what it needs, as links into site-packages."""
    folder = tmp_path_factory.mktemp("pydantic")
    for distribution in map(metadata.distribution, PYDANTIC):
        site = Path(str(distribution.locate_file("")))
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (folder / top).symlink_to(site / top)
    return folder


def run(command: list[str], cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_package_works_without_this_repository(installed: Path, pydantic_alone: Path) -> None:
    """Installed alone, with pydantic and nothing else, the README's reader reads every example without loss."""
    blocks = re.findall(r"```python\n(.*?)```", (SOURCE / "README.md").read_text("utf-8"), re.S)
    script = USE.format(paths=[str(installed), str(pydantic_alone)], readme=blocks[0])
    told = run([sys.executable, "-I", "-S", "-W", "error", "-c", script], installed)
    assert int(told) == len(all_examples())


def test_the_package_holds_all_files(installed: Path) -> None:
    """Modules, schemas, examples and the mark of typing are installed, and nothing is left behind."""
    package = installed / "lianyi_contracts"
    for pattern in ("*.py", "py.typed", "schemas/*.json", "examples/*.json"):
        wanted = {path.relative_to(SOURCE) for path in SOURCE.glob(pattern)}
        assert wanted
        assert {path.relative_to(package) for path in package.glob(pattern)} == wanted


def test_the_package_depends_on_pydantic_only(installed: Path) -> None:
    """Its metadata name one requirement."""
    (found,) = metadata.distributions(name="lianyi-contracts", path=[str(installed)])
    assert [re.split(r"[^a-z-]", line)[0] for line in found.requires or ()] == ["pydantic"]


def test_building_leaves_no_litter_in_the_tree(installed: Path) -> None:
    """After the build the source holds neither build/ nor an egg-info."""
    assert installed.is_dir()
    assert not [path for path in SOURCE.iterdir() if path.name == "build" or path.suffix == ".egg-info"]


def test_the_readme_is_valid_python() -> None:
    """Every Python block of the README compiles."""
    blocks = re.findall(r"```python\n(.*?)```", (SOURCE / "README.md").read_text("utf-8"), re.S)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "README.md", "exec")
