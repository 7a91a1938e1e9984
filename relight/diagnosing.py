"""What the facts about a cluster mean, in plain words.

For: `relight doctor`: one finding a concern, with what to do about it.
Must not know: how facts are found out, or how findings are shown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from api import crds, keys, quantities
from api.kinds import (
    CLUSTERSERVINGRUNTIMES,
    CONFIGMAPS,
    CUSTOMRESOURCEDEFINITIONS,
    DEPLOYMENTS,
    LEASES,
    MUTATINGWEBHOOKCONFIGURATIONS,
    NODES,
    SECRETS,
    VALIDATINGWEBHOOKCONFIGURATIONS,
)
from relight.certificates import days_left
from relight.examining import (
    CERTIFICATE,
    COMPONENTS,
    DAEMONSETS,
    DEFAULTING,
    PODAUTOSCALERS_NAME,
    SYSTEM,
    VALIDATION,
    Facts,
)
from relight.podproblems import problem_of
from relight.removing import foreign_owner
from relight.settling import is_rolled_out, is_trusted

_INSTALL: Final = "relight install"
_LED: Final = ("autoscaler", "controller")
_STALE_S: Final = 60.0
_DAYS_LEAST: Final = 7.0
_PULLED: Final = "can not be pulled"
_ASK: Final = "ask with an account that may"
_NOT_ALLOWED: Final = "is forbidden: User"  # as Kubernetes' authorization says it
_CONFIGURATIONS: Final = {
    DEFAULTING: MUTATINGWEBHOOKCONFIGURATIONS,
    VALIDATION: VALIDATINGWEBHOOKCONFIGURATIONS,
}


class Grade(Enum):
    """How bad it is."""

    FINE = "fine"
    NOTE = "note"  # works, with less than there could be
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One concern."""

    grade: Grade
    text: str
    advice: str = ""


def diagnose(facts: Facts, *, now_s: float) -> list[Finding]:
    """Every finding, from what all rests on to what is nice to have."""
    found = [
        _fine(f"the API server answers: Kubernetes {facts.version}"),
        *_reading(facts),
        *_rights(facts),
    ]
    if knative := _neighbour(facts):
        return [*found, *_of_neighbour(facts, knative, now_s)]
    found += [*_features(facts), *_definitions(facts)]
    if DEPLOYMENTS.plural in facts.refused:
        return found  # whether it is installed is not known
    if not any((SYSTEM, each) in facts.deployments for each in COMPONENTS):
        text = f"Relight is not installed: no {', '.join(COMPONENTS)} in {SYSTEM}"
        return [*found, _wrong(text, _INSTALL), *_beside(facts)]
    return [
        *found,
        *_components(facts, COMPONENTS),
        *_pods(facts),
        *_leaders(facts, _LED, now_s),
        *_webhook(facts, now_s),
        *_questions(facts, COMPONENTS),
        *_runtimes(facts),
        *_state(facts),
        *_node_cache(facts),
        *_gateway(facts),
        *_metrics(facts),
        *_domain(facts),
        *_cards(facts),
        *_beside(facts),
    ]


def _reading(facts: Facts) -> Iterator[Finding]:
    for name, message in facts.refused.items():
        yield _note(f"could not look at {name}: {message}", _ASK)


def _rights(facts: Facts) -> Iterator[Finding]:
    if facts.lacking:
        told = ", ".join(facts.lacking)
        yield _note(f"you may not {told}", "an installation needs an account that may")


def _features(facts: Facts) -> Iterator[Finding]:
    slices = [f"discovery.k8s.io/{v}" for v in ("v1", "v1beta1")]
    version = next((each for each in slices if (each, "EndpointSlice") in facts.served), "")
    if version == slices[0]:
        yield _fine("EndpointSlices are served as v1")
    elif version:
        yield _note(f"EndpointSlices are served as {version}", "this cluster is older than 1.21")
    else:
        yield _wrong("EndpointSlices are not served", "Relight needs Kubernetes 1.19 or newer")
    for newer, kind in (("policy/v1", "PodDisruptionBudget"),):
        if (newer, kind) not in facts.served:
            yield _note(f"{newer} {kind} is not served", "relight install writes an older version")


def _definitions(facts: Facts) -> Iterator[Finding]:
    if CUSTOMRESOURCEDEFINITIONS.plural in facts.refused:
        return
    names = sorted(crds.definitions())
    missing = [each for each in names if ("", each) not in facts.definitions]
    if missing:
        yield _wrong(f"definitions are missing: {', '.join(missing)}", _INSTALL)
    else:
        yield _fine(f"all {len(names)} kinds are defined")
    for name in names:
        raw = facts.definitions.get(("", name))
        if raw is not None and (owner := foreign_owner(raw)):
            yield _note(f"{name} belongs to {owner}")


