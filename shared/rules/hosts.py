"""The hosts that a text names. Nothing is fetched."""

import re
from collections.abc import Iterator

from shared.text import Normalised

MOST_HOSTS = 20

_ENDS = "com|cn|net|org|vip|xyz|top|cc|co|io|me|tv|info|shop|club|site|online|app|ly|uk|ru|link|live|icu|win|fun"
_HOST = re.compile(
    rf"[a-z0-9](?<![a-z0-9.-].)[a-z0-9-]{{0,62}}(?:\.[a-z0-9-]{{1,63}}){{0,3}}\.(?:{_ENDS})(?![a-z0-9-])"
    r"|https?://[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4}"
)
_END = re.compile(rf"\.(?:{_ENDS})(?![a-z0-9-])|://")
"""Stands in every text that names a host, and is looked for in less time than a host."""
_SCHEME = re.compile("https?://")


def hosts(seen: Normalised) -> tuple[str, ...]:
    """Each host once, in the order of the text, at most `MOST_HOSTS`; without `www.`."""
    found: dict[str, None] = {}
    for match in _named(seen.text):
        found.setdefault(_SCHEME.sub("", match.group()).removeprefix("www."))
        if len(found) == MOST_HOSTS:
            break
    return tuple(found)


def _named(text: str) -> Iterator[re.Match[str]]:
    return _HOST.finditer(text) if _END.search(text) else iter(())


def lookalike(written: str, seen: Normalised) -> bool:
    """Whether a host is written with letters of another alphabet, or encoded so that it may be (xn--)."""
    for count, match in enumerate(_named(seen.text)):
        if count == MOST_HOSTS:
            break
        if "xn--" in match.group():
            return True
        start, end = seen.original(*match.span())
        if any(char.isalpha() and not char.isascii() for char in written[start:end]):
            return True
    return False
