"""An HTTP client of the four APIs, as a careful caller writes one: tokens, idempotency keys, patience."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx

from local.journal import Accepted, Action, Failed, Journal, Refused

Json = dict[str, Any]
Token = Callable[[str, frozenset[str]], Awaitable[str]]
PATIENCE = 60.0
"""Seconds of 503 and broken connections after which a command is given up."""
GROUP_KNOWN = 10.0
"""Seconds in which notes must have heard of a new group."""


class Refusal(Exception):
    """A 4xx answer; `reason` is the last part of the problem's type. `retried`: an earlier try had no answer."""

    def __init__(self, status: int, reason: str, body: Json) -> None:
        super().__init__(f"{status} {reason}")
        self.status, self.reason, self.body = status, reason, body
        self.retried = False


class NoAnswerError(Exception):
    """No definite answer in time."""


class _Again(Exception):
    """No definite answer yet, and when to ask again."""

    def __init__(self, why: str, pause: float) -> None:
        super().__init__(why)
        self.pause = pause


MODERATION = frozenset({"moderation"})
"""The scope of staff who judge."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to one service. `key` is the Idempotency-Key, which makes a retry safe."""

    service: str
    method: str
    path: str
    person: str
    body: Mapping[str, object] | None = None
    scopes: frozenset[str] = frozenset()
    key: str | None = None
    params: Mapping[str, str] | None = None
    match: int | None = None
    """The revision that was read, as `If-Match`."""


AGAIN = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}
"""408 comes of a server that has slept while a body was on its way."""


