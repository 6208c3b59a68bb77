"""What ``ops republish`` tells of recommend: the suggestions for each note, or that they were withdrawn."""

from services.recommend.placed import Suggestions
from shared.contracts import Event
from shared.contracts.recommend import GroupsSuggested, Reason, Suggestion, SuggestionsWithdrawn
from shared.flow.states import State


def suggestions(made: Suggestions) -> Event:
    """What is suggested for a note."""
    if made.withdrawn:
        return SuggestionsWithdrawn(note_id=made.id)
    return GroupsSuggested(
        note_id=made.id,
        suggestions=tuple(
            Suggestion(
                group_id=s.group_id,
                score=s.score,
                reasons=tuple(Reason(kind="term", term=r.term, weight=r.weight) for r in s.reasons),
            )
            for s in made.groups
        ),
        model=made.model,
    )


STATES = (State(Suggestions, suggestions),)
