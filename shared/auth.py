"""Who calls: JWT bearer tokens, checked against the issuer's published keys (JWKS).

A caller without a good token sees 401 with `WWW-Authenticate`; with too few scopes 403; when the keys cannot
be had 503, because then nobody knows whether the token is good.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Protocol, cast

import jwt
from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param
from jwt.utils import base64url_decode

from shared.bodies import ID_PATTERN
from shared.errors import Rejected
from shared.jwks import ALGORITHMS, Keys, Tuning

# Without one of these a token is refused, whoever signed it.
REQUIRED = ("exp", "nbf", "iss", "aud", "sub")
MAX_TOKEN = 8 * 1024
REMEMBERED = 4096
"""How many tokens a process remembers to have verified: a person sends the same one again for minutes."""
HEADERS = 64
"""How many headers of tokens: all that one key has signed have the same. Strangers can fill this, and 0.5 MB are all
that they fill."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A person whose token was checked. `scopes` are for staff; rights of an object are checked at its owner."""

    person: str
    scopes: frozenset[str] = frozenset()


class Authenticates(Protocol):
    """What a service needs: a token's caller, or Rejected 401, or Transient."""

    async def caller(self, token: str) -> Caller: ...


class Authenticator:
    """Trusts tokens of one issuer for one audience, signed with RS256, ES256 or EdDSA, never with a secret.

    `caller` gives the person or raises Rejected 401 "invalid-token"; Transient when the keys cannot be had.
    Nothing is fetched before the first token comes. A signature is verified once as long as its key is the issuer's;
    key and times are looked at each time. What was refused is not remembered.
    """

    def __init__(
        self,
        jwks_url: str,
        issuer: str,
        audience: str,
        *,
        tuning: Tuning | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._tuning = tuning or Tuning()
        self._now = now
        self._keys = Keys(jwks_url, self._tuning, now)
        self._claims = lru_cache(REMEMBERED)(self._verified)

    async def caller(self, token: str) -> Caller:
        if len(token) > MAX_TOKEN:
            raise _invalid("It is too long.")
        kid, algorithm = _header(token.partition(".")[0])
        key = await self._keys.find(kid)
        # The key decides the algorithm; a token that names another one is an attempt to confuse them.
        if key is None or key.algorithm_name != algorithm:
            raise _invalid("It is not signed with a key of the issuer.")
        return caller_of(self._claims(token, key), self._now(), self._tuning.leeway)

    def _verified(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        # The times are judged by our clock, in caller_of.
        unclocked: dict[str, Any] = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        options = cast("jwt.types.Options", {"require": list(REQUIRED), **unclocked})
        try:
            return jwt.decode(token, key, [key.algorithm_name], options, audience=self._audience, issuer=self._issuer)
        except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
            raise _invalid(f"{type(error).__name__}.") from None


@lru_cache(HEADERS)
def _header(part: str) -> tuple[str, str]:
    try:
        header = json.loads(base64url_decode(part))
        kid, algorithm = header.get("kid"), header.get("alg")
    except (AttributeError, ValueError, RecursionError):
        raise _invalid("It is not a JWT.") from None
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _invalid("Its algorithm is not allowed.")
    if not isinstance(kid, str) or not 1 <= len(kid) <= 128:
        raise _invalid("It names no key.")
    return kid, algorithm


def caller_of(claims: Mapping[str, Any], now: float, leeway: float) -> Caller:
    """The caller of verified claims at `now` (epoch seconds), or Rejected 401. Pure."""
    if _seconds(claims, "exp") <= now - leeway:
        raise _invalid("It has expired.")
    if _seconds(claims, "nbf") > now + leeway:
        raise _invalid("It is not valid yet.")
    person, scope = claims.get("sub"), claims.get("scope", "")
    if not isinstance(person, str) or not re.fullmatch(ID_PATTERN.removesuffix("$"), person):
        raise _invalid("Its subject is not an id.")
    if not isinstance(scope, str):
        raise _invalid("Its scope is not a string.")
    return Caller(person, frozenset(scope.split()))


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise _invalid(f"Its {name} is not a time.")
    return value


def _invalid(detail: str) -> Rejected:
    return Rejected("invalid-token", 401, title="The token is not accepted", detail=detail)


class Bearer(SecurityBase):
    """What asks for a token, as FastAPI knows it. Whoever calls is in `who`: by the application's authenticator.

    To be made a dependency by its `__call__`, with all that a route needs of the caller: what FastAPI does around each
    dependency costs more than what is looked at here, so there is one and not a chain of them.
    """

    model = HTTPBearerModel(bearerFormat="JWT")
    scheme_name = "bearer"

    async def who(self, request: Request) -> Caller:
        """The caller, or Rejected 401 "missing-token", "invalid-token"; Transient when the keys cannot be had."""
        scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
        if not token or scheme.lower() != "bearer":
            raise Rejected("missing-token", 401, title="A bearer token is needed")
        authenticator: Authenticates = request.app.state.authenticator
        return await authenticator.caller(token)


class _WithScope(Bearer):
    """The caller, if the token has this scope or none is asked for; else Rejected 403 "missing-scope"."""

    def __init__(self, scope: str = "") -> None:
        self._scope = scope

    async def __call__(self, request: Request) -> Caller:
        who = await self.who(request)
        if self._scope and self._scope not in who.scopes:
            raise Rejected("missing-scope", 403, title="The token lacks a scope", extra={"scope": self._scope})
        return who


Someone = Annotated[Caller, Security(_WithScope())]


def require(scope: str) -> Callable[[Request], Awaitable[Caller]]:
    """A FastAPI dependency: the caller if the token has this scope, else 403 "missing-scope"."""
    return _WithScope(scope)
