"""M2. Counters by person, text, host and group: windows slide, exact in any order; what rules make of what is told."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.moderation.core import Content, Counter, Entry, counted, counter_ids, text_hash
from services.moderation.core.counters import HOUR, MINUTE, WEEK
from services.moderation.handlers import DecideContent
from shared.contracts.moderation import ContentCounted, ContentFlagged, ContentJudged, Count, MessageFlagged
from shared.contracts.notes import CommentEdited, CommentPosted, NotePosted
from shared.contracts.talk import MessagePosted
from shared.flow.documents import from_mongo, to_mongo
from shared.rules import MOST_COUNTED, ruleset
from shared.text import normalise
from tests.unit.judging import RULES, SPAM, service
from tests.unit.support import START, World


def entry(number: int, at: datetime, **fields: Any) -> Entry:
    made = {"content_id": f"c{number}", "place_id": f"n{number}", "at": at, "text": "", "hidden": False, "version": 1}
    return Entry(**{**made, "author_id": "ann", **fields})


def told(entries: list[Entry], id_: str = "person:ann") -> list[Mapping[str, float]]:
    """What a counter tells of each of these."""
    counter = Counter(id=id_)
    found: list[Mapping[str, float]] = []
    for one in entries:
        counter, facts = counted(counter, one)
        found.append(facts)
    return found


def test_a_minute_slides() -> None:
    """Sixty seconds back from the content, to the millisecond; it does not count itself."""
    at = [START + timedelta(seconds=s) for s in (0, 0.001, 59.999, 60, 60.001)]
    assert [f["author.posts(1m)"] for f in told([entry(n, t) for n, t in enumerate(at)])] == [0, 1, 2, 2, 2]


def test_an_hour_slides_too() -> None:
    """What lies an hour back is gone, however few minutes were full."""
    at = [START + timedelta(minutes=m) for m in (0, 9, 18, 59, 60, 120)]
    assert [f["author.posts(1h)"] for f in told([entry(n, t) for n, t in enumerate(at)])] == [0, 1, 2, 3, 3, 0]


def test_the_same_text_in_other_places() -> None:
    """Other notes and groups with it count once each, the one at hand and short texts never do."""
    alike = [entry(n, START + timedelta(minutes=2 * n), text="h", place_id=f"n{n // 2}") for n in range(5)]
    assert [f["author.copies(1h)"] for f in told(alike)] == [0, 0, 1, 1, 2]
    assert [f["author.places(1h)"] for f in told(alike)] == [0, 0, 1, 1, 2]
    assert told([entry(n, START) for n in range(3)])[-1]["author.copies(1h)"] == 0
    assert text_hash("好的, 谢谢") == ""
    assert text_hash("Ｆree  Wi Fi 密码在这里") == text_hash("free wifi密码在这里") != text_hash("free wifi密码在那里")


def test_a_person_grows_old() -> None:
    """Age counts from the first content, and what was written counts on though its entries are gone."""
    facts = told([entry(n, START + timedelta(days=n)) for n in range(4)])
    assert [f["author.age"] for f in facts] == [0, 86_400, 2 * 86_400, 3 * 86_400]
    assert [f["author.written"] for f in facts] == [0, 1, 2, 3]


def test_others_are_counted_by_text_and_by_host() -> None:
    """Other people and other places within the hour; the same person again is nobody new."""
    people = [
        entry(n, START + timedelta(minutes=n), author_id=who, text="h")
        for n, who in enumerate(("a", "a", "b", "c", "a"))
    ]
    assert [(f["crowd.people(1h)"], f["crowd.places(1h)"]) for f in told(people, "text:h")] == [
        (0, 0), (0, 1), (1, 2), (2, 3), (2, 4)
    ]  # fmt: skip
    assert [f["host.people(1h)"] for f in told(people, "host:a.com")] == [0, 0, 1, 2, 2]


def test_which_counters_a_content_has() -> None:
    """Its author's always; its text's if it is long enough to tell anything; that of the first host it names."""
    seen = normalise("去 www.Example.com/x 和 b.cn 看看")
    assert dict(counter_ids("ann", seen)) == {
        "person": "person:ann",
        "text": f"text:{text_hash('去 www.Example.com/x 和 b.cn 看看')}",
        "host": "host:example.com",
    }
    assert dict(counter_ids("ann", normalise("好的"))) == {"person": "person:ann"}
    assert dict(counter_ids("ann", normalise("好的"), "g-1")) == {"person": "person:ann", "group": "group:g-1"}


def test_counting_ends_where_rules_stop_asking() -> None:
    """A flood of thousands tells the most that a fact may be, out of a document of bounded size."""
    counter = Counter(id="person:ann")
    for n in range(4 * MOST_COUNTED):
        counter, facts = counted(counter, entry(n, START + timedelta(seconds=n / 100), hidden=n % 2 == 0))
    assert facts["author.posts(1m)"] == MOST_COUNTED
    assert facts["author.hidden(7d)"] == MOST_COUNTED
    assert facts["author.written"] == 4 * MOST_COUNTED - 1
    assert len(counter.entries) <= 2 * (MOST_COUNTED + 1)


@pytest.mark.parametrize(
    "jump", [timedelta(days=-20_000), timedelta(hours=-2), timedelta(hours=2), timedelta(days=20_000)]
)
def test_m2_a_clock_that_jumps_blinds_no_window(jump: timedelta) -> None:
    """While one process's clock is years wrong, what comes by the others counts as if it had not written at all."""
    right = [entry(n, START + timedelta(seconds=n), hidden=n % 2 == 0, text="h") for n in range(200)]
    wrong = [entry(1_000 + n, START + jump + timedelta(seconds=n)) for n in range(200)]
    both, counter = list[Mapping[str, float]](), Counter(id="person:ann")
    for one in (entry for pair in zip(right, wrong, strict=True) for entry in pair):
        counter, facts = counted(counter, one)
        both += [facts] if one in right else []
    windows = [key for key in both[0] if "(" in key]
    assert [[facts[key] for key in windows] for facts in both] == [[f[key] for key in windows] for f in told(right)]
    assert len(counter.entries) <= 4 * (MOST_COUNTED + 1)


