"""Where the brokers are and who we are to them, in the words of the clients."""

import ssl
from dataclasses import dataclass, field
from typing import Any

from faststream.kafka.security import parse_security
from faststream.security import BaseSecurity, SASLScram512


@dataclass(frozen=True, slots=True)
class Brokers:
    """Bootstrap servers. With a ``user`` SCRAM-SHA-512 is spoken, with a ``ca`` (a file of certificates) TLS."""

    servers: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""

    @property
    def security(self) -> BaseSecurity:
        """As FastStream takes it."""
        context = ssl.create_default_context(cafile=self.ca) if self.ca else None
        if self.user:
            return SASLScram512(self.user, self.password, ssl_context=context, use_ssl=bool(self.ca))
        return BaseSecurity(ssl_context=context, use_ssl=bool(self.ca))

    @property
    def client(self) -> dict[str, Any]:
        """What every client of aiokafka is made with."""
        return {"bootstrap_servers": self.servers, **parse_security(self.security)}
