"""Tokens and keys. Each test names what is, or is not, believed."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs

from local.issuer import Issuer, SigningKey
from shared.auth import Authenticator, Caller, Someone, caller_of
from shared.errors import Rejected, Transient
from shared.http import application
from shared.jwks import Tuning, read_jwks

NOW = 1_800_000_000.0
URL = "http://issuer.test/jwks.json"


class Clock:
    """A clock that stands until it is told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Served:
    """An issuer's key set as a fetch function, which counts and can be away."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.fetched = 0
        self.away = False
        self.raw: bytes | None = None

    def __call__(self, url: str, timeout: float) -> bytes:
        assert url == URL
        self.fetched += 1
        if self.away:
            raise ConnectionRefusedError
        return self.raw if self.raw is not None else self.issuer.jwks()


class World:
    """An issuer, its keys, a clock and an authenticator between them."""

    def __init__(self, algorithm: str = "EdDSA") -> None:
        self.clock = Clock()
        self.issuer = Issuer(algorithm=algorithm, now=self.clock)
        self.keys = Served(self.issuer)
        tuning = Tuning(leeway=30, refresh=10, lifetime=3600, stale=86400, fetch=self.keys)
        self.auth = Authenticator(URL, self.issuer.issuer, self.issuer.audience, tuning=tuning, now=self.clock)

    async def refused(self, token: str) -> str:
        """Why a token is not accepted."""
        with pytest.raises(Rejected) as caught:
            await self.auth.caller(token)
        assert (caught.value.type, caught.value.status) == ("invalid-token", 401)
        return caught.value.detail


@pytest.fixture
def world() -> World:
    return World()


def encoded(value: object) -> bytes:
    """A part of a JWT."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def forged(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """A token that no decent library would make."""
    signed = encoded(header) + b"." + encoded(claims)
    signature = b"" if secret is None else hmac.digest(secret, signed, hashlib.sha256)
    return (signed + b"." + encoded(signature)).decode()


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, unchecked."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


# Tokens


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
async def test_a_good_token_is_its_person(algorithm: str) -> None:
    """The subject is the person; the scopes are the words of `scope`."""
    world = World(algorithm)
    token = world.issuer.token("ann", scopes=["staff", "moderation:review"])
    assert await world.auth.caller(token) == Caller("ann", frozenset({"staff", "moderation:review"}))
    assert await world.auth.caller(world.issuer.token("bo")) == Caller("bo", frozenset())


async def test_rs256_is_believed_and_short_keys_are_not(world: World) -> None:
    """An RSA key of 2048 bits will do; one of 1024 is no key."""
    tokens = []
    listed = []
    for bits in (2048, 1024):
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        shown = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        listed.append({**shown, "kid": str(bits)})
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        signer = jwt.PyJWS()
        payload = json.dumps(claims_of(world.issuer.token("ann"))).encode()
        prepared = signer.get_algorithm_by_name("RS256").prepare_key(pem)
        signed = encoded({"alg": "RS256", "kid": str(bits)}) + b"." + encoded(payload)
        signature = signer.get_algorithm_by_name("RS256").sign(signed, prepared)
        tokens.append((signed + b"." + encoded(signature)).decode())
    world.keys.raw = json.dumps({"keys": listed}).encode()
    assert (await world.auth.caller(tokens[0])).person == "ann"
    await world.refused(tokens[1])


async def test_an_expired_token_is_refused(world: World) -> None:
    """After `exp` and the leeway, not before."""
    token = world.issuer.token("ann", ttl=60)
    world.clock.now += 89
    assert (await world.auth.caller(token)).person == "ann"
    world.clock.now += 1
    assert "expired" in await world.refused(token)


async def test_a_token_of_tomorrow_is_refused(world: World) -> None:
    """`nbf` counts, with the leeway."""
    assert "not valid yet" in await world.refused(world.issuer.token("ann", nbf=NOW + 31))
    assert (await world.auth.caller(world.issuer.token("ann", nbf=NOW + 30))).person == "ann"


@pytest.mark.parametrize("claim", ["exp", "nbf", "iss", "aud", "sub"])
async def test_a_token_without_a_required_claim_is_refused(world: World, claim: str) -> None:
    """Nothing is assumed about who, for whom, by whom and how long."""
    claims = claims_of(world.issuer.token("ann"))
    del claims[claim]
    key = world.issuer.key
    await world.refused(jwt.encode(claims, key.private, key.algorithm, headers={"kid": key.kid}))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "elsewhere"},
        {"aud": []},
        {"aud": ["elsewhere"]},
        {"aud": 1},
        {"iss": "somebody"},
        {"iss": "lianyi-local/"},
        {"exp": "2099"},
        {"exp": True},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": 10**400},
        {"nbf": None},
        {"sub": ""},
        {"sub": "a b"},
        {"sub": "ann\n"},
        {"sub": "x" * 65},
        {"sub": "涟漪"},
        {"scope": ["staff"]},
    ],
)
async def test_a_token_with_a_bad_claim_is_refused(world: World, claims: dict[str, Any]) -> None:
    """A wrong audience, issuer, time, subject or scope is 401 and no bug."""
    token = world.issuer.token("ann")
    key = world.issuer.key
    await world.refused(jwt.encode(claims_of(token) | claims, key.private, key.algorithm, headers={"kid": key.kid}))


async def test_one_of_several_audiences_is_enough(world: World) -> None:
    """A token may be for others as well."""
    assert (await world.auth.caller(world.issuer.token("ann", aud=["other", "lianyi"]))).person == "ann"


async def test_an_unsigned_token_is_refused(world: World) -> None:
    """`none`, in any spelling, is no algorithm, and nothing is fetched for it."""
    claims = claims_of(world.issuer.token("ann"))
    for name in ("none", "None", "NONE", "", None, ["EdDSA"], {"a": 1}):
        header = {"alg": name, "kid": world.issuer.key.kid, "typ": "JWT"}
        await world.refused(forged(header, claims, None))
    assert world.keys.fetched == 0


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
async def test_the_public_key_is_no_secret(algorithm: str) -> None:
    """HS256 with the public key as the secret is refused, under every name it may be given."""
    world = World(algorithm)
    public = world.issuer.key.private.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = claims_of(world.issuer.token("ann"))
    for name in ("HS256", "EdDSA", "ES256", "RS256"):
        for secret in (pem, json.dumps(world.issuer.key.jwk()).encode()):
            await world.refused(forged({"alg": name, "kid": world.issuer.key.kid}, claims, secret))


async def test_a_changed_token_is_refused(world: World) -> None:
    """Claims of one token do not go with the signature of another, nor does another key's signature."""
    ann, bo = world.issuer.token("ann").split("."), world.issuer.token("bo").split(".")
    await world.refused(".".join([bo[0], bo[1], ann[2]]))
    stranger = SigningKey.make("EdDSA")
    claims = claims_of(world.issuer.token("ann"))
    kid = {"kid": world.issuer.key.kid}
    await world.refused(jwt.encode(claims, stranger.private, stranger.algorithm, headers=kid))


