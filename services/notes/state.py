"""What ``ops republish`` tells of notes: the needs that nobody has answered.

Texts, reactions and relays are facts or counts, and whoever hears of an answer counts it: none of them is told again.
Of a note's or comment's visibility the reasons are not kept, so no state event could tell it whole.
"""

from services.notes.core import Need, due
from shared.contracts import Event
from shared.contracts.notes import NeedEscalated, NeedOpened, NeedWithdrawn
from shared.flow.states import State


def states(steps: tuple[int, ...]) -> tuple[State, ...]:
    """Kinds of documents, and the event of each; ``steps`` are the seconds after which a need escalates."""

    def need(need: Need) -> Event | None:
        about = {
            "need_id": need.id,
            "note_id": need.note_id,
            "comment_id": need.comment_id,
            "asker_id": need.asker_id,
        }
        if need.state == "withdrawn":
            return NeedWithdrawn(**about)
        if need.state != "open":
            return None
        if need.step:
            last = need.step >= len(steps)
            return NeedEscalated(**about, step=need.step, due_at=due(need, steps), last=last)
        return NeedOpened(**about, due_at=due(need, steps))

    return (State(Need, need),)
