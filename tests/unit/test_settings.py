"""A setting that is missing or malformed ends the process with a line that names it."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from shared.contracts import TOPICS
from shared.errors import Transient
from shared.mongo import MongoDatabase, MongoDriver
from shared.settings import OF_SERVICES, KafkaSettings, Settings, load

ROOT = Path(__file__).resolve().parents[2]
SERVICES = tuple(dict.fromkeys(topic.owner for topic in TOPICS.values()))
GIVEN = {
    "LIANYI_KAFKA": "a:9092,b:9092",
    "LIANYI_MONGO": "mongodb+srv://notes:secret@db.example/?replicaSet=rs0&srvServiceName=lianyi",
    "LIANYI_JWKS": "https://issuer.example/jwks.json",
    "LIANYI_ISSUER": "issuer",
}
MALFORMED = [
    ("groups", "LIANYI_KAFKA", "broker"),
    ("groups", "LIANYI_KAFKA", "kafka://broker:9092"),
    ("groups", "LIANYI_KAFKA", "broker:99999"),
    ("groups", "LIANYI_KAFKA", "broker:9092,"),
    ("groups", "LIANYI_MONGO", "http://db"),
    ("groups", "LIANYI_MONGO", "db:27017"),
    ("groups", "LIANYI_MONGO", "mongodb://user:pass/word@db"),
    ("groups", "LIANYI_MONGO", "mongodb+srv://user:pass@db.example:27017"),
    ("groups", "LIANYI_MONGO", "mongodb+srv://user:pass@db.example/?tsl=true"),
    ("groups", "LIANYI_MONGO", "mongodb://db/?tls=true&tlsCAFile=no-such-file"),
    ("groups", "LIANYI_MONGO", "mongodb://db/?replicaset=rs0&tsl=true"),
    ("groups", "LIANYI_KAFKA_CA", "no-such-file"),
    ("groups", "LIANYI_KAFKA_CA", __file__),
    ("groups", "LIANYI_KAFKA_PASSWORD", "of nobody"),
    ("groups", "LIANYI_JWKS", "https://"),
    ("groups", "LIANYI_JWKS", "http://issuer.example:port/jwks.json"),
    ("groups", "LIANYI_JWKS", "http://[::1/jwks.json"),
    ("groups", "LIANYI_JWKS", "http://issuer example/jwks.json"),
    ("groups", "LIANYI_JWKS", "https://user:password@issuer.example/jwks.json"),
    ("groups", "LIANYI_ISSUER", ""),
    ("groups", "LIANYI_ISSUER", "   "),
    ("groups", "LIANYI_API_SLOT", "300"),
    ("recommend", "LIANYI_WAITING_MOSTLY", "300"),
    ("groups", "LIANYI_HOST", ""),
    ("groups", "LIANYI_HOST", "all of them"),
    ("groups", "LIANYI_HOST", "256.0.0.1"),
    ("groups", "LIANYI_PORT", "http"),
    ("groups", "LIANYI_METRICS_PORT", "65536"),
    ("groups", "LIANYI_METRICS_PORT", "8000"),
    ("groups", "LIANYI_GRACE_SECONDS", "infinity"),
    ("groups", "LIANYI_API_SLOTS", "0"),
    ("groups", "LIANYI_LOG_LEVEL", "loud"),
    ("groups", "LIANYI_TIERS", "[{"),
    ("groups", "LIANYI_TIERS", "[]"),
    ("groups", "LIANYI_TIERS", '[{"name": ""}]'),
    ("groups", "LIANYI_TIERS", '[{"name": "a", "at_least": 1}]'),
    ("groups", "LIANYI_NEED_STEPS", "[2, 1]"),
    ("notes", "LIANYI_HOT", '{"like_share": 1}'),
    ("moderation", "LIANYI_REPORTS_FOR_REVIEW", "many"),
    ("recommend", "LIANYI_SUGGESTIONS", "0"),
]


def settings_of(service: str) -> type[Settings]:
    kind: type[Settings] = import_module(f"services.{service}.settings").Settings
    return kind


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What is required is given, and nothing else."""
    for name in [name for name in os.environ if name.startswith("LIANYI_")]:
        monkeypatch.delenv(name)
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def complaints(kind: type[KafkaSettings], capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as end:
        load(kind)
    assert end.value.code == 2
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_required_is_enough(service: str, environment: pytest.MonkeyPatch) -> None:
    """A service starts with the four settings that have no default."""
    required = {f"LIANYI_{name.upper()}" for name, f in settings_of(service).model_fields.items() if f.is_required()}
    assert required == GIVEN.keys()
    assert load(settings_of(service)).kafka == "a:9092,b:9092"


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("service", SERVICES)
def test_what_is_missing_is_named(
    service: str, name: str, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for the variable that is missing, and exit status 2."""
    environment.delenv(name)
    assert complaints(settings_of(service), capsys) == [f"setting {name}: Field required"]


@pytest.mark.parametrize(("service", "name", "value"), MALFORMED)
def test_what_is_malformed_is_named(
    service: str, name: str, value: str, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for the variable that is malformed, without its value, which may be a secret."""
    environment.setenv(name, value)
    (line,) = complaints(settings_of(service), capsys)
    assert line.startswith(f"setting {name}: ")
    assert len(value) < 5 or value not in line


def test_what_another_service_knows_is_not_misspelt(environment: pytest.MonkeyPatch) -> None:
    """All services may be given one environment; what any of them reads is accepted by each, and by `shared.admin`."""
    kinds = [settings_of(service) for service in SERVICES]
    assert {name for kind in kinds for name in kind.model_fields.keys() - Settings.model_fields.keys()} == OF_SERVICES
    environment.setenv("LIANYI_WAITING_MOST", "5")
    environment.setenv("LIANYI_API_SLOTS", "5")
    for kind in kinds:
        load(kind)
    load(KafkaSettings)


def test_blanks_around_a_value_are_no_part_of_it(environment: pytest.MonkeyPatch) -> None:
    """As files of variables leave them."""
    environment.setenv("LIANYI_ISSUER", " issuer ")
    assert load(Settings).issuer == "issuer"


def test_all_that_is_wrong_is_told_at_once(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt variable and the one that is missing for it: a line each."""
    environment.delenv("LIANYI_KAFKA")
    environment.setenv("LIANYI_KAFAK", "a:9092")
    told = ["setting LIANYI_KAFAK: there is no such setting", "setting LIANYI_KAFKA: Field required"]
    assert complaints(Settings, capsys) == told


@pytest.mark.parametrize("url", ["mongodb://db", "mongodb://a:1,b:2/", "mongodb+srv://db.example/?"])
def test_options_of_the_database_may_be_left_out(url: str, environment: pytest.MonkeyPatch) -> None:
    """A URL without options is one that the driver takes."""
    environment.setenv("LIANYI_MONGO", url)
    assert load(Settings).mongo == url


@pytest.mark.parametrize("by", get_args(MongoDriver))
async def test_a_name_that_is_not_told_is_waited_for(by: MongoDriver) -> None:
    """Where the servers are is asked of DNS, which may come up later: trouble of the world, not the end of it."""
    database = MongoDatabase("mongodb+srv://notes:secret@db.invalid/", "notes", by=by)
    for _ in range(2):
        with pytest.raises(Transient):
            await database.ping()


def test_a_user_of_kafka_needs_a_password(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A user without a password would wait for a broker that refuses it, for ever."""
    environment.setenv("LIANYI_KAFKA_USER", "notes")
    (line,) = complaints(KafkaSettings, capsys)
    assert line.startswith("setting LIANYI_KAFKA_PASSWORD: ")


def test_a_password_is_not_shown(environment: pytest.MonkeyPatch) -> None:
    """Neither the settings nor what clients are made of print the password."""
    environment.setenv("LIANYI_KAFKA_USER", "notes")
    environment.setenv("LIANYI_KAFKA_PASSWORD", "opensesame")
    loaded = load(KafkaSettings)
    assert "opensesame" not in f"{loaded!r} {loaded.brokers!r}"
    assert loaded.brokers.client["sasl_plain_password"] == "opensesame"


@pytest.mark.parametrize("module", ["services.notes", "shared.admin"])
def test_a_process_ends_at_once(module: str) -> None:
    """The command line itself: a line, status 2, nothing of a traceback."""
    verb = "run" if module.startswith("services") else "topics"
    bare = {"PATH": os.environ["PATH"]} | {k: v for k, v in GIVEN.items() if k != "LIANYI_KAFKA"}
    ended = subprocess.run(
        [sys.executable, "-m", module, verb],
        cwd=ROOT,
        env=bare,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == ["setting LIANYI_KAFKA: Field required"]
