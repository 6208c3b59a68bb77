"""Which of a service's own decisions, as its own topic brings them back, it already knows."""

from .documents import Document
from .floor import LIFTED
from .work import Work


def is_known(document: Document | None, work: Work) -> bool:
    """Whether a decision of the service's own, which its own topic brings back, holds nothing new for the document.

    What the lost timeline told, far below the floor of a database that was restored, it either knows or has lost, and
    then it is not taken up again: the state that was republished holds. Only a rebuild reads all, and the highest
    comes out.
    """
    sequence = work.cause.sequence
    if document is not None and document.v >= sequence:
        return True
    return sequence < work.floor - LIFTED and not work.past
