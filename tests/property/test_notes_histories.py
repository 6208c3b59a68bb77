"""Whatever happens under a note, and in whatever order it is heard of: the counts and timers are right in the end."""

from contextlib import suppress
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.notes.core import Comment, Need, Note, need_id
from services.notes.handlers import router
from services.notes.handlers.commands import AcceptAnswer, PostComment, PostNote, TakeAdvice
from services.notes.settings import Settings
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import NeedEscalated, NeedOpened, NeedWithdrawn
from shared.errors import Rejected
from tests.unit.support import D, World

STEPS = (3_600, 7_200)
SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i", need_steps=STEPS)
QUESTION, ANSWER = "请问需要预约吗?", "不用预约."
people = st.sampled_from(("ann", "bob", "cat"))


class Talk(RuleBasedStateMachine):
    """One note. Its own events wait and are heard in any order; verdicts come late, doubled and in any order."""

    @initialize()
    def begin(self) -> None:
        self.world = World(router(SETTINGS))
        self.comments: list[str] = []
        self.verdicts: dict[str, dict[int, bool]] = {}
        self.world.ask(PostNote(person_id="ann", note_id="n", title="t", text="x", topic=None, place=None, intent=None))
        self.world.settle()

    @rule(person=people, asks=st.booleans())
    def comment(self, person: str, asks: bool) -> None:
        id_ = f"c{len(self.comments)}"
        text = QUESTION if asks else ANSWER
        self.world.ask(PostComment(person_id=person, comment_id=id_, note_id="n", text=text, parent_id=None))
        self.comments.append(id_)

    @rule(data=st.data(), person=people)
    @precondition(lambda self: self.comments)
    def accept(self, data: st.DataObject, person: str) -> None:
        need, answer = (data.draw(st.sampled_from(self.comments)) for _ in range(2))
        with suppress(Rejected):
            self.world.ask(AcceptAnswer(person_id=person, need_id=need_id(need), comment_id=answer))

    @rule(data=st.data())
    @precondition(lambda self: self.comments)
    def advise(self, data: st.DataObject) -> None:
        with suppress(Rejected):
            self.world.ask(TakeAdvice(person_id="ann", comment_id=data.draw(st.sampled_from(self.comments))))

    @rule(data=st.data(), sequence=st.integers(1, 5), hidden=st.booleans())
    @precondition(lambda self: self.comments)
    def judge(self, data: st.DataObject, sequence: int, hidden: bool) -> None:
        id_ = data.draw(st.sampled_from(self.comments))
        hidden = self.verdicts.setdefault(id_, {}).setdefault(sequence, hidden)
        judged = ContentJudged(
            content_id=id_, kind="comment", note_id="n", author_id="x", hidden=hidden, score=1, reasons=(), rules="1"
        )
        self.world.hear(judged, sequence)

    @rule(data=st.data())
    @precondition(lambda self: self.world.pending)
    def hear(self, data: st.DataObject) -> None:
        self.world.deliver(data.draw(st.integers(0, len(self.world.pending) - 1)))

    @rule(seconds=st.integers(1, 8_000))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds=seconds)

    @invariant()
    def nothing_dies(self) -> None:
        assert not [outcome for outcome in self.world.outcomes if outcome.startswith("dead")]

    @invariant()
    def an_open_need_has_the_timer_of_its_next_step(self) -> None:
        wanted = {
            (f"{need.id}:{need.step + 1}", need.opened_at + timedelta(seconds=STEPS[need.step]))
            for need in self.of(Need)
            if need.state == "open" and need.step < len(STEPS)
        }
        assert {(timer.id, timer.due) for timer in self.world.timers} == wanted

    @invariant()
    def a_verdict_holds_by_its_sequence(self) -> None:
        for comment in self.of(Comment):
            verdicts = self.verdicts.get(comment.id, {})
            assert comment.hidden == (verdicts[max(verdicts)] if verdicts else False)

    @invariant()
    def a_need_is_escalated_once_a_step(self) -> None:
        steps: dict[str, list[int]] = {}
        for event in self.world.told:
            if isinstance(event, NeedOpened):
                steps[event.need_id] = []
            elif isinstance(event, NeedEscalated):
                steps[event.need_id].append(event.step)
        assert all(done == list(range(1, len(done) + 1)) for done in steps.values())

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.settle()
        note, comments, needs = self.world.get(Note, "n"), self.of(Comment), self.of(Need)
        assert note.comments == len(comments) == len(self.comments)
        assert note.hidden_comments == sum(comment.hidden for comment in comments)
        assert note.advice == sum(comment.advice for comment in comments)
        assert note.needs == sum(need.state != "withdrawn" for need in needs)
        assert note.needs_answered == sum(need.state == "answered" for need in needs)
        told = self.world.told
        assert note.needs == len(told.of(NeedOpened)) - len(told.of(NeedWithdrawn))
        state = {need.comment_id: need.state for need in needs}
        for comment in comments:
            asks = comment.text == QUESTION
            if comment.hidden:
                assert state.get(comment.id) in (None, "answered", "withdrawn")
            else:
                assert state.get(comment.id) in (("open", "answered") if asks else (None,))

    def of(self, kind: type[D]) -> list[D]:
        return [document for document in self.world.documents.values() if isinstance(document, kind)]


def test_counts_and_timers_follow_every_history() -> None:
    """Counts equal the documents, verdicts hold by sequence, open needs have one timer: in every order of events."""
    run_state_machine_as_test(
        Talk, settings=settings(max_examples=50, stateful_step_count=30, deadline=None, derandomize=True)
    )
