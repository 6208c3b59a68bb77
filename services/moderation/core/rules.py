"""Does a text read like an advertisement? Rules with additive scores, as data; pure.

The first, thin form: what a rule can say about one text alone. Who wrote it, how often and to whom is not asked here.
A member is spared rather than caught: a text is hidden only when several rules speak together within one stretch
of it, since a long honest note touches a price, an address and a phone number too, but pages apart.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import log2

from shared.text import VERSION as TEXT_VERSION
from shared.text import Normalised, normalise
from shared.text.patterns import either, words


@dataclass(frozen=True, slots=True)
class Rule:
    """One sign of an advertisement. `why` is shown to the member whose text it touched.

    `pattern` is searched in the normalised text. It begins with a literal or a class, and every repeat in it is
    bounded and holds no other repeat, so that a search is linear in the text.
    """

    name: str
    weight: float
    why: str
    pattern: str


@dataclass(frozen=True)
class Rules:
    """A table of rules and when they hide.

    threshold   the sum of weights from which a text within the reach is hidden
    least       rules that must speak, whatever they weigh
    reach       characters of normalised text within which signs count together
    caution     what more a text must weigh for each doubling of its length beyond the reach: there are more places
                in it where honest words stand together by chance
    """

    table: tuple[Rule, ...]
    threshold: float = 1.0
    least: int = 2
    reach: int = 240
    caution: float = 0.1

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change with any rule, number or normalisation table."""
        content = repr((TEXT_VERSION, self.threshold, self.least, self.reach, self.caution, self.table))
        return sha256(content.encode()).hexdigest()[:12]

    @cached_property
    def compiled(self) -> tuple[tuple[Rule, re.Pattern[str]], ...]:
        """The table with its expressions compiled, once per object. Raises re.error for a pattern that is none."""
        return tuple((rule, re.compile(rule.pattern)) for rule in self.table)

    def needed(self, length: int) -> float:
        """The sum of weights from which a text of so many characters is hidden."""
        return self.threshold * (1 + self.caution * log2(max(1.0, length / self.reach)))


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that spoke, and where: a half-open span of the original text, never a copy of it."""

    rule: str
    weight: float
    evidence: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Judgement:
    """`score` is the sum of the reasons' weights; reasons in the order of the table."""

    score: float
    hide: bool
    reasons: tuple[Reason, ...]
    rules_version: str


