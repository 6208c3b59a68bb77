"""Programs and files of others that the tests of the deployment need: found on this machine, or got by Go, once."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from local.places import CACHE

KUSTOMIZE = "v5.8.1"
COMPOSE = "v2.16.2"
BUILDING = 900.0


class MissingToolError(RuntimeError):
    """A tool cannot be had on this machine; the message says why."""


def kustomize(cache: Path = CACHE) -> list[str]:
    """The command that builds a kustomization: kubectl's own, which is what deploys it, or the pinned one by Go."""
    if kubectl := shutil.which("kubectl"):
        return [kubectl, "kustomize"]
    place = cache / f"kustomize-{KUSTOMIZE}"
    if not (place / "kustomize").exists():
        _go("install", f"sigs.k8s.io/kustomize/kustomize/v5@{KUSTOMIZE}", GOBIN=str(place))
    return [str(place / "kustomize"), "build"]


def compose_schema() -> Path:
    """The JSON Schema of compose files, out of the module of the Compose specification (Apache-2.0)."""
    told = json.loads(_go("mod", "download", "-json", f"github.com/compose-spec/compose-go/v2@{COMPOSE}"))
    return Path(told["Dir"]) / "schema" / "compose-spec.json"


def _go(*words: str, **environment: str) -> str:
    go = shutil.which("go")
    if go is None:
        raise MissingToolError("no Go on PATH, which would get it")
    try:
        done = subprocess.run(
            [go, *words],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=BUILDING,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise MissingToolError(f"go {' '.join(words)}: {error.stderr.strip()[-300:]}") from None
    return done.stdout