@pytest.mark.parametrize(
    "token", ["", "a", "a.b.c", "....", "x" * 9000, "é.é.é", encoded(b"[" * 5000).decode() + ".e30.", "W10.e30.e30"]
)
async def test_what_is_no_token_is_refused(world: World, token: str) -> None:
    """Rubbish is 401, never a bug, and costs no fetch."""
    await world.refused(token)
    assert world.keys.fetched == 0


@pytest.mark.parametrize("kid", ["x" * 129, "", None])
async def test_a_token_that_names_no_key_is_refused(world: World, kid: str | None) -> None:
    """A key is looked up, never tried."""
    header = {"alg": "EdDSA"} | ({} if kid is None else {"kid": kid})
    await world.refused(forged(header, claims_of(world.issuer.token("ann")), b"x"))


def test_the_times_are_judged_by_the_given_clock() -> None:
    """The rule is pure: claims, now, leeway."""
    claims = {"sub": "ann", "exp": 100, "nbf": 50, "scope": " a  b "}
    assert caller_of(claims, 70, 0) == Caller("ann", frozenset({"a", "b"}))
    for now in (49, 100):
        with pytest.raises(Rejected):
            caller_of(claims, now, 0)


# Keys


async def test_keys_are_fetched_once(world: World) -> None:
    """A hundred callers at once cost one fetch, and so do a hundred later ones."""
    token = world.issuer.token("ann")
    for _ in range(2):
        await asyncio.gather(*(world.auth.caller(token) for _ in range(100)))
    assert world.keys.fetched == 1


