"""Which comments ask for something. The labels were written before the detector was run on them, and stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text import is_question
from tests.timing import within

ASKS = (
    "这家店周末要排队吗？",
    "请问从火车站过去坐几路车",
    "求推荐一款适合新手的相机",
    "孩子三岁可以报这个班吗",
    "这个怎么做的呀，好想学",
    "有没有人周六一起去爬山",
    "门票多少钱啊",
    "楼主用的什么镜头",
    "地址在哪里",
    "如何把旧手机里的照片导出来？",
    "蹲一个链接",
    "有人知道这附近哪里能修自行车吗",
    "带老人去的话方便么",
    "想问一下住宿是自己订的吗？",
    "那链接呢",
    "求教程！",
    "谁有去年的笔记可以借我看看",
    "能不能带狗进去",
    "新手第一次露营，要准备什么？",
    "面粉和水的比例是多少",
    "这个颜色黄皮能驾驭吗",
    "大概几点开门呀",
    "是不是要提前预约",
    "哪个牌子的防晒不油腻",
    "下雨天还开放吗 有点担心",
    "在线等，电脑蓝屏了怎么办",
    "同求同款裙子，姐妹告诉我是哪家的",
    "你们一般多久聚一次？",
    "想请教下大家，面试要穿正装不",
    "为什么我烤出来是塌的",
    "How do I get there from the airport?",
    "where can i buy this lens",
    "Is there parking nearby?",
    "anyone know a good dentist around here",
    "does it work on mac too",
    "Looking for recommendations for a beginner's tent",
    "can you share the recipe",
    "What time does it open on Sundays",
    "I'm stuck at step 3, please help",
    "Which of these two would you pick?",
    "any tips for a first marathon",
    "Great post! How long did it take you?",
    "has anybody tried this with oat milk",
    "could someone send me the link",
    "So is the entry free for kids?",
    "wondering if dogs are allowed",
)
TELLS = (
    "是吗？那太好了",
    "不是吗？",
    "真的假的？哈哈哈哈",
    "大家文明一点好吗？",
    "太好看了吧！",
    "收藏了，周末就去",
    "我上周刚去过，人不多",
    "无论如何都要支持一下",
    "他家的面怎么吃都不腻",
    "我正在排队呢",
    "没什么特别的，一般般",
    "哪有你说的那么夸张",
    "教你如何三步做出奶茶",
    "怎么可能！",
    "你好，在吗？",
    "多少有点失望",
    "原来是这么回事",
    "详情见 https://example.org/a?id=3",
    "什么都好吃，推荐",
    "谢谢楼主分享，学到了",
    "这个价格真的很可以",
    "还早着呢，不急",
    "谁不想躺平呢",
    "哪怕下雨我也去",
    "我觉得没有必要买贵的",
    "有多少吃多少，别浪费",
    "要么去海边，要么去山里",
    "这么好看的吗！爱了爱了",
    "What a lovely place!",
    "How cute!",
    "Do it in the morning, the light is better",
    "When I was there it rained all day",
    "Thanks, that helped a lot",
    "who cares",
    "Have a great weekend",
    "I know how to fix it, will post later",
    "Really? Wow",
    "Nice shot, isn't it?",
    "see https://example.org/search?q=tent for more",
    "Is what it is.",
    "Whatever you do, bring water",
    "This is why I love this town",
    "hi, how are you?",
    "Can't wait to go back",
)

# Written after the detector and labelled before it saw them: what it does on texts that no phrase was chosen for.
LATER_ASKS = (
    "一个人去会不会很尴尬",
    "周三晚上人多不多？",
    "你家猫吃的哪款粮",
    "求个靠谱的装修师傅",
    "学这个需要什么基础",
    "请问群里还收人吗",
    "骑车大概要骑几个小时",
    "电池能撑一整天不",
    "咋报名呀",
    "还有位置吗",
    "这首歌叫啥名字",
    "可以自己带帐篷吗？",
    "what's the wifi password",
    "how much was the ticket",
    "Has the date changed?",
    "Do we need to bring our own mats?",
    "thanks! which bus did you take",
    "please recommend a quiet cafe",
    "not sure where to park, can somebody explain",
    "is it worth going in winter",
)
LATER_TELLS = (
    "终于等到这一天了",
    "谁能想到最后赢的是他们",
    "怎么看都好看",
    "没想到这么便宜",
    "他说什么我都信",
    "我知道怎么走，跟我来",
    "几个朋友一起去的，很开心",
    "有什么说什么，确实不错",
    "看了半天也没看懂",
    "好吗，那就这样定了",
    "真是的，怎么又下雨了",
    "我想吃什么就吃什么",
    "不得不说，老板人很好",
    "That is what I was looking for",
    "Would recommend to everyone",
    "Are you kidding me?!",
    "what a day, so tired",
    "Is a nice spot, go early",
    "How nice of you",
    "I wonder no more",
)


def f1(found: list[bool], wanted: list[bool]) -> float:
    """The harmonic mean of precision and recall of the questions."""
    hits = sum(a and b for a, b in zip(found, wanted, strict=True))
    return 2 * hits / (sum(found) + sum(wanted))


def test_questions_are_told_from_statements(capsys: pytest.CaptureFixture[str]) -> None:
    """Over our own examples in both languages the detector has an F1 of .9 or more."""
    texts = [*ASKS, *TELLS]
    wanted = [True] * len(ASKS) + [False] * len(TELLS)
    found = [is_question(text) for text in texts]
    score = f1(found, wanted)
    wrong = [text for text, a, b in zip(texts, found, wanted, strict=True) if a != b]
    with capsys.disabled():
        print(f"\nquestions: F1 {score:.3f} over {len(texts)} examples, wrong: {wrong}")
    assert len(texts) >= 60
    assert score >= 0.9


def test_later_examples_bear_it_out(capsys: pytest.CaptureFixture[str]) -> None:
    """On examples that came after the detector its F1 is .8 or more; the figure is printed."""
    texts = [*LATER_ASKS, *LATER_TELLS]
    wanted = [True] * len(LATER_ASKS) + [False] * len(LATER_TELLS)
    found = [is_question(text) for text in texts]
    wrong = [text for text, a, b in zip(texts, found, wanted, strict=True) if a != b]
    with capsys.disabled():
        print(f"\nlater questions: F1 {f1(found, wanted):.3f} over {len(texts)} examples, wrong: {wrong}")
    assert f1(found, wanted) >= 0.8


def test_full_width_and_case_do_not_matter() -> None:
    """A question is found in full-width letters and in capitals."""
    assert is_question("ＷＨＥＲＥ　ＩＳ　ＩＴ")
    assert is_question("WHERE IS IT")


def test_a_question_mark_inside_an_address_asks_nothing() -> None:
    """The query part of a URL is not a question."""
    assert not is_question("www.example.org/?page=2")


def test_empty_text_asks_nothing() -> None:
    """Nothing and white space are no questions."""
    assert not is_question("")
    assert not is_question(" \n？？")


@given(st.text(max_size=200))
def test_any_text_gets_an_answer(text: str) -> None:
    """Any text is judged without an error, twice alike."""
    assert is_question(text) is is_question(text)


@pytest.mark.parametrize("unit", ["什", "吗", "what ", "?", "http://", "怎么 ", "a?b", "请", "。", "how "])
def test_long_texts_are_read_in_linear_time(unit: str) -> None:
    """100,000 characters of anything repetitive take less than two seconds."""
    text = (unit * 100_000)[:100_000]
    assert within(2, lambda: is_question(text))
