"""M1, M2, M18. The campaigns of `make run`, planted in the service alone: caught by what no single text tells, and
nobody beside them."""

from datetime import timedelta

from local.campaigns import COPY, DISH, FLOOD, FRIEND, HASTY, SWAP
from services.moderation.core import Content
from shared.contracts.notes import CommentPosted, NoteEdited, NotePosted
from shared.contracts.talk import MessagePosted
from tests.unit.judging import service
from tests.unit.support import World


def comment(world: World, id_: str, author: str, text: str) -> Content:
    world.hear(CommentPosted(comment_id=id_, note_id="n", author_id=author, note_author_id="ann", text=text))
    world.settle()
    return world.get(Content, id_)


def message(world: World, id_: str, group: str, author: str, text: str) -> Content:
    world.hear(MessagePosted(message_id=id_, group_id=group, author_id=author, text=text))
    world.settle()
    return world.get(Content, id_)


def seen(content: Content) -> dict[str, str]:
    """The rules that spoke, and what of the text each has seen."""
    return {reason.rule: content.text[reason.start : reason.end] for reason in content.reasons}


def test_m2_a_flood_of_half_offers_is_hidden_from_the_eleventh_on() -> None:
    """Each alone is spared; the verdict names the pace and how much it was."""
    world = service()
    written = [comment(world, f"c{n}", "eve", text) for n, text in enumerate(FLOOD)]
    assert [content.hidden for content in written] == [False] * 10 + [True] * (len(FLOOD) - 10)
    assert seen(written[10]) == {"call_to_add": "看我主页", "flood": ""}
    assert dict(written[-1].counts)["author.posts(1m)"] == len(FLOOD) - 1


def test_m2_one_text_pasted_over_groups_is_hidden_from_the_fourth_on() -> None:
    """Though no word of it is an offer; said once it is anybody's."""
    world = service()
    said = [message(world, f"m{n}", f"g{n}", "eve", COPY) for n in range(5)]
    assert [content.hidden for content in said] == [False] * 3 + [True] * 2
    assert (set(seen(said[-1])), dict(said[-1].counts)["author.copies(1h)"]) == ({"newcomer_rush", "repeated"}, 4)
    assert not message(world, "m9", "g", "bob", COPY).hidden


def test_m1_an_advertisement_that_is_edited_in_is_hidden() -> None:
    """The same words in a note that had them from the beginning are spared: what counts is what was added."""
    world = service()
    title, before, after = DISH
    world.hear(NotePosted(note_id="n", author_id="eve", title=title, text=before))
    world.settle()
    world.now += timedelta(days=2)
    world.hear(NoteEdited(note_id="n", author_id="eve", title=title, text=after, revision=1))
    world.settle()
    edited = world.get(Content, "n")
    assert edited.hidden
    assert seen(edited) == {"contact": "微信: noodle_8866", "discount": "5折", "edited_in": "微信: noodle_8866"}
    world.hear(NotePosted(note_id="m", author_id="eve", title=title, text=after))
    world.settle()
    assert not world.get(Content, "m").hidden


def test_m18_a_disguised_contact_of_somebody_new_is_hidden() -> None:
    """The verdict shows the very characters; the same of somebody known is spared."""
    world = service()
    swapped = comment(world, "c", "eve", SWAP)
    assert swapped.hidden
    assert seen(swapped)["disguised_contact"] == "加V❤: ex88668"
    world.now += timedelta(days=2)
    assert not comment(world, "d", "eve", SWAP).hidden


def test_m18_who_only_looks_like_one_is_spared() -> None:
    """A fast talker without an offer is told of and not hidden; a friend's contact waits for staff and is shown."""
    world = service()
    fast = [message(world, f"m{n}", "g", "bob", text) for n, text in enumerate(HASTY)]
    assert not any(content.hidden for content in fast)
    assert [set(seen(content)) for content in fast[10:]] == [{"flood"}] * 2
    friend = comment(world, "c", "ann", FRIEND)
    assert (friend.hidden, friend.review_since) == (False, world.now)
