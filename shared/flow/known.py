"""Which of a service's own decisions, as its own topic brings them back, it already knows."""

from .documents import Document
from .work import Work


def is_known(document: Document | None, work: Work) -> bool:
    """Whether a decision of the service's own, which its own topic brings back, holds nothing new for the document.

    Of a document that it has, what was told below the floor of a database that was restored it either knows or has
    lost, and then it is not taken up again: the state that was republished holds. Only a rebuild reads all, and the
    highest comes out. A document that it has not, or of which a rebuild has not read a decision yet (version 0), is
    taken up as readers did: the backup was made before it was read back.
    """
    if document is None or not document.v:
        return False
    sequence = work.cause.sequence
    return document.v >= sequence or (sequence < work.floor and not work.past)
