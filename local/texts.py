"""Text of our own writing, Chinese and English, for the scenario and for a feed without notes.

Labels say what a reader would expect, written before any service saw the text: `asks` for a question to which an
answer is waited for, `ad` for an advertisement. People are opaque ids; every contact is a placeholder.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Circle:
    """A group to open. `question` and `answer` stand at its door; `seats` are few where that matters."""

    key: str
    owner: str
    name: str
    charter: dict[str, str]
    seats: int = 50
    question: str = ""
    answer: str = ""

    def body(self) -> dict[str, object]:
        """As the API takes it."""
        plain: dict[str, object] = {"name": self.name, "charter": self.charter, "seats": self.seats}
        return plain | ({"question": {"text": self.question, "accepted": [self.answer]}} if self.question else {})


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment. `under` is the place of its parent in the note's list; `taken`: the note's author takes the
    advice; `accepted`: who asked under `under` accepts it as the answer."""

    person: str
    text: str
    asks: bool = False
    ad: bool = False
    under: int | None = None
    accepted: bool = False
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Post:
    """A note, its comments in order, and the circle where its talk goes on ("" for none)."""

    key: str
    person: str
    title: str
    text: str
    intent: str = "asks"
    topic: str = ""
    circle: str = ""
    remarks: tuple[Remark, ...] = field(default=())

    def body(self) -> dict[str, object]:
        """As the API takes it."""
        plain: dict[str, object] = {"title": self.title, "text": self.text, "intent": self.intent}
        return plain | ({"topic": self.topic} if self.topic else {})


def _charter(purpose: str, audience: str) -> dict[str, str]:
    return {
        "purpose": purpose,
        "audience": audience,
        "rules": "只谈亲身经历，不发广告，不催人。",
        "rewards": "回答被采纳、建议被听取的人升一级。",
        "service": "提问一天之内有人回应。",
        "exit": "随时退出，随时回来，贡献保留。",
    }


CIRCLES = (
    Circle(
        "ride", "rider-1", "周末骑行搭子",
        _charter("周末结伴骑行：选路线、修车、换胎、调变速，骑到山里再骑回来", "有自行车、想找骑友的人，什么车都行"),
        question="骑行时头上必须戴什么？", answer="头盔",
    ),
    Circle(
        "coffee", "barista-1", "手冲咖啡桌",
        _charter("聊手冲咖啡：磨豆、水温、粉水比、滤杯和新豆子的风味", "在家自己做咖啡的人，新手也欢迎"),
    ),
    Circle(
        "balcony", "gardener-1", "阳台种菜记",
        _charter("在阳台上种番茄、辣椒、香草：育苗、换盆、施肥、防虫", "家里有阳台、想吃自己种的菜的人"),
    ),
    Circle(
        "film", "lens-1", "Film camera circle",
        _charter(
            "Shooting film together: cameras, lenses, metering, developing black and white at home",
            "Anyone who owns a film camera or wants a first one, beginners welcome",
        ),
    ),
    Circle(
        "books", "reader-1", "慢读小桌",
        _charter("每月一起慢慢读一本小说，见面聊书，交换旧书", "愿意读完再开口的读者"),
        seats=3,
    ),
    Circle(
        "night", "runner-1", "夜跑五公里",
        _charter("晚上一起跑步：五公里慢跑，配速、跑鞋、膝盖保护", "下班后想跑步的人"),
    ),
)  # fmt: skip

HALF_A_CHARTER = {"purpose": "先开一个群再说", "audience": "谁都可以", "rules": "没有"}
"""Three parts of six: no group opens with it."""