_CONTACT = either(r"""
    (?:微信|qq|telegram)(?:号码?|群|是|搜|同号|咨询|客服|id)?[\s:,.、@=~>)-]{0,4}[a-z0-9_-]{0,3}[0-9_][a-z0-9_-]{2,17}
    (?:微信|qq)(?:号码?|群|搜|同号|id)?[\s:@=~>-]{1,4}[a-z][a-z0-9_-]{4,19}
    [vqw+加](?<![a-z0-9].)[:\s号]{0,3}[0-9]{6,12}(?![0-9]) t\.me/ telegram\.(?:me|org)/ wa\.me/
    @(?<![a-z0-9]@)[a-z][a-z0-9]{0,12}_[a-z0-9_]{1,18} @(?<![a-z0-9]@)[a-z]{2,15}[0-9]{2,8}(?![a-z0-9@.])
    1(?<![0-9.]1)[3-9][0-9]{9}(?![0-9]) 400(?<![0-9]400)[-\s]?[0-9]{3,4}[-\s]?[0-9]{3,4}(?![0-9])
    0(?<![0-9.]0)[0-9]{2,3}-[0-9]{7,8}(?![0-9]) 0(?<![0-9.]0)[1-9][0-9]{8,9}(?![0-9])
""")
_ADDRESS = either(r"""
    https?:// www\.
    \.(?<=[a-z0-9-]\.)(?:com|cn|net|org|vip|xyz|top|cc|co|io|me|tv|info|shop|club|site|online|app|ly|uk)(?![a-z])
    点(?<=[a-z0-9]点)(?:com|cn|net|vip|xyz|top|cc)(?![a-z])
""")
_CALL_TO_ADD = either(r"""
    加(?:微信|qq|telegram|我(?!们|国|是|的|也|就|一)|群|[下个]?好友) 加.{0,4}细聊 滴滴我 dd我 滴我 戳我 扣我
    私(?:聊|信|我|戳) 联系我 找我(?:拿|领|要|进|咨询|合作|[,.!~\s]|$) 咨询我 进(?:群|裙|qun) 来撩
    (?:看|点|戳|进)我?的?(?:头像|主页|简介|置顶|昵称|名字) (?:扫|长按).{0,4}码
    (?:微信|qq|telegram)(?:客服|我|老师|详聊|咨询) 有(?:需要?|意|兴趣)的?.{0,4}(?:联系|私|加我|找我|滴)
    感兴趣.{0,4}(?:联系|私|加|找我) 需要的?(?:老板|朋友|兄弟|宝子?|姐妹)?(?:联系|私|加[我微vq]|找我|滴|dd)
    老板们?(?:联系|私|加我) 看.{0,6}名[字称] 要的(?:来|加|私|滴|联系)
""")
_CALL_TO_BUSINESS = either(r"""
    详(?:询|情(?:请?(?:咨询|致电|来电|联系|进店))) 致电 (?:欢迎|敬请|请|恭候|期待).{0,4}来电
    来电(?:咨询|详询|洽谈|预约|有) 电(?:询|联(?!网)) 热线 咨询(?:电话|[:.])
    (?:欢迎|敬请|恭候|期待)[^再下]{0,8}(?:咨询|光临|莅临|选购|惠顾|洽谈|订购|品鉴|参观) 有意者 诚邀 莅临
    恭候 垂询 洽谈 回复.{0,4}(?:办理|退订) 退订 联系(?:人|电话)[:\s]
    联系(?:小|老|[一-鿿]{1,2})(?:经理|老师|先生|小姐|女士)
""")
_MONEY = either(r"""
    [日时月](?:赚|入|薪|收益|工资)[过上达]?[0-9几百千万] 年入过?[0-9百千]
    一(?:天|小时|单)(?:能|可)?(?:赚|挣|收)?[0-9]{2,5}(?![0-9:]|[个次斤克度公人里只种点集篇页])
    躺(?:赚|着赚|挣) 稳(?:赚|赢) 包(?:赚|赢|盈利|教包会) [0零无](?:投资|风险|成本|投入|学费|撸)
    轻松(?:赚|月入|日入|挣) 赚(?:钱|米)(?:项目|的?机会|平台|门路) 工资日结
    (?:日|秒|当天)结(?!束|果|婚|算|论|尾|局|合|晶|构|实|账|冰) 一单一结 结算.{0,4}(?:秒|日|当天)
    当天(?:结|提现|到账) [0-9](?:r|元|米)?/[篇单条] 零花钱 外快 (?:搬砖|创业)(?:项目|计划) 缺[米钱]的
    免费带(?:你|做|赚)? 每小时[0-9]{2,4} (?:秒|立马|马上|立即)到账 高(?:佣|返利|薪(?:诚?聘|招|兼职))
    带你?(?:赚|上岸) 来钱快 动动手指 一部手机 在家(?:就)?[可能](?:做|赚) 手机(?:就)?[可能](?:做|赚|操作)
    不收(?:任何)?费用.{0,10}(?:联系|加|私)
""")
_JOB = either(r"""
    招(?:收|募|聘|代理|商|人|兼职|学徒) 诚(?:聘|招) 急(?:招|聘) 大量(?:招|要人|收|接单) 兼职 副业 代理 加盟
    宝妈 佣金 返(?:利|佣|现) 接单 派单 刷单 试玩 项目(?:合作|对接) 收徒 长期(?:稳定|合作|收|招) 无套路
""")
_GAMBLING = either(r"""
    彩金 博彩 百家乐 真人(?:视讯|荷官) 六合彩 时时彩 菠菜(?:平台|网|群|包) 上下分 首[充存][送0-9]
    充[0-9]{1,6}送 (?:注册|开户|充值)(?:就|即|实名)?送 棋牌(?:平台|游戏|app|室) 体育(?:平台|投注) 投注 盘口
    pc28 (?:开云|乐鱼|米兰|爱游戏|九游|亚博)(?:体育|娱乐|平台) 倍流水 电子爆分 爆大奖 大放水
    (?:带|跟)(?:单|着?买)[^家房车了] 计划群 赢钱 葡京 老虎机
""")
_LOAN = either(r"""
    [无免](?:需)?抵押 秒(?:批|下款|放款) (?:当天|快速|极速|最快|小时)(?:放款|下款|拿钱|到账)
    不看(?:征信|查询|负债) 低息 [黑白花]户(?!口) 代还 套现 包下款 凭身份证 额度(?:可达|最高|[0-9]) 信用贷
    抵押贷 贷款(?:经理|专员|办理|咨询|热线) 信贷(?:经理|专员) (?:缺|急用)钱的?(?:找|联系|加|私|来) 月息 日息
    利息(?:低至|仅) 下款 资金周转
""")
_PORN_INVITE = either(r"""
    约(?:炮|啪) 可约 上门(?:服务|按摩).{0,6}(?:妹|学生|少妇|[0-9]) 同城(?:约|上门|妹|学生)
    附近(?:妹|约|上门) 楼凤 外围(?:女|妹|模特) [裸涩]聊 文爱 语音涩 语涩 磕炮 找个?(?:主人|男奴|女奴)
    全套服务 包夜 学生妹 (?:喝茶|品茶|修车)(?:资源|群|上课) 大保健 一夜情 涩涩 萝莉 反差婊? 原味
    [1一][v对][1一](?:视频|裸|私) (?:弟弟|哥哥)们?.{0,3}(?:加我|私我|私聊|进来) 多人运动 陪睡 巨乳
    [要卖]黄(?![金瓜豆鱼油牛桃])
""")
_PORN_MEDIA = either(r"""
    看片 黄(?:片|色(?:视频|软件|网站|直播)|播|篇) 福利(?:视频|姬|群|图)
    (?:成人|色情|激情|情色|涩涩?|私密|自拍|偷拍|刺激的?)(?:视频|影片|网站|资源|直播|app|群) 资源群 呦女
    招收口令 (?:无码|有码|番号|av|小)(?:资源|影片) 吃瓜群
    看(?:我)?(?:视频|直播|电视).{0,6}(?:名字|头像|简介|主页)
    (?:头像|名字|主页|简介|置顶).{0,6}(?:视频|看片|福利|资源|有惊喜|懂) 网黄 黑料
    [卖要]片(?![子面区头段场尾]) 裸照
""")
_GREY = either(r"""
    代发(?:视频|文|消息|广告|推广)? 群发(?:短信|消息|广告|器) 引流 涨粉 真人粉 粉丝(?:出售|增长|批发|购买)
    [买加刷涨](?:粉|赞)(?!红|丝团) 点赞员 接码 解封 实名(?:号|账号)
    [出收买卖租](?:微信|抖音|qq|telegram|u|绿|老)号 [收出]u(?![a-z0-9]) 老号(?:批发|出售) usdt
    洗(?:米|钱|u(?![a-z])) 跑分 四件套 (?:轨迹|开房|户籍|机主|个人信息|法人)(?:查询|记录|信息) 查档 社工库
    数据(?:出售|一手) 一手(?:货源|数据|资源) 担保(?:平台|群) 代开(?!发|车|口|始) 代开发?票
    开.{0,3}发票.{0,8}(?:联系|电|加微|找我) 办证 刻章 超级签 马甲包 包过 代考 外挂 群控 养号 云控
    短信(?:群发|通道) 卡密 高仿 复刻 承兑 换汇 码商 私服 代充 老板.{0,4}引流
""")
_DISCOUNT = either(r"""
    [0-9一二三四五六七八九半](?:\.[0-9])?折 优惠 特[价惠] 促销 清仓 [钜巨]惠 大促 买[一二三0-9]送 立减
    满[0-9]{1,5}元?[减送返立] 抢购 秒杀 低价 批发 价格(?:实惠|优惠|美丽|从优) 免费(?:领|赠|送|体验|试)
    凭.{0,6}(?:领取|体验) 现金券 代金券 返券 豪礼 好礼 抽奖 仅[需售]
""")
_EVENT = either(r"""
    (?:盛大|隆重|新店|火爆|重磅)(?:开业|上市|推出|开盘|开幕|举行|启动|登场) 新[款品](?:上市|到店|上新|全场)
    全场 限[时量](?:特|抢|优|供|发|秒) 名额有限 先到先得 即日起 活动(?:时间|期间|地点|价) 地址[:\s]
    会员(?:日|价)?.{0,4}(?:专享|双倍|尊享) 专柜 回馈 酬宾 开年 凭[此本]?(?:短信|信息) 机不可失 欲购从速
    不要错过 火热(?:招|报|预|进) 开业
""")
_BUSINESS_VOICE = either(r"""
    贵宾 尊敬的(?:客户|顾客|会员|用户|家长|业主|女士|先生|车主|朋友|各位) 新老(?:客户|顾客|朋友)
    各位(?:家长|客户|业主|车主|会员) 家长[:您] (?:客户|业主|会员|车主)您?好
    [您你]好[,!:.]{0,2}我(?:这里)?(?:们)?是.{0,12}(?:店|公司|银行|中心|学校|经理|顾问|专柜|集团)
    (?:客户|业务|销售|信贷)经理 (?:置业|销售|课程)顾问 祝您 感谢您(?:对|致电|一直|的关注)
    本店(?:现|将|特|今|新|推|全|主) 我店 我校 邀您 欢迎您(?:的到来|前来|到店|进店)
""")
_GIFT = either(r"""
    (?:赠送|送|获赠|领取?|享)(?:价值|精美|豪华|超值|神秘|好|大|豪)(?:礼|[0-9]|.{0,4}(?:礼|套)) 礼品 大礼包
    大放送 有礼 买就送 多买多 (?:消费|购|充|存)满?[0-9]{2,6}元?.{0,6}[送减返赠获] 劲爆 超值
    免费(?:试听|办理|咨询|安装|设计|量房|停车|送货|赠送) 红包(?:等|拿)
""")
_TRADE = either(r"""
    [出转](?:售|租|让) 招租 开盘 首付 现房 精装 旺铺 楼盘 均价 承接 代办 供应(?!商|链) 厂家 直[销供] 现货
    主营 专业(?:生产|从事|代|办理|安装|维修|承) 报名(?:电话|热线|地址|从速) 开班 招生 一对一 预订
    本(?:店|公司|中心|行).{0,12}(?:推出|特|提供|承|主|专) 我(?:司|行|公司)(?:是|主|专|推|为|提) 竭诚
    售[价楼]
""")
_EN_PRIZE = words(r"""
    prize free\sentry claim\s(?:your|ur|call|code|it|ur)?
    you(?:'ve|\shave)?\s(?:are\sa\s|been\s)?(?:won|winner|selected|awarded|chosen) u\s(?:have\s)?won awarded
    winner guaranteed bonus cash\s?(?:prize|award|reward|balance) gift\svoucher lottery jackpot
    congratulations lucky\s(?:day|winner)
    free\s(?:gift|ringtone|nokia|camera|mins|minutes|texts?|msg|trial|tones?|phone|mobile|money|crypto)
    ringtones? auction (?:make|earn)\s(?:money|cash|[$£]?[0-9]{2,6}) risk\sfree double\syour
    work\sfrom\shome sex(?:y)?\s(?:chat|girls?|live|video)
""")
_EN_CALL = words(r"""
    (?:call|ring)\s(?:now|free|customer|our|the\snumber|0[0-9]) call\s[0-9]{5,11}
    (?:txt|text|send|sms|reply)\s(?:with\s)?[a-z0-9"']{1,12}\s(?:[a-z]{1,10}\s)?to\s(?:no[.:\s]{0,2})?[0-9]{4,6}
    (?:txt|text)\s(?:stop|win|yes|back|now) to\s(?:no[.:\s]{0,2})?[68][0-9]{4} reply\s(?:or|yes|stop|now)
    order\snow buy\snow act\snow click\s(?:here|below) dm\sme subscribe
    (?:join|add)\s(?:me|us|my)\s(?:on|at) landline claim\snow sign\sup\snow
""")
_EN_TERMS = words(r"""
    t[s]?&?c'?s(?:\sapply)? per\s(?:msg|min|txt|text|week|wk) [0-9]p(?:pm|\sper|/) /(?:msg|txt|min|week|wk)
    150p opt\s?out unsub(?:scribe)? 18\+ po\s?box valid\s(?:12|24|till)
    (?:mobile|network|cust|customer)\s(?:care|customer|service|operator) half\sprice special\soffer
    limited\s(?:time\s)?offer urgent no\sfees? dating\sservice secret\sadmirer adults?\sonly
    unlimited\s(?:texts?|calls?)
""")