def _neighbour(facts: Facts) -> str:
    """The namespace of a Knative Serving beside which our autoscaler stands alone; else ""."""
    raw = facts.deployments.get((SYSTEM, "autoscaler")) or {}
    spec = (raw.get("spec") or {}).get("template", {}).get("spec") or {}
    said = (text for one in spec.get("containers", ()) for text in one.get("args") or ())
    flag = "--beside-knative="
    return next((each.removeprefix(flag) for each in said if each.startswith(flag)), "")


def _of_neighbour(facts: Facts, knative: str, now_s: float) -> Iterator[Finding]:
    """What there is to say of an autoscaler without the rest of Relight."""
    ours = ("autoscaler",)
    if (knative, "controller") in facts.deployments:
        yield _fine(f"Knative Serving makes and serves revisions, from namespace {knative}")
    else:
        yield _wrong(f"there is no Knative Serving in {knative}, beside which the autoscaler runs")
    if ("", PODAUTOSCALERS_NAME) not in facts.definitions:
        yield _wrong(f"{PODAUTOSCALERS_NAME} is not defined: Knative Serving defines it")
    yield from _components(facts, ours)
    yield from _pods(facts)
    yield from _leaders(facts, ours, now_s)
    yield from _questions(facts, ours)
    if facts.sleepless:
        yield _wrong(
            f"{facts.sleepless} revisions can not go to zero: Knative's activators show no metrics",
            f'metrics-protocol: "prometheus" in ConfigMap {knative}/config-observability',
        )
    yield from _state(facts, "relight install --overlay beside-knative --set state=redis://HOST")


def _components(facts: Facts, names: Iterable[str]) -> Iterator[Finding]:
    for name in names:
        raw = facts.deployments.get((SYSTEM, name))
        if raw is None:
            yield _wrong(f"there is no {name}", _INSTALL)
            continue
        status = raw.get("status") or {}
        told = f"{status.get('availableReplicas', 0)} of {raw['spec'].get('replicas', 1)} available"
        if is_rolled_out(raw):
            yield _fine(f"{name}: {told}")
        elif status.get("availableReplicas", 0):
            yield _note(f"{name}: {told}; the rest is on its way or can not come")
        else:
            yield _wrong(f"{name}: {told}", f"kubectl -n {SYSTEM} logs deployment/{name}")


def _pods(facts: Facts) -> Iterator[Finding]:
    for pod in facts.pods:
        metadata = pod["metadata"]
        is_of_revision = keys.REVISION in (metadata.get("labels") or {})
        if metadata.get("deletionTimestamp"):
            continue  # it goes, whatever ails it
        if metadata["namespace"] not in (SYSTEM, "relight-node") and not is_of_revision:
            continue
        problem = problem_of(pod)
        if problem:
            advice = (
                "relight install --image-prefix P --image-tag T says where images of ours are"
                if _PULLED in problem and "relight/" in problem
                else ""
            )
            yield _wrong(f"{metadata['namespace']}: {problem}", advice)


def _leaders(facts: Facts, names: Iterable[str], now_s: float) -> Iterator[Finding]:
    if LEASES.plural in facts.refused:
        return
    for name in names:
        spec = (facts.leases.get((SYSTEM, name)) or {}).get("spec") or {}
        holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
        if not holder:
            yield _wrong(f"no {name} leads", f"kubectl -n {SYSTEM} logs deployment/{name}")
        elif renewed and now_s - _seconds_of(renewed) > _STALE_S:
            age = now_s - _seconds_of(renewed)
            yield _wrong(f"{name} {holder} leads, but was last heard of {age:.0f} s ago")
        else:
            yield _fine(f"{name}: {holder} leads")


def _seconds_of(renewed: str) -> float:
    return datetime.fromisoformat(renewed).timestamp()


def _webhook(facts: Facts, now_s: float) -> Iterator[Finding]:
    logs = f"kubectl -n {SYSTEM} logs deployment/controller"
    for name, kind in _CONFIGURATIONS.items():
        raw = facts.webhooks.get(name)
        if raw is None and kind.plural in facts.refused:
            continue
        if raw is None:
            yield _wrong(f"the API server does not ask {name}", _INSTALL)
        elif not is_trusted(raw):
            yield _wrong(f"{name} has no authority: the controller writes it when it leads", logs)
    yield from _certificate(facts, now_s, logs)
    if facts.trial == "":
        yield _fine("a Service can be written: the webhook answers")
    elif facts.trial is not None and _NOT_ALLOWED in facts.trial:
        yield _note(f"could not try to write a Service: {facts.trial}", _ASK)
    elif facts.trial is not None:
        yield _wrong(f"a Service can not be written: {facts.trial}", logs)


