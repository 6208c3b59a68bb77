"""What a group asks at its door, and whom it lets in for the answer."""

import unicodedata

import msgspec


class Question(msgspec.Struct, frozen=True):
    """What a group asks at its door, and the answers it takes."""

    text: str
    accepted: tuple[str, ...]


def answers(question: Question, answer: str | None) -> bool:
    """Whether an answer is accepted: width, case and outer space do not matter."""
    return answer is not None and folded(answer) in {folded(accepted) for accepted in question.accepted}


def folded(text: str) -> str:
    """A text as answers are compared."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
