"""M8. Normalisation: evasions come out alike, places lead back, any text is taken in linear time."""

import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.text import VERSION, normalise
from shared.text.patterns import either, words
from shared.text.tables import LOOKALIKES, TOKENS
from tests.timing import within

# Characters that the passes act on, so that short random texts reach their corners.
TRICKY = st.text(
    st.sampled_from(
        "加微信薇威徽扣企鹅号群我你vwxqtgeilrsaojnk+➕ .-_*1３⑧零一八九Зб幺亻讠言贝兼木娄❤"
        "嘉卫星绿泡\n\u200b\ufe0fßİﷺ・5é\u0301🐧🅰️ＶＸ🛰\ud800"
    ),
    max_size=40,
)
ANY = st.text(max_size=120) | st.text(st.characters(), max_size=40)

SAME = (
    ("加ＶＸ：ａｂｃ１２３", "加微信:abc123"),
    ("扣①②③④⑤⑥⑦", "qq1234567"),
    ("扣扣 : 12345", "qq : 12345"),
    ("加V❤: abc", "加微信: abc"),
    ("薇💗 abc", "微信 abc"),
    ("➕薇 abc123", "加微信 abc123"),
    ("加\u200b微\u200b信\ufe0f", "加微信"),
    ("V信", "微信"),
    ("v-x", "微信"),
    ("ᴠх", "微信"),
    ("🆅🆇", "微信"),
    ("w-e-i-x-i-n", "微信"),
    ("WeChat", "微信"),
    ("徽信", "微信"),
    ("伽威 abc", "加微信 abc"),
    ("扣扣12345", "qq12345"),
    ("企鹅号", "qq号"),
    ("加企鹅", "加qq"),
    ("🐧:1234567", "qq:1234567"),
    ("加*微*信 看 片", "加微信看片"),
    ("①③⑧ ❶⓪⓪⓪ ⑴⑵⑶⑷", "13810001234"),
    ("1 3 8-0.0 0 0 1 2 3 4", "13800001234"),
    ("138 0000 1234", "13800001234"),
    ("一三八零零零零一二三四", "13800001234"),
    ("1️⃣3️⃣8️⃣", "138"),
    ("ТЕLЕGRАМ", "telegram"),
    ("F R E E  entry", "free  entry"),
    ("請聯繫", "请联系"),
    ("维❤信", "维❤信"),
    ("威♥信", "微信"),
    ("唯信abc123", "微信abc123"),
    ("绿泡泡:abc123", "微信:abc123"),
    ("微✚ abc123", "加微信 abc123"),
    ("v➕ abc_123", "加微信 abc_123"),
    ("嘉v：abc", "加微信:abc"),
    ("➕🛰️：abc", "加微信:abc"),
    ("jia wei xin abc", "加微信 abc"),
    ("JIA·V abc", "加微信 abc"),
    ("jiawei abc123", "加微信 abc123"),
    ("weixinhao abc", "微信hao abc"),
    ("wei xin:abc", "微信:abc"),
    ("kou kou 123456", "qq 123456"),
    ("zhuanqian找我", "赚钱找我"),
    ("lian xi我", "联系我"),
    ("微亻言", "微信"),
    ("亻 尔好", "你好"),
    ("加 亻言 微 我", "加信微我"),
    ("贝-兼钅戋", "贝-兼钱"),
    ("木 娄 主", "楼主"),
    ("扌口扣", "qq"),
    ("13８ＯＯＯＯ1234", "13800001234"),
    ("1З8 OOOO l234", "13800001234"),
    ("138oooo1234", "13800001234"),
    ("幺三八零零零零幺二三四", "13800001234"),
    ("壹叁捌〇〇〇〇壹贰叁肆", "13800001234"),
    ("㈠㈢㈧〇零0o1234", "(13800001234"),
    ("𝟏𝟑𝟖-𝟎𝟎𝟎𝟎-𝟏𝟐𝟑𝟒", "13800001234"),
    ("𝓥𝓧 🇻🇽 Ⓥⓧ v\u0336x\u0336", "微信 微信 微信 微信"),
)
UNTOUCHED = (
    "增加微量元素,更加微妙",
    "加威海的朋友",
    "日期 2024-05-01 10:30",
    "170 175 180 三个码",
    "3.5 折还是 4.5 折",
    "企鹅很可爱",
    "wx.request 报错",
    "1,234,567 元",
    "a b c 三个选项",
    "这家店的威信很高",
    "加vip 会员",
    "i am a student",
    "5 so 1000 is 10",
    "100000lol",
    "i7-12700h和rtx 4090",
    "wei jia 是我的名字",
    "卫星发射成功",
    "维信诺的屏幕",
    "口扣多少",
    "10 oo 20",
    "wow! 2000 ooo",
    "这件事关系到大家",
    "嘉微是个好名字",
    "最佳v领设计",
    "ipv6+ 和 v+1",
)


@pytest.mark.parametrize(("text", "plain"), SAME)
def test_evasions_come_out_as_the_plain_word(text: str, plain: str) -> None:
    """Each way of hiding a word gives the word."""
    assert normalise(text).text == plain


@pytest.mark.parametrize("text", UNTOUCHED)
def test_ordinary_writing_stays(text: str) -> None:
    """Dates, sizes, prices and ordinary words that look like evasions are left alone."""
    assert normalise(text).text == text


