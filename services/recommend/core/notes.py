"""A note as `recommend` sees it: what it is about, what its first comments add, and where it was relayed.

The result does not depend on the order of news: of two texts the higher revision holds, of two changes of visibility
the higher sequence, and what is deleted stays deleted, also when its text comes late. Only which comments are the
first sixteen is a matter of arrival.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from services.recommend.core.terms import MAX_TERMS, features, says_little
from shared.flow.documents import Document, Texts
from shared.place import district, is_cell

MOST_REMARKS = 16
"""Comments that are read of a note; by then the talk has shown where it goes."""
OF_ONE_AUTHOR, IN_A_ROW = 2, 10
"""Of so many notes one after another, at most two are of the same author."""
MOST_VOICES = 3
"""What a term gains at most by how many people say it: as much as by standing in the title."""


class Remark(msgspec.Struct, frozen=True):
    """One comment. `revision` is -1 until its text was heard of; `terms` are apart by spaces, each counts once."""

    comment_id: str
    author_id: str = ""
    revision: int = -1
    terms: str = ""
    hidden: bool = False
    sequence: int = 0
    gone: bool = False

    @property
    def speaks(self) -> bool:
        """Whether others can read it."""
        return self.revision >= 0 and not self.hidden and not self.gone


class NoteTerms(Document, frozen=True, kw_only=True):
    """What a note is about, as (term, count); empty until it was heard of. Relays and comments may come first.

    A deleted note keeps nothing but that it is `gone`. `cell` is where it is, as it was told (moved), with the district
    by which it is found and the time when it was posted; "" where it said nothing.
    """

    COLLECTION: ClassVar[str] = "notes"
    REBUILT: ClassVar[bool] = True
    TEXTS: ClassVar[Texts] = {"author_id": ("terms", "cell", "district"), "talk.author_id": ("terms",)}

    at: datetime | None = None
    cell: str = ""
    district: str = ""
    terms: tuple[tuple[str, int], ...] = ()
    posted: bool = False
    revision: int = 0
    author_id: str = ""
    groups: tuple[str, ...] = ()
    talk: tuple[Remark, ...] = ()
    gone: bool = False


def written(note: NoteTerms, author_id: str, terms: Mapping[str, int], revision: int) -> NoteTerms:
    """The note with this text; the same object if it is gone, or was heard of in this revision or a later one."""
    if note.gone or (note.posted and revision <= note.revision):
        return note
    return replace(note, terms=tuple(terms.items()), posted=True, revision=revision, author_id=author_id)


def located(note: NoteTerms, cell: str, at: datetime) -> NoteTerms:
    """The note at its place; the same object if it is gone, or told none or one that is no cell."""
    if note.gone or not is_cell(cell):
        return note
    return replace(note, at=at, cell=cell, district=district(cell))


def remarked(note: NoteTerms, comment_id: str, author_id: str, text: str, revision: int) -> NoteTerms:
    """The note with this text of a comment; the same object if that changes nothing or there is no room."""
    remark = _remark(note, comment_id)
    if remark is None or remark.gone or revision <= remark.revision:
        return note
    terms = " ".join(term for term in features("", text) if not says_little(term))
    return _put(note, replace(remark, author_id=author_id, revision=revision, terms=terms))


def veiled(note: NoteTerms, comment_id: str, *, hidden: bool, sequence: int) -> NoteTerms:
    """The note with a comment hidden or restored; the same object if that is older news or there is no room."""
    remark = _remark(note, comment_id)
    if remark is None or sequence <= remark.sequence:
        return note
    return _put(note, replace(remark, hidden=hidden, sequence=sequence))


def unsaid(note: NoteTerms, comment_id: str) -> NoteTerms:
    """The note without a comment, whose text is not kept; the same object if it was unsaid, or never read."""
    remark = _remark(note, comment_id)
    if remark is None or remark.gone:
        return note
    return _put(note, replace(remark, author_id="", terms="", gone=True))


def removed(note: NoteTerms) -> NoteTerms:
    """What is left of a deleted note."""
    return NoteTerms(id=note.id, v=note.v, gone=True)


def voices(note: NoteTerms) -> int:
    """How many of the comments that were read others can read, too."""
    return sum(remark.speaks for remark in note.talk)


def is_due(note: NoteTerms) -> bool:
    """Whether the comment that has just come makes 2, 4, 8 or 16: so often a note's suggestions are looked at anew."""
    count = voices(note)
    return note.posted and count >= 2 and count & (count - 1) == 0


class Spot(msgspec.Struct, frozen=True):
    """A note that is near somebody."""

    note_id: str
    author_id: str
    at: datetime


def apart(notes: Iterable[Spot], k: int) -> list[Spot]:
    """The first k of the notes, without those that would be a third of one author among ten."""
    taken: list[Spot] = []
    for note in notes:
        if len(taken) == k:
            break
        if sum(one.author_id == note.author_id for one in taken[1 - IN_A_ROW :]) < OF_ONE_AUTHOR:
            taken.append(note)
    return taken


def said(note: NoteTerms) -> dict[str, int]:
    """What the note is about with its talk, `{term: count}`: the note's own terms, more for what others say as well.

        said(t) = note(t) + min(people(t) - 1, 3)        people(t): the authors of note and comments who say t

    So what one person says alone moves nothing, however often they say it. Of terms that only the talk has, the 400
    stay that most people say. Characters and small words of comments are not counted.
    """
    whole = dict(note.terms)
    people = {term: {note.author_id} for term in whole}
    for remark in note.talk:
        for term in remark.terms.split() if remark.speaks else ():
            people.setdefault(term, set()).add(remark.author_id)
    more = {term: min(len(who) - 1, MOST_VOICES) for term, who in people.items() if len(who) > 1}
    news = sorted(more.keys() - whole.keys(), key=lambda term: (-more[term], term))[:MAX_TERMS]
    return {term: count + more.get(term, 0) for term, count in whole.items()} | {term: more[term] for term in news}


def _remark(note: NoteTerms, comment_id: str) -> Remark | None:
    """The comment as it is known, a new one while there is room, None for one that is not read."""
    known = next((remark for remark in note.talk if remark.comment_id == comment_id), None)
    room = not note.gone and len(note.talk) < MOST_REMARKS
    return known or (Remark(comment_id) if room else None)


def _put(note: NoteTerms, remark: Remark) -> NoteTerms:
    talk = [other for other in note.talk if other.comment_id != remark.comment_id]
    return replace(note, talk=tuple(sorted([*talk, remark], key=lambda other: other.comment_id)))
