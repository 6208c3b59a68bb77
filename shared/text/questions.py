"""Does a text ask for something? Phrases of two languages as data, no model: pure and linear.

A text is read clause by clause. A question mark asks, unless the clause is a greeting or rhetorical;
without one an asking phrase must stand in the clause, and not inside a phrase that only looks like it.
"""

import re

from shared.text.normalise import normalise

_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s一-鿿]{1,2048}")
_CLAUSE = re.compile(r"[^。!;?\n…]{1,400}\??")

# Said for politeness or surprise; an answer is not waited for.
_GREETING = re.compile(
    "(?:啊|哦|噢|咦|诶|哈|呵|嗯)*(?:你好|您好|大家好|hi|hello|hey)?[, ]{0,2}(?:"
    "真的|真的吗|真的假的|真假|是吗|不是吗|是吧|对吧|对吗|好吧|好吗|行吗|行吧|可以吗|懂吗|懂吧|知道吗|你知道吗"
    "|在吗|在不在|吃了吗|有人吗|嗯|啊|哈|哦|什么|什么鬼|啥|怎么可能|凭什么|何必呢|何必|至于吗|谁知道呢|谁说不是呢"
    "|really|right|huh|what|seriously|ok|okay|no|yes|you know|so what|who cares|who knows|who knew|why not"
    "|how are you|how are you doing|how's it going|what's up|isn't it|are you kidding(?: me)?|are you serious"
    "|guess what|you know what|what the hell|wtf|how about that"
    ")[呀啊呢哈吧嘛 ,.~]{0,8}"
)
_RHETORICAL = re.compile(
    "难道|何必|何苦|怎么可能|凭什么|谁不(?:想|爱|喜欢|知道|是|会)|谁还(?:不|没)|哪有(?:你|那|这)|岂不"
    "|(?:别|不要|勿|请|[一点]点|一下|尊重).{0,20}(?:好吗|行吗|好不好|行不行)\\??$|(?:这么|那么|太).{1,12}的吗"
    "|[, ](?:不是吗|是吧|对吧|是不是|好吗|懂吗|right|huh"
    "|(?:isn't|aren't|wasn't|don't|doesn't|didn't|won't) (?:it|they|you|he|she))"
    "[呀啊 ]?\\??$"
)
# Asking words in a clause that asks nothing: cut out before the search, so that another asking word still counts.
_NEUTRAL = re.compile(
    "无论(?:如何|怎么样?|什么|哪|谁|多)|不管(?:如何|怎么样?|什么|哪|谁|多)|不知(?:道)?(?:怎么|如何|为什么|为何)(?:的|说|地)"
    "|(?:什么|怎么|谁|哪里|哪儿|哪个|哪家).{0,4}[都也]|多少(?:有点|有些|还是|能|会|沾)|有多少.{1,4}多少|没(?:有)?(?:什么|多少|几|啥)"
    "|哪怕|哪有|哪能|哪像|哪知|不怎么|怎么(?:这么|那么|会)|怎么说呢|说什么|什么的|为什么(?:的|不)?(?:原因|理由)|几(?:个|次|天|年)(?:月|前|后)"
    "|(?:教你|教大家|教会|分享|告诉你|告诉大家|讲讲|聊聊|介绍|总结|知道|明白|懂得|学会|记录)[^,?]{0,8}(?:如何|怎么|哪里|哪些|为什么|多少)"
    "|(?:是不是|有没有)?(?:必要|所谓)|能不能.{0,3}(?:另说|不重要)|重要的是"
)
_ASKING = re.compile(
    "请问|请教|求(?:推荐|助|问|教|解答?|链接|地址|攻略|指点|指教|带|告知|分享|同款|科普|建议|介绍|资源|图|配方|店名|出处|一个|个)"
    "|同求|跪求|蹲(?:一?个|链接|同款|地址|教程|答案)|在线等|想问|想知道|想了解|想请教|问一下|问下|咨询(?:一下|下)|帮(?:忙)?看看"
    "|有没有|有人(?:知道|用过|去过|试过|懂|一起|买过|有|能|会)|有谁|谁(?:知道|有|能|会|用过|去过|懂|家|可以|来)"
    "|(?:能|可|要|会|该|用|好|行|需)(?:不(?:能|可|要|会|该|用|好|行|需)|否)|能不能|可不可以|是不是|需不需要|是否|要不要"
    "|怎么|怎样|咋|如何|为什么|为啥|为何|哪|多少|多久|多大|多远|多长|多高|几(?:点|号|路|天|个|岁|月|人|楼|块|次|折|斤)"
    "|什么|啥|穿.{1,6}不$"
)
_PARTICLE = re.compile("(?:吗|(?<![那这要多什怎])么|嘛不|不呢|没有啊)[ ,.~啊呀哈]{0,8}(?: .{1,20})?$")
_SHORT_NE = re.compile("^(?:那|那么|然后)?[^还在着可正才呢]{1,6}呢[ ~.]{0,4}$")

