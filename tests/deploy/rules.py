"""What is demanded of manifests as they are applied. A rule tells what breaks it; an empty list is good."""

import re
from importlib import import_module
from typing import Any, cast

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

PINNED = re.compile(r"[a-z0-9./_-]+(:v?\d+\.\d+\.\d+[A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})")
SECRET = {"LIANYI_MONGO": "mongodb://db/?replicaSet=rs0", "LIANYI_KAFKA_PASSWORD": "secret"}
"""Settings that come out of a Secret, and what may stand in their place in a test."""
_WORLD: dict[str, Any] = {"kafka": "k:9092", "mongo": "mongodb://m", "jwks": "http://i/j", "issuer": "i"}


def app_of(service: str) -> App:
    """What a service declares."""
    return cast("App", import_module(f"services.{service}.app").APP)


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
            "privileged": "privileged" not in given,
        }
        told += [f"{name_of(owner)}: {what}" for what, good in wanted.items() if not good]
    accounts = of_kind(manifests, "ServiceAccount")
    return told + [f"{name_of(a)}: a token" for a in accounts if a.get("automountServiceAccountToken") is not False]


def probes_are_answered(manifests: Manifests) -> list[str]:
    """A Deployment has all three probes, on paths that the app serves and the port on which it serves them."""
    told: list[str] = []
    for owner in of_kind(manifests, "Deployment"):
        kind = app_of(service_of(owner)).settings(**_WORLD)
        (container,) = owner["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        if ports != {"http": kind.port, "metrics": kind.metrics_port}:
            told.append(f"{name_of(owner)}: ports {ports}")
        for probe, path in (("startup", "/livez"), ("liveness", "/livez"), ("readiness", "/readyz")):
            asked = container.get(f"{probe}Probe", {}).get("httpGet")
            if asked != {"path": path, "port": "http"}:
                told.append(f"{name_of(owner)}: {probe} asks {asked}")
            elif path not in _routes(service_of(owner)):
                told.append(f"{name_of(owner)}: nothing answers {path}")
    return told


def _routes(service: str) -> set[str]:
    app = app_of(service)
    server = Server(app, app.settings(**_WORLD))
    routes = server._api(app.build(server._settings, server._database, server._desk)).routes
    return {route.path for route in routes if isinstance(route, APIRoute)}


def settings_are_known(manifests: Manifests) -> list[str]:
    """A service is given settings that it has, all that it must have, of values that it takes."""
    told: list[str] = []
    maps = {m["metadata"]["name"]: m.get("data", {}) for m in of_kind(manifests, "ConfigMap")}
    for owner, container in containers(manifests):
        kind = app_of(service_of(owner)).settings
        given = {e["name"]: e.get("value") or SECRET.get(e["name"], "") for e in container.get("env", [])}
        for source in container.get("envFrom", []):
            given |= maps.get(source["configMapRef"]["name"], {})
        known = {f"LIANYI_{name.upper()}": name for name in kind.model_fields}
        told += [f"{name_of(owner)}: {name} is no setting" for name in given.keys() - known.keys()]
        told += _refused(name_of(owner), kind, {known[name]: v for name, v in given.items() if name in known})
    return told


def _refused(owner: str, kind: type[Settings], given: dict[str, str]) -> list[str]:
    given.pop("kafka_ca", None)  # a file of the pod
    try:
        kind(**cast("Any", given))
    except ValidationError as error:
        return [f"{owner}: {fault['loc'][0]}: {fault['msg']}" for fault in error.errors(include_input=False)]
    return []


def secrets_stay_outside(manifests: Manifests) -> list[str]:
    """No Secret is applied, and what is secret comes by reference."""
    told = [name_of(secret) for secret in of_kind(manifests, "Secret")]
    for owner, container in containers(manifests):
        told += [
            f"{name_of(owner)}: {entry['name']} in the open"
            for entry in container.get("env", [])
            if entry["name"] in SECRET and "secretKeyRef" not in entry.get("valueFrom", {})
        ]
    return told


def mounted_files_are_named(manifests: Manifests) -> list[str]:
    """A file that a setting names is mounted."""
    told: list[str] = []
    for owner, container in containers(manifests):
        volumes = {v["name"]: v for v in owner["spec"]["template"]["spec"].get("volumes", [])}
        there = {
            f"{mount['mountPath']}/{item['path']}"
            for mount in container.get("volumeMounts", [])
            for item in volumes[mount["name"]]["secret"]["items"]
        }
        files = [e["value"] for e in container.get("env", []) if e["name"] in ("LIANYI_KAFKA_CA", "LIANYI_TEXT_MODEL")]
        told += [f"{name_of(owner)}: {file} is not mounted" for file in files if file not in there]
    return told


def a_service_is_whole(manifests: Manifests) -> list[str]:
    """Each service has a Deployment, a Job that migrates, a Service, an account, a budget of disruptions, a policy."""
    wanted = {"Deployment", "Job", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"}
    told: list[str] = []
    for service in SERVICES:
        own = [m for m in manifests if m["metadata"].get("labels", {}).get("app.kubernetes.io/name") == service]
        told += [f"{service}: no {kind}" for kind in sorted(wanted - {m["kind"] for m in own})]
        for manifest, template in templates(own):
            args = {"Deployment": ["run"], "Job": ["migrate"]}[manifest["kind"]]
            (container,) = template["spec"]["containers"]
            if container.get("args") != args or f"lianyi/{service}:" not in container["image"]:
                told.append(f"{name_of(manifest)}: runs {container['image']} {container.get('args')}")
    return told


def selectors_meet_their_pods(manifests: Manifests) -> list[str]:
    """A Deployment's, Service's and budget's selector meets the pods of that service's Deployment and no others."""
    pods = {name_of(owner): labels_of(template) for owner, template in templates(manifests)}
    told: list[str] = []
    for manifest in of_kind(manifests, "Deployment", "Service", "PodDisruptionBudget"):
        selector = manifest["spec"]["selector"]
        met = [p for p, labels in pods.items() if selects({"matchLabels": selector, **selector}, labels)]
        if met != [f"Deployment/{service_of(manifest)}-run"]:
            told.append(f"{name_of(manifest)}: meets {met}")
    for owner in of_kind(manifests, "Deployment"):
        spread = owner["spec"]["template"]["spec"].get("topologySpreadConstraints", [])
        told += [f"{name_of(owner)}: spreads others" for s in spread if s["labelSelector"] != owner["spec"]["selector"]]
        told += [f"{name_of(owner)}: is not spread"] if not spread else []
    return told


def traffic_is_named(manifests: Manifests) -> list[str]:
    """Every pod is under a policy that denies all and one that allows; nothing of ours is let in from our own pods."""
    told: list[str] = []
    policies = of_kind(manifests, "NetworkPolicy")
    both = {"Ingress", "Egress"}
    for owner, template in templates(manifests):
        over = [p for p in policies if selects(p["spec"]["podSelector"], labels_of(template))]
        denying = (p["spec"] for p in over if not p["spec"].keys() & {"ingress", "egress"})
        if not any(set(spec["policyTypes"]) == both for spec in denying):
            told.append(f"{name_of(owner)}: nothing denies")
        if not any(p["spec"].get("egress") for p in over):
            told.append(f"{name_of(owner)}: nothing is allowed")
    for policy in policies:
        inward, outward = (policy["spec"].get(way, []) for way in ("ingress", "egress"))
        peers = [peer for rule in inward for peer in rule.get("from", [{}])]
        if not all("namespaceSelector" in peer for peer in peers):
            told.append(f"{name_of(policy)}: lets anybody in")
        if not all(rule.get("ports") for rule in (*inward, *outward)):
            told.append(f"{name_of(policy)}: opens all ports")
    return told


def a_stop_has_time(manifests: Manifests) -> list[str]:
    """The kubelet waits for the pause before SIGTERM and for each part of the stop; rollouts take none away first."""
    told: list[str] = []
    for owner in of_kind(manifests, "Deployment"):
        kind = app_of(service_of(owner)).settings(**_WORLD)
        pod = owner["spec"]["template"]["spec"]
        pause = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if pod.get("terminationGracePeriodSeconds", 30) < pause + 3 * kind.grace_seconds or not pause:
            told.append(f"{name_of(owner)}: is killed before it has stopped")
        if owner["spec"]["strategy"].get("rollingUpdate", {}).get("maxUnavailable") != 0:
            told.append(f"{name_of(owner)}: a rollout takes processes away first")
        if owner["spec"]["replicas"] + 1 > kind.api_slots:
            told.append(f"{name_of(owner)}: more processes than api slots")
    return told


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
    for owner in of_kind(manifests, "Deployment"):
        env = {e["name"]: e for e in owner["spec"]["template"]["spec"]["containers"][0]["env"]}
        name = env["LIANYI_KAFKA_USER"]["value"]
        asked.add(name)
        if name != f"lianyi-{service_of(owner)}" or env["LIANYI_KAFKA_PASSWORD"]["valueFrom"] != _password(name):
            told.append(f"{name_of(owner)}: logs in as {name}")
    return told + [f"KafkaUser: {name}" for name in sorted(users.keys() ^ asked)]


def _password(user: str) -> Manifest:
    return {"secretKeyRef": {"name": user, "key": "password"}}


RULES = (
    images_are_pinned,
    resources_are_bounded,
    pods_are_restricted,
    probes_are_answered,
    settings_are_known,
    secrets_stay_outside,
    mounted_files_are_named,
    a_service_is_whole,
    selectors_meet_their_pods,
    traffic_is_named,
    a_stop_has_time,
    topics_are_those_of_the_table,
    users_are_those_of_the_services,
)
