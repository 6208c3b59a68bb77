"""`make test-containers`: the four images are built from the Dockerfile, and `make run ONCE=1` is played in them; then
the suites that fakes and real parts share run with broker and database in containers.

Containers share this machine's network; a service's have nothing else: no capability, no file system that can be
written. Where no engine answers, root starts one that ends with this process; for images that can be had from no
registry there are stand-ins.
"""

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from testcontainers.core.config import testcontainers_config

from local import boxes
from local.fleet import SERVICES
from local.images import BUILDING, answered, at_hand, base, base_image, is_stand_in, server, server_image
from local.places import workspace
from local.play import show
from local.processes import ROOT, CannotStartError, Child, run_until_signal, wait_for

ENGINE = 60.0
TAG = "test"
UNWATCHED = "TESTCONTAINERS_RYUK_DISABLED"
"""Without the container that removes those of a killed test."""
SHUT = ["--network", "host", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
# Without the two limits containers do not start under Debian's engine on many kernels.
_DAEMON = """dockerd --iptables=false --ip6tables=false --bridge=none
--default-ulimit nofile=4096:4096 --default-ulimit nproc=4096:4096"""


def as_container(service: str, variables: Iterable[str]) -> list[str]:
    """A service in its image, told these variables of its environment."""
    told = [word for name in variables for word in ("--env", name)]
    return ["docker", "run", "--rm", *SHUT, *told, f"lianyi/{service}:{TAG}"]


@asynccontextmanager
async def engine(directory: Path) -> AsyncIterator[None]:
    """An engine that answers `docker`: the one that is there, or one of our own that ends here.

    Raises CannotStartError when there is neither.
    """
    if shutil.which("docker") is None:
        raise CannotStartError("no docker on PATH")
    if await answered(["docker", "version"]):
        yield
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        raise CannotStartError("no engine answers `docker version`, and none can be started (that takes root, dockerd)")
    socket = f"unix://{directory / 'socket'}"
    places = ["--data-root", "data", "--exec-root", "exec", "--pidfile", "pid"]
    paths = [word if word.startswith("--") else str(directory / word) for word in places]
    daemon = Child("dockerd", [*_DAEMON.split(), *paths, "--host", socket], {}, directory / "dockerd.log")
    daemon.start()
    os.environ["DOCKER_HOST"] = socket
    os.environ[UNWATCHED] = "true"  # it has no bridge, which the watcher needs
    try:
        await wait_for(lambda: answered(["docker", "version"]), ENGINE, "dockerd answers", daemon)
        yield
    finally:
        await daemon.stop()
        # It leaves this mounted, and the directory could not be removed.
        await answered(["umount", str(directory / "exec" / "netns" / "default")])


async def build(directory: Path) -> None:
    """Every service's image, one after the other: what they share is built once."""
    for service in SERVICES:
        print(f"building lianyi/{service}:{TAG} …", flush=True)
        command = ["docker", "build", "--network", "host", "--build-arg", f"SERVICE={service}"]
        command += ["-t", f"lianyi/{service}:{TAG}", "."]
        await Child("docker build", command, {}, directory / f"{service}.log").finish(BUILDING)


async def suites(directory: Path) -> int:
    """Every test of the suites that needs servers, with these in containers; the status of pytest."""
    if not await at_hand(testcontainers_config.ryuk_image):
        os.environ[UNWATCHED] = "true"
    broker, database = await server("kafka", directory), await server("mongo", directory)
    async with boxes.kafka(broker, directory) as kafka, boxes.mongo(database) as mongo:
        print(f"the suites, with {broker} and {database} in containers …", flush=True)
        options = ["-q", "-m", "stack", "tests/suites", "--kafka", kafka, "--mongo", mongo]
        pytest = await asyncio.create_subprocess_exec(sys.executable, "-m", "pytest", *options, cwd=ROOT)
        try:
            return await pytest.wait()
        finally:
            if pytest.returncode is None:
                pytest.terminate()
                await pytest.wait()


async def told() -> None:
    """Says which images were not the published ones."""
    images = base_image(), server_image("kafka"), server_image("mongo")
    made = [image for image in images if await is_stand_in(image)]
    print(f"stand-ins, not the published images: {', '.join(made) or 'none'}", flush=True)


async def main(choice: str) -> int:
    """0 when the images were built, the main job, run in them, lost and doubled nothing, and the suites hold."""
    try:
        async with workspace() as directory, engine(directory):
            await base(directory)
            await build(directory)
            status = await show(choice, once=True, launch=as_container) or await suites(directory)
            await told()
            return status
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="local.containers", description="The main job in the built images.")
    arguments.add_argument("--stack", default="", choices=["", "local", "embedded"], help="default: what is there")
    sys.exit(run_until_signal(main(arguments.parse_args().stack)))
