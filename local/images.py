"""The published images that `make test-containers` begins with: known, pulled, or stand-ins made here.

A stand-in bears the name of what it stands for, and a label by which it is told.
"""

import asyncio
import os
import re
import shutil
from pathlib import Path

from local import kafka
from local.places import CACHE
from local.processes import ROOT, CannotStartError, Child

BUILDING = 3600.0
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
LABEL = "lianyi.stand-in"
STANDINS = ROOT / "local" / "standins"


async def answered(command: list[str]) -> bool:
    """Whether a command ends well; what it prints is dropped."""
    nowhere = asyncio.subprocess.DEVNULL
    done = await asyncio.create_subprocess_exec(*command, stdout=nowhere, stderr=nowhere)
    return await done.wait() == 0


async def at_hand(image: str) -> bool:
    """Whether the engine has the image, or gets it from a registry."""
    return await answered(["docker", "image", "inspect", image]) or await answered(["docker", "pull", "-q", image])


async def is_stand_in(image: str) -> bool:
    """Whether an image that is at hand was made here."""
    command = ["docker", "image", "ls", "-q", "--filter", f"reference={image}", "--filter", f"label={LABEL}"]
    done = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    told, _ = await done.communicate()
    return bool(told.strip())


def base_image() -> str:
    """The image that the Dockerfile begins with."""
    names: set[str] = set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.M))
    (name,) = names
    return name


def server_image(server: str) -> str:
    """The image of "kafka" or "mongo" in docker-compose.yml."""
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    (name,) = re.findall(rf"^    image: ((?:apache/)?{server}:\S+)$", text, re.M)
    return str(name)


async def base(directory: Path) -> None:
    """The base image; a stand-in is made of Debian's packages by debootstrap. Raises CannotStartError."""
    name = base_image()
    if await at_hand(name):
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
    packed = ["sh", "-c", f"tar -C '{root}' -c . | docker import --change 'LABEL {LABEL}=true' - {name}"]
    await Child("docker import", packed, {}, directory / "import.log").finish(BUILDING)


async def server(which: str, directory: Path) -> str:
    """The image of "kafka" or "mongo", whose name is returned; a stand-in is built on the base image.

    Raises CannotStartError when it can neither be had nor made.
    """
    name = server_image(which)
    if await at_hand(name):
        return name
    print(f"{name} cannot be pulled: building a stand-in …", flush=True)
    context = directory / which
    shutil.copytree(STANDINS, context)
    shutil.copy(ROOT / "requirements.txt", context)
    if which == "kafka":
        shutil.copytree(await _jars(directory), context / "jars")
    command = ["docker", "build", "--network", "host", "--target", which, "-t", name, str(context)]
    await Child("docker build", command, {}, directory / f"{which}.log").finish(BUILDING)
    return name


async def _jars(directory: Path) -> Path:
    program = kafka.java()
    if program is None or (lack := kafka.missing()):
        raise CannotStartError(f"no stand-in for Kafka: {lack if program else 'no Java'}")
    await kafka.download(directory / "maven.log", program)
    return kafka.jars(CACHE)