RULES = Rules(
    (
        Rule("contact", 0.45, "文中留有联系账号或电话", _CONTACT),
        Rule("url", 0.3, "文中有网址", _ADDRESS),
        Rule("long_digits", 0.1, "文中有一长串数字", "[0-9](?<![0-9.].)[0-9]{6,11}(?![0-9.%])"),
        Rule("call_to_add", 0.4, "文中招呼别人加好友、私聊或进群", _CALL_TO_ADD),
        Rule("call_to_business", 0.34, "文中招呼别人来电、咨询或到店", _CALL_TO_BUSINESS),
        Rule("money_promise", 0.7, "文中许诺轻松赚钱", _MONEY),
        Rule("job_offer", 0.34, "文中招揽兼职、代理或会员", _JOB),
        Rule("gambling", 0.7, "文中有赌博的招揽", _GAMBLING),
        Rule("loan", 0.7, "文中兜售贷款或套现", _LOAN),
        Rule("porn_invite", 0.6, "文中有色情招揽", _PORN_INVITE),
        Rule("porn_media", 0.6, "文中兜售色情影像", _PORN_MEDIA),
        Rule("grey_trade", 0.7, "文中买卖账号、流量、数据或代办证件", _GREY),
        Rule("discount", 0.34, "文中是打折促销", _DISCOUNT),
        Rule("sale_event", 0.34, "文中是商家活动的通告", _EVENT),
        Rule("trade_offer", 0.34, "文中招商、售卖或出租", _TRADE),
        Rule("business_voice", 0.34, "文中以商家口吻招呼顾客", _BUSINESS_VOICE),
        Rule("gift", 0.34, "文中以赠品招徕", _GIFT),
        Rule(
            "price",
            0.15,
            "文中有报价",
            either(r"[0-9](?:元|块钱|r/|/[月张个条天次套]|u(?![a-z0-9])) [¥£€][0-9] \$[0-9]"),
        ),
        Rule("signature", 0.15, "文首有【商家】署名", "【[^】【]{2,14}】"),
        Rule("repetition", 0.1, "同一字符重复过多", r"([^\s哈啊呜嘿呵])\1{9}"),
        Rule("emoji_flood", 0.1, "表情符号过多", "[\u2600-\u27bf\U0001f000-\U0001faff]{6}"),
        Rule("en_prize", 0.6, "文中以奖品、免费或快钱引诱（英文）", _EN_PRIZE),
        Rule("en_call", 0.5, "文中催人来电、发短信或下单（英文）", _EN_CALL),
        Rule("en_terms", 0.4, "文中有商业短信的附加条款（英文）", _EN_TERMS),
    )
)
RULES_VERSION = RULES.version