async def test_a_new_key_is_found_and_the_old_one_stays(world: World) -> None:
    """After a rotation both keys' tokens are good, without a restart."""
    old = world.issuer.token("ann")
    await world.auth.caller(old)
    world.issuer.rotate()
    world.clock.now += 11
    assert (await world.auth.caller(world.issuer.token("bo"))).person == "bo"
    assert (await world.auth.caller(old)).person == "ann"
    assert world.keys.fetched == 2


async def test_unknown_keys_cost_one_fetch_in_a_while(world: World) -> None:
    """Made-up key ids cannot make us hammer the issuer."""
    claims = claims_of(world.issuer.token("ann"))
    for n in range(50):
        await world.refused(forged({"alg": "EdDSA", "kid": f"k{n}"}, claims, b"x"))
    assert world.keys.fetched == 1
    world.clock.now += 10
    await world.refused(forged({"alg": "EdDSA", "kid": "more"}, claims, b"x"))
    assert world.keys.fetched == 2


async def test_an_issuer_that_is_away_is_transient(world: World) -> None:
    """Without keys nobody knows whether a token is good: come again, no 401; and it heals by itself."""
    world.keys.away = True
    token = world.issuer.token("ann")
    with capture_logs() as lines:
        for _ in range(3):
            with pytest.raises(Transient) as caught:
                await world.auth.caller(token)
    assert 0 < caught.value.retry_after <= 10
    assert world.keys.fetched == 1
    assert [line["event"] for line in lines] == ["jwks_unavailable"]
    world.keys.away = False
    world.clock.now += 10
    assert (await world.auth.caller(token)).person == "ann"


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b'{"keys": []}', b'{"keys": 1}', b"[" * 9000, b"null"])
async def test_a_key_set_that_is_none_is_transient(world: World, raw: bytes) -> None:
    """An issuer that answers rubbish is as good as away."""
    world.keys.raw = raw
    with capture_logs(), pytest.raises(Transient):
        await world.auth.caller(world.issuer.token("ann"))


async def test_known_keys_outlive_an_issuer_that_is_away(world: World) -> None:
    """A known key is good for a day without the issuer, and no longer."""
    await world.auth.caller(world.issuer.token("ann"))
    world.keys.away = True
    with capture_logs():
        world.clock.now += 80_000
        assert (await world.auth.caller(world.issuer.token("ann"))).person == "ann"
        world.clock.now += 10_000
        with pytest.raises(Transient):
            await world.auth.caller(world.issuer.token("ann"))


async def test_a_withdrawn_key_is_forgotten(world: World) -> None:
    """A key that has left the key set is refused within its lifetime of an hour."""
    token = world.issuer.token("ann", ttl=10_000)
    await world.auth.caller(token)
    world.keys.issuer = Issuer()
    world.clock.now += 3600
    await world.refused(token)


async def test_a_clock_set_back_does_not_freeze_the_keys(world: World) -> None:
    """When the clock goes back new keys are still found, not only when it has caught up."""
    await world.auth.caller(world.issuer.token("ann"))
    world.clock.now -= 86_400
    world.issuer.rotate()
    assert (await world.auth.caller(world.issuer.token("ann"))).person == "ann"


