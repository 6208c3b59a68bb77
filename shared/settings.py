"""Settings that every service has; each service adds its own knobs in ``services/<name>/settings.py``.

Read once at start from the environment (prefix ``LIANYI_``), frozen after. No other module reads it.
"""

import ipaddress
import os
import re
import ssl
import sys
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic import field_validator as validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from shared.brokers import Brokers
from shared.mongo import MongoDriver, checked


def _ascending(steps: tuple[int, ...]) -> tuple[int, ...]:
    if list(steps) != sorted(set(steps)):
        raise ValueError("each step must be later than the one before")
    return steps


NeedSteps = Annotated[
    tuple[Annotated[int, Field(ge=1, le=31_536_000)], ...],
    Field(
        min_length=1,
        max_length=10,
        description="Seconds after its opening at which a need without an accepted answer is escalated.",
    ),
    AfterValidator(_ascending),
]
"""When a need escalates, in every service that has needs."""
NEED_STEPS = (7_200, 43_200, 86_400)
PREFIX = "LIANYI_"


def _certificates(path: str) -> str:
    if path:
        try:
            ssl.create_default_context(cafile=path)
        except OSError:
            raise ValueError("no file with certificates is there") from None
    return path


def _bootstrap(servers: str) -> str:
    for server in servers.split(","):
        found = re.fullmatch(r"[^\s:/]+:(\d{1,5})", server, re.ASCII)
        if not found or not 0 < int(found[1]) < 65_536:
            raise ValueError("host:port, several separated by commas, with ports from 1 to 65535")
    return servers


def _page(url: str) -> str:
    """What the keys are fetched from: a URL that could never be fetched would make every caller wait for nothing."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not parts.username
    except ValueError:
        whole = None  # of a bracket that is not closed, or a port that is none
    if not whole or not url.isascii() or re.search(r"\s", url):
        raise ValueError("no URL of a page: http or https, a host, a port from 1 to 65535 if any, no user")
    return url


def _address(host: str) -> str:
    try:
        return host if host == "localhost" else str(ipaddress.ip_address(host))
    except ValueError:
        raise ValueError("no IP address, and not localhost") from None


class KafkaSettings(BaseSettings):
    """What a client of Kafka needs to know."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        str_strip_whitespace=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )

    kafka: Annotated[str, AfterValidator(_bootstrap)] = Field(
        description="Bootstrap servers, host:port separated by commas."
    )
    kafka_user: str = Field(default="", description="Who we are to Kafka, by SCRAM-SHA-512; empty: no word of it.")
    kafka_password: SecretStr = Field(
        default=SecretStr(""), validate_default=True, description="The password of that user."
    )
    kafka_ca: Annotated[str, AfterValidator(_certificates)] = Field(
        default="", description="File of the certificates to trust; with it Kafka is spoken to by TLS."
    )

    @validator("kafka_password")
    @classmethod
    def _of_a_user(cls, password: SecretStr, info: ValidationInfo) -> SecretStr:
        if bool(password) != bool(info.data.get("kafka_user")):
            raise ValueError("a user has a password, and a password a user (LIANYI_KAFKA_USER)")
        return password

    @property
    def brokers(self) -> Brokers:
        """The brokers, as clients take them."""
        return Brokers(self.kafka, self.kafka_user, self.kafka_password.get_secret_value(), self.kafka_ca)


class Settings(KafkaSettings):
    """What a process of a service needs to know of its world."""

    mongo: Annotated[str, AfterValidator(checked)] = Field(
        pattern=r"^mongodb(\+srv)?://", description="URL of the MongoDB replica set."
    )
    mongo_driver: MongoDriver = Field(default="motor", description="The client: motor, or pymongo's own.")
    jwks: Annotated[str, AfterValidator(_page)] = Field(description="URL of the issuer's public keys.")
    issuer: str = Field(min_length=1, description="Who signs the tokens (`iss`).")
    audience: str = Field(default="lianyi", min_length=1, description="Whom the tokens are for (`aud`).")
    host: Annotated[str, AfterValidator(_address)] = Field(
        default="127.0.0.1", description="IP address that the API and the metrics listen on, or localhost."
    )
    port: int = Field(default=8000, ge=1, le=65535, description="Port of the API and the probes.")
    metrics_port: int = Field(default=9000, ge=1, le=65535, description="Port of /metrics.")
    instance: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9.-]{0,64}$",
        description="Name of this process, stable over its restarts; a restart then keeps its partitions.",
    )
    log_level: str = Field(default="INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$", description="Least level logged.")
    api_slots: int = Field(default=16, ge=1, le=64, description="Api lanes of the service: most processes that write.")
    batch_inputs: int = Field(default=200, ge=1, le=1000, description="Most inputs folded into one transaction.")
    dead_share: float = Field(default=0.5, gt=0, le=1, description="Share of dying inputs that holds a lane.")
    dead_window_seconds: float = Field(default=60.0, gt=0, description="Time over which that share is taken.")
    dead_least: int = Field(default=50, ge=1, description="Fewest deaths in that time that hold a lane.")
    command_seconds: float = Field(default=15.0, gt=0, description="Longest wait of a caller for a commit.")
    grace_seconds: float = Field(default=10.0, gt=0, description="Time to finish and send after a signal to stop.")

    @validator("metrics_port")
    @classmethod
    def _of_its_own(cls, port: int, info: ValidationInfo) -> int:
        if port == info.data.get("port"):
            raise ValueError("the API listens there (LIANYI_PORT)")
        return port


class GateSettings(Settings):
    """What a service with a gate before publishing needs to know beside that."""

    gate_seconds: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="Longest that the gate hides a text which nobody has judged; 0: it looks at none.",
    )
    rules_off: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="Rules that say nothing, whatever set is in force; a JSON list of names.",
    )


S = TypeVar("S", bound=KafkaSettings)


# fmt: off
OF_SERVICES = frozenset((
    "answer_seconds", "floor", "gate_seconds", "hot", "need_steps", "removed_seconds", "reports_for_review",
    "reports_per_hour", "retry_seconds", "rules_off", "shadow_model", "suggestions", "text_model", "tier_days",
    "tiers", "view_seconds", "waiting_most", "weights",
))
# fmt: on
"""What single services add. The others of one environment (a ConfigMap, an env file) pass it over as not misspelt."""


def load(kind: type[S]) -> S:
    """The settings, or the end of the process with one line for each variable that is missing, malformed or none."""
    told = [f"{name}: there is no such setting" for name in _unknown(kind)]
    try:
        made = kind()
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name, *within = map(str, fault["loc"])
            place = f"{'.'.join(within)}: " if within else ""
            told.append(f"{PREFIX}{name.upper()}: {place}{fault['msg'].removeprefix('Value error, ')}")
    except SettingsError as error:
        # A list or object that is no JSON fails before the model sees it; the message names the field.
        field = re.search(r'field "(\w+)"', str(error))
        told.append(f"{PREFIX}{field[1].upper() if field else '?'}: it is not valid JSON")
    else:
        if not told:
            return made
    sys.stderr.writelines(f"setting {line}\n" for line in told)
    raise SystemExit(2) from None


def _unknown(kind: type[KafkaSettings]) -> list[str]:
    """Variables of the environment that look like ours and are nobody's: misspelt, they would be passed over."""
    known = {PREFIX + name.upper() for name in {*kind.model_fields, *Settings.model_fields, *OF_SERVICES}}
    return sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
