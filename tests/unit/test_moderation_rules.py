"""M5. Changes of the rules: who may, what is refused, what is told, and that every process judges by them."""

from datetime import timedelta
from typing import Any

import pytest
from bson import encode

from services.moderation.core import Content, Draft, Policy, RuleChange
from services.moderation.core.policy import RULES as LIVE
from services.moderation.handlers import ApproveRules, ProposeRules, RollBackRules
from services.moderation.settings import Settings
from services.moderation.view import RulesView
from shared.contracts.moderation import ContentJudged, RulesChanged
from shared.contracts.notes import CommentPosted
from shared.errors import Rejected
from shared.flow.documents import LANES, to_mongo
from shared.flow.router import Reply
from shared.rules import ruleset
from tests.fakes.database import FakeDatabase, Server
from tests.unit.judging import EDGE, HAM, RULES, service
from tests.unit.support import World, refused

STRICT = f'{RULES.source}\nrule climbing "不许谈岩馆" hide when text has rocks\nphrases rocks = """ 岩馆 """\n'
MILD = 'rule run "重复" weigh 0.1 when content.run >= 10\n'


@pytest.fixture
def world() -> World:
    return service()


def propose(world: World, source: str, person: str = "ann", id_: str = "d") -> Reply:
    return world.ask(ProposeRules(person_id=person, draft_id=id_, source=source, note="因为"))


def approve(world: World, person: str = "bob", id_: str = "d") -> Reply:
    return world.ask(ApproveRules(person_id=person, draft_id=id_))


def roll_back(world: World, number: int, person: str = "eve") -> Reply:
    return world.ask(RollBackRules(person_id=person, change_id=f"rules-{number:06d}", note="误伤"))


def judge(world: World, id_: str, text: str = HAM) -> ContentJudged:
    world.hear(CommentPosted(comment_id=id_, note_id="n", author_id="bob", note_author_id="ann", text=text))
    return world.told.of(ContentJudged)[-1]


def test_a_draft_changes_nothing_until_somebody_else_approves_it(world: World) -> None:
    """Then the very next text is judged by it, and the verdict names its rule and its version."""
    assert propose(world, STRICT).body["rules"] == ruleset(STRICT).version
    assert not judge(world, "before").hidden
    with refused("own-draft", 403):
        approve(world, "ann")
    assert approve(world).body == {
        "change_id": "rules-000001",
        "number": 1,
        "rules": ruleset(STRICT).version,
        "replaces": RULES.version,
    }
    verdict = judge(world, "after")
    assert (verdict.hidden, [r.rule for r in verdict.reasons]) == (True, ["climbing"])
    assert verdict.rules == world.get(Content, "after").rules == ruleset(STRICT).version


def test_who_changed_what_is_told(world: World) -> None:
    """Author, who approved it, why, what it replaces and the set itself; each change under a key of its own."""
    propose(world, STRICT)
    approve(world)
    world.now += timedelta(minutes=5)
    roll_back(world, 1)
    first, second = world.told.of(RulesChanged)
    assert (first.policy_id, first.way, first.author_id, first.by_id) == ("rules-000001", "approved", "ann", "bob")
    assert (first.definition, first.note, first.replaces) == (STRICT, "因为", RULES.version)
    assert (second.policy_id, second.way, second.by_id, second.note) == ("rules-000002", "rolled_back", "eve", "误伤")
    assert (second.rules, second.definition, second.author_id) == (RULES.version, RULES.source, "")
    assert second.since == world.now


def test_what_was_in_force_comes_back_by_one_word(world: World) -> None:
    """To an earlier change, or to the rules of the release; and a roll-back can itself be taken back."""
    for id_, source in (("d", STRICT), ("e", MILD)):
        propose(world, source, id_=id_)
        approve(world, id_=id_)
    assert judge(world, "mild").rules == ruleset(MILD).version
    assert roll_back(world, 2).body["rules"] == ruleset(STRICT).version
    assert judge(world, "strict").hidden
    assert roll_back(world, 3).body["rules"] == ruleset(MILD).version
    assert world.get(Policy, LIVE).number == 4
    assert [world.get(RuleChange, f"rules-00000{n}").author_id for n in (1, 2, 3, 4)] == ["ann"] * 4


