"""What looks or sounds like what: small tables, made here from general knowledge of evasions, not from a corpus.

Keys are characters after case folding, since folding is repeated until nothing changes.
"""

import re

CYRILLIC = dict(zip("авекмнорстухіјѕһԁԛԝѵӏ", "abekmhopctyxijshdqwvl", strict=True))
GREEK = dict(zip("αβεηικνορτυχω", "abenikvoptuxw", strict=True))
SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇғɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprtuvwyz", strict=True))
SIGNS = {"➕": "+", "✚": "+", "✛": "+", "✜": "+", "∨": "v", "˅": "v", "⋁": "v", "×": "x", "✕": "x", "✖": "x"}
SIGNS |= {"❌": "x", "⭕": "0", "🐧": "qq", "💰": "钱", "〇": "零", "⠀": " "}
SIGNS |= {"🛰": "卫星", "👗": "裙", "🧧": "红包", "✈": "飞机", "📞": "电话", "☎": "电话"}
# The traditional forms of the characters that rules and questions speak of; not a converter.
TRADITIONAL = dict(
    zip(
        "訫們個為來這麼嗎誰問請賺錢貸註冊領進號聯繫視頻頭質優減買賣團隊賭電報網"
        "賬戶聽說覺應該裡還會點開單線廣觀點幾樣麽訊價維圍掃碼機飛薦專業",
        "信们个为来这么吗谁问请赚钱贷注册领进号联系视频头质优减买卖团队赌电报网"
        "账户听说觉应该里还会点开单线广观点几样么讯价维围扫码机飞荐专业",
        strict=True,
    )
)
LOOKALIKES: dict[str, str] = CYRILLIC | GREEK | SMALL_CAPITALS | SIGNS | TRADITIONAL

# Letters in squares, circles and flags that NFKC leaves alone: (first code point, how many), each an alphabet.
ALPHABETS: tuple[tuple[int, int], ...] = ((0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26))

# Fillers that are letters by category but show nothing.
INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0")

NUMERALS = dict(zip("零一二三四五六七八九壹贰叁肆伍陆柒捌玖幺两", "012345678912345678912", strict=True))
# Letters that stand for digits inside a long number; з and б are what folding leaves of the Cyrillic ones.
DIGIT_LIKE = dict(zip("oliзб", "01136", strict=True))

# Characters written as their parts (拆字). A radical never stands alone in ordinary writing, so something may stand
# between it and the rest; the pairs are of whole characters that no sentence puts side by side.
_RADICALS = {
    "亻": ("言尔门也昔介尤本弋吏", "信你们他借价优体代使"),
    "扌": ("口戈召妾丑安白卖", "扣找招接扭按拍读"),
    "讠": ("上舌旬兑青果己人", "让话询说请课记认"),
    "氵": ("夬去每充主舌", "决法海流注活"),
    "纟": ("录工合及", "绿红给级"),
    "钅": ("戋艮肖", "钱银销"),
}
PAIRS: dict[str, str] = {"贝兼": "赚", "木娄": "楼", "耳关": "联", "禾厶": "私", "言身寸": "谢"}
RADICALS = "".join(_RADICALS)
TOGETHER = {head + rest: whole for head, row in _RADICALS.items() for rest, whole in zip(*row, strict=True)}
"""A radical and the rest of a character, and what they make."""

# A class of characters that people put between the letters of a word; "+" is a word here (加) and ":" a clock.
SEPARATORS = (
    "\\s\\-_.,'\"`^~*=|/\\\\#<>()\\[\\]{}!;·•、。…「」『』《》【】\u2010-\u27ff\u2900-\u2bff\U0001f000-\U0001faff"
)