class Wire:
    """Sends requests and retries what is worth it: 503 after its `Retry-After`, 429, 408, a broken connection.

    An async context. A retry has the same Idempotency-Key and a correlation id of its own, so that an event's
    correlation id names the attempt that was applied. `urls` is asked at each try.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        token: Token,
        journal: Journal,
        patience: float = PATIENCE,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._urls, self._token, self.journal = urls, token, journal
        self._patience = patience
        limits = httpx.Limits(max_connections=128, max_keepalive_connections=128)
        self._http = httpx.AsyncClient(timeout=30.0, limits=limits, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def send(self, request: Request) -> Json:
        """The body of a 2xx answer, {} when it has none.

        Raises Refusal for 4xx; NoAnswerError for 5xx but 503, and when patience has run out.
        """
        clock = asyncio.get_running_loop().time
        deadline, tries = clock() + self._patience, 0
        while True:
            try:
                return await self._try(request)
            except _Again as again:
                tries += 1
                self.journal.waits += 1
                if clock() + again.pause > deadline:
                    what = f"{request.method} {request.path.split('/')[2]}"
                    raise NoAnswerError(f"{what}: {again}, {tries} tries") from None
                await asyncio.sleep(again.pause)
            except Refusal as refusal:
                refusal.retried = tries > 0
                raise

    async def _try(self, request: Request) -> Json:
        url = self._urls[request.service] + request.path
        headers = await self._headers(request)
        try:
            answer = await self._http.request(
                request.method, url, json=request.body, params=request.params, headers=headers
            )
        except httpx.HTTPError as error:
            raise _Again(type(error).__name__, random.uniform(0.2, 0.5)) from None
        if answer.status_code in AGAIN:
            raise _Again(str(answer.status_code), _retry_after(answer) * random.uniform(1.0, 1.3))
        body = _body(answer)
        if answer.is_client_error:
            raise Refusal(answer.status_code, str(body.get("type", "")).rpartition(":")[2], body)
        if answer.is_server_error:
            raise NoAnswerError(f"{answer.status_code}, error id {body.get('id', '?')}")
        return body

    async def _headers(self, request: Request) -> dict[str, str]:
        token = await self._token(request.person, request.scopes)
        headers = {"Authorization": f"Bearer {token}", "X-Correlation-Id": self.journal.correlation()}
        headers |= {} if request.match is None else {"If-Match": f'"{request.match}"'}
        return headers | ({"Idempotency-Key": request.key} if request.key else {})


def _retry_after(answer: httpx.Response) -> float:
    told = answer.headers.get("Retry-After", "")
    return min(float(told), 10.0) if told.isdigit() else 1.0


def _body(answer: httpx.Response) -> Json:
    if not answer.content:
        return {}
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {"items": body}


class Client:
    """The APIs in words. A command returns the answer's body; it raises as `Wire.send` does, and in any case
    the journal has it. Reads are not in the journal."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.journal = wire.journal

    # -- notes -------------------------------------------------------------------------------------------------

    async def note(self, person: str, body: Mapping[str, object], key: str | None = None) -> str:
        """POST a note; its id."""
        size = len(str(body.get("text", "")).encode(errors="replace"))

        def made(answer: Json) -> Accepted:
            return Accepted("note", person, note=answer["note_id"], size=size)

        return str((await self._command("note", _post("notes", "/v1/notes", person, body, key), made))["note_id"])

    async def comment(self, person: str, note: str, body: Mapping[str, object], **label: Any) -> str:
        """POST a comment; its id. `key` is an Idempotency-Key, `asks` the label for the journal."""
        request = _post("notes", f"/v1/notes/{note}/comments", person, body, label.get("key"))

        def made(answer: Json) -> Accepted:
            size = len(str(body["text"]).encode(errors="replace"))
            return Accepted("comment", person, note, answer["comment_id"], asks=label.get("asks"), size=size)

        return str((await self._command("comment", request, made))["comment_id"])

    async def accept(self, person: str, need: str, comment: str) -> Json:
        """POST the answer of a need, as who asked."""
        request = _post("notes", f"/v1/needs/{need}/accept", person, {"comment_id": comment})
        return await self._command("accept", request, lambda _: Accepted("accept", person, comment=comment, need=need))

    async def advice(self, person: str, comment: str) -> Json:
        """POST that a comment's advice was taken, as the note's author."""
        request = _post("notes", f"/v1/comments/{comment}/advice", person, None)
        return await self._command("advice", request, lambda _: Accepted("advice", person, comment=comment))

    async def relay(self, person: str, note: str, group: str, scopes: frozenset[str] = frozenset()) -> Json:
        """POST a note to a group, as its author, the group's owner, or with the scope "relay".

        A group that was opened just now may not be known to notes yet: that is waited for.
        """
        path, made = f"/v1/notes/{note}/relays", Accepted("relay", person, note, group=group)
        end = asyncio.get_running_loop().time() + GROUP_KNOWN
        while True:
            request = _post("notes", path, person, {"group_id": group}, scopes=scopes)
            try:
                return await self._sent("relay", request, lambda _: made)
            except Refusal as refusal:
                if refusal.reason != "unknown-group" or asyncio.get_running_loop().time() > end:
                    self.journal.refuse(Refused("relay", person, refusal.status, refusal.reason))
                    raise
            await asyncio.sleep(0.1)

    async def edit(self, person: str, note: str, body: Mapping[str, object], match: int, *, ad: bool = False) -> Json:
        """PATCH a note of one's own, over the revision that was read; `ad` labels one that nobody is to see."""
        request = Request("notes", "PATCH", f"/v1/notes/{note}", person, body, key=uuid4().hex, match=match)

        def made(answer: Json) -> Accepted:
            return Accepted("edit", person, note, state=str(answer["revision"]), ad=ad)

        return await self._command("edit", request, made)

    async def react(self, person: str, note: str, kind: str) -> Json:
        """PUT a like or a save."""
        request = Request("notes", "PUT", f"/v1/notes/{note}/{kind}", person)
        return await self._command("react", request, lambda _: Accepted("react", person, note, state=kind))

    async def remove(self, person: str, comment: str) -> Json:
        """DELETE a comment of one's own."""
        request = Request("notes", "DELETE", f"/v1/comments/{comment}", person)
        return await self._command("remove", request, lambda _: Accepted("remove", person, comment=comment))

    # -- groups ------------------------------------------------------------------------------------------------

    async def open_group(self, person: str, body: Mapping[str, object]) -> str:
        """POST a group; its id."""

        def made(answer: Json) -> Accepted:
            seats = int(str(body.get("seats", 0)))
            return Accepted("group", person, group=answer["group_id"], state="open", seats=seats)

        request = _post("groups", "/v1/groups", person, body)
        return str((await self._command("group", request, made))["group_id"])

    async def set_state(self, person: str, group: str, state: str) -> Json:
        """PATCH a group open or closed, as its owner."""
        request = Request("groups", "PATCH", f"/v1/groups/{group}", person, {"state": state})
        return await self._command("state", request, lambda _: Accepted("state", person, group=group, state=state))

    async def join(self, person: str, group: str, answer: str | None = None) -> Json:
        """POST oneself as a member; in the answer's `state` stands "waiting" where no seat is free."""
        body = {} if answer is None else {"answer": answer}
        request = _post("groups", f"/v1/groups/{group}/members", person, body)
        return await self._command(
            "join", request, lambda told: Accepted("wait" if "state" in told else "join", person, group=group)
        )

    async def leave(self, person: str, group: str) -> Json:
        """DELETE oneself as a member."""
        request = Request("groups", "DELETE", f"/v1/groups/{group}/members/me", person)
        done = Accepted("leave", person, group=group)
        try:
            return await self._sent("leave", request, lambda _: done)
        except Refusal as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND and refusal.retried:  # the try without an answer did it
                self.journal.accept(done)
                return {}
            self.journal.refuse(Refused("leave", person, refusal.status, refusal.reason))
            raise

    # -- recommend -----------------------------------------------------------------------------------------------

    async def feedback(self, person: str, group: str, kind: str) -> Json:
        """POST what a person says of a suggested group."""
        request = _post(
            "recommend", f"/v1/suggestions/people/{person}/feedback", person, {"group_id": group, "kind": kind}
        )
        made = Accepted("feedback", person, group=group, state=kind)
        return await self._command("feedback", request, lambda _: made)

    async def say(self, person: str, group: str, body: Mapping[str, object], *, asks: bool | None = None) -> str:
        """POST a message; its id. `asks` is the label for the journal."""
        size = len(str(body.get("text", "")).encode(errors="replace"))

        def made(answer: Json) -> Accepted:
            return Accepted("message", person, message=answer["message_id"], group=group, asks=asks, size=size)

        request = _post("groups", f"/v1/groups/{group}/messages", person, body)
        return str((await self._command("message", request, made))["message_id"])

    async def unsay(self, person: str, group: str, message: str) -> Json:
        """DELETE a message of one's own."""
        request = Request("groups", "DELETE", f"/v1/groups/{group}/messages/{message}", person)
        done = Accepted("delete", person, message=message, group=group)
        return await self._command("delete", request, lambda _: done)

    async def thank(self, person: str, group: str, need: str, message: str) -> Json:
        """POST the answer of a need that was asked in a group, as who asked."""
        request = _post("groups", f"/v1/groups/{group}/needs/{need}/accept", person, {"message_id": message})
        done = Accepted("thank", person, message=message, need=need, group=group)
        return await self._command("thank", request, lambda _: done)

    async def repeat(self, person: str, path: str, body: Mapping[str, object], key: str | None) -> Json:
        """POST to notes without a word in the journal: a repeated command, or one that must be refused."""
        return await self._wire.send(_post("notes", f"/v1/{path}", person, body, key))

    async def report(self, person: str, kind: str, content: str, reason: str) -> Json:
        """POST a report of somebody's note, comment or message."""
        return await self._wire.send(
            _post("moderation", "/v1/reports", person, {"kind": kind, "id": content, "reason": reason})
        )

    async def judge(self, staff: str, content: str, action: str, note: str) -> Json:
        """POST what staff decide of a content: ``hide`` or ``restore``."""
        body, path = {"action": action, "note": note}, f"/v1/verdicts/{content}"
        return await self._wire.send(_post("moderation", path, staff, body, scopes=MODERATION))

    # -- reads -------------------------------------------------------------------------------------------------

    async def read(self, service: str, path: str, person: str, **more: Any) -> Json | None:
        """GET `/v1/` + path; None for 404. `params` and `scopes` as in `Request`."""
        try:
            return await self._wire.send(Request(service, "GET", f"/v1/{path}", person, **more))
        except Refusal as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def _command(self, action: Action, request: Request, made: Callable[[Json], Accepted]) -> Json:
        try:
            return await self._sent(action, request, made)
        except Refusal as refusal:
            self.journal.refuse(Refused(action, request.person, refusal.status, refusal.reason))
            raise

    async def _sent(self, action: Action, request: Request, made: Callable[[Json], Accepted]) -> Json:
        try:
            answer = await self._wire.send(request)
        except NoAnswerError as error:
            self.journal.fail(Failed(action, request.person, str(error)))
            raise
        self.journal.accept(made(answer))
        return answer


