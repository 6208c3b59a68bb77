"""Counters by person: windows that slide, exact in any order and after any restart, and what they hold against whom."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.moderation.core import Content, Counter, Entry, Windows, counted, text_hash
from services.moderation.core.counters import HOUR, MINUTE, WEEK
from services.moderation.handlers import DecideContent
from shared.contracts.moderation import ContentCounted, ContentFlagged, ContentJudged, MessageFlagged
from shared.contracts.notes import CommentEdited, CommentPosted, NotePosted
from shared.contracts.talk import MessagePosted
from tests.unit.judging import SPAM, service
from tests.unit.support import START, World

LIMITS = Windows(per_minute=3, per_hour=6, places=2, hidden=2)


def entry(number: int, at: datetime, **fields: Any) -> Entry:
    made = {"content_id": f"c{number}", "place_id": f"n{number}", "at": at, "text": "", "hidden": False, "version": 1}
    return Entry(**{**made, **fields})


def signs_of(entries: list[Entry], limits: Windows = LIMITS) -> list[tuple[str, ...]]:
    counter = Counter(id="person:ann")
    found: list[tuple[str, ...]] = []
    for one in entries:
        counter, signs = counted(counter, one, limits)
        found.append(signs)
    return found


def test_a_minute_slides() -> None:
    """The fourth within sixty seconds is a flood; the same four over a millisecond more than that are none."""
    within = [entry(n, START + timedelta(seconds=19.9 * n)) for n in range(4)]
    apart = [entry(n, START + timedelta(seconds=20 * n)) for n in range(4)]
    assert signs_of(within) == [(), (), (), ("flood",)]
    assert signs_of(apart) == [(), (), (), ()]


def test_an_hour_slides_too() -> None:
    """The seventh within an hour is a flood though no minute is full; the eighth an hour after the first is none."""
    assert signs_of([entry(n, START + timedelta(minutes=9 * n)) for n in range(7)])[-1] == ("flood",)
    assert signs_of([entry(n, START + timedelta(minutes=10 * n)) for n in range(7)])[-1] == ()


def test_the_same_text_in_many_places() -> None:
    """The third note with it counts, the third time in one note does not, and short texts never do."""
    alike = [entry(n, START + timedelta(minutes=2 * n), text="h") for n in range(3)]
    assert signs_of(alike) == [(), (), ("repeated",)]
    one_place = [entry(n, START + timedelta(minutes=2 * n), text="h", place_id="n") for n in range(3)]
    assert signs_of(one_place) == [(), (), ()]
    assert text_hash("好的, 谢谢") == ""
    assert text_hash("Ｆree  Wi Fi 密码在这里") == text_hash("free wifi密码在这里") != text_hash("free wifi密码在那里")


def test_what_was_hidden_counts_for_a_week_and_what_was_restored_does_not() -> None:
    """Two hidden ones count against the next; one of them restored, they do not; nor after seven days."""
    hidden = [entry(n, START + timedelta(hours=2 * n), hidden=True) for n in range(2)]
    late = [entry(9, START + WEEK), entry(9, START + WEEK + timedelta(hours=2))]
    assert signs_of([*hidden, entry(9, START + timedelta(hours=5))])[-1] == ("relapse",)
    shown = entry(0, START, version=2)
    assert signs_of([*hidden, shown, entry(9, START + timedelta(hours=5))])[-1] == ()
    assert [signs_of([*hidden, one])[-1] for one in late] == [(), ()]
    assert signs_of([*hidden, entry(9, START + WEEK - timedelta(seconds=1))])[-1] == ("relapse",)


def test_news_of_a_known_content_is_held_against_nobody() -> None:
    """Hidden or shown later, in any order: the higher version holds, and no window opens for it again."""
    flood = [entry(n, START) for n in range(4)]
    assert signs_of([*flood, entry(3, START, hidden=True, version=2)])[-1] == ()
    counter = Counter(id="person:ann")
    for version in (3, 2, 1):
        counter, _ = counted(counter, entry(0, START, hidden=version == 3, version=version), LIMITS)
    assert [(e.version, e.hidden) for e in counter.entries] == [(3, True)]


@given(st.integers(0, 10_000))
def test_windows_are_exact_in_a_document_of_bounded_size(seed: int) -> None:
    """Against a count over everything that was ever written, however much that is; the document stays small."""
    rng = random.Random(seed)
    at, counter = START, Counter(id="person:ann")
    all_: list[Entry] = []
    for n in range(60):
        at += timedelta(seconds=rng.choice([0.5, 5, 30, 600, 100_000]))
        one = entry(n, at, text=rng.choice(["", "h", "g"]), place_id=f"n{rng.randrange(4)}", hidden=rng.random() < 0.3)
        counter, signs = counted(counter, one, LIMITS)
        before = [(at - e.at, e) for e in all_]
        places = {e.place_id for age, e in before if age < HOUR and e.text == one.text} | {one.place_id}
        minute, hour = (sum(age < span for age, _ in before) for span in (MINUTE, HOUR))
        expected = {
            "flood": minute >= LIMITS.per_minute or hour >= LIMITS.per_hour,
            "repeated": bool(one.text) and len(places) > LIMITS.places,
            "relapse": sum(e.hidden for age, e in before if age < WEEK) >= LIMITS.hidden,
        }
        if hour <= LIMITS.kept:
            assert set(signs) == {sign for sign, holds in expected.items() if holds}
        assert len(counter.entries) <= 2 * LIMITS.kept
        all_.append(one)


# -- at work -------------------------------------------------------------------------------------------------


def world() -> World:
    return service(flood_per_minute=3, repeated_places=2, relapse_hidden=2)


def write(made: World, number: int, text: str = "", place: str = "n") -> Content:
    text = text or f"第{number}条, 说点别的"
    made.hear(CommentPosted(comment_id=f"c{number}", note_id=place, author_id="bob", note_author_id="ann", text=text))
    made.settle()
    return made.get(Content, f"c{number}")


def test_a_flood_is_told_and_weighed() -> None:
    """What comes after the limit gets a new verdict with the reason; alone it hides nothing."""
    made = world()
    contents = [write(made, n) for n in range(4)]
    assert [[r.rule for r in c.reasons] for c in contents] == [[], [], [], ["flood"]]
    assert (contents[3].hidden, contents[3].score) == (False, 0.6)
    assert [(v.content_id, [r.rule for r in v.reasons]) for v in made.told.of(ContentJudged)][-1] == ("c3", ["flood"])
    assert [(e.flag, e.content_id) for e in made.told.of(ContentFlagged)] == [("flood", "c3")]
    made.now += timedelta(minutes=1)
    assert write(made, 4).reasons == ()


def test_the_same_offer_in_many_notes_is_hidden() -> None:
    """From the third note on, without any rule that knows it; the first two stay as they were."""
    made = world()
    contents = [write(made, n, "快来看我的新铺子, 什么都有", f"n{n}") for n in range(4)]
    assert [c.hidden for c in contents] == [False, False, True, True]
    assert [e.hidden for e in made.told.of(ContentCounted) if e.content_id == "c2"] == [False, True]
    assert "flood" in {r.rule for r in contents[3].reasons}


def edit(made: World, text: str, revision: int) -> Content:
    ids = {"comment_id": "c2", "note_id": "n2", "author_id": "bob", "note_author_id": "ann"}
    made.hear(CommentEdited(**ids, revision=revision, text=text))
    made.settle()
    return made.get(Content, "c2")


@pytest.mark.parametrize("edited_first", [False, True])
def test_an_edit_shakes_no_sign_off(edited_first: bool) -> None:
    """One character more does not bring back an offer, whether the sign or the edit came first; staff do, for good."""
    made, offer = world(), "快来看我的新铺子, 什么都有"
    for n in range(2):
        write(made, n, offer, f"n{n}")
    posted = CommentPosted(comment_id="c2", note_id="n2", author_id="bob", note_author_id="ann", text=offer)
    made.hear(posted)
    if not edited_first:
        made.settle()
        assert made.get(Content, "c2").hidden
    edited = edit(made, f"{offer}!", 1)
    assert (edited.hidden, edited.score, [r.rule for r in edited.reasons]) == (True, 1.0, ["repeated"])
    made.ask(DecideContent(person_id="s", content_id="c2", hide=False, note="可以", revision=1))
    assert not edit(made, f"{offer}!!", 2).hidden


def test_a_person_is_counted_over_all_places() -> None:
    """Notes, comments and messages fill one window; a message is told in its group."""
    made = world()
    made.hear(NotePosted(note_id="a", author_id="bob", title="你好", text="新来的"))
    write(made, 1)
    write(made, 2)
    made.hear(MessagePosted(message_id="m", group_id="g", author_id="bob", text="大家好"))
    made.settle()
    assert [(e.content_id, e.group_id, e.flag) for e in made.told.of(MessageFlagged)] == [("m", "g", "flood")]
    write_other = CommentPosted(comment_id="x", note_id="n", author_id="eve", note_author_id="ann", text="我是另一个人")
    made.hear(write_other)
    made.settle()
    assert made.get(Content, "x").reasons == ()


def test_relapse_tips_what_is_half_an_offer() -> None:
    """A contact alone stays; from somebody of whom two were hidden within the week it is weighed with that."""
    made, half = world(), "老板们看我主页, 全场都在"
    assert not write(made, 0, half).hidden
    for n in (1, 2):
        made.now += timedelta(hours=3)
        assert write(made, n, f"{SPAM} {n}").hidden
    made.now += timedelta(hours=3)
    assert write(made, 3, half).hidden
    for restored in ("c1", "c3"):
        made.ask(DecideContent(person_id="s", content_id=restored, hide=False, note="误伤", revision=0))
    made.settle()
    made.now += timedelta(hours=3)
    assert not write(made, 4, f"{half}.").hidden


def test_staff_outrank_the_counters() -> None:
    """What they have decided of a revision stays, whatever a counter says afterwards."""
    made = world()
    write(made, 0)
    made.ask(DecideContent(person_id="s", content_id="c0", hide=False, note="可以", revision=0))
    flagged = ContentFlagged(content_id="c0", kind="comment", note_id="n", flag="repeated")
    assert made.hear(flagged) == "known"
    assert not made.get(Content, "c0").hidden


@pytest.mark.parametrize("length", [1, 128])
def test_any_author_can_be_counted(length: int) -> None:
    """Also one whose id is as long as an id may be."""
    made = world()
    made.hear(NotePosted(note_id="a", author_id="x" * length, title="你好", text="新来的"))
    made.settle()
    assert made.get(Counter, f"person:{'x' * length}").entries[0].content_id == "a"
    assert not [o for o in made.outcomes if o.startswith("dead")]
