"""The overlays as they are applied: they build, the cluster's API takes them, and each rule holds."""

import copy
import shutil
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate
import pytest
import yaml

from shared.contracts import TOPICS
from tests.deploy import rules
from tests.deploy.built import K8S, OVERLAYS, Manifest, Manifests, build, name_of, of_kind, overlay, parsed, templates

EACH_OVERLAY = pytest.mark.parametrize("name", OVERLAYS)
VERSIONS = ("1.32", "1.34", "1.37")
"""Of Kubernetes: what the manifests are made for."""
CRDS = {
    crd["spec"]["names"]["kind"]: crd
    for crd in map(yaml.safe_load, map(Path.read_text, sorted(Path(__file__).parent.glob("crds/*.yaml"))))
}
KUSTOMIZATIONS = sorted(K8S.rglob("kustomization.yaml"))
LISTS = ("resources", "patches", "images", "labels", "configMapGenerator")


@lru_cache
def schema(kind: str) -> Manifest:
    """The schema of a kind of Strimzi, closed as the API server closes it: an unknown field is an error."""
    (version,) = CRDS[kind]["spec"]["versions"]
    found = copy.deepcopy(version["schema"]["openAPIV3Schema"])
    found["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    closed(found)
    return {**found, "required": ["apiVersion", "kind", "metadata", "spec"]}


def closed(part: Any) -> None:
    """Shut every object whose fields are listed."""
    if isinstance(part, dict):
        if "properties" in part and not part.get("x-kubernetes-preserve-unknown-fields"):
            part["additionalProperties"] = False
        for inner in part.values():
            closed(inner)


def accepted(manifest: Manifest, version: str) -> None:
    """Raises what the API server of a version would find wrong."""
    if manifest["kind"] in CRDS:
        (known,) = CRDS[manifest["kind"]]["spec"]["versions"]
        assert manifest["apiVersion"] == f"kafka.strimzi.io/{known['name']}"
        jsonschema.validate(manifest, schema(manifest["kind"]))
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


@EACH_OVERLAY
def test_the_api_takes_every_manifest(name: str) -> None:
    """Each manifest fits the schema of its kind in each version of Kubernetes; no field is unknown."""
    manifests = parsed(overlay(name))
    assert len(manifests) > 40
    for manifest in manifests:
        for version in VERSIONS:
            accepted(manifest, version)


@pytest.mark.parametrize(
    "kind", ["Deployment", "Job", "CronJob", "NetworkPolicy", "PodDisruptionBudget", "KafkaTopic", "KafkaUser"]
)
def test_a_field_that_the_api_does_not_know_is_found(kind: str) -> None:
    """The check of schemas is strict: a misspelt field in a spec fails it."""
    manifest = copy.deepcopy(of_kind(parsed(overlay("prod")), kind)[0])
    accepted(manifest, VERSIONS[-1])
    manifest["spec"]["partitionss"] = 1
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        accepted(manifest, VERSIONS[-1])


@EACH_OVERLAY
@pytest.mark.parametrize("rule", rules.RULES)
def test_a_rule_holds(name: str, rule: Callable[[Manifests], list[str]]) -> None:
    """What the rule's docstring says is so in the overlay."""
    assert rule(parsed(overlay(name))) == []


@EACH_OVERLAY
def test_no_name_is_there_twice(name: str) -> None:
    """Two resources of one kind and name would overwrite each other; all but the namespace are in one namespace."""
    manifests = parsed(overlay(name))
    assert len(set(map(name_of, manifests))) == len(manifests)
    inside = {m["metadata"].get("namespace") for m in manifests if m["kind"] != "Namespace"}
    assert inside == {of_kind(manifests, "Namespace")[0]["metadata"]["name"]}


def test_production_stands_the_loss_of_a_node() -> None:
    """Three processes of each service spread evenly over nodes, also after a rollout; a record is on two brokers."""
    manifests = parsed(overlay("prod"))
    for owner in of_kind(manifests, "Deployment"):
        (node, *_) = owner["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert owner["spec"]["replicas"] >= 3
        assert (node["topologyKey"], node["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "DoNotSchedule")
        assert (node["maxSkew"], node["matchLabelKeys"]) == (1, ["pod-template-hash"])
    for topic in of_kind(manifests, "KafkaTopic"):
        assert topic["spec"]["replicas"] >= 3
        assert topic["spec"]["config"]["min.insync.replicas"] >= 2


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("lianyi/notes:0.1.0", True),
        ("registry.example/lianyi/notes:0.1.0", True),
        ("registry.example:5000/lianyi/notes:v0.1.0-rc.1", True),
        (f"registry.example:5000/lianyi/notes@sha256:{'0a' * 32}", True),
        ("registry.example:5000/lianyi/notes", False),
        ("registry.example:5000/lianyi/notes:latest", False),
        ("lianyi/notes:5000", False),
    ],
)
def test_the_port_of_a_registry_is_no_tag(image: str, pinned: bool) -> None:
    """What follows a registry's name is its port, and pins nothing."""
    assert bool(rules.PINNED.fullmatch(image)) is pinned


# -- each rule, broken once ---------------------------------------------------------------------------------


def pod(manifests: Manifests, kind: str = "Deployment") -> Any:
    return next(templates(of_kind(manifests, kind)))[1]["spec"]


def container(manifests: Manifests, kind: str = "Deployment") -> Any:
    return pod(manifests, kind)["containers"][0]


def drop(manifests: Manifests, kind: str) -> None:
    manifests.remove(of_kind(manifests, kind)[0])


def extra_topic(manifests: Manifests) -> None:
    stray = copy.deepcopy(of_kind(manifests, "KafkaTopic")[0])
    stray["spec"]["topicName"] = "lianyi.notes.stray.v1"
    manifests.append(stray)


def put(name: str, value: str) -> Callable[[Manifests], None]:
    def act(manifests: Manifests) -> None:
        for found in of_kind(manifests, "ConfigMap"):
            found["data"][name] = value

    return act


def policy(manifests: Manifests) -> Any:
    """One that lets something through."""
    return next(p["spec"] for p in of_kind(manifests, "NetworkPolicy") if "egress" in p["spec"])


def unset(settings: str) -> Callable[[Manifests], None]:
    def act(manifests: Manifests) -> None:
        for found in of_kind(manifests, "ConfigMap"):
            found["data"].pop(settings)

    return act


BREAKS: list[tuple[Callable[[Manifests], list[str]], Callable[[Manifests], Any], str]] = [
    (rules.images_are_pinned, lambda m: container(m).update(image="lianyi/groups"), "lianyi/groups"),
    (rules.images_are_pinned, lambda m: container(m, "Job").update(image="lianyi/groups:latest"), "latest"),
    (
        rules.images_are_pinned,
        lambda m: container(m).update(image="registry.example:5000/lianyi/groups"),
        "5000/lianyi/groups",
    ),
    (rules.resources_are_bounded, lambda m: container(m)["resources"]["limits"].pop("memory"), "limits.memory"),
    (rules.pods_are_restricted, lambda m: container(m)["securityContext"].pop("readOnlyRootFilesystem"), "read-only"),
    (rules.pods_are_restricted, lambda m: pod(m, "Job")["securityContext"].update(runAsUser=0), "not root"),
    (rules.pods_are_restricted, lambda m: container(m)["securityContext"].update(runAsUser=0), "undoes"),
    (
        rules.pods_are_restricted,
        lambda m: container(m, "CronJob")["securityContext"].update(seccompProfile={"type": "Unconfined"}),
        "undoes",
    ),
    (rules.pods_are_restricted, lambda m: pod(m).pop("automountServiceAccountToken"), "no token"),
    (rules.pods_are_restricted, lambda m: pod(m).update(hostNetwork=True), "nothing of the host"),
    (rules.pods_are_restricted, lambda m: pod(m)["volumes"].append({"name": "h", "hostPath": {}}), "volumes"),
    (rules.probes_are_answered, lambda m: container(m).pop("startupProbe"), "startup asks None"),
    (
        rules.probes_are_answered,
        lambda m: container(m)["livenessProbe"]["httpGet"].update(path="/healthz"),
        "/healthz",
    ),
    (rules.probes_are_answered, lambda m: container(m)["ports"][0].update(containerPort=8080), "8080"),
    (rules.probes_are_answered, put("LIANYI_PORT", "8080"), "ports"),
    (rules.settings_are_known, lambda m: container(m)["env"].append({"name": "LIANYI_SPEED", "value": "9"}), "SPEED"),
    (rules.settings_are_known, unset("LIANYI_ISSUER"), "issuer: Field required"),
    (
        rules.settings_are_known,
        lambda m: container(m)["env"].append({"name": "LIANYI_API_SLOTS", "value": "0"}),
        "api_slots",
    ),
    (rules.secrets_stay_outside, lambda m: container(m)["env"][0].update(value="x", valueFrom={}), "own secret"),
    (
        rules.secrets_stay_outside,
        lambda m: container(m)["env"][0]["valueFrom"]["secretKeyRef"].update(name="notes-mongo"),
        "LIANYI_MONGO is not",
    ),
    (
        rules.secrets_stay_outside,
        lambda m: container(m)["env"][2]["valueFrom"]["secretKeyRef"].update(name="lianyi-notes"),
        "LIANYI_KAFKA_PASSWORD is not",
    ),
    (rules.secrets_stay_outside, lambda m: m.append({"kind": "Secret", "metadata": {"name": "s"}}), "Secret/s"),
    (rules.mounted_files_are_named, lambda m: container(m).pop("volumeMounts"), "ca.crt is not mounted"),
    (rules.a_service_is_whole, lambda m: drop(m, "PodDisruptionBudget"), "no PodDisruptionBudget"),
    (rules.a_service_is_whole, lambda m: container(m, "Job").update(args=["run"]), "Job"),
    (rules.a_service_is_whole, lambda m: drop(m, "CronJob"), "no CronJob"),
    (
        rules.jobs_wait_for_their_day,
        lambda m: of_kind(m, "Job")[0]["spec"].update(activeDeadlineSeconds=900),
        "gives up",
    ),
    (rules.jobs_wait_for_their_day, lambda m: of_kind(m, "Job")[0]["spec"].pop("backoffLimit"), "gives up"),
    (rules.jobs_wait_for_their_day, lambda m: of_kind(m, "CronJob")[0]["spec"].pop("suspend"), "by the clock"),
    (
        rules.selectors_meet_their_pods,
        lambda m: of_kind(m, "Service")[0]["spec"]["ports"][0].update(targetPort="metrics"),
        "leads to metrics",
    ),
    (
        rules.selectors_meet_their_pods,
        lambda m: of_kind(m, "Service")[0]["spec"]["selector"].pop("app.kubernetes.io/name"),
        "meets",
    ),
    (rules.selectors_meet_their_pods, lambda m: pod(m).pop("topologySpreadConstraints"), "is not spread"),
    (rules.traffic_is_named, lambda m: m.remove(next(p for p in m if name_of(p).endswith("/nothing-else"))), "denies"),
    (rules.traffic_is_named, lambda m: policy(m)["egress"].append({}), "opens all ports"),
    (rules.traffic_is_named, lambda m: policy(m)["egress"][1]["ports"].pop(0), "no way to port 9093"),
    (rules.traffic_is_named, lambda m: policy(m)["egress"].pop(0), "no way to port 53"),
    (rules.traffic_is_named, put("LIANYI_JWKS", "http://issuer:8400/jwks.json"), "no way to port 8400"),
    (rules.traffic_is_named, lambda m: policy(m)["ingress"][0].pop("from"), "lets anybody in"),
    (
        rules.traffic_is_named,
        lambda m: policy(m)["ingress"][0].update({"from": [{"namespaceSelector": {}}]}),
        "anybody",
    ),
    (rules.a_stop_has_time, put("LIANYI_GRACE_SECONDS", "60"), "killed"),
    (rules.a_stop_has_time, put("LIANYI_API_SLOTS", "3"), "api slots"),
    (
        rules.a_stop_has_time,
        lambda m: of_kind(m, "PodDisruptionBudget")[0]["spec"].update(maxUnavailable=0),
        "holds a drain",
    ),
    (rules.a_stop_has_time, lambda m: pod(m).update(terminationGracePeriodSeconds=30), "killed"),
    (rules.a_stop_has_time, lambda m: of_kind(m, "Deployment")[0]["spec"].update(replicas=64), "api slots"),
    (rules.topics_are_those_of_the_table, extra_topic, "lianyi.notes.stray.v1: not in the table"),
    (rules.topics_are_those_of_the_table, lambda m: drop(m, "KafkaTopic"), "not in the manifests"),
    (
        rules.topics_are_those_of_the_table,
        lambda m: of_kind(m, "KafkaTopic")[0]["spec"].update(partitions=1),
        "1 partitions",
    ),
    (
        rules.topics_are_those_of_the_table,
        lambda m: of_kind(m, "KafkaTopic")[0]["spec"]["config"].update({"retention.ms": "1000"}),
        "keeps",
    ),
    (rules.users_are_those_of_the_services, lambda m: drop(m, "KafkaUser"), "KafkaUser: lianyi-"),
    (
        rules.users_are_those_of_the_services,
        lambda m: of_kind(m, "KafkaUser")[0]["spec"]["authorization"]["acls"][0]["operations"].append("All"),
        "other rights",
    ),
    (rules.users_are_those_of_the_services, lambda m: container(m)["env"][1].update(value="lianyi-notes"), "logs in"),
]


@pytest.mark.parametrize(("rule", "act", "told"), BREAKS, ids=[f"{r.__name__}: {told}" for r, _, told in BREAKS])
def test_a_broken_rule_is_told(
    rule: Callable[[Manifests], list[str]], act: Callable[[Manifests], Any], told: str
) -> None:
    """Each rule fails, in words, on production manifests in which it was broken."""
    manifests = parsed(overlay("prod"))
    act(manifests)
    found = rule(manifests)
    assert any(told in complaint for complaint in found), found


def test_every_rule_is_broken_once() -> None:
    """No rule is believed that was never seen to fail."""
    assert {rule for rule, _, _ in BREAKS} == set(rules.RULES)


# -- kustomizations ------------------------------------------------------------------------------------------


def entries(kustomization: Manifest) -> Iterator[tuple[str, int, int | None]]:
    """Everything that a kustomization changes: list, place in it, and of a patch each of its operations."""
    for what in LISTS:
        for place, entry in enumerate(kustomization.get(what, [])):
            yield what, place, None
            if what == "patches":
                operations = yaml.safe_load(entry["patch"])
                yield from ((what, place, n) for n in range(len(operations)) if len(operations) > 1)


def without(file: Path, what: str, place: int, operation: int | None) -> None:
    """Take one thing out of a kustomization."""
    kustomization = yaml.safe_load(file.read_text("utf-8"))
    if operation is None:
        kustomization[what].pop(place)
    else:
        patch = kustomization[what][place]
        operations = yaml.safe_load(patch["patch"])
        operations.pop(operation)
        patch["patch"] = yaml.safe_dump(operations)
    file.write_text(yaml.safe_dump(kustomization, sort_keys=False), "utf-8")


def idle(file: Path, tmp_path: Path, root: Path = K8S) -> list[str]:
    """What of a kustomization could be taken out and nothing would change: a patch that meets nothing is silent."""
    told = []
    name = file.relative_to(root).parts[1] if "overlays" in file.parts else "prod"
    before = build(root / "overlays" / name)
    for n, (what, place, operation) in enumerate(entries(yaml.safe_load(file.read_text("utf-8")))):
        copied = tmp_path / str(n)
        shutil.copytree(root, copied)
        without(copied / file.relative_to(root), what, place, operation)
        if what != "resources" and build(copied / "overlays" / name) == before:
            told.append(f"{file.relative_to(root)}: {what}[{place}]{'' if operation is None else f'[{operation}]'}")
    return told


@pytest.mark.parametrize("file", KUSTOMIZATIONS, ids=[str(f.relative_to(K8S).parent) for f in KUSTOMIZATIONS])
def test_nothing_in_a_kustomization_is_idle(file: Path, tmp_path: Path) -> None:
    """Every patch, operation, image, label and generator changes what is applied."""
    assert idle(file, tmp_path) == []


def test_a_patch_that_meets_nothing_is_told(tmp_path: Path) -> None:
    """A patch with a target that is not there builds without a word; it is found all the same."""
    root = tmp_path / "k8s"
    shutil.copytree(K8S, root)
    file = root / "overlays" / "dev" / "kustomization.yaml"
    kustomization = yaml.safe_load(file.read_text("utf-8"))
    stray = {"target": {"kind": "Deployment", "name": "nobody"}, "patch": '[{"op": "remove", "path": "/spec"}]'}
    kustomization["patches"].append(stray)
    file.write_text(yaml.safe_dump(kustomization), "utf-8")
    assert idle(file, tmp_path, root) == [
        f"overlays/dev/kustomization.yaml: patches[{len(kustomization['patches']) - 1}]"
    ]


def test_every_file_is_part_of_an_overlay() -> None:
    """No manifest lies about that no kustomization names."""
    named = {file for file in K8S.rglob("*.yaml") if file.name == "kustomization.yaml"}
    for file in KUSTOMIZATIONS:
        named |= {(file.parent / entry).resolve() for entry in yaml.safe_load(file.read_text("utf-8"))["resources"]}
    assert [file for file in K8S.rglob("*.yaml") if file not in named] == []
    assert len(TOPICS) == len(of_kind(parsed(overlay("dev")), "KafkaTopic"))
