"""What is demanded of manifests as they are applied. A rule tells what breaks it; an empty list is good."""

import re
from importlib import import_module
from typing import Any, cast
from urllib.parse import urlsplit

from fastapi.routing import APIRoute
from pydantic import ValidationError

from deploy.generate import kafka_user
from shared.admin import config_of
from shared.app import App, Server
from shared.contracts import TOPICS
from shared.settings import Settings
from tests.deploy.built import (
    SERVICES,
    Manifest,
    Manifests,
    containers,
    labels_of,
    name_of,
    of_kind,
    selects,
    service_of,
    templates,
)

PINNED = re.compile(r"([a-z0-9.-]+(:\d+)?/)?[a-z0-9./_-]+(:v?\d+\.\d+\.\d+[A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})")
SECRET = {"LIANYI_MONGO": "mongodb://db/?replicaSet=rs0", "LIANYI_KAFKA_PASSWORD": "secret"}
"""Settings that come out of a Secret, and what may stand in their place in a test."""
MONGO_PORT = 27017
"""Where a replica set listens, if its URL, which is a secret, does not say otherwise."""


def app_of(service: str) -> App:
    """What a service declares."""
    return cast("App", import_module(f"services.{service}.app").APP)


def given(manifests: Manifests, container: Manifest) -> dict[str, str]:
    """Names and values of what a container finds in its environment."""
    maps = {m["metadata"]["name"]: m.get("data", {}) for m in of_kind(manifests, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps.get(source["configMapRef"]["name"], {})
    return found | {e["name"]: e.get("value") or SECRET.get(e["name"], "") for e in container.get("env", [])}


def settings_of(manifests: Manifests, owner: Manifest, container: Manifest) -> Settings:
    """What a service makes of its environment; raises where it would not start."""
    kind = app_of(service_of(owner)).settings
    variables = {
        f"LIANYI_{name.upper()}": name for name in kind.model_fields if name != "kafka_ca"
    }  # a file of the pod
    told = given(manifests, container)
    return kind(**cast("Any", {name: told[variable] for variable, name in variables.items() if variable in told}))


def images_are_pinned(manifests: Manifests) -> list[str]:
    """An image has a tag of three numbers or a digest."""
    return [
        f"{name_of(owner)}: {container['image']}"
        for owner, container in containers(manifests)
        if not PINNED.fullmatch(container["image"])
    ]


def resources_are_bounded(manifests: Manifests) -> list[str]:
    """A container asks for processor and memory, and is limited in both."""
    return [
        f"{name_of(owner)}: no {what}.{of}"
        for owner, container in containers(manifests)
        for what in ("requests", "limits")
        for of in ("cpu", "memory")
        if of not in container.get("resources", {}).get(what, {})
    ]


CONTAINER = {"allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities"}
"""What a container may say of its security; user, groups and seccomp are the pod's, and said once."""


def pods_are_restricted(manifests: Manifests) -> list[str]:
    """The restricted pod security standard, a file system that cannot be written, and no token of the cluster."""
    told: list[str] = []
    for owner, template in templates(manifests):
        pod = template["spec"]
        given = pod.get("securityContext", {})
        wanted = {
            "not root": given.get("runAsNonRoot") is True and given.get("runAsUser", 0) > 0,
            "seccomp": given.get("seccompProfile") == {"type": "RuntimeDefault"},
            "no token": pod.get("automountServiceAccountToken") is False,
            "an account of its own": pod.get("serviceAccountName", "default") != "default",
            "nothing of the host": not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(),
            "volumes": all({"name"} < v.keys() <= {"name", "secret", "configMap"} for v in pod.get("volumes", [])),
        }
        told += [f"{name_of(owner)}: {what}" for what, good in wanted.items() if not good]
    for owner, container in containers(manifests):
        given = container.get("securityContext", {})
        wanted = {
            "escalation": given.get("allowPrivilegeEscalation") is False,
            "read-only": given.get("readOnlyRootFilesystem") is True,
            "capabilities": given.get("capabilities") == {"drop": ["ALL"]},
            "undoes what is said of the pod": given.keys() <= CONTAINER,
        }
        told += [f"{name_of(owner)}: {what}" for what, good in wanted.items() if not good]
    accounts = of_kind(manifests, "ServiceAccount")
    return told + [f"{name_of(a)}: a token" for a in accounts if a.get("automountServiceAccountToken") is not False]


def probes_are_answered(manifests: Manifests) -> list[str]:
    """A Deployment has all three probes, on paths that the app serves and the port on which it serves them."""
    told: list[str] = []
    for owner in of_kind(manifests, "Deployment"):
        (container,) = owner["spec"]["template"]["spec"]["containers"]
        kind = settings_of(manifests, owner, container)
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        if ports != {"http": kind.port, "metrics": kind.metrics_port}:
            told.append(f"{name_of(owner)}: ports {ports}")
        for probe, path in (("startup", "/livez"), ("liveness", "/livez"), ("readiness", "/readyz")):
            asked = container.get(f"{probe}Probe", {}).get("httpGet")
            if asked != {"path": path, "port": "http"}:
                told.append(f"{name_of(owner)}: {probe} asks {asked}")
            elif path not in _routes(service_of(owner), kind):
                told.append(f"{name_of(owner)}: nothing answers {path}")
    return told


def _routes(service: str, settings: Settings) -> set[str]:
    app = app_of(service)
    server = Server(app, settings)
    routes = server._api(app.build(server._settings, server._database, server._desk)).routes
    return {route.path for route in routes if isinstance(route, APIRoute)}


def settings_are_known(manifests: Manifests) -> list[str]:
    """A service is given settings that it has, all that it must have, of values that it takes."""
    told: list[str] = []
    for owner, container in containers(manifests):
        known = {f"LIANYI_{name.upper()}" for name in app_of(service_of(owner)).settings.model_fields}
        told += [f"{name_of(owner)}: {name} is no setting" for name in given(manifests, container).keys() - known]
        try:
            settings_of(manifests, owner, container)
        except ValidationError as error:
            faults = error.errors(include_input=False)
            told += [f"{name_of(owner)}: {fault['loc'][0]}: {fault['msg']}" for fault in faults]
    return told


def secrets_stay_outside(manifests: Manifests) -> list[str]:
    """No Secret is applied, and what is secret comes by reference, out of the service's own Secret."""
    told = [name_of(secret) for secret in of_kind(manifests, "Secret")]
    for owner, container in containers(manifests):
        service = service_of(owner)
        own = {"LIANYI_MONGO": (f"{service}-mongo", "url"), "LIANYI_KAFKA_PASSWORD": (f"lianyi-{service}", "password")}
        for entry in container.get("env", []):
            found = entry.get("valueFrom", {}).get("secretKeyRef", {})
            if entry["name"] in own and (found.get("name"), found.get("key")) != own[entry["name"]]:
                told.append(f"{name_of(owner)}: {entry['name']} is not the service's own secret")
    return told


def mounted_files_are_named(manifests: Manifests) -> list[str]:
    """A file that a setting names is mounted."""
    told: list[str] = []
    for owner, template in templates(manifests):
        volumes = {v["name"]: v for v in template["spec"].get("volumes", [])}
        for container in template["spec"]["containers"]:
            there = {
                f"{mount['mountPath']}/{item['path']}"
                for mount in container.get("volumeMounts", [])
                for item in volumes[mount["name"]]["secret"]["items"]
            }
            named = {"LIANYI_KAFKA_CA", "LIANYI_TEXT_MODEL"}
            files = [e["value"] for e in container.get("env", []) if e["name"] in named]
            told += [f"{name_of(owner)}: {file} is not mounted" for file in files if file not in there]
    return told


DOES = {
    "Deployment": {"args": ["run"]},
    "Job": {"args": ["migrate"]},
    "CronJob": {"command": ["sleep", "86400"]},
}
"""What a pod of ours is told to do, by what makes it; the last waits for an operator."""


def a_service_is_whole(manifests: Manifests) -> list[str]:
    """Each service has all that makes its pods, a Service, an account, a budget of disruptions, a policy."""
    wanted = {*DOES, "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"}
    told: list[str] = []
    for service in SERVICES:
        own = [m for m in manifests if m["metadata"].get("labels", {}).get("app.kubernetes.io/name") == service]
        told += [f"{service}: no {kind}" for kind in sorted(wanted - {m["kind"] for m in own})]
        for manifest, template in templates(own):
            (container,) = template["spec"]["containers"]
            does = {word: container[word] for word in ("command", "args") if word in container}
            if does != DOES[manifest["kind"]] or f"lianyi/{service}:" not in container["image"]:
                told.append(f"{name_of(manifest)}: runs {container['image']} {does}")
    return told


def jobs_wait_for_their_day(manifests: Manifests) -> list[str]:
    """A migration is tried until it is done, for nothing makes it anew; a pod for operators is made by them alone."""
    told: list[str] = []
    for job in of_kind(manifests, "Job"):
        said = {**job["spec"], **job["spec"]["template"]["spec"]}
        patient = {"backoffLimit": 2**31 - 1, "restartPolicy": "OnFailure"}
        if {"activeDeadlineSeconds", "podFailurePolicy"} & said.keys() or not patient.items() <= said.items():
            told.append(f"{name_of(job)}: gives up")
    told += [f"{name_of(m)}: runs by the clock" for m in of_kind(manifests, "CronJob") if not m["spec"].get("suspend")]
    return told


def selectors_meet_their_pods(manifests: Manifests) -> list[str]:
    """Selectors of Deployment, Service and budget meet its own running pods alone; a Service leads to the API."""
    pods = {name_of(owner): labels_of(template) for owner, template in templates(manifests)}
    told: list[str] = []
    for manifest in of_kind(manifests, "Deployment", "Service", "PodDisruptionBudget"):
        selector = manifest["spec"]["selector"]
        met = [p for p, labels in pods.items() if selects({"matchLabels": selector, **selector}, labels)]
        if met != [f"Deployment/{service_of(manifest)}-run"]:
            told.append(f"{name_of(manifest)}: meets {met}")
    for service in of_kind(manifests, "Service"):
        (port,) = service["spec"]["ports"]
        if port["targetPort"] != "http":
            told.append(f"{name_of(service)}: leads to {port['targetPort']}")
    for owner in of_kind(manifests, "Deployment"):
        spread = owner["spec"]["template"]["spec"].get("topologySpreadConstraints", [])
        told += [f"{name_of(owner)}: spreads others" for s in spread if s["labelSelector"] != owner["spec"]["selector"]]
        told += [f"{name_of(owner)}: is not spread"] if not spread else []
    return told


def traffic_is_named(manifests: Manifests) -> list[str]:
    """Every pod is under a policy that denies all and one that lets it where it must go; in come chosen namespaces."""
    told: list[str] = []
    policies = of_kind(manifests, "NetworkPolicy")
    both = {"Ingress", "Egress"}
    for owner, template in templates(manifests):
        over = [p["spec"] for p in policies if selects(p["spec"]["podSelector"], labels_of(template))]
        denying = (spec for spec in over if not spec.keys() & {"ingress", "egress"})
        if not any(set(spec["policyTypes"]) == both for spec in denying):
            told.append(f"{name_of(owner)}: nothing denies")
        opened = {port["port"] for spec in over for rule in spec.get("egress", []) for port in rule.get("ports", [])}
        for container in template["spec"]["containers"]:
            shut = sorted(_goes_to(settings_of(manifests, owner, container)) - opened)
            told += [f"{name_of(owner)}: no way to port {port}" for port in shut]
    for policy in policies:
        inward, outward = (policy["spec"].get(way, []) for way in ("ingress", "egress"))
        peers = [peer for rule in inward for peer in rule.get("from", [{}])]
        if not all(any(peer.get("namespaceSelector", {}).values()) for peer in peers):
            told.append(f"{name_of(policy)}: lets anybody in")
        if not all(rule.get("ports") for rule in (*inward, *outward)):
            told.append(f"{name_of(policy)}: opens all ports")
    return told


def _goes_to(settings: Settings) -> set[int]:
    """Ports that a service asks: names, brokers, database, the issuer's keys."""
    issuer = urlsplit(settings.jwks)
    brokers = {int(server.rpartition(":")[2]) for server in settings.kafka.split(",")}
    return {53, MONGO_PORT, issuer.port or {"http": 80, "https": 443}[issuer.scheme], *brokers}


def a_stop_has_time(manifests: Manifests) -> list[str]:
    """The kubelet waits for the pause before SIGTERM and for each part of the stop; a node can be emptied.

    A rollout takes no process away before another one is there, and there is an api slot for each.
    """
    told: list[str] = []
    for owner in of_kind(manifests, "Deployment"):
        pod = owner["spec"]["template"]["spec"]
        kind = settings_of(manifests, owner, pod["containers"][0])
        pause = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if pod.get("terminationGracePeriodSeconds", 30) < pause + 3 * kind.grace_seconds or not pause:
            told.append(f"{name_of(owner)}: is killed before it has stopped")
        if owner["spec"]["strategy"].get("rollingUpdate", {}).get("maxUnavailable") != 0:
            told.append(f"{name_of(owner)}: a rollout takes processes away first")
        if owner["spec"]["replicas"] + 1 > kind.api_slots:
            told.append(f"{name_of(owner)}: more processes than api slots")
    budgets = of_kind(manifests, "PodDisruptionBudget")
    return told + [f"{name_of(b)}: holds a drain" for b in budgets if b["spec"].get("maxUnavailable") != 1]


def topics_are_those_of_the_table(manifests: Manifests) -> list[str]:
    """The cluster has the topics of the table, each with its partitions and what it keeps, and no other of ours."""
    found = {m["spec"].get("topicName", m["metadata"]["name"]): m["spec"] for m in of_kind(manifests, "KafkaTopic")}
    told = [f"{name}: not in the table" for name in sorted(found.keys() - TOPICS.keys())]
    told += [f"{name}: not in the manifests" for name in sorted(TOPICS.keys() - found.keys())]
    for name in sorted(found.keys() & TOPICS.keys()):
        if found[name]["partitions"] != TOPICS[name].partitions:
            told.append(f"{name}: {found[name]['partitions']} partitions")
        if not config_of(TOPICS[name]).items() <= found[name]["config"].items():
            told.append(f"{name}: keeps {found[name]['config']}")
        if found[name]["config"]["min.insync.replicas"] > found[name]["replicas"]:
            told.append(f"{name}: no write would be acknowledged")
    return told


def users_are_those_of_the_services(manifests: Manifests) -> list[str]:
    """Every service logs in as a user that there is, and every user is a service's, with the rights of the table."""
    users = {m["metadata"]["name"]: m["spec"] for m in of_kind(manifests, "KafkaUser")}
    rights = {user["metadata"]["name"]: user["spec"] for user in map(kafka_user, SERVICES)}
    told = [f"{name}: other rights than the table's" for name, spec in users.items() if spec != rights.get(name, spec)]
    asked: set[str] = set()
    for owner, container in containers(manifests):
        name = given(manifests, container).get("LIANYI_KAFKA_USER", "")
        asked |= {name} - {""}
        if name not in (f"lianyi-{service_of(owner)}", *([""] if owner["kind"] == "Job" else [])):
            told.append(f"{name_of(owner)}: logs in as {name}")
    return told + [f"KafkaUser: {name}" for name in sorted(users.keys() ^ asked)]


RULES = (
    images_are_pinned,
    resources_are_bounded,
    pods_are_restricted,
    probes_are_answered,
    settings_are_known,
    secrets_stay_outside,
    mounted_files_are_named,
    a_service_is_whole,
    jobs_wait_for_their_day,
    selectors_meet_their_pods,
    traffic_is_named,
    a_stop_has_time,
    topics_are_those_of_the_table,
    users_are_those_of_the_services,
)
