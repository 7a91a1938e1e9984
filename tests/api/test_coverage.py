"""Nothing is accepted and ignored: every field is kept, or refused by its name."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from api import coverage, keys, kinds
from api.admission import admit
from api.coverage import Entry, Fate, OneMachine
from api.errors import InvalidObjectError
from api.serving import Service
from tests.api.everything import OBJECTS, REVISION_SPEC

Raw = dict[str, Any]

ENTRIES = [entry for kind in coverage.KINDS for entry in coverage.entries(kind)]
FIELDS = [entry for entry in ENTRIES if '"' not in entry.path]
KEYS = [entry for entry in ENTRIES if '"' in entry.path]

# What to write for a key that is served; a number or a duration where nothing is said.
VALUES = {
    keys.SCALING_CLASS: "kpa.autoscaling.knative.dev",
    keys.SCALING_METRIC: "rps",
    keys.METRIC_AGGREGATION: "linear",
    keys.STABLE_WINDOW: "60s",
    keys.SCALE_DOWN_DELAY: "60s",
    keys.POD_RETENTION: "60s",
    keys.PROGRESS_DEADLINE: "60s",
    keys.ROLLOUT_DURATION: "60s",
    keys.NO_GC: "true",
    keys.KEEP_ALIVE: "fast",
    keys.TEMPLATE: "true",
    keys.PANIC_THRESHOLD: "200",
    keys.VISIBILITY: "cluster-local",
    keys.LOGGER: '{"url": "http://x", "mode": "all"}',
}


def named(entry: Entry) -> str:
    return f"{entry.kind.kind}:{entry.path}"


def paths(raw: Any, path: str) -> Iterator[str]:
    """The path of every field of a JSON value; any entry of a list is `[*]`."""
    if isinstance(raw, dict):
        for name, value in raw.items():
            yield f"{path}.{name}"
            yield from paths(value, f"{path}.{name}")
    elif isinstance(raw, list):
        for value in raw:
            yield from paths(value, f"{path}[*]")


def is_in(given: Any, found: Any) -> bool:
    """Whether all that was given is found, with its value."""
    if isinstance(given, dict):
        return isinstance(found, dict) and all(
            name in found and is_in(value, found[name]) for name, value in given.items()
        )
    if isinstance(given, list):
        return (
            isinstance(found, list) and len(given) == len(found) and all(map(is_in, given, found))
        )
    return bool(given == found)


@pytest.mark.parametrize("resource", coverage.KINDS, ids=lambda each: each.kind)
def test_every_served_field_survives(resource: kinds.Resource) -> None:
    raw = OBJECTS[resource.kind]
    given = set(paths(raw["spec"], "spec"))
    served = {entry.path for entry in FIELDS if entry.kind == resource and not entry.reason}
    assert served - given == set(), "the example lacks fields that are said to be served"
    admitted = admit(resource, raw, None, user="me")
    assert is_in(raw, admitted)
    assert is_in(raw, admit(resource, admitted, admitted, user="me"))


def test_nothing_is_lost_in_the_typed_object_either() -> None:
    spec = Service.parse(OBJECTS["Service"]).template.spec
    limits = {"containerConcurrency", "timeoutSeconds"}
    timeouts = {"responseStartTimeoutSeconds", "idleTimeoutSeconds"}
    whole = {name: each for name, each in REVISION_SPEC.items() if name not in limits | timeouts}
    assert is_in(whole, spec.pod)
    assert (spec.container_concurrency, spec.timeout_s) == (4, 400)


def put(raw: Raw, path: str, value: Any) -> str:
    """Set a field of the first entry that can have it; answers the path with its number."""
    *steps, last = path.replace("[*]", ".[*]").split(".")
    where, inner = "", raw
    for at, step in enumerate(steps):
        if step == "[*]":
            after = steps[at + 1] if at + 1 < len(steps) else last
            entries: Any = inner
            index = next((n for n, each in enumerate(entries) if after in each), 0)
            inner, where = entries[index], f"{where}[{index}]"
        else:
            inner, where = inner.setdefault(step, {}), f"{where}.{step}"
    inner[last] = value
    return f"{where}.{last}".removeprefix(".")


@pytest.mark.parametrize(
    "entry", [entry for entry in FIELDS if entry.fate is Fate.REFUSED], ids=named
)
def test_every_refused_field_is_refused_by_its_name(entry: Entry) -> None:
    raw = copy.deepcopy(OBJECTS[entry.kind.kind])
    path = put(raw, entry.path, [{"x": 1}])
    with pytest.raises(InvalidObjectError) as caught:
        admit(entry.kind, raw, None, user="me")
    messages = [error.message for error in caught.value.errors if path in error.paths]
    assert messages, str(caught.value)
    assert "unknown field" not in messages


@pytest.mark.parametrize("entry", KEYS, ids=named)
def test_every_key_is_kept_or_refused_by_its_name(entry: Entry) -> None:
    raw = copy.deepcopy(OBJECTS[entry.kind.kind])
    path, key = entry.path.removesuffix('"]').split('["')
    canonical = {**{keys_camel(each): each for each in VALUES}, **{each: each for each in VALUES}}
    value = VALUES[canonical[key]] if key in canonical else "2"
    put(raw, path, {key: value})
    if entry.fate is Fate.SERVED:
        assert is_in(raw, admit(entry.kind, raw, None, user=""))
        return
    with pytest.raises(InvalidObjectError) as caught:
        admit(entry.kind, raw, None, user="")
    assert key in str(caught.value)


def keys_camel(key: str) -> str:
    head, _, tail = key.rpartition("/")
    first, *others = tail.split("-")
    return f"{head}/{first}" + "".join(each.capitalize() for each in others)


def test_a_field_has_one_fate_and_a_refused_one_a_reason() -> None:
    assert len({(entry.kind, entry.path) for entry in ENTRIES}) == len(ENTRIES)
    for entry in ENTRIES:
        assert bool(entry.reason) == (entry.fate is Fate.REFUSED), entry


def test_one_machine_is_laid_over() -> None:
    one_machine = OneMachine(
        whole={"dnsConfig": "no resolver", "containers[*].*Probe.httpGet.host": "here only"},
        partly={"volumes": "but claims"},
    )
    found = {each.path: each for each in coverage.entries(kinds.SERVICES, one_machine)}
    pod = "spec.template.spec"
    for path in (
        "dnsConfig",
        "dnsConfig.options[*].name",
        "containers[*].startupProbe.httpGet.host",
    ):
        assert found[f"{pod}.{path}"].fate is Fate.CLUSTER, path
    assert found[f"{pod}.dnsConfig"].reason == "no resolver"
    assert found[f"{pod}.volumes"].fate is Fate.PARTLY
    assert found[f"{pod}.volumes[*].name"].fate is Fate.SERVED
    assert found[f"{pod}.dnsPolicy"].fate is Fate.SERVED
    assert found[f"{pod}.hostname"].fate is Fate.REFUSED