POSTS = (
    Post(
        "squeal", "rider-2", "公路车碟刹一下坡就尖叫",
        "上周刚换的来令片，平路没事，一下坡捏刹车就响，擦过碟片也没用。周末还想骑去水库，不敢下坡了。",
        topic="骑行", circle="ride",
        remarks=(
            Remark("rider-3", "是树脂片还是金属片？不同的片子磨合办法不一样。", asks=True),
            Remark("rider-2", "是树脂片，盒子上写着 resin，才骑了不到三十公里。", under=0, accepted=True),
            Remark("rider-4", "找个缓坡，二十公里时速慢慢刹停，来回十五次，磨合完多半就不叫了。", taken=True),
            Remark("promo-1", "兼职日结，在家动动手指日赚300，加微信 example8866 免费带你。", ad=True),
            Remark("rider-5", "我的也叫过，后来发现是碟片沾了链条油，换一副片子就好了。", taken=True),
        ),
    ),
    Post(
        "pour", "barista-2", "新手手冲总是发苦",
        "中浅烘的豆子，十五克粉，九十四度水，两分半钟，喝着还是又苦又涩。滤杯是 V60，磨豆机是手摇的。",
        topic="咖啡", circle="coffee",
        remarks=(
            Remark("barista-3", "磨得太细了吧，先调粗两格，水温降到九十度再试。", taken=True),
            Remark("barista-4", "请问手摇磨豆机怎么判断研磨度合不合适？", asks=True),
            Remark("barista-3", "看流速：十五克粉两分钟左右流完就差不多，更慢就调粗。", under=1, accepted=True),
            Remark("promo-2", "想喝好茶的老板看过来，无抵押贷款秒批，当天放款，咨询电话 13800138000。", ad=True),
        ),
    ),
    Post(
        "tomato", "gardener-2", "阳台番茄只开花不结果",
        "南阳台，三棵小番茄，花开了一个月，一个果都没坐住，花梗发黄就掉了。一周施一次肥。",
        topic="种菜", circle="balcony",
        remarks=(
            Remark("gardener-3", "阳台没有蜂，花要自己帮忙：上午用电动牙刷碰一碰花梗，震一下花粉就行。", taken=True),
            Remark("gardener-4", "氮肥给多了也会光长叶，换成磷钾高一点的。"),
            Remark("gardener-5", "小番茄的苗间距要留多少才合适？", asks=True),
            Remark("gardener-3", "小番茄四十厘米一棵，一个大盆只种一棵。", under=2, accepted=True),
            Remark("promo-3", "加 薇 信：ex ample99x，群里天天发 红 包，躺 赚 项 目，名额有限！", ad=True),
        ),
    ),
    Post(
        "meter", "lens-2", "First roll came back half black",
        "I bought a fully manual camera from the seventies. Indoors almost every frame is black, outdoors they are "
        "fine. I set the film speed to 400 and guessed the rest.",
        topic="film", circle="film",
        remarks=(
            Remark("lens-3", "What shutter speed did you use indoors?", asks=True),
            Remark("lens-2", "Mostly 1/125, because I was afraid of shaking it.", under=0),
            Remark("lens-3", "Indoors start at 1/30 with the lens wide open and lean on something.", taken=True),
            Remark("promo-4", "Congratulations! You have won a free prize, text WIN to 80000, T&Cs apply.", ad=True),
            Remark("lens-4", "Bracket the first roll and write the numbers down, you learn the light quickly."),
        ),
    ),
    Post(
        "novel", "reader-2", "读不完的长篇，怎么挑下一本",
        "连着三本都停在一百页。想找一本两百页以内、情节不散的小说，读完能和人聊一聊。",
        topic="读书", circle="books",
        remarks=(
            Remark("reader-3", "先读短篇集，一次一篇，攒回手感再碰长篇。", taken=True),
            Remark("reader-4", "我把旧书放在活动室门口的书架上了，自己拿，看完放回来就行，不用联系我。"),
            Remark("promo-5", "【好书城】全场五折优惠，买一送一，限时抢购，详询热线 400-000-0000，退订回T", ad=True),
        ),
    ),
    Post(
        "knee", "runner-2", "跑完五公里膝盖外侧疼",
        "刚开始夜跑三周，跑到四公里膝盖外侧发紧，第二天下楼梯疼。鞋是新的，配速六分半。",
        topic="跑步", circle="night",
        remarks=(
            Remark("runner-3", "多半是髂胫束，歇一周，跑前热身臀部，跑后滚泡沫轴。", taken=True),
            Remark("runner-4", "跑步前要不要先拉伸？", asks=True),
            Remark("promo-6", "V我50也没用，不如加v：12345678 一起做副业，日结工资，一部手机就能操作", ad=True),
            Remark("runner-5", "去年我也疼，医生说先把步频提到一百七，果然好多了。医院挂号电话在官网上有。"),
        ),
    ),
    Post(
        "route", "rider-1", "这个月的水库路线，来回六十公里",
        "周日早上七点从桥头出发，全程柏油，三个补给点，爬升四百米。带一条备胎，头盔必须戴。",
        intent="offers", topic="骑行", circle="ride",
        remarks=(
            Remark("rider-6", "折叠车能跟上吗？平均速度大概多少？", asks=True),
            Remark("rider-4", "上个月有人骑折叠车跟下来了，平均二十一二，爬坡推两段。", under=0, accepted=True),
            Remark("rider-7", "集合点微信群里有定位，找不到的话桥头那家早餐店老板也认识我们。"),
            Remark("promo-7", "Earn $500 a day working from home, no fees, DM me now: t.me/example_77", ad=True),
        ),
    ),
    Post(
        "beans", "barista-1", "新到的豆子，周六一起杯测",
        "四支豆子，两支水洗两支日晒，周六下午在我家阳台杯测，自带杯子，最多八个人。",
        intent="offers", topic="咖啡", circle="coffee",
        remarks=(
            Remark("barista-5", "第一次参加杯测，需要自己带勺子吗？", asks=True),
            Remark("barista-4", "勺子桌上有，带个杯子就够了。", under=0, accepted=True),
            Remark("barista-6", "周六下午有事，下次再来，给大家留言祝喝得开心。"),
            Remark("promo-8", "博 彩 新 平 台，首 充 送 彩 金，秒 到 账，点我头像进群", ad=True),
        ),
    ),
    Post(
        "seedlings", "gardener-1", "辣椒苗有多的，免费分",
        "育多了十几棵小米辣和螺丝椒的苗，已经五片真叶，自带花盆来拿，不卖。",
        intent="offers", topic="种菜", circle="balcony",
        remarks=(
            Remark("gardener-6", "请问螺丝椒在北阳台能种活吗？", asks=True),
            Remark("gardener-3", "分苗前先控水两天，根带土，换盆后放阴凉处缓三天再晒。", taken=True),
            Remark("gardener-7", "拿到两棵，已经换好盆了，谢谢。"),
        ),
    ),
    Post(
        "darkroom", "lens-1", "Developing black and white in a bathroom, step by step",
        "One tank, one bag, two bottles and a thermometer. I write down every step with times, so that nobody has to "
        "ruin a roll the way I did with mine.",
        intent="offers", topic="film", circle="film",
        remarks=(
            Remark("lens-5", "Can I reuse the developer for a second roll?", asks=True),
            Remark("lens-4", "Not this one, but the fixer lasts for fifteen rolls.", under=0, accepted=True),
            Remark("lens-3", "Pour it at exactly twenty degrees, a kitchen thermometer is good enough.", taken=True),
        ),
    ),
)  # fmt: skip

TALK = (
    Remark("rider-4", "周日的水库路线，桥头几点集合？", asks=True),
    Remark("rider-2", "早上七点，迟到的在第一个补给点等。", under=0, accepted=True),
    Remark("promo-9", "兼职日结，在家动动手指日赚300，加微信 example8867 免费带你。", ad=True),
    Remark("rider-4", "有人能多带一个头灯吗？", asks=True),
    Remark("rider-2", "好的，周日见。"),
)
"""What is said in the first circle. Nobody answers the second question; the last message is taken back."""

LAST = (
    Post(
        "again-night", "runner-6", "夜跑新手，求一起慢跑五公里",
        "下班后想跑步，五公里慢跑，配速七分，跑鞋刚买，怕伤膝盖。", circle="night",
    ),
    Post(
        "again-books", "reader-5", "想找人一起慢慢读一本小说",
        "每月一本，读完见面聊书，也可以交换旧书。", circle="books",
    ),
)  # fmt: skip
"""Notes for two groups that by then are closed and full: neither may be suggested."""
