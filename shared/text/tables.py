"""What looks or sounds like what: small tables, made here from general knowledge of evasions, not from a corpus.

Keys are characters after case folding, since folding is repeated until nothing changes.
"""

import re

CYRILLIC = dict(zip("авекмнорстухіјѕһԁԛԝѵӏ", "abekmhopctyxijshdqwvl", strict=True))
GREEK = dict(zip("αβεηικνορτυχω", "abenikvoptuxw", strict=True))
SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇғɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprtuvwyz", strict=True))
SIGNS = {"➕": "+", "✚": "+", "✛": "+", "✜": "+", "∨": "v", "˅": "v", "⋁": "v", "×": "x", "✕": "x", "✖": "x"}
SIGNS |= {"❌": "x", "⭕": "0", "🐧": "qq", "💰": "钱", "〇": "零", "⠀": " "}
# The traditional forms of the characters that rules and questions speak of; not a converter.
TRADITIONAL = dict(
    zip(
        "訫們個為來這麼嗎誰問請賺錢貸註冊領進號聯繫視頻頭質優減買賣團隊賭電報網"
        "賬戶聽說覺應該裡還會點開單線廣觀點幾樣麽訊價",
        "信们个为来这么吗谁问请赚钱贷注册领进号联系视频头质优减买卖团队赌电报网"
        "账户听说觉应该里还会点开单线广观点几样么讯价",
        strict=True,
    )
)
LOOKALIKES: dict[str, str] = CYRILLIC | GREEK | SMALL_CAPITALS | SIGNS | TRADITIONAL

# Letters in squares, circles and flags that NFKC leaves alone: (first code point, how many), each an alphabet.
ALPHABETS: tuple[tuple[int, int], ...] = ((0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26))

# Fillers that are letters by category but show nothing.
INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0")

NUMERALS = dict(zip("零一二三四五六七八九壹贰叁肆伍陆柒捌玖", "0123456789123456789", strict=True))

# A class of characters that people put between the letters of a word; "+" is a word here (加) and ":" a clock.
SEPARATORS = (
    "\\s\\-_.,'\"`^~*=|/\\\\#<>()\\[\\]{}!;·•、。…「」『』《》【】\u2010-\u27ff\u2900-\u2bff\U0001f000-\U0001faff"
)

_GAP = f"[{SEPARATORS}]{{0,2}}"
_AFTER_ADD = "(?=[^一-鿿]|$|[我聊看拿领了吧进入私咨联详发号扣抠企纸电])"  # 增加微量, 更加微妙 are ordinary words
_WEIXIN = (
    f"[vw](?<![a-z0-9].){_GAP}(?:x(?![a-z]|\\.[a-z])|信)|微{_GAP}[信伩]|[薇徽溦嶶葳]{_GAP}[信芯伩]|微x(?![a-z])"
    "|w(?<![a-z0-9].)(?:eixin|echat)(?![a-z])"
)
_ADD = f"(?:加(?<![增更添愈附参追].)|[伽茄珈](?<![番瑜].)(?=[微薇徽溦嶶威葳vq扣])|\\+(?<![0-9+].)){_GAP}"
_ADD_WEIXIN = (
    f"{_ADD}(?:[微薇徽溦嶶威葳]{_GAP}[信芯伩]|[vw]{_GAP}[x信](?![a-z])|[vw](?![a-z]|认证)|卫星"
    f"|[微薇徽溦嶶威葳]{_AFTER_ADD})"
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
TOKEN = re.compile("|".join(f"({forms})" for _, forms in TOKENS))