_SUBJECT = "(?:i|you|we|they|he|she|anyone|anybody|someone|somebody|everyone|people)"
_THING = "(?:it|there|this|that|these|those|the|your|his|her|its|their|any)"
_LEAD = "^ ?(?:(?:so|and|but|also|ok|okay|hi|hey|hello|btw|sorry|well|then|or|great|thanks)[, ]{1,2}){0,2}"
_AUX = "(?:is|are|was|were|do|does|did|can|could|should|would|will|has|have|'s|am)"
_ENGLISH = re.compile(
    f"{_LEAD}(?:what|where|when|how|which|who|why|whose)(?:'s| (?:(?:much|many|long|far|often|old|big|time|day"
    f"|kind of [a-z]{{1,20}}|one|of [a-z ]{{1,20}}) )?{_AUX}\\b| to\\b)"
    f"|{_LEAD}(?:what|which|whose|how) (?!i |you |we |they |he |she |it )[a-z]{{1,20}} {_AUX}\\b"
    f"|{_LEAD}(?:is|are|was|were|does|did|can|could|will|would|should|has|am) (?:{_SUBJECT}|{_THING})\\b"
    f"|{_LEAD}(?:do|have) {_SUBJECT}\\b"
    "|\\b(?:any ?(?:one|body)|someone|somebody) (?:know|tried|try|have|has|got|been)\\b"
    "|\\b(?:any ?(?:one|body)|someone|somebody) (?:here|used|else|recommend|help|explain)\\b"
    "|\\b(?:can|could|would|does|do|did|has|have|is) (?:any ?one|any ?body|someone|somebody)\\b"
    "|\\bany (?:tips?|advice|ideas?|recommendations?|suggestions?|chance|recs|news|update)\\b"
    "|\\blooking for (?:a )?(?:recommendations?|advice|suggestions?|tips|help|recs|ideas)"
    "|\\b(?:please|pls|plz) (?:help|advise|recommend|explain|tell)|\\b(?:need|some) help\\b|\\bhelp me\\b"
    "|\\b(?:wondering|curious) (?:if|whether|how|what|where|why|about)"
    "|\\bwould (?:love|like) to know\\b|\\bdo you (?:know|have)\\b"
)


def is_question(text: str) -> bool:
    """True where a text in Chinese or English asks or seeks help, so that it may become a need.

    Greetings ("在吗？"), echoes ("是吗？", "really?") and question marks inside addresses do not count.
    The caller limits the length; linear in it. Phrases are matched after `normalise`.
    """
    plain = _ADDRESS.sub(" ", normalise(text).text.replace("’", "'")).replace(". ", "\n")
    return any(_asks(clause.group().strip()) for clause in _CLAUSE.finditer(plain))


def _asks(clause: str) -> bool:
    body = clause.rstrip("? ")
    if not any(map(str.isalnum, body)) or _GREETING.fullmatch(body) or _RHETORICAL.search(clause):
        return False
    if clause.endswith("?"):
        return True
    rest = _NEUTRAL.sub(" ", body)
    return any(pattern.search(rest) for pattern in (_ASKING, _PARTICLE, _SHORT_NE, _ENGLISH))
