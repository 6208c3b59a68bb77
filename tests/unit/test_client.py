"""The client of the scenario and the feed: patient where that is safe, and its journal is the truth."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from local.client import Client, NoAnswerError, Refusal, Wire
from local.journal import Accepted, Journal

NOON = 1_800_000_000.0
Answer = httpx.Response | Exception


async def token(person: str, scopes: frozenset[str]) -> str:
    return f"{person} {' '.join(scopes)}"


def problem(status: int, slug: str) -> httpx.Response:
    return httpx.Response(status, json={"type": f"urn:lianyi:problem:{slug}", "title": slug})


@asynccontextmanager
async def service(
    *answers: Answer, patience: float = 5.0
) -> AsyncIterator[tuple[Client, list[httpx.Request], list[Accepted]]]:
    """A client whose requests get these answers in turn; the requests; what the journal heard as accepted."""
    left, requests, heard = list(answers), list[httpx.Request](), list[Accepted]()

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    class Listener:
        accepted: Callable[[Accepted], None] = heard.append
        failed = staticmethod(lambda _: None)

    journal = Journal(clock=lambda: NOON, listeners=[Listener()])
    urls = dict.fromkeys(("notes", "groups"), "http://service")
    async with Wire(urls, token, journal, patience, httpx.MockTransport(answer)) as wire:
        yield Client(wire), requests, heard


BUSY = httpx.Response(503, headers={"Retry-After": "0"})
MADE = httpx.Response(201, json={"note_id": "n-1"})


@pytest.mark.parametrize("trouble", [BUSY, httpx.ReadError("broken"), httpx.ReadTimeout("slow")])
async def test_a_retry_has_the_same_key_and_another_correlation(trouble: Answer) -> None:
    """What may have been applied is asked for again under its Idempotency-Key, and accepted once."""
    async with service(trouble, MADE) as (client, requests, heard):
        assert await client.note("p-1", {"title": "t", "text": "字"}) == "n-1"
        first, second = requests
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
        assert first.headers["X-Correlation-Id"] != second.headers["X-Correlation-Id"]
        assert heard == [Accepted("note", "p-1", note="n-1", size=3)]
        assert client.journal.waits == 1


async def test_the_correlation_tells_when_it_was_sent() -> None:
    """Our events are known by it, and so is the moment of their cause; those of others are not."""
    async with service(MADE) as (client, requests, _):
        await client.note("p-1", {"title": "t", "text": "t"})
        assert client.journal.sent(requests[0].headers["X-Correlation-Id"]) == NOON
        assert client.journal.sent(Journal().correlation()) is None
        assert client.journal.sent("nonsense") is None


async def test_patience_ends() -> None:
    """A command without a definite answer is given up in the end, and the journal says so."""
    async with service(BUSY, patience=-1.0) as (client, _, heard):
        with pytest.raises(NoAnswerError, match="503"):
            await client.note("p-1", {"title": "t", "text": "t"})
        assert [failed.action for failed in client.journal.failures] == ["note"]
        assert heard == []


async def test_a_bug_of_the_service_is_no_acceptance() -> None:
    """A 500 is not asked again and counts as given up."""
    async with service(problem(500, "internal-error")) as (client, requests, _):
        with pytest.raises(NoAnswerError, match="500"):
            await client.note("p-1", {"title": "t", "text": "t"})
        assert len(requests) == len(client.journal.failures) == 1


async def test_a_refusal_has_its_reason() -> None:
    """A 4xx raises with the problem's slug, and is counted by it."""
    async with service(problem(403, "group-full")) as (client, _, heard):
        with pytest.raises(Refusal) as caught:
            await client.join("p-1", "g-1")
        assert (caught.value.status, caught.value.reason) == (403, "group-full")
        assert [refused.reason for refused in client.journal.refused] == ["group-full"]
        assert heard == []


async def test_a_leaving_that_had_no_answer_is_known_by_the_next() -> None:
    """When the connection broke and the retry says "not a member", the first try has done it."""
    async with service(httpx.ReadError("broken"), problem(404, "not-a-member")) as (client, _, heard):
        await client.leave("p-1", "g-1")
        assert heard == [Accepted("leave", "p-1", group="g-1")]
    async with service(problem(404, "not-a-member")) as (client, _, heard):
        with pytest.raises(Refusal):
            await client.leave("p-1", "g-1")
        assert heard == []


async def test_a_group_that_notes_does_not_know_yet_is_waited_for() -> None:
    """Between services news takes moments: that is no refusal."""
    async with service(problem(404, "unknown-group"), httpx.Response(201, json={})) as (client, _, heard):
        await client.relay("p-1", "n-1", "g-1")
        assert heard == [Accepted("relay", "p-1", "n-1", group="g-1")]
        assert client.journal.refused == []


async def test_reading_what_is_not_there_gives_none() -> None:
    """404 is an answer to a read; other refusals are errors."""
    async with service(problem(404, "unknown-note"), problem(401, "invalid-token")) as (client, _, _heard):
        assert await client.read("notes", "notes/n", "p-1") is None
        with pytest.raises(Refusal):
            await client.read("notes", "notes/n", "p-1")
