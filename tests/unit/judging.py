"""The moderation service in memory, with its views."""

from typing import Any

from services.moderation.core import Judges, TextModel, blank, learned, read
from services.moderation.handlers import router
from services.moderation.settings import Settings
from services.moderation.view import BarView, ModelView, RulesView, ShadowView
from shared.release import base_rules
from shared.rules import RuleSet
from tests.fakes.database import FakeDatabase, Server
from tests.unit.support import World

EDGE: dict[str, Any] = {"kafka": "k:1", "mongo": "mongodb://x", "jwks": "http://x", "issuer": "i"}
SPAM = "日结工资轻松赚钱, 加微信 abc12345 联系我"
RULES = base_rules()
HAM = "周日下午岩馆人不多, 新手可以来"


def service(
    origin: TextModel | None = None, rules: RuleSet = RULES, shadow: Judges | None = None, **settings: Any
) -> World:
    """The service with these rules and settings, a text model to begin with, and one on trial."""
    origin, database = origin or blank(), FakeDatabase(Server())
    views = [
        RulesView(database, 1.0, rules),
        ShadowView(database, 1.0, (), shadow),
        ModelView(database, 1.0, origin),
        BarView(database, 1.0, origin),
    ]
    return World(router(Settings(**EDGE, **settings), origin), views)


def ham(number: int) -> str:
    """An ordinary text, another one for each number."""
    who, what, when = (
        ("我们", "大家", "有人", "朋友"),
        ("去爬山", "看展", "跑步", "喝咖啡", "拍照"),
        ("周六", "周日", "明天"),
    )
    return f"{when[number % 3]}{who[number % 4]}一起{what[number % 5]}吗, 第{number}次了"


def spam(number: int) -> str:
    """An offer that no rule knows, another one for each number."""
    what, how = ("灵符", "仙丹", "神药", "奇石"), ("祖传秘制", "大师开光", "一粒见效")
    return f"{how[number % 3]}{what[number % 4]}, 心诚者请来, 缘分编号{number}"


def taught(each: int = 120) -> TextModel:
    """A model that has learned so many texts of both kinds."""
    lessons = [(read(text(n), RULES), text is spam) for n in range(each) for text in (ham, spam)]
    return learned(blank(), lessons).model