def test_only_keys_for_signatures_are_read() -> None:
    """Secrets, encryption keys, other curves and nameless keys are passed over."""
    good = SigningKey.make("EdDSA").jwk()
    nameless = {k: v for k, v in good.items() if k != "kid"}
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "s", "alg": "HS256"}
    others = [nameless, secret, good | {"kid": "e", "use": "enc"}, good | {"kid": "u", "use": []}, {"kty": "x"}, 1]
    assert list(read_jwks(json.dumps({"keys": [*others, good]}).encode())) == [good["kid"]]
    with pytest.raises(ValueError, match="usable"):
        read_jwks(json.dumps({"keys": others}).encode())


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "", "jwks.json"])
def test_keys_come_by_http(url: str) -> None:
    """No other scheme is fetched, and that is said at the start."""
    with pytest.raises(ValueError, match="http"):
        Authenticator(url, "i", "a")


# The issuer over a socket, and the edge


class Unseen:
    """Request metrics that nobody reads."""

    def observe(self, route: str, method: str, status: str, seconds: float) -> None:
        """Nothing."""


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer() as served:
        yield served


async def test_the_development_issuer_is_believed(issuer: Issuer) -> None:
    """Its key set is fetched over HTTP, and its tokens, minted here or asked for, are good."""
    auth = Authenticator(issuer.jwks_url, issuer.issuer, issuer.audience)
    assert (await auth.caller(issuer.token("ann", scopes=["staff"]))).scopes == {"staff"}
    async with httpx.AsyncClient() as http:
        asked = {"person": "bo", "scope": "staff other"}
        reply = await http.get(issuer.jwks_url.replace("jwks.json", "token"), params=asked)
        assert await auth.caller(reply.json()["access_token"]) == Caller("bo", frozenset({"staff", "other"}))


async def test_the_development_issuer_answers_its_own_name_only(issuer: Issuer) -> None:
    """A page that points its name at this machine gets no token; what is unknown is 404."""
    async with httpx.AsyncClient() as http:
        at = issuer.jwks_url
        assert (await http.get(at, headers={"Host": "evil.test:80"})).status_code == 400
        assert (await http.post(at)).status_code == 400
        assert (await http.get(at.replace("jwks.json", "other"))).status_code == 404


async def test_an_issuer_that_moved_is_not_followed(issuer: Issuer) -> None:
    """A redirect or an error of the issuer is no key set."""

    async def moved(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {issuer.jwks_url}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(moved, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        auth = Authenticator(f"http://127.0.0.1:{port}/jwks.json", issuer.issuer, issuer.audience)
        with capture_logs(), pytest.raises(Transient):
            await auth.caller(issuer.token("ann"))


async def test_the_edge_tells_bad_tokens_from_an_issuer_away(world: World) -> None:
    """401 with a challenge for a bad token, 503 with Retry-After without keys, both problem+json."""
    app = application("t", "1", "", authenticator=world.auth, metrics=Unseen())

    @app.get("/me")
    async def me(who: Someone) -> str:
        return who.person

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:

        async def asked(token: str) -> httpx.Response:
            return await http.get("/me", headers={"Authorization": f"Bearer {token}"})

        world.keys.away = True
        with capture_logs():
            reply = await asked(world.issuer.token("ann"))
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "10")
        assert reply.headers["content-type"] == "application/problem+json"
        world.keys.away = False
        world.clock.now += 10
        assert (await asked(world.issuer.token("ann"))).json() == "ann"
        reply = await asked(world.issuer.token("ann", ttl=-60))
        assert (reply.status_code, reply.json()["type"]) == (401, "urn:lianyi:problem:invalid-token")
        assert reply.headers["content-type"] == "application/problem+json"
        assert 'error="invalid_token"' in reply.headers["www-authenticate"]
    assert app.openapi()["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_an_issuer_serves_only_inside_its_context() -> None:
    """There is no URL before the port is known, and only two algorithms to choose from."""
    with pytest.raises(RuntimeError):
        _ = Issuer().jwks_url
    with pytest.raises(ValueError, match="EdDSA"):
        Issuer(algorithm="HS256")
