"""Whatever happens under a note, and in whatever order it is heard of: the counts and timers are right in the end."""

from contextlib import suppress
from datetime import timedelta
from typing import Literal

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

from services.notes.core import Comment, Need, Note, Reaction, Record, Revision, need_id
from services.notes.handlers import router
from services.notes.handlers.commands import (
    AcceptAnswer,
    DeleteComment,
    DeleteNote,
    EditComment,
    PostComment,
    PostNote,
    React,
    TakeAdvice,
)
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
        self.verdicts: dict[tuple[str, int], dict[int, bool]] = {}
        self.world.ask(PostNote(person_id="ann", note_id="n", title="t", text="x", topic=None, place=None, intent=None))
        self.world.settle()

    @rule(person=people, asks=st.booleans())
    def comment(self, person: str, asks: bool) -> None:
        id_ = f"c{len(self.comments)}"
        text = QUESTION if asks else ANSWER
        with suppress(Rejected):
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

    @rule(data=st.data(), asks=st.booleans(), stale=st.integers(0, 3))
    @precondition(lambda self: self.comments)
    def edit(self, data: st.DataObject, asks: bool, stale: int) -> None:
        comment = self.world.get(Comment, data.draw(st.sampled_from(self.comments)))
        text, match = (QUESTION if asks else ANSWER), max(0, comment.latest - stale // 3)
        edit = EditComment(person_id=comment.author_id, comment_id=comment.id, match=match, fields={"text": text})
        with suppress(Rejected):
            self.world.ask(edit)

    @rule(data=st.data())
    @precondition(lambda self: self.comments)
    def take_away(self, data: st.DataObject) -> None:
        comment = self.world.get(Comment, data.draw(st.sampled_from(self.comments)))
        self.world.ask(DeleteComment(person_id=comment.author_id, comment_id=comment.id, any_comment=False))

    @rule()
    @precondition(lambda self: len(self.comments) > 5)
    def take_all_away(self) -> None:
        self.world.ask(DeleteNote(person_id="ann", note_id="n", any_note=False))

    @rule(person=st.sampled_from(("bob", "cat")), kind=st.sampled_from(("like", "save")), on=st.booleans())
    def react(self, person: str, kind: Literal["like", "save"], on: bool) -> None:
        with suppress(Rejected):
            self.world.ask(React(person_id=person, note_id="n", kind=kind, on=on))

    @rule(data=st.data(), sequence=st.integers(1, 5), hidden=st.booleans())
    @precondition(lambda self: self.comments)
    def judge(self, data: st.DataObject, sequence: int, hidden: bool) -> None:
        comment = self.world.get(Comment, data.draw(st.sampled_from(self.comments)))
        revision = data.draw(st.integers(0, comment.latest))
        hidden = self.verdicts.setdefault((comment.id, revision), {}).setdefault(sequence, hidden)
        judged = ContentJudged(
            content_id=comment.id,
            kind="comment",
            note_id="n",
            author_id="x",
            revision=revision,
            hidden=hidden,
            score=1,
            reasons=(),
            rules="1",
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
        timers = {(timer.id, timer.due) for timer in self.world.timers if "orphaned" not in timer.id}
        assert timers == wanted

    @invariant()
    def others_see_what_the_verdicts_let_through(self) -> None:
        """The last verdict on the text that others see hides it or not; one that waits has none that shows it."""
        for comment in self.of(Comment):
            if comment.deleted:
                assert comment.text == ""
                continue
            seen, last = (self.verdicts.get((comment.id, n), {}) for n in (comment.revision, comment.latest))
            assert comment.hidden == (seen[max(seen)] if seen else False)
            if comment.latest != comment.revision:
                assert not last or last[max(last)]

    @invariant()
    def nobody_sees_a_text_that_waits(self) -> None:
        """What others see is the revision that says so, and it was let through or posted."""
        shown = {(edit.content_id, edit.number): edit for edit in self.of(Revision)}
        for comment in self.of(Comment):
            if edit := shown.get((comment.id, comment.revision)):
                assert (edit.state, edit.text) == ("shown", comment.text) or comment.deleted

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
        self.world.wait(seconds=0)
        note, comments, needs = self.world.get(Note, "n"), self.of(Comment), self.of(Need)
        assert note.comments == len(comments) == len(self.comments)
        assert note.hidden_comments == sum(comment.hidden for comment in comments)
        assert note.deleted_comments == sum(comment.deleted and not comment.hidden for comment in comments)
        assert note.advice == sum(comment.advice for comment in comments)
        assert note.needs == sum(need.state != "withdrawn" for need in needs)
        assert note.needs_answered == sum(need.state == "answered" for need in needs)
        assert sorted(note.asking) == sorted(need.comment_id for need in needs if need.state == "open")
        reactions = [reaction.kind for reaction in self.of(Reaction) if reaction.on]
        assert (note.likes, note.saves) == (reactions.count("like"), reactions.count("save"))
        told = self.world.told
        assert note.needs == len(told.of(NeedOpened)) - len(told.of(NeedWithdrawn))
        state = {need.comment_id: need.state for need in needs}
        for comment in comments:
            asks = comment.text == QUESTION and not (comment.hidden or comment.deleted or note.deleted)
            assert state.get(comment.id) in (("open", "answered") if asks else (None, "answered", "withdrawn"))
        self.no_text_is_left_of_what_was_deleted(note, comments)
        self.records_are_the_sums(note, comments, needs)

    def no_text_is_left_of_what_was_deleted(self, note: Note, comments: list[Comment]) -> None:
        gone = {comment.id for comment in comments if comment.deleted} | ({"n"} if note.deleted else set())
        assert not any(edit.text for edit in self.of(Revision) if edit.content_id in gone)
        assert not (note.deleted and (note.text or note.title))

    def records_are_the_sums(self, note: Note, comments: list[Comment], needs: list[Need]) -> None:
        for record in self.of(Record):
            seen = [c for c in comments if c.author_id == record.id and not (c.hidden or c.deleted)]
            assert (record.comments, record.notes) == (len(seen), record.id == "ann" and not note.deleted)
            assert record.asked == sum(n.asker_id == record.id and n.state != "withdrawn" for n in needs)
            assert record.answered == sum(n.helper_id == record.id for n in needs)
            assert record.advice == sum(c.advice and c.author_id == record.id for c in comments)

    def of(self, kind: type[D]) -> list[D]:
        return [document for document in self.world.documents.values() if isinstance(document, kind)]


def test_counts_and_timers_follow_every_history() -> None:
    """Counts equal the documents, verdicts decide by sequence and revision what is seen, open needs have one timer, and
    what was deleted is gone: in every order of events."""
    run_state_machine_as_test(
        Talk, settings=settings(max_examples=80, stateful_step_count=40, deadline=None, derandomize=True)
    )