_GAP = f"[{SEPARATORS}]{{0,2}}"
_ID_AHEAD = "(?=[\\s:号]{0,3}[a-z0-9_-]{0,12}[0-9_])"  # what is said may be ordinary; before an account it is not
_HEART = "❤♥💗💕💖💓💛💚💙💜🧡🖤"  # 心, said like 信
_AFTER_ADD = "(?=[^一-鿿]|$|[我聊看拿领了吧进入私咨联详发号扣抠企纸电])"  # 增加微量, 更加微妙 are ordinary words
_WEIXIN = (
    f"[vw](?<![a-z0-9].){_GAP}(?:x(?![a-z]|\\.[a-z])|[信{_HEART}])|微{_GAP}[信伩{_HEART}]|[薇徽溦嶶葳]{_GAP}[信芯伩{_HEART}]|微x(?![a-z])"
    f"|wechat(?<![a-z0-9]wechat)(?![a-z])|威[{SEPARATORS}]{{1,2}}信|绿泡泡"
    f"|[围维唯惟伟]信{_ID_AHEAD}|卫星{_ID_AHEAD}"
)
_ADD = (
    f"(?:加(?<![增更添愈附参追].)|[伽茄珈](?<![番瑜].)(?=[微薇徽溦嶶威葳围维唯惟伟卫绿vwq扣])"
    f"|[嘉佳](?<![最更绝极上俱永].)(?=[微薇徽溦嶶威葳围维唯惟伟卫绿vw])|\\+(?<![0-9+].)){_GAP}"
)
_ADD_WEIXIN = (
    f"{_ADD}(?:{_WEIXIN}|[微薇徽溦嶶威葳]{_GAP}[信芯伩]|[vw]{_GAP}[x信](?![a-z])|[vw](?![a-z]|认证)|卫星"
    f"|[微薇徽溦嶶威葳]{_AFTER_ADD})"
    f"|[微薇徽溦嶶威葳]\\+(?=[\\s:]{{0,3}}[a-z0-9_-]{{4}})|[vw](?<![a-z0-9].)\\+(?=[\\s:]{{0,3}}[a-z0-9_-]{{5}})"
)
_ADD_QQ = f"{_ADD}(?:[扣抠q]{_GAP}[扣抠]|q{_GAP}q(?![a-z])|[扣抠]|q(?![a-z])|企鹅|秋秋|球球)"
_ADD_TELEGRAM = f"{_ADD}(?:纸?飞机|电报|(?:telegram|tg)(?![a-z]))"
_QQ = (
    f"q(?<![a-z0-9].){_GAP}(?:q(?![a-z])|[扣抠])|[扣抠]{_GAP}[扣抠q]|[扣抠](?=[:号]? ?[0-9]{{5}})"
    "|企鹅(?=[号群:]| ?[0-9]{5})"
)
_TELEGRAM = "t(?<![a-z0-9].)(?:elegram|g)(?![a-z])|纸飞机|电报(?=[号群:])"

# Canonical token -> every form of it, tried in this order. Each branch begins with a literal or a class,
# which lets the engine skip; every repeat is bounded. A canonical token is a fixed point of all of them.
TOKENS: tuple[tuple[str, str], ...] = (
    ("加微信", _ADD_WEIXIN),
    ("加qq", _ADD_QQ),
    ("加telegram", _ADD_TELEGRAM),
    ("微信", _WEIXIN),
    ("qq", _QQ),
    ("telegram", _TELEGRAM),
)
_HEADS = "加伽茄珈嘉佳+微薇徽溦嶶葳威围维唯惟伟卫绿vwq扣抠企t纸电"
TOKEN = re.compile(f"(?=[{_HEADS}])(?:{'|'.join(f'({forms})' for _, forms in TOKENS)})")
"""The heads say for most places in one step that nothing begins there: twice as fast (measured)."""

# Words that are written as they sound, each its syllables; nobody's name, or an account follows.
PINYIN: tuple[tuple[str, str], ...] = (
    ("加微信", f"j(?<![a-z0-9].)ia{_GAP}(?:w(?:ei{_GAP}xin|x)(?![a-z])|vx?(?![a-z])|wei{_ID_AHEAD})"),
    ("微信", f"w(?<![a-z0-9].)ei{_GAP}xin(?:(?![a-z])|(?=hao))"),
    ("qq", f"k(?<![a-z0-9].)ou{_GAP}kou(?![a-z])"),
    *(
        (word, f"{first}(?<![a-z0-9].){rest}{_GAP}{second}(?![a-z])")
        for word, first, rest, second in (
            ("联系", "l", "ian", "xi"),
            ("电话", "d", "ian", "hua"),
            ("赚钱", "z", "huan", "qian"),
            ("私聊", "s", "i", "liao"),
            ("兼职", "j", "ian", "zhi"),
            ("贷款", "d", "ai", "kuan"),
        )
    ),
)
SPOKEN = re.compile("|".join(f"({forms})" for _, forms in PINYIN))
SYLLABLE = re.compile("jia|xin|kou|lian|hua|zhuan|liao|zhi|kuan")
"""Is in every form; most texts have none."""
