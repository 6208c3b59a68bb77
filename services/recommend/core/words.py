"""Reasons as sentences for the person who reads them, in Chinese and in English."""

from typing import Literal

import msgspec


class Words(msgspec.Struct, frozen=True):
    """The same in both languages."""

    zh: str
    en: str


def in_words(kind: Literal["term", "members", "liked", "popular", "near"], what: str) -> Words:
    """A reason in words; `what` is the term, or the name of the group whose members are meant, "" if it has none."""
    if kind == "term":
        return Words(f"这里谈到「{what}」", f"They talk about “{what}” there")
    if kind == "near":
        return Words("离你不远", "It is not far from you")
    if kind == "popular":
        return Words("这里人多", "Many people are there")
    if not what and kind == "liked":
        return Words("你喜欢的一个群里，有人也在这里", "People of a group that you like are there, too")
    if not what:
        return Words("你所在的一个群里，有人也在这里", "People of a group of yours are there, too")
    if kind == "liked":
        return Words(f"你喜欢的「{what}」里，有人也在这里", f"People of “{what}”, which you like, are there, too")
    return Words(f"你所在的「{what}」里，有人也在这里", f"People of “{what}”, where you are, are there, too")
