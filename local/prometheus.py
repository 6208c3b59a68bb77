"""Prometheus on this machine: promtool and a server, installed or unpacked from Debian's package into the cache.

The package is only unpacked, never installed: no service is started, and nothing outside the cache changes.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from local.places import CACHE, exclusive, free_port
from local.processes import Child
from local.server import Server

DOWNLOAD = 300.0


def program(name: str, cache: Path = CACHE) -> Path | None:
    """`prometheus` or `promtool`: the machine's own, or the unpacked one; None when there is neither."""
    installed, unpacked = shutil.which(name), _unpacked(cache) / "usr/bin" / name
    return Path(installed) if installed else unpacked if unpacked.exists() else None


def missing(cache: Path = CACHE) -> str | None:
    """What this machine lacks to run both, in words; None when nothing, or when they can be fetched."""
    if all(program(name, cache) for name in ("prometheus", "promtool")):
        return None
    if lack := [tool for tool in ("apt-get", "dpkg") if shutil.which(tool) is None]:
        return f"no prometheus and promtool on PATH, and no {' and '.join(lack)} to fetch Debian's"
    return None


async def fetch(log: Path, cache: Path = CACHE) -> None:
    """Makes sure that both are there. Raises CannotStartError, with the end of `log`; one process at a time fetches."""
    async with exclusive(cache / "prometheus.lock"):
        if all(program(name, cache) for name in ("prometheus", "promtool")):
            return
        part = cache / "prometheus.part"
        shutil.rmtree(part, ignore_errors=True)  # of a download that was killed
        part.mkdir()
        try:
            unpack = 'cd "$0" && apt-get download -q prometheus && dpkg -x prometheus_*.deb unpacked'
            await Child("the download of prometheus", ["sh", "-c", unpack, str(part)], {}, log).finish(DOWNLOAD)
            (part / "unpacked").rename(_unpacked(cache))
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _unpacked(cache: Path) -> Path:
    return cache / "prometheus"


class Prometheus(Server):
    """A server that scrapes these targets, service -> host:port, and evaluates these rules, all in seconds.

    Its data is in `directory`. `evaluate` answers PromQL, `alerts` what is pending or fires.
    """

    def __init__(self, directory: Path, targets: Mapping[str, str], rules: Path, seconds: float = 0.5) -> None:
        found = program("prometheus")
        assert found is not None, "ask missing() and fetch() first"
        self._directory, self._config = directory, directory / "prometheus.yml"
        self._settings = {
            "global": dict.fromkeys(
                ("scrape_interval", "scrape_timeout", "evaluation_interval"), f"{seconds * 1000:.0f}ms"
            ),
            "rule_files": [str(rules)],
            "scrape_configs": [
                {
                    "job_name": "lianyi",
                    "honor_labels": True,
                    "static_configs": [
                        {"targets": [target], "labels": {"service": service}} for service, target in targets.items()
                    ],
                }
            ],
        }
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self._http = httpx.AsyncClient(base_url=self.address, timeout=10.0)
        argv = [
            str(found),
            f"--config.file={self._config}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        self.child = Child("Prometheus", argv, {}, directory / "prometheus.log")
        self.children = (self.child,)

    async def start(self) -> None:
        """Returns when it answers queries."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._config.write_text(yaml.safe_dump(self._settings))
        await super().start()

    async def ready(self) -> bool:
        """True when it says so itself."""
        try:
            return (await self._http.get("/-/ready")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async def kill(self) -> None:
        """SIGKILL, and no further questions."""
        await self._http.aclose()
        await super().kill()

    async def evaluate(self, query: str) -> list[dict[str, str]]:
        """The labels of all samples that a PromQL expression has now."""
        found = await self._get("query", {"query": query})
        return [dict(sample["metric"]) for sample in found["result"]]

    async def alerts(self, state: str = "firing") -> set[tuple[str, str]]:
        """Name and service of the alerts in a state."""
        found = await self._get("alerts", {})
        return {
            (alert["labels"]["alertname"], alert["labels"].get("service", ""))
            for alert in found["alerts"]
            if alert["state"] == state
        }

    async def _get(self, what: str, params: Mapping[str, str]) -> Any:
        answer = await self._http.get(f"/api/v1/{what}", params=params)
        answer.raise_for_status()
        return answer.json()["data"]
