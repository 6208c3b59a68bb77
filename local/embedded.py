"""librdkafka's mock cluster as a broker: nothing but the confluent-kafka wheel, in a process of its own.

For short runs only. It keeps the newest 5 MB of a partition and nothing across a crash, makes every topic
at first use with 4 partitions, and groups of more than one member do not form on it reliably.
"""

import signal
import sys
from pathlib import Path

from local.kafka import answers
from local.processes import CannotStartError, Child
from local.server import Server


class Embedded(Server):
    """The mock cluster. Its address is known when `start` returns; `pause` and `resume` work, but nothing
    brings back what `kill` took: its records are gone and the port was chosen by librdkafka."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "embedded.address"
        argv = [sys.executable, "-m", "local.embedded", str(self._file)]
        self.children = (Child("the mock cluster", argv, {}, directory / "embedded.log"),)
        self.address = ""

    async def start(self) -> None:
        """Returns when it answers. Raises CannotStartError at a second start."""
        if self.address:
            raise CannotStartError("the mock cluster keeps nothing: a restart needs STACK=local")
        await super().start()

    async def ready(self) -> bool:
        """True when it has told its address and answers there."""
        if not self.address and self._file.exists():
            self.address = self._file.read_text()
        return bool(self.address) and await answers(self.address)


def main(file: Path) -> None:
    """Serves until it is killed; writes `host:port` to `file`, whole or not at all."""
    from confluent_kafka import Producer

    cluster = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock"})
    (broker,) = cluster.list_topics(timeout=10).brokers.values()
    draft = file.with_suffix(".draft")
    draft.write_text(f"{broker.host}:{broker.port}")
    draft.rename(file)
    while True:  # the cluster lives as long as `cluster`, in threads of librdkafka
        signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