def judge(text: str, rules: Rules = RULES) -> Judgement:
    """How far `text` reads like an advertisement, and whether it must be hidden.

    Only the stretch of `rules.reach` characters that weighs most counts. The caller limits the length; linear in it.
    """
    return weigh(normalise(text), rules)


def weigh(seen: Normalised, rules: Rules = RULES) -> Judgement:
    """The judgement on a text that is normalised already."""
    found = _heaviest(_signs(seen.text, rules), rules.reach)
    score = round(sum(rule.weight for rule, _ in found), 3)
    return Judgement(
        score=score,
        hide=score >= rules.needed(len(seen.text)) and len(found) >= rules.least,
        reasons=tuple(_reason(seen, rule, span) for rule, span in found),
        rules_version=rules.version,
    )


_Sign = tuple[Rule, tuple[int, int]]
_SLACK = 1e-9  # sums of weights drift in the last digits as signs come and go


def _signs(text: str, rules: Rules) -> list[_Sign]:
    """What each rule finds; in a text longer than the reach every place, since any may stand beside another sign."""
    signs: list[_Sign] = []
    for rule, pattern in rules.compiled:
        if len(text) > rules.reach:
            signs += [(rule, match.span()) for match in pattern.finditer(text)]
        elif match := pattern.search(text):
            signs.append((rule, match.span()))
    return signs


