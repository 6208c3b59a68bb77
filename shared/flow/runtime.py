"""What all lanes of a process share, constructed once by the service's root."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.telemetry import Metrics

from .alarms import Poison
from .erased import Erased
from .floor import Floor
from .fold import Limits
from .ports import Database, Now, Publisher, View
from .router import Router
from .work import Scope


@dataclass(frozen=True, slots=True)
class Runtime:
    """What all lanes of a process share. ``at`` is told every labelled step (tests crash there)."""

    router: Router
    database: Database
    publisher: Publisher
    metrics: Metrics
    now: Now
    scope: Scope
    limits: Limits = field(default_factory=Limits)
    poison: Poison = field(default_factory=Poison)
    views: tuple[View, ...] = ()
    erased: Erased = field(default_factory=Erased)
    floor: Floor = field(default_factory=Floor)
    rng: random.Random = field(default_factory=random.Random)
    at: Callable[[str], None] = lambda label: None
