"""The audit of a group: every change leaves an entry, in the transaction that makes it."""

from services.groups.core import Act, Entry
from shared.flow.work import Work


def note(work: Work, group_id: str, act: Act, *, by: str = "", person: str = "", why: str = "") -> None:
    """Write down what was done; ``by`` is empty where a rule did it."""
    work.insert(
        Entry(
            id=work.new_id(),
            group_id=group_id,
            at=work.now,
            act=act,
            by_id=by,
            person_id=person,
            why=why,
            correlation_id=work.cause.correlation,
        )
    )
