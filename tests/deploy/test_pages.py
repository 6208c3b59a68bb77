"""What the pages tell an operator to type is so: the overlay builds, and the commands name what is applied."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.deploy.built import K8S, ROOT, Manifests, build, name_of, of_kind, overlay, parsed
from tests.deploy.rules import DOES, RULES
from tests.deploy.test_manifests import VERSIONS, accepted

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
KINDS = {"deploy": "Deployment", "job": "Job", "cronjob": "CronJob"}


def commands(text: str) -> list[str]:
    """The commands for kubectl in a page, each on one line."""
    return re.findall(r"kubectl [^`|\n]+", text.replace("\\\n", " "))


def strays(command: str, manifests: Manifests) -> list[str]:
    """What a command names and nobody has applied, and where it would look in vain."""
    made = set(re.findall(r"create job (\S+)", command))
    known = {name_of(manifest) for manifest in manifests}
    known |= {f"Job/{m['metadata']['name']}" for m in of_kind(manifests, "CronJob")}
    named = {
        f"{KINDS[kind]}/{name}" for kind, name in re.findall(r"(?<=[ =])(deploy|job|cronjob)/([a-z-]+)(?= |$)", command)
    }
    told = sorted(named - known - {f"Job/{name}" for name in made})
    spaces = {m["metadata"]["name"] for m in of_kind(manifests, "Namespace")} | {"kafka"}
    space = re.match(r"kubectl -n (\S+) ", command)
    if not (space and space[1] in spaces) and not re.match(r"kubectl (apply -k|kustomize) deploy/", command):
        told.append("no namespace of ours")
    return told


def test_commands_name_what_is_applied() -> None:
    """Each command for kubectl says its namespace, and every Deployment, Job and CronJob in it is in production."""
    manifests = parsed(overlay("prod"))
    told = {(page.name, c): strays(c, manifests) for page in PAGES for c in commands(page.read_text("utf-8"))}
    assert len(told) > 12
    assert {place: found for place, found in told.items() if found} == {}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("kubectl delete job -l a=b", ["no namespace of ours"]),
        ("kubectl -n elsewhere get pods", ["no namespace of ours"]),
        ("kubectl -n lianyi exec deploy/notes -- ls", ["Deployment/notes"]),
        ("kubectl -n lianyi create job x --from=cronjob/x", ["CronJob/x"]),
    ],
)
def test_a_command_that_leads_nowhere_is_told(command: str, told: list[str]) -> None:
    """Without a namespace, in a wrong one, or on what is not there."""
    assert strays(command, parsed(overlay("prod"))) == told


def test_pages_that_need_a_service_say_how_in_the_cluster() -> None:
    """A runbook with a command of a service leads to the page that says how to give it in the cluster."""
    pages = [page for page in ROOT.glob("docs/runbooks/*.md") if page.name != "README.md"]
    needing = [page for page in pages if "python -m services." in page.read_text("utf-8")]
    assert len(needing) > 5
    assert [page.name for page in needing if "README.md#in-the-cluster" not in page.read_text("utf-8")] == []


def test_commands_in_a_pod_are_those_of_the_image() -> None:
    """What is said to be run in a pod begins as the image does; the pod that waits has a command of its own."""
    (entry,) = re.findall(r"^ENTRYPOINT (\[.*\])$", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
    text = (ROOT / "docs/runbooks/README.md").read_text("utf-8")
    inside = re.findall(r" exec .*? -- (\S+ \S+) (ops|migrate)", text)
    assert len(inside) > 2
    assert {start for start, _ in inside} == {" ".join(yaml.safe_load(entry))}
    assert "command" in DOES["CronJob"]


def test_the_overlay_of_the_page_builds_and_keeps_the_rules(tmp_path: Path) -> None:
    """Kafka elsewhere, names from elsewhere and an issuer in the cluster: all of it at once is applied as it stands."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/deployment.md").read_text("utf-8"), re.M | re.S)
    shutil.copytree(K8S, tmp_path / "deploy" / "k8s")
    place = tmp_path / text.partition("\n")[0].removeprefix("# ")
    place.parent.mkdir()
    place.write_text(text, "utf-8")
    manifests = parsed(build(place.parent))
    assert [told for rule in RULES for told in rule(manifests)] == []
    for manifest in manifests:
        accepted(manifest, VERSIONS[-1])
    kept = [{**c["data"]} for c in of_kind(manifests, "ConfigMap")]
    assert [data["LIANYI_KAFKA"] for data in kept] == ["kafka-kafka-bootstrap.kafka.svc:9093"]
    opened = [p["spec"]["egress"] for p in of_kind(manifests, "NetworkPolicy") if "egress" in p["spec"]]
    assert {port["port"] for way in opened for rule in way for port in rule["ports"]} >= {53, 5353, 8443}
    assert all({"ipBlock": {"cidr": "169.254.20.10/32"}} in way[0]["to"] for way in opened)
