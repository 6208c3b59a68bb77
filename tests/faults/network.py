"""The stack as services see it through a network that can fail: a proxy before the broker, one before the database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from local.places import free_port
from local.stack import Stack, running
from tests.faults.proxy import Commits, Proxy

# Clients of Kafka go where the broker says it is: on a listener of its own it says that it is the proxy.
_SECOND_LISTENER = """listeners=CLIENT://127.0.0.1:{{port}},NETWORK://127.0.0.1:{own},CONTROLLER://127.0.0.1:{{controller}}
advertised.listeners=CLIENT://127.0.0.1:{{port}},NETWORK://127.0.0.1:{told}
listener.security.protocol.map=CLIENT:PLAINTEXT,NETWORK:PLAINTEXT,CONTROLLER:PLAINTEXT
"""


@dataclass(frozen=True, slots=True)
class Network:
    """A stack, and the two connections to it that can fail. Whoever takes `stack` itself goes past them."""

    stack: Stack
    kafka: Proxy
    mongo: Proxy
    commits: Commits

    @property
    def env(self) -> Mapping[str, str]:
        """Settings of a service behind it."""
        url = urlsplit(self.stack.mongo)
        mongo = urlunsplit(url._replace(netloc=f"127.0.0.1:{self.mongo.port}"))
        return {"LIANYI_KAFKA": f"127.0.0.1:{self.kafka.port}", "LIANYI_MONGO": mongo}


@asynccontextmanager
async def network(more: str = "") -> AsyncIterator[Network]:
    """A fresh stack with both proxies; `more` are settings of the broker."""
    commits = Commits()
    kafka = Proxy(free_port())
    settings = _SECOND_LISTENER.format(own=kafka.upstream, told=kafka.port) + more
    async with (
        kafka,
        running("local", more=settings) as stack,
        Proxy(urlsplit(stack.mongo).port or 0, tap=commits.tap) as mongo,
    ):
        yield Network(stack, kafka, mongo, commits)
