"""Tables of phrases as one regular expression that the engine can search fast.

`re` skips to a possible beginning only where every alternative begins with a literal character: a search over
ordinary text is then about eight times as fast (measured). So a class or a group at the head of an alternative
is written out here, and a look behind stands after the first character.
"""

import re

_LEAD_CLASS = re.compile(r"\[([^\]\\^]{1,60})\](?![{*+?])")
_LEAD_GROUP = re.compile(r"\(\?:([^()\[\]]{1,200})\)(?![{*+?])")
_MOST_HEADS = 64
_RANGE = re.compile("(.)-(.)")
_HEAD = re.compile(r"(?:\\[^\w]|[^\\\[(.])(?![{*+?])")


def either(alternatives: str) -> str:
    """One expression of alternatives parted by white space, tried in their order; a blank in one is an escape."""
    return "|".join(form for alternative in alternatives.split() for form in written_out(alternative))


def words(alternatives: str) -> str:
    """The same for English: each alternative stands between edges of a word.

    Raises ValueError for an alternative that does not begin with a character of its own.
    """
    return "|".join(
        f"{head}(?<![a-z].)(?:{rest})(?![a-z])"
        for alternative in alternatives.split()
        for head, rest in map(_beheaded, written_out(alternative))
    )


def written_out(alternative: str) -> list[str]:
    """The alternatives without a class or a group at the head; what cannot be written out stays as it is."""
    if match := _LEAD_CLASS.match(alternative):
        heads = list(map(re.escape, _RANGE.sub(_span, match[1])))
        if len(heads) > _MOST_HEADS:
            return [alternative]
    elif match := _LEAD_GROUP.match(alternative):
        heads = match[1].split("|")
    else:
        return [alternative]
    rest = alternative[match.end() :]
    if match.re is _LEAD_CLASS:
        return [head + rest for head in heads]
    return [form for head in heads for form in written_out(head + rest)]


def _span(match: re.Match[str]) -> str:
    """The characters of a range, or as many of them as are too many to be written out."""
    first, last = map(ord, match.groups())
    return "".join(map(chr, range(first, min(last, first + _MOST_HEADS) + 1)))


def _beheaded(form: str) -> tuple[str, str]:
    match = _HEAD.match(form)
    if match is None:
        raise ValueError(f"{form} does not begin with a character of its own")
    return match.group(), form[match.end() :]
