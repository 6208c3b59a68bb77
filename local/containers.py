"""`make test-containers`: the four images are built from the Dockerfile, and `make run ONCE=1` is played in them.

Broker and database run beside the containers, which share this machine's network and have nothing else: no
capability, no file system that can be written. Where no engine answers, root starts one that ends with this process;
where the base image can be had from no registry, root makes one of Debian under its name.
"""

import argparse
import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from local.fleet import SERVICES
from local.places import workspace
from local.play import show
from local.processes import ROOT, CannotStartError, Child, run_until_signal, wait_for

BUILDING = 3600.0
ENGINE = 60.0
TAG = "test"
SHUT = ["--network", "host", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
# Without the two limits containers do not start under Debian's engine on many kernels.
_DAEMON = """dockerd --iptables=false --ip6tables=false --bridge=none
--default-ulimit nofile=4096:4096 --default-ulimit nproc=4096:4096"""


def as_container(service: str, variables: Iterable[str]) -> list[str]:
    """A service in its image, told these variables of its environment."""
    told = [word for name in variables for word in ("--env", name)]
    return ["docker", "run", "--rm", *SHUT, *told, f"lianyi/{service}:{TAG}"]


async def answered(command: list[str]) -> bool:
    """Whether a command ends well; what it prints is dropped."""
    nowhere = asyncio.subprocess.DEVNULL
    done = await asyncio.create_subprocess_exec(*command, stdout=nowhere, stderr=nowhere)
    return await done.wait() == 0


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
    try:
        await wait_for(lambda: answered(["docker", "version"]), ENGINE, "dockerd answers", daemon)
        yield
    finally:
        await daemon.stop()


async def base(directory: Path) -> None:
    """The image that the Dockerfile begins with: known, pulled, or made of Debian's packages by debootstrap."""
    (name,) = set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.M))
    if await answered(["docker", "image", "inspect", name]) or await answered(["docker", "pull", name]):
        return
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise CannotStartError(f"{name} cannot be pulled, and not be made (that takes root, debootstrap)")
    print(f"{name} cannot be pulled: making a stand-in of Debian's packages …", flush=True)
    root = directory / "root"
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)]
    await Child("debootstrap", command, {}, directory / "debootstrap.log").finish(BUILDING)
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    # What this machine trusts, the build trusts: there may be a proxy between it and the index of packages.
    trusted = Path("/etc/ssl/certs/ca-certificates.crt")
    shutil.copy(trusted, root / trusted.relative_to("/"))
    (root / "etc/pip.conf").write_text(f"[global]\ncert = {trusted}\n")
    packed = ["sh", "-c", f"tar -C '{root}' -c . | docker import - {name}"]
    await Child("docker import", packed, {}, directory / "import.log").finish(BUILDING)


async def build(directory: Path) -> None:
    """Every service's image, one after the other: what they share is built once."""
    for service in SERVICES:
        print(f"building lianyi/{service}:{TAG} …", flush=True)
        command = ["docker", "build", "--network", "host", "--build-arg", f"SERVICE={service}"]
        command += ["-t", f"lianyi/{service}:{TAG}", "."]
        await Child("docker build", command, {}, directory / f"{service}.log").finish(BUILDING)


async def main(choice: str) -> int:
    """0 when the images were built and the main job, run in them, lost and doubled nothing."""
    try:
        async with workspace() as directory, engine(directory):
            await base(directory)
            await build(directory)
            return await show(choice, once=True, launch=as_container)
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="local.containers", description="The main job in the built images.")
    arguments.add_argument("--stack", default="", choices=["", "local", "embedded"], help="default: what is there")
    sys.exit(run_until_signal(main(arguments.parse_args().stack)))
