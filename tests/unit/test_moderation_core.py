"""M1, M8, M20. The rules of the release: advertisements are hidden with reasons, members spared, in linear time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules import Judgement, RuleSet, Sight, needed, ruleset
from shared.rules import judge as judged
from shared.text import normalise
from tests.timing import within
from tests.unit.judging import RULES


def judge(text: str, rules: RuleSet = RULES) -> Judgement:
    """What rules say of a text alone."""
    return judged(rules, Sight(text, normalise(text)))


ADS = (
    "日赚500，轻松赚钱，加微信 abc12345",
    "兼职日结300，加Ｖ❤信：zhuan888 名额有限",
    "在家可做，一单一结，➕薇 mm20231",
    "注册送88彩金，平台大放水 https://example.vip",
    "无抵押贷款，当天放款，电话 13800001234",
    "同城上门约炮，加VX:meimei520",
    "看片的加扣①②③④⑤⑥⑦",
    "代开发票，需要的联系我 138-0000-1234",
    "引流涨粉，真人粉丝，私聊我",
    "尊敬的顾客：本店盛大开业，全场八折优惠，欢迎光临，热线 400-800-8000",
    "新店开业 全场5折 满100减50 免费领礼品",
    "一.手.货.源，高仿手表，薇信 shop_888，批发价",
    "招代理，月入过万，有意者加我微信 boss_9999",
    "usdt承兑，跑分车队，联系 @dealer_01",
    "Congratulations! You have won a prize, call now 08001234567 to claim",
    "FREE entry! txt WIN to 80082, 150p per msg",
    "Ｆｒｅｅ ringtones, text TONE to 80082 now",
)
MEMBERS = (
    "加我微信吧，周末一起爬山",
    "加我微信 shan_1990，周六一起去",
    "微信群满了，楼主再建一个吧",
    "这家店打八折，味道不错",
    "昨天花了58元，有点贵",
    "有人想一起拼车吗？私信我",
    "我被刷单骗了三千块，大家小心",
    "贷款买房压力好大，利率又变了",
    "哈哈哈哈哈哈哈哈哈哈哈哈哈哈",
    "❤❤❤❤❤❤❤❤❤❤",
    "订单号 20240501123456，一直没发货",
    "https://example.org/notes/12 这篇讲得很清楚",
    "想找个周末兼职，大家有推荐吗",
    "赌场那场戏拍得真好",
    "他们家的预订电话是 010-12345678，我打过能通",
    "今天的菠菜很新鲜",
    "看片尾曲听哭了",
    "Call me later, I'm at work",
    "I won the match yesterday!",
    "Can you text me the address?",
    "The prize for the winner was a book",
)


@pytest.mark.parametrize("text", ADS)
def test_plain_advertisements_are_hidden(text: str) -> None:
    """An offer with a way to take it up is hidden, however it is spelled."""
    assert judge(text).hide, judge(text)


@pytest.mark.parametrize("text", MEMBERS)
def test_ordinary_members_are_spared(text: str) -> None:
    """Talk about prices, plans, contacts and frauds stays."""
    assert not judge(text).hide, judge(text)


def test_a_contact_among_members_stays_and_with_an_offer_goes() -> None:
    """The same contact is hidden only beside selling or money."""
    assert not judge("加我微信 shan_1990").hide
    assert judge("加我微信 shan_1990，日赚500").hide


def test_one_rule_alone_never_hides() -> None:
    """Even a rule as heavy as the threshold needs a second one, or says that it hides."""
    tables = 'phrases x = """ x """ phrases y = """ y """\n'
    rules = ruleset(tables + 'rule only "w" weigh 5 when text has x rule other "w" weigh 0.1 when text has y')
    assert not judge("xxx", rules).hide
    assert judge("xy", rules).hide


def test_reasons_show_the_place_in_the_original() -> None:
    """Evidence is a span of what the member wrote, invisible signs and all."""
    text = "大家好，➕\u200b薇 abc12345，日赚５００"
    shown = {reason.rule: text[slice(*reason.evidence)] for reason in judge(text).reasons}
    assert shown["call_to_add"] == "➕\u200b薇"
    assert shown["money_promise"] == "日赚５"


def test_the_score_is_the_sum_of_the_reasons() -> None:
    """Nothing is in the score that no reason names."""
    for text in ADS:
        verdict = judge(text)
        assert verdict.score == pytest.approx(sum(reason.weight for reason in verdict.reasons))


def test_signs_count_together_only_within_reach() -> None:
    """A long honest text that touches many subjects pages apart is not an advertisement."""
    near = "全场八折优惠，欢迎光临，加微信 shop_8888"
    far = ("全场八折优惠。" + "山路很长，风景很好。" * 60 + "欢迎光临。" + "我们走了一天。" * 60) + "加微信 shop_8888"
    assert judge(near).hide
    assert not judge(far).hide


def test_an_advertisement_inside_a_long_text_is_found() -> None:
    """Padding does not dilute: the heaviest stretch counts."""
    padding = "山路很长，风景很好。" * 100
    text = padding + "日赚500，加微信 abc12345" + padding
    verdict = judge(text)
    assert verdict.hide
    assert all(len(padding) <= reason.evidence[0] < len(padding) + 30 for reason in verdict.reasons)


def test_an_empty_text_has_no_score() -> None:
    """Nothing said, nothing held against it."""
    verdict = judge("")
    assert (verdict.score, verdict.hide, verdict.reasons) == (0.0, False, ())


def test_a_contact_and_a_call_stay_below_the_threshold() -> None:
    """Members meet: what they need for it never hides alone, whatever else is changed."""
    weights = {rule.name: rule.weight for rule in RULES.rules}
    assert weights["contact"] + weights["call_to_add"] + weights["disguised_contact"] < RULES.threshold


def test_every_rule_of_the_text_has_its_examples() -> None:
    """Each rule says what it catches and what it spares; that it does was tried when the set was made."""
    statements = RULES.source.split("\nrule ")[1:]
    assert len(statements) == len(RULES.rules) >= 30
    bare = [s.split()[0] for s in statements if "catches" not in s or "spares" not in s]
    assert bare == []
    assert all(rule.why for rule in RULES.rules)


@pytest.mark.parametrize(
    "unit",
    [
        "微信",
        "微信:",
        "1",
        "0",
        "加",
        "a.",
        "@a",
        "有需",
        "call ",
        "txt a ",
        "【a",
        "好",
        "日",
        "满1",
        "我是",
        "头像",
        "优惠 ",
    ],
)
def test_time_is_linear_in_the_length(unit: str) -> None:
    """100,000 characters of anything repetitive are judged in less than two seconds of a processor."""
    text = (unit * 100_000)[:100_000]
    assert within(2, lambda: judge(text))


@given(st.text(max_size=300) | st.text(st.sampled_from("加微信日赚5折优惠约炮 vx1389:@_.com全场"), max_size=300))
def test_judging_is_deterministic_and_points_inside(text: str) -> None:
    """Any text is judged without an error, twice alike, each rule once; what a rule has seen lies inside the text."""
    verdict = judge(text)
    assert verdict == judge(text)
    placeless = {rule.name for rule in RULES.rules if not rule.tables}
    for reason in verdict.reasons:
        start, end = reason.evidence
        assert (start, end) == (0, 0) if reason.rule in placeless else 0 <= start < end <= len(text)
    assert len({reason.rule for reason in verdict.reasons}) == len(verdict.reasons)


def test_a_longer_text_needs_more_signs() -> None:
    """What just hides a short text spares a long one that holds it; what is plain enough is hidden in both."""
    weak, plain = "全场八折优惠，欢迎光临", "日赚500，加微信 abc12345"
    around = "山路很长，风景很好。" * 100
    assert (judge(weak).hide, judge(around + weak + around).hide) == (True, False)
    assert (judge(plain).hide, judge(around + plain + around).hide) == (True, True)
    assert [round(needed(RULES, length), 3) for length in (0, 240, 480, 1_920)] == [1.0, 1.0, 1.1, 1.3]
