"""A development issuer: a key in memory, its JWKS on 127.0.0.1, tokens for whoever asks. Never in an image.

`python -m local.issuer --port 8400` serves `/jwks.json` and `/token?person=ann&scope=staff` until stopped. With
`--name` it listens on all addresses, and answers those who ask by that name too: its name among containers.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

ISSUER = "lianyi-local"
AUDIENCE = "lianyi"
HOST = "127.0.0.1"
PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the id and the algorithm that its tokens name."""

    kid: str
    algorithm: str
    private: PrivateKey

    @classmethod
    def make(cls, algorithm: str) -> Self:
        """A new key; ValueError unless `algorithm` is EdDSA or ES256."""
        if algorithm == "EdDSA":
            return cls(uuid4().hex, algorithm, ed25519.Ed25519PrivateKey.generate())
        if algorithm == "ES256":
            return cls(uuid4().hex, algorithm, ec.generate_private_key(ec.SECP256R1()))
        raise ValueError(f"EdDSA or ES256, not {algorithm}")

    def jwk(self) -> dict[str, Any]:
        """The public half, as the key set shows it."""
        public = self.private.public_key()
        if isinstance(public, ed25519.Ed25519PublicKey):
            shown = jwt.algorithms.OKPAlgorithm.to_jwk(public, as_dict=True)
        else:
            shown = jwt.algorithms.ECAlgorithm.to_jwk(public, as_dict=True)
        return {**shown, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


class Issuer:
    """Mints tokens and, as an async context, serves the key set on a port (0: any free one) under a name.

    Tokens hold for `issuer` and `audience`, which the services' settings must name too. The keys die with the
    process, so its tokens do too.
    """

    def __init__(
        self,
        port: int = 0,
        name: str = HOST,
        *,
        issuer: str = ISSUER,
        audience: str = AUDIENCE,
        algorithm: str = "EdDSA",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self._port = port
        self._name = name
        self._algorithm = algorithm
        self._now = now
        self._keys = [SigningKey.make(algorithm)]
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST if self._name == HOST else None, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    @property
    def jwks_url(self) -> str:
        """Where the services find the keys; RuntimeError unless served."""
        if self._server is None:
            raise RuntimeError("the issuer is not serving: use `async with`")
        return f"http://{self._name}:{self._port}/jwks.json"

    @property
    def key(self) -> SigningKey:
        """The key that signs now."""
        return self._keys[-1]

    def rotate(self) -> None:
        """A new key signs from here on; the older ones stay in the key set."""
        self._keys.append(SigningKey.make(self._algorithm))

    def jwks(self) -> bytes:
        """The key set as it is served."""
        return json.dumps({"keys": [key.jwk() for key in self._keys]}).encode()

    def token(self, person: str, *, scopes: Iterable[str] = (), ttl: float = 3600, **claims: object) -> str:
        """A token for a person, good for `ttl` seconds from now; `claims` replace or add to the usual ones."""
        now = int(self._now())
        usual = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": person,
            "iat": now,
            "nbf": now,
            "exp": now + ttl,
            "scope": " ".join(sorted(scopes)),
        }
        key = self.key
        return jwt.encode({**usual, **claims}, key.private, key.algorithm, headers={"kid": key.kid})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
                status, body = self._answer(head.decode("latin-1"))
                lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
                writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # The caller has gone or talks nonsense: nobody to answer.
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _answer(self, head: str) -> tuple[str, bytes]:
        request, *headers = head.split("\r\n")
        host = next((h[5:].strip() for h in headers if h.lower().startswith("host:")), "")
        method, _, rest = request.partition(" ")
        target = urlsplit(rest.partition(" ")[0])
        # A web page that points its own name at 127.0.0.1 must not get tokens out of a developer's machine.
        if host.rpartition(":")[0] not in {HOST, "localhost", self._name} or method != "GET":
            return "400 Bad Request", b"{}"
        if target.path == "/jwks.json":
            return "200 OK", self.jwks()
        asked = parse_qs(target.query)
        if target.path == "/token" and "person" in asked:
            scopes = " ".join(asked.get("scope", [])).split()
            token = self.token(asked["person"][0], scopes=scopes)
            return "200 OK", json.dumps({"access_token": token, "token_type": "Bearer"}).encode()
        return "404 Not Found", b"{}"


async def serve(port: int, name: str) -> None:
    """Serves until cancelled, and says where."""
    async with Issuer(port, name) as issuer:
        print(f"keys   {issuer.jwks_url}\ntokens {issuer.jwks_url.replace('jwks.json', 'token?person=ann&scope=')}")
        await asyncio.Event().wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="local.issuer", description=__doc__)
    parser.add_argument("--port", type=int, default=8400)
    parser.add_argument("--name", default=HOST)
    chosen = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(chosen.port, chosen.name))


if __name__ == "__main__":
    main()