@given(ANY | TRICKY)
def test_any_text_is_taken(text: str) -> None:
    """No text raises, and none grows beyond eight times its length."""
    assert len(normalise(text).text) <= 8 * len(text)


@example("加威扣扣")
@example("亻---言---好")
@example("1--3--8--0--0--0--0l1--2")
@example("+v➕v")
@given(ANY | TRICKY)
def test_normalising_twice_changes_nothing(text: str) -> None:
    """The result is a fixed point, so stored and fresh texts compare."""
    once = normalise(text).text
    assert normalise(once).text == once


@given(ANY | TRICKY, st.data())
def test_spans_lie_inside_the_original(text: str, data: st.DataObject) -> None:
    """Every span leads to a span of the original, in order, and a wider one to one that covers it."""
    seen = normalise(text)
    start = data.draw(st.integers(0, len(seen.text)))
    end = data.draw(st.integers(start, len(seen.text)))
    first, last = seen.original(start, end)
    assert 0 <= first <= last <= len(text)
    assert (first < last) == (start < end)
    if start < end:
        whole = seen.original(0, len(seen.text))
        assert whole[0] <= first
        assert last <= whole[1]


@given(ANY | TRICKY)
def test_places_keep_their_order(text: str) -> None:
    """Of two characters the later one never leads to an earlier place, and none leads to nothing."""
    seen = normalise(text)
    places = [seen.original(at, at + 1) for at in range(len(seen.text))]
    assert all(0 <= first < last <= len(text) for first, last in places)
    assert places == sorted(places)
    assert [last for _, last in places] == sorted(last for _, last in places)


@given(TRICKY)
def test_what_a_span_shows_is_what_was_matched(text: str) -> None:
    """Where nothing was rewritten around it, a character's span holds that very character."""
    seen = normalise(text)
    for at, char in enumerate(seen.text):
        first, last = seen.original(at, at + 1)
        assert char in normalise(text[first:last]).text or any(char in name for name, _ in TOKENS) or char.isdigit()


def test_a_span_covers_the_hidden_word_whole() -> None:
    """Evidence for a spelled-out word shows every separator and invisible sign inside it."""
    text = "你好,➕\u200b薇: ①③⑧"
    seen = normalise(text)
    at = seen.text.index("加微信")
    assert text[slice(*seen.original(at, at + 3))] == "➕\u200b薇"
    at = seen.text.index("38")
    assert text[slice(*seen.original(at, at + 2))] == "③⑧"


def test_an_empty_span_stays_empty() -> None:
    """An empty span leads to an empty span, at the end too."""
    seen = normalise("ＶＸ abc")
    assert seen.original(0, 0) == (0, 0)
    assert seen.original(len(seen.text), len(seen.text)) == (6, 6)
    assert normalise("").original(0, 0) == (0, 0)


@pytest.mark.parametrize("span", [(-1, 0), (1, 0), (0, 4)])
def test_a_span_outside_is_refused(span: tuple[int, int]) -> None:
    """A span that does not lie inside the text is an error of the caller."""
    with pytest.raises(ValueError, match="outside"):
        normalise("abc").original(*span)


def test_lone_surrogates_pass() -> None:
    """A broken text from a JSON escape does not raise."""
    assert normalise("a\ud800微信").text.endswith("微信")


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "1 ",
            "v ",
            "加 ",
            "加微",
            "v-",
            "q",
            "扣",
            "1-2",
            "一",
            "➕",
            "微  信",
            "1   ",
            "1o",
            "亻",
            "亻-",
            "jia ",
            "a",
        ),
        *("\u200b", "ﷺ", "e\u0301", "\u0301", "\ud800", "\udc00\ud800", "\0"),
    ],
)
def test_a_million_characters_take_linear_time(unit: str) -> None:
    """1 MB of anything repetitive, of combining marks and of lone surrogates too: four seconds of a processor at most,
    where ordinary text takes a quarter of one and anything quadratic hours."""
    text = (unit * 1_000_000)[:1_000_000]

    def normalised() -> None:
        follower = sys.gettrace()
        sys.settrace(None)  # who follows each line, as coverage does, takes more than the work itself
        try:
            seen = normalise(text)
            seen.original(0, len(seen.text))
        finally:
            sys.settrace(follower)

    assert within(4, normalised)


def test_tokens_are_fixed_points() -> None:
    """A canonical contact word names itself."""
    for name, _ in TOKENS:
        assert normalise(name).text == name


def test_look_alikes_map_to_what_is_not_mapped_on() -> None:
    """No look-alike stands for another one: the table is flat."""
    assert not {target for target in LOOKALIKES.values() if target in LOOKALIKES}


def test_the_version_is_twelve_hex_digits() -> None:
    """The version can stand in an event."""
    assert len(VERSION) == 12
    assert set(VERSION) <= set("0123456789abcdef")


def test_alternatives_are_written_out_from_the_head() -> None:
    """A class or a group at the head becomes literals, which is what makes the search fast."""
    assert either("[ab]c (?:de|f[gh])i x?y") == "ac|bc|(?:de|f[gh])i|x?y"
    assert either("[0-2+]x") == "0x|1x|2x|\\+x"
    assert either("(?:ab|c)d") == "abd|cd"


def test_a_word_must_begin_with_a_character() -> None:
    """What cannot be tied to the edge of a word is refused when the table is built."""
    assert words("ab") == "a(?<![a-z].)(?:b)(?![a-z])"
    with pytest.raises(ValueError, match="does not begin"):
        words("a?b")