def _certificate(facts: Facts, now_s: float, logs: str) -> Iterator[Finding]:
    secret = facts.secrets.get((SYSTEM, CERTIFICATE))
    if secret is not None:
        left = days_left(secret.get("data") or {}, now_s)
        if left is None:
            yield _wrong(f"Secret {CERTIFICATE} has no certificate yet", logs)
        elif left < 0:
            yield _wrong(f"the webhook's certificate ended {-left:.0f} days ago", logs)
        elif left < _DAYS_LEAST:
            yield _note(f"the webhook's certificate ends in {left:.1f} days", logs)
        else:
            yield _fine(f"the webhook's certificate is good for {left:.0f} more days")
    elif SECRETS.plural not in facts.refused:  # no controller may make it: they hold no such right
        yield _wrong(
            f"Secret {CERTIFICATE} is missing: controllers that start wait for it", _INSTALL
        )


def _questions(facts: Facts, names: Iterable[str]) -> Iterator[Finding]:
    for name, problem in facts.questions.items():
        if _NOT_ALLOWED in problem and name in names:
            yield _note(f"relight why can not ask the {name}: {problem}", _ASK)
        elif problem and name in names:
            yield _wrong(
                f"relight why can not ask the {name}: {problem}",
                f"the API server must reach port 8081 of its Pods (NetworkPolicy {SYSTEM}/admin)",
            )


def _runtimes(facts: Facts) -> Iterator[Finding]:
    if CLUSTERSERVINGRUNTIMES.plural in facts.refused:
        return
    ours = [each for each in facts.runtimes if each.startswith("relight-")]
    if ours:
        yield _fine(f"{len(ours)} serving runtimes of Relight's")
    else:
        yield _note("no serving runtime of Relight's", "the controller makes them when it leads")


def _state(facts: Facts, advice: str = "relight install --overlay redis") -> Iterator[Finding]:
    raw = facts.deployments.get((SYSTEM, "autoscaler")) or {}
    containers = (raw.get("spec") or {}).get("template", {}).get("spec", {}).get("containers", [])
    names = {each["name"] for one in containers for each in one.get("env") or ()}
    if "STATE" not in names and CONFIGMAPS.plural in facts.refused:
        return
    if "STATE" not in names and not facts.settings.get("STATE"):
        yield _note(
            "no Redis: when another autoscaler leads, its windows begin anew",
            advice,
        )
    elif "STATE" in names and (SYSTEM, "relight-redis") not in facts.secrets:
        if SECRETS.plural not in facts.refused:
            yield _wrong("the Secret relight-redis is missing: its `url` says where Redis is")
    else:
        yield _fine("windows are kept in Redis")


def _node_cache(facts: Facts) -> Iterator[Finding]:
    raw = facts.daemonsets.get(("relight-node", "node-cache"))
    if raw is None and DAEMONSETS.plural in facts.refused:
        return
    if raw is None:
        yield _note("no node cache: every Pod fetches its model itself")
        return
    status = raw.get("status") or {}
    wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    if ready < wanted:
        yield _wrong(f"the node cache is ready on {ready} of {wanted} nodes")
    else:
        yield _fine(f"the node cache is ready on {ready} nodes")


def _gateway(facts: Facts) -> Iterator[Finding]:
    gateway = facts.settings.get("GATEWAY")
    if gateway and ("gateway.networking.k8s.io/v1", "HTTPRoute") not in facts.served:
        yield _wrong(
            f"GATEWAY is {gateway}, and HTTPRoutes are not served: services stay without an "
            "address (GatewayApiMissing)",
            "install Gateway API, or relight install --set gateway=",
        )


def _metrics(facts: Facts) -> Iterator[Finding]:
    if not any(version == "metrics.k8s.io/v1beta1" for version, _ in facts.served):
        yield _note(
            "no metrics API (metrics-server): class hpa and the overlay ha's "
            "HorizontalPodAutoscaler can not scale"
        )


def _domain(facts: Facts) -> Iterator[Finding]:
    if facts.settings.get("DOMAIN") == "example.com":
        yield _note(
            "services answer below example.com, which is nobody's",
            "relight install --set domain=YOURS",
        )


def _cards(facts: Facts) -> Iterator[Finding]:
    if NODES.plural in facts.refused:
        return
    counts: dict[str, int] = {}
    for node in facts.nodes:
        for name, count in ((node.get("status") or {}).get("allocatable") or {}).items():
            found = quantities.parse(str(count)) or 0  # "1k" of a card in a thousand slices
            if name.startswith(("nvidia.com/", "amd.com/", "gpu.intel.com/")) and found:
                counts[name] = counts.get(name, 0) + int(found)
    if counts:
        told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        yield _fine(f"GPUs: {told}")
    else:
        yield _note("no node has a GPU that Kubernetes knows of (a device plugin tells it)")


def _beside(facts: Facts) -> Iterable[Finding]:
    if ("knative-serving", "controller") in facts.deployments:
        yield _note("Knative Serving is installed beside")


def _fine(text: str) -> Finding:
    return Finding(grade=Grade.FINE, text=text)


def _note(text: str, advice: str = "") -> Finding:
    return Finding(grade=Grade.NOTE, text=text, advice=advice)


def _wrong(text: str, advice: str = "") -> Finding:
    return Finding(grade=Grade.WRONG, text=text, advice=advice)