def _heaviest(signs: Sequence[_Sign], reach: int) -> list[_Sign]:
    """The signs of the heaviest stretch of `reach` characters, each rule once, in the order of the table.

    Signs come grouped by rule in that order. Of equal stretches the first one counts.
    """
    order = {rule.name: place for place, (rule, _) in reversed(list(enumerate(signs)))}
    if len(order) == len(signs):
        spread = max((end for _, (_, end) in signs), default=0) - min((start for _, (start, _) in signs), default=0)
        if spread <= reach:
            return list(signs)
    return _best_window(sorted(signs, key=lambda sign: sign[1]), reach, order)


def _best_window(signs: Sequence[_Sign], reach: int, order: dict[str, int]) -> list[_Sign]:
    """Two pointers over signs sorted by place: linear in their number."""
    counts: Counter[str] = Counter()
    left, weight, best, stretch = 0, 0.0, 0.0, (0, 0)
    for right, (rule, (_, end)) in enumerate(signs):
        counts[rule.name] += 1
        weight += rule.weight if counts[rule.name] == 1 else 0
        while left < right and end - signs[left][1][0] > reach:
            gone = signs[left][0]
            counts[gone.name] -= 1
            weight -= gone.weight if not counts[gone.name] else 0
            left += 1
        if weight > best + _SLACK:
            best, stretch = weight, (left, right + 1)
    held: dict[str, _Sign] = {}
    for sign in signs[slice(*stretch)]:
        held.setdefault(sign[0].name, sign)
    return [held[name] for name in sorted(held, key=order.__getitem__)]


def _reason(seen: Normalised, rule: Rule, span: tuple[int, int]) -> Reason:
    return Reason(rule.name, rule.weight, seen.original(*span))