def test_a_change_is_rolled_back_once(world: World) -> None:
    """The second one who rolls back the same change is told that it is not the last any more."""
    with refused("unknown-change", 404):
        roll_back(world, 1)
    propose(world, STRICT)
    approve(world)
    roll_back(world, 1)
    with refused("rules-changed-since", 409):
        roll_back(world, 1)
    assert len(world.told.of(RulesChanged)) == 2


def test_a_draft_replaces_only_what_it_was_made_for(world: World) -> None:
    """Of two drafts for the same rules one comes into force; nobody's change is overwritten unseen."""
    propose(world, STRICT, "ann", "d")
    propose(world, MILD, "eve", "e")
    approve(world, "bob", "d")
    with refused("rules-changed-since", 409):
        approve(world, "bob", "e")
    with refused("rules-changed-since", 409):
        approve(world, "bob", "d")
    propose(world, MILD, "eve", "f")
    assert approve(world, "bob", "f").body["number"] == 2


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ('rule r "w" hide when content.runs > 3', "content.runs is not known"),
        ('rule r "w" hide when content.run > 3 and content.run < 2', "r can never hold"),
        ('rule r "w" hide when content.run > 3 catches "ab"', "the example is not caught"),
        ('phrases x = """a.{1,30}.{1,30}.{1,30}.{1,30}b""" rule r "w" hide when text has x', "steps at one place"),
    ],
)
def test_what_is_no_set_of_rules_is_refused_with_its_place(world: World, source: str, what: str) -> None:
    """Line, column, what and hint of each fault; nothing is kept and nothing is told."""
    with pytest.raises(Rejected) as told:
        propose(world, source)
    faults: Any = told.value.extra["faults"]
    (fault,) = faults
    assert (told.value.type, told.value.status) == ("bad-rules", 422)
    assert what in fault["what"]
    assert (fault["line"], fault["column"] > 0, set(fault)) == (1, True, {"line", "column", "what", "hint"})
    assert not [d for d in world.documents.values() if isinstance(d, Draft)]
    assert not world.told


def test_what_is_in_force_is_no_proposal_and_what_is_unknown_no_draft(world: World) -> None:
    """Both are told so."""
    with refused("rules-in-force", 409):
        propose(world, RULES.source)
    with refused("unknown-draft", 404):
        approve(world, id_="none")


def test_a_draft_tells_what_it_costs(world: World) -> None:
    """Steps at one place of a text and parts of conditions at most, and how many rules there are."""
    body = propose(world, MILD).body
    assert (body["steps"], body["parts"], body["count"], body["replaces"]) == (0, 3, 1, RULES.version)


async def test_every_process_follows_within_its_look() -> None:
    """What another one has committed is taken up at the next look, and a roll-back too."""
    server = Server()
    view = RulesView(FakeDatabase(server), 0.0, RULES)
    await view.refresh()
    assert view.rules.version == RULES.version
    for number, source in ((1, MILD), (2, RULES.source)):
        policy = Policy(id=LIVE, v=number, number=number, version=ruleset(source).version, source=source)
        stamped = to_mongo(policy) | {"_lane": "api:0", "_batch": number}
        server.store({(LANES, "api:0"): encode({"_id": "api:0", "batch": number})})
        server.store({(Policy.COLLECTION, LIVE): encode(stamped)})
        await view.refresh()
        assert view.rules.version == ruleset(source).version
    assert Settings(**EDGE).view_seconds <= 5


async def test_a_set_that_this_release_cannot_read_leaves_the_last_one_in_force() -> None:
    """In a rollout a newer release may have approved it; texts are judged on."""
    view = RulesView(FakeDatabase(Server()), 1.0, RULES, ("contact",))
    view.committed({("policies", LIVE): Policy(id=LIVE, v=1, number=1, version="x", source="rule of tomorrow")})
    assert (view.rules.source, "contact" in view.rules.why) == (RULES.source, False)