def test_what_was_hidden_counts_for_a_week_and_what_was_restored_does_not() -> None:
    """Two hidden ones count against the next; one of them restored does not; nor do they after seven days."""

    def hidden_before(*entries: Entry) -> float:
        return told([entry(n, START + timedelta(hours=2 * n), hidden=True) for n in range(2)] + list(entries))[-1][
            "author.hidden(7d)"
        ]

    later = entry(9, START + timedelta(hours=5))
    assert hidden_before(later) == 2
    assert hidden_before(entry(0, START, version=2), later) == 1
    assert hidden_before(entry(9, START + WEEK - timedelta(seconds=1))) == 2
    assert [hidden_before(entry(9, START + WEEK + timedelta(hours=h))) for h in (0, 2)] == [1, 0]


def test_news_of_a_known_content_tells_nothing() -> None:
    """Hidden or shown later, in any order: the higher version holds, and no window opens for it again."""
    flood = [entry(n, START) for n in range(4)]
    assert told([*flood, entry(3, START, hidden=True, version=2)])[-1] == {}
    counter = Counter(id="person:ann")
    for version in (3, 2, 1):
        counter, _ = counted(counter, entry(0, START, hidden=version == 3, version=version))
    assert [(e.version, e.hidden) for e in counter.entries] == [(3, True)]
    assert counter.written == 1


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_windows_are_exact(seed: int) -> None:
    """Against a count over everything that was ever written."""
    rng = random.Random(seed)
    at, counter = START, Counter(id="person:ann")
    all_: list[Entry] = []
    for n in range(60):
        at += timedelta(seconds=rng.choice([0.5, 5, 30, 600, 100_000]))
        one = entry(n, at, text=rng.choice(["", "h", "g"]), place_id=f"n{rng.randrange(4)}", hidden=rng.random() < 0.3)
        counter, facts = counted(counter, one)
        hour = [e for e in all_ if at - e.at < HOUR]
        assert facts == {
            "author.posts(1m)": sum(at - e.at < MINUTE for e in all_),
            "author.posts(1h)": len(hour),
            "author.places(1h)": len({e.place_id for e in hour} - {one.place_id}),
            "author.copies(1h)": len({e.place_id for e in hour if one.text and e.text == one.text} - {one.place_id}),
            "author.hidden(7d)": sum(e.hidden and at - e.at < WEEK for e in all_),
            "author.written": n,
            "author.age": (at - min((e.at for e in all_), default=at)).total_seconds(),
        }
        all_.append(one)


def test_m2_what_is_hidden_long_after_counts_once() -> None:
    """Its entry is gone by then: it comes back as hidden, and is nothing more that the author has written."""
    first, second = entry(0, START), entry(1, START + timedelta(hours=3))
    hidden = replace(first, hidden=True, version=2)
    third = told([first, second, hidden, entry(2, START + timedelta(hours=4))])[-1]
    assert (third["author.written"], third["author.hidden(7d)"]) == (2, 1)


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_m2_windows_of_a_group_are_exact(seed: int) -> None:
    """Against a count over everything that was ever written there, with news of what was hidden or shown since."""
    rng = random.Random(seed)
    at, counter = START, Counter(id="group:g")
    all_: list[Entry] = []
    for n in range(60):
        at += timedelta(seconds=rng.choice([0.5, 5, 30, 600, 100_000]))
        counter, facts = counted(counter, entry(n, at))
        hour = [e for e in all_ if at - e.at < HOUR]
        assert facts == {
            "group.posts(1m)": sum(at - e.at < MINUTE for e in all_),
            "group.posts(1h)": len(hour),
            "group.hidden(1h)": sum(e.hidden for e in hour),
        }
        all_.append(entry(n, at))
        known = rng.choice([place for place, e in enumerate(all_) if at - e.at < HOUR])
        news = replace(all_[known], hidden=rng.random() < 0.5, version=all_[known].version + 1)
        all_[known] = news
        counter, nothing = counted(counter, news)
        assert nothing == {}


