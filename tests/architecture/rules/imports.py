"""Who may import whom: ``services.x`` -> ``shared`` -> libraries, and nothing back."""

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import Module, called, imports, nodes, under, within

DRIVERS = ("motor", "pymongo", "bson", "aiokafka", "confluent_kafka", "faststream", "fastapi", "starlette", "uvicorn")


def services_know_no_other_service(root: Path) -> list[str]:
    """A service imports itself and what all share: everything else comes as an event."""
    return [
        module.at(node, f"imports {name}")
        for module in under(root, "services")
        for node, name in imports(module)
        if within(name, "services") and not within(name, f"services.{module.service}")
    ]


def shared_knows_no_service(root: Path) -> list[str]:
    """What all services use knows none of them."""
    return list(_importing(under(root, "shared"), "services"))


def products_know_no_tools(root: Path) -> list[str]:
    """Neither a service nor ``shared`` imports ``local`` or ``tests``; ``local`` runs without ``tests``."""
    return [
        *_importing(under(root, "services", "shared"), "local", "tests"),
        *_importing(under(root, "local"), "tests"),
    ]


def contracts_stand_alone(root: Path) -> list[str]:
    """Other teams install ``shared/contracts`` alone: pydantic, the standard library, and itself by relative names."""
    allowed = (*sys.stdlib_module_names, "pydantic", "shared.contracts")
    told = []
    for module in under(root, "shared/contracts"):
        for node, name in imports(module):
            if not within(name, *allowed):
                told.append(module.at(node, f"imports {name}"))
            elif within(name, "shared") and not getattr(node, "level", 0):
                told.append(module.at(node, f"imports {name} by its place in this repository"))
    return told


def flow_knows_no_driver(root: Path) -> list[str]:
    """The lane speaks of a database and a broker only by ``flow.ports``."""
    return list(_importing(under(root, "shared/flow"), *DRIVERS))


def imports_can_be_read(root: Path) -> list[str]:
    """No product imports by a computed name, which these rules could not see."""
    return [
        module.at(node, "imports by a computed name")
        for module in under(root, "services", "shared")
        for node in nodes(module)
        if called(node) in ("__import__", "import_module")
    ]


def _importing(files: Iterator[Module], *packages: str) -> Iterator[str]:
    for module in files:
        for node, name in imports(module):
            if within(name, *packages):
                yield module.at(node, f"imports {name}")
