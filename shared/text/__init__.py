"""Reading of texts, pure: what every service that judges or reads a text must see alike.

`normalise` folds the ways in which a text hides a word from a rule (width, case, invisible characters,
look-alikes, inserted separators, 谐音 forms of contact words) and remembers where each character came from,
so that evidence can be shown in the text as its author wrote it. `is_question` tells a text that asks for something.
"""

from shared.text.normalise import VERSION, normalise
from shared.text.questions import is_question
from shared.text.spans import Normalised

__all__ = ["VERSION", "Normalised", "is_question", "normalise"]