@given(st.randoms(use_true_random=False))
def test_late_news_tells_what_its_own_time_knew(rng: random.Random) -> None:
    """A content that arrives out of order counts what was posted before it, and what comes after it counts it."""
    entries = [entry(n, START + timedelta(seconds=11 * n)) for n in range(12)]
    shuffled = entries.copy()
    rng.shuffle(shuffled)
    for place, (one, facts) in enumerate(zip(shuffled, told(shuffled), strict=True)):
        there = [e for e in shuffled[:place] if one.at - MINUTE < e.at <= one.at]
        assert facts["author.posts(1m)"] == len(there)


# -- at work -------------------------------------------------------------------------------------------------


STRICT = ruleset(
    RULES.source.replace("author.posts(1m) >= 10 or", "author.posts(1m) >= 3 or")
    .replace("with author.posts(1m) = 9,", "with author.posts(1m) = 2,")
    .replace("author.copies(1h) >= 3", "author.copies(1h) >= 2")
    .replace("with author.copies(1h) = 2", "with author.copies(1h) = 1")
    .replace("author.hidden(7d) >= 3", "author.hidden(7d) >= 2")
    .replace("with author.hidden(7d) = 2", "with author.hidden(7d) = 1")
)


def world() -> World:
    return service(rules=STRICT)


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
    assert [(e.flag, e.content_id) for e in made.told.of(ContentFlagged)] == [("counted", "c3")]
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
    assert [(e.content_id, e.group_id, e.flag) for e in made.told.of(MessageFlagged)] == [("m", "g", "counted")]
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
    counts = (Count(fact="author.copies(1h)", count=9),)
    flagged = ContentFlagged(content_id="c0", kind="comment", note_id="n", flag="counted", counts=counts)
    assert made.hear(flagged) == "same"
    assert not made.get(Content, "c0").hidden


@pytest.mark.parametrize("length", [1, 128])
def test_any_author_can_be_counted(length: int) -> None:
    """Also one whose id is as long as an id may be."""
    made = world()
    made.hear(NotePosted(note_id="a", author_id="x" * length, title="你好", text="新来的"))
    made.settle()
    assert made.get(Counter, f"person:{'x' * length}").entries[0].content_id == "a"
    assert not [o for o in made.outcomes if o.startswith("dead")]


def test_what_no_rule_waits_for_is_not_told() -> None:
    """An ordinary comment is counted for its author alone, and nothing comes back of it."""
    made = world()
    write(made, 0)
    assert [e.counter_id for e in made.told.of(ContentCounted)] == ["person:bob"]
    assert "flood" in made.told.of(ContentCounted)[0].asking
    assert "newcomer_contact" not in made.told.of(ContentCounted)[0].asking
    assert made.told.of(ContentFlagged) == []


def test_several_people_with_one_offer_are_found_by_its_text() -> None:
    """From the third person on, each in a place of his own, though none of them writes it twice."""
    made, offer = service(), "点我头像进群, 什么都有, 快来"
    found = []
    for n, person in enumerate(("a", "b", "c", "d")):
        ids = {"comment_id": f"c{n}", "note_id": f"n{n}", "author_id": person, "note_author_id": "ann"}
        made.hear(CommentPosted(**ids, text=offer))
        made.settle()
        found.append(made.get(Content, f"c{n}"))
    assert ["crowd_copies" in {r.rule for r in content.reasons} for content in found] == [False, False, True, True]
    assert [content.hidden for content in found] == [False, False, True, True]
    honest = [
        CommentPosted(
            comment_id=f"h{n}", note_id=f"m{n}", author_id=f"p{n}", note_author_id="ann", text="谢谢大家的分享啊"
        )
        for n in range(5)
    ]
    for event in honest:
        made.hear(event)
    made.settle()
    assert [made.get(Content, f"h{n}").reasons for n in range(5)] == [()] * 5


def test_a_newcomer_is_braked_by_risk() -> None:
    """The same disguised contact hides a stranger's and not a regular's; a plain one of a stranger waits for staff."""
    made, disguised, plain = service(), "加V❤: abc12345, 一起爬山吧", "加我微信 shan_1990, 周六一起去"
    assert write(made, 0, disguised).hidden
    assert "newcomer_disguise" in {r.rule for r in made.get(Content, "c0").reasons}
    shown = write(made, 1, plain)
    assert (shown.hidden, shown.review_since) == (False, made.now)
    made.now += timedelta(days=2)
    assert not write(made, 2, disguised).hidden
    regular = write(made, 3, plain)
    assert (regular.hidden, regular.review_since) == (False, None)


