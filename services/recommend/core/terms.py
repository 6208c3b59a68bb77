"""What a note is about, as countable terms that a person can read.

Three kinds, told apart by the term itself, because they repeat at very different rates and are weighed apart:
words of scripts that put spaces between them (`python`, `c++`, `node.js`), single characters of Chinese,
Japanese and Korean, and pairs of such characters that stand side by side. No word list and no segmenter:
pairs are nearly words in Chinese, and a new brand or slang needs no dictionary.
"""

import re
import unicodedata
from collections.abc import Iterator

WORD, CHAR, PAIR = 0, 1, 2

TITLE_WEIGHT = 3
TITLE_CHARS = 120
TEXT_CHARS = 200
MAX_TERMS = 400
MAX_WORD = 24

_SMALL_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "for",
        "from",
        "i",
        "in",
        "is",
        "it",
        "me",
        "my",
        "of",
        "on",
        "or",
        "that",
        "the",
        "this",
        "to",
        "we",
        "with",
        "you",
    ]
)
# What is read before links are taken out, so that a note that opens with a long link still has a text.
_READ_CHARS = 5 * TEXT_CHARS
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_LETTER = rf"[^\W_{_CJK}]"
_RUN = re.compile(rf"(?P<cjk>[{_CJK}]+)|{_LETTER}+(?:\.{_LETTER}+)*[+#]*")
_CJK_FIRST = re.compile(rf"[{_CJK}]")


def features(title: str, text: str) -> dict[str, int]:
    """Terms of a note: `{term: count}`, at most 400, the title's first.

    A term counts once however often it stands there (a note that repeats a word is not more about it), and
    three times when the title has it. Read are 120 characters of the title and 200 of the text, links left
    out. A term holds no white space. The same texts give the same dictionary in the same order.
    """
    found: dict[str, int] = {}
    for part, limit, count in ((title, TITLE_CHARS, TITLE_WEIGHT), (text, TEXT_CHARS, 1)):
        for term in _terms(_LINK.sub(" ", part[:_READ_CHARS])[:limit]):
            if len(found) >= MAX_TERMS:
                return found
            found.setdefault(term, count)
    return found


def kind(term: str) -> int:
    """WORD, CHAR or PAIR. Any string has a kind, so that a foreign term cannot break a profile."""
    # Nearly all begin below the first of the ranges, or in the large one.
    first = term[:1]
    if first < "\u2e80" or not ("\u4e00" <= first <= "\u9fff" or _CJK_FIRST.match(first)):
        return WORD
    return CHAR if len(term) == 1 else PAIR


def says_little(term: str) -> bool:
    """A single character or a small word: it may weigh something, but tells a person nothing."""
    return kind(term) == CHAR or term in _SMALL_WORDS


def _terms(part: str) -> Iterator[str]:
    for match in _RUN.finditer(unicodedata.normalize("NFKC", part).lower()):
        run = match.group()
        if match.lastgroup != "cjk":
            if len(run) <= MAX_WORD:  # longer ones are hashes and keys, never seen twice
                yield run
            continue
        yield from run
        yield from (run[i : i + 2] for i in range(len(run) - 1))