def _post(
    service: str,
    path: str,
    person: str,
    body: Mapping[str, object] | None,
    key: str | None = None,
    *,
    scopes: frozenset[str] = frozenset(),
) -> Request:
    return Request(service, "POST", path, person, body, scopes, key or uuid4().hex)


def minted(mint: Callable[..., str]) -> Token:
    """Tokens of `local.issuer.Issuer.token`, the latest few thousand kept for reuse."""

    @lru_cache(maxsize=4096)
    def kept(person: str, scopes: frozenset[str]) -> str:
        return mint(person, scopes=scopes, ttl=86_400)

    async def token(person: str, scopes: frozenset[str]) -> str:
        return kept(person, scopes)

    return token


def fetched(url: str, keep: float = 1_200.0) -> Token:
    """Tokens of the issuer of another process; `url` is its `/token`. A few thousand are kept, `keep` seconds."""
    kept: dict[tuple[str, frozenset[str]], tuple[float, str]] = {}
    http = httpx.AsyncClient(timeout=10.0)

    async def token(person: str, scopes: frozenset[str]) -> str:
        now = asyncio.get_running_loop().time()
        at, found = kept.get((person, scopes), (0.0, ""))
        if not found or now - at > keep:
            asked = {"person": person, "scope": " ".join(sorted(scopes))}
            found = str((await http.get(url, params=asked)).raise_for_status().json()["access_token"])
            if len(kept) > 4_096:
                kept.clear()
            kept[person, scopes] = (now, found)
        return found

    return token