def test_an_advertisement_that_is_edited_in_is_told_from_one_that_stood_there() -> None:
    """What was added to what others saw counts, and goes on counting over further edits that are refused."""
    made, offer = service(), "给你打5折, 微信: abc12345"
    write(made, 2, "这家店真不错, 老板人很好")
    made.now += timedelta(days=2)
    for revision, text in ((1, offer), (2, f"{offer}!")):
        edited = edit(made, text, revision)
        assert (edited.hidden, {r.rule for r in edited.reasons}) == (True, {"contact", "discount", "edited_in"})
        assert edited.before == "这家店真不错, 老板人很好"
    assert not write(made, 3, offer).hidden


def say(made: World, number: int, text: str, author: str) -> Content:
    made.hear(MessagePosted(message_id=f"m{number}", group_id="g", author_id=author, text=text))
    made.settle()
    return made.get(Content, f"m{number}")


def test_m2_a_group_under_attack_is_guarded_against_newcomers() -> None:
    """Once five of its messages were hidden within the hour, half an offer of a stranger is hidden there too."""
    made, half = service(), "要的看我头像, 微信: abc12345"
    say(made, 0, "昨天那条路线真不错", "old")
    made.now += timedelta(days=2)
    assert not say(made, 1, "老板们看我主页, 都在", "p1").hidden
    for n in range(2, 7):
        assert say(made, n, f"{SPAM} {n}", f"p{n}").hidden
    braked, regular = say(made, 7, "要的看我主页, 都在", "p7"), say(made, 8, "要的看我主页呀, 都在", "old")
    assert (braked.score, [r.rule for r in braked.reasons]) == (0.9, ["call_to_add", "raid"])
    assert [r.rule for r in regular.reasons] == ["call_to_add"]
    assert {"raid"} <= {r.rule for r in say(made, 9, half, "p9").reasons}
    made.now += timedelta(hours=1)
    assert "raid" not in {r.rule for r in say(made, 10, f"{half}!", "p10").reasons}


def test_m2_a_group_is_counted_whole() -> None:
    """Also what no rule waits for, and what staff hide of it: else what it tells would depend on the other rules."""
    made = service()
    for n in range(5):
        say(made, n, f"大家好, 今天第{n}次来", f"p{n}")
        made.ask(DecideContent(person_id="s", content_id=f"m{n}", hide=True, note="不行", revision=0))
        made.settle()
    assert [entry.hidden for entry in made.get(Counter, "group:g").entries] == [True] * 5
    assert "raid" in {r.rule for r in say(made, 5, "要的看我头像", "eve").reasons}


def test_m2_a_verdict_says_which_counters_it_went_without() -> None:
    """At first those that a rule waits for; the verdict that follows their answer has heard them."""
    made = service()
    made.hear(
        CommentPosted(
            comment_id="c0", note_id="n", author_id="bob", note_author_id="ann", text="加V❤: abc12345, 一起爬山吧"
        )
    )
    (first,) = made.told.of(ContentJudged)
    assert set(first.without) == {"person", "text"}
    made.settle()
    after = made.told.of(ContentJudged)[-1]
    assert (after.hidden, after.without) == (True, ("text",))
    named = CommentPosted(
        comment_id="c1", note_id="n", author_id="dan", note_author_id="ann", text="加V❤: abc12345, 去 example.vip 看"
    )
    made.hear(named)
    assert set(made.told.of(ContentJudged)[-1].without) == {"person", "text", "host"}
    made.settle()
    heard = made.told.of(ContentJudged)[-1]
    assert (heard.content_id, heard.without) == ("c1", ("text", "host"))
    message = say(made, 1, "要的看我头像", "eve")
    assert "group" in message.without


def test_m2_a_counter_that_changes_nothing_brings_no_second_verdict() -> None:
    """What was told of the verdict stays: it went without, and that nothing follows is the answer."""
    made = service()
    content = write(made, 0, "去 example.vip 看看, 什么都有")
    assert [e.content_id for e in made.told.of(ContentFlagged)] == ["c0"]
    assert [v.without for v in made.told.of(ContentJudged)] == [content.without] != [()]


def test_m2_windows_are_what_the_documents_say() -> None:
    """A process that starts anew goes on where the last one stood: a flood is not forgotten by a restart."""
    made = world()
    for n in range(3):
        write(made, n)
    again = world()
    again.documents = {place: from_mongo(type(d), to_mongo(d)) for place, d in made.documents.items()}
    again.now = made.now
    assert [r.rule for r in write(again, 3).reasons] == ["flood"]
