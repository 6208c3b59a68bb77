"""M3, M4, M5, M7 on real parts: notes and moderation as processes of their own, Apache Kafka, a database on disk.

A draft of rules is tried and labelled; another is put into force and taken back, and the gate of notes follows; then
a backtest judges what was said.
"""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from local import kafka
from local.fleet import Service, World, topics
from local.issuer import Issuer
from local.processes import together
from local.stack import Stack, running
from shared.release import BASE
from tests.e2e.waiting import within

pytestmark = [
    pytest.mark.stack,
    pytest.mark.kafka,
    pytest.mark.skipif(bool(kafka.missing()), reason="Apache Kafka cannot be had here"),
    pytest.mark.asyncio(loop_scope="module"),
]
TEA = '\nrule tea "请人喝茶"\n  hide\n  when text has tea_words\n  catches "喝茶"\n  spares "茶叶"\n'
SOURCE = f'phrases tea_words = """ 喝茶 """\n{BASE.read_text("utf-8")}{TEA}'
RELOADED = 5.0
"""Seconds in which every process judges by a change of the rules, the gates of other services too."""
SOON = 30.0


class Forum:
    """Two services, and people who talk to them."""

    def __init__(self, stack: Stack, issuer: Issuer) -> None:
        self.stack = stack
        self._issuer = issuer
        world = World(stack, issuer)
        self.notes, self.moderation = (Service(name, world, stack.directory) for name in ("notes", "moderation"))
        self.client = httpx.AsyncClient(timeout=30.0)
        self.note = ""

    async def ask(self, method: str, path: str, person: str, body: Any = None, key: str = "") -> Any:
        """What an API answers, which must be 2xx; who is called staff has the scope of it."""
        service = self.notes if path.startswith(("/v1/notes", "/v1/comments")) else self.moderation
        scopes = ("moderation",) if person.startswith("staff") else ()
        headers = {"Authorization": f"Bearer {self._issuer.token(person, scopes=scopes)}"}
        headers |= {"Idempotency-Key": key} if key else {}
        answer = await self.client.request(method, f"{service.url}{path}", headers=headers, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def say(self, text: str, key: str) -> Any:
        """A comment by a person of its own, so that no counter minds it; the ids are the same in each run."""
        return await self.ask("POST", f"/v1/notes/{self.note}/comments", f"p-{key}", {"text": text}, key)

    async def propose(self, source: str, key: str) -> str:
        """A draft; its id."""
        body = {"source": source, "note": "茶托又来了."}
        return str((await self.ask("POST", "/v1/rules/drafts", "staff-1", body, key))["draft_id"])

    async def verdict(self, said: Any, key: str) -> Any:
        """The verdict on a comment, once there is one, as its author reads it."""
        path, found = f"/v1/verdicts/{said['comment_id']}", dict[str, Any]()

        async def judged() -> bool:
            service = f"{self.moderation.url}{path}"
            headers = {"Authorization": f"Bearer {self._issuer.token(f'p-{key}')}"}
            answer = await self.client.get(service, headers=headers)
            found.update(answer.json() if answer.is_success else {})
            return answer.is_success

        await within(SOON, judged)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def forum() -> AsyncIterator[Forum]:
    """A note of ann's, and nothing else."""
    async with running("local") as stack, Issuer() as issuer:
        await topics(stack)
        made = Forum(stack, issuer)
        services = (made.notes, made.moderation)
        try:
            await together(*(service.migrate() for service in services))
            await together(*(service.start() for service in services))
            made.note = (await made.ask("POST", "/v1/notes", "ann", {"title": "聊聊", "text": "周末"}, "n"))["note_id"]
            yield made
        finally:
            await made.client.aclose()
            await together(*(service.child.stop(5.0) for service in services))


async def test_a_draft_is_tried_and_labelled(forum: Forum) -> None:
    """It hides nothing, a sample of what it would hide waits for staff, and what they say of it is counted."""
    draft = await forum.propose(SOURCE, "try")
    await forum.ask("POST", f"/v1/rules/drafts/{draft}/try", "staff-1")
    said = {f"t{n}": await forum.say("明天喝茶", f"t{n}") for n in range(24)}
    for key, comment in said.items():
        assert not (await forum.verdict(comment, key))["hidden"]
    waiting = (await forum.ask("GET", "/v1/reports?limit=50", "staff-1"))["items"]
    sample = {case["verdict"]["content_id"] for case in waiting}
    assert 1 <= len(sample) < len(said)
    assert sample <= {comment["comment_id"] for comment in said.values()}
    for content in sample:
        await forum.ask("POST", f"/v1/verdicts/{content}", "staff-2", {"action": "hide", "note": "广告"})

    async def counted() -> bool:
        trial = await forum.ask("GET", f"/v1/rules/trials/{draft}", "staff-1")
        return bool(trial["labelled"] == trial["right"] == len(sample))

    await within(SOON, counted)
    await forum.ask("POST", f"/v1/rules/drafts/{draft}/end", "staff-1")


async def test_a_change_reaches_the_gate_and_back(forum: Forum) -> None:
    """Within five seconds the gate of notes holds by it, before anybody reads the text; as soon it lets go again."""
    draft = await forum.propose(SOURCE + "\n", "live")
    change = await forum.ask("POST", f"/v1/rules/drafts/{draft}/approve", "staff-2")
    held = dict[str, Any]()

    async def holds() -> bool:
        key = f"h{time.monotonic_ns()}"
        held.update(await forum.say("后天喝茶", key), key=key)
        return bool(held["held"])

    await within(RELOADED, holds)
    verdict = await forum.verdict(held, held["key"])
    assert (verdict["hidden"], [reason["rule"] for reason in verdict["reasons"]]) == (True, ["tea"])
    seen = await forum.ask("GET", f"/v1/notes/{forum.note}/comments?limit=50", "cat")
    assert held["comment_id"] not in {comment["comment_id"] for comment in seen["items"]}
    undo = f"/v1/rules/changes/{change['change_id']}/rollback"
    await forum.ask("POST", undo, "staff-1", {"note": "误伤了茶客."})

    async def lets_go() -> bool:
        return not await holds()

    await within(RELOADED, lets_go)


async def test_a_backtest_finds_what_a_draft_would_hide(forum: Forum, tmp_path: Path) -> None:
    """All that was said of tea and shown: by the rule, with no trace in the running system."""
    rules = tmp_path / "draft.rules"
    rules.write_text(SOURCE, "utf-8")
    command = ["-m", "services.moderation", "backtest", "--rules", str(rules), "--days", "1"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env={"LIANYI_KAFKA": forum.stack.kafka}, stdout=asyncio.subprocess.PIPE
    )
    told = (await asyncio.wait_for(process.communicate(), 60.0))[0].decode()
    assert process.returncode == 0, told
    found = re.search(r"^tea +(\d+) +0$", told, re.M)
    assert found, told
    assert int(found[1]) >= 16, told
