"""The page of compatibility is what the code does: every field has a row, and its fate is proved.

That a refused field is refused by its name, and that a served one passes admission, is shown one
field at a time by tests/api/test_coverage.py and tests/api/test_inference_coverage.py.
"""

import ast
import copy
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from api import (
    autoscaling,
    coverage,
    inference_components,
    inference_coverage,
    keys,
    kinds,
    runtimes,
)
from api.admission import admit
from api.autoscaling import PodAutoscaler, parse_scaling
from api.coverage import Entry, Fate
from api.domainmapping import DomainMapping
from api.errors import InvalidObjectError
from api.kinds import Resource
from api.schemas import SCHEMAS
from api.serving import Configuration, Revision, Route, Service
from controller.workload import make_deployment
from embedded.capabilities import HELD, NODE_LABELS, TABLE, Machine, refusals
from embedded.refusing import refusing
from hack import make_compatibility as made
from hack.folding import expanded, fold, paths
from tests.api.everything import OBJECTS, REVISION_SPEC
from tests.api.test_inference_coverage import parse as parse_of_kserve
from tests.api.test_inference_coverage import put, schema_at, start
from tests.api.test_schemas import example

ROOT = Path(__file__).parent.parent
MACHINE = Machine(labels=dict.fromkeys(NODE_LABELS, "x"))
PAGE = (ROOT / made.PAGE).read_text()
ENTRIES = {resource: made.entries(resource) for resource in made.KINDS}
POD = {entry.path: entry for entry in made.pod_entries()}


def test_the_page_is_what_the_code_says() -> None:
    assert made.page() == PAGE, "run `make manifests`"


@pytest.mark.parametrize("resource", made.KINDS, ids=lambda each: each.kind)
def test_the_rows_tell_of_every_field_once(resource: Resource) -> None:
    entries = made.own_entries(resource)
    told = [path for row in fold(entries) for path in paths(row)]
    assert set(told) == {entry.path for entry in entries}
    fates = {entry.path: (entry.fate, entry.reason) for entry in entries}
    for row in fold(entries):
        assert all(fates[path] == (row.fate, row.reason) for path in paths(row))


def test_the_rows_tell_of_every_field_of_a_pod() -> None:
    rows = fold(POD.values())
    assert {path for row in rows for path in paths(row)} == set(POD)


def test_both_kinds_of_runtime_share_a_table() -> None:
    first, second = (
        made.own_entries(kinds.SERVINGRUNTIMES),
        made.own_entries(kinds.CLUSTERSERVINGRUNTIMES),
    )
    assert fold(first) == fold(second)


# Upstream's names.


def upstream() -> dict[str, list[str]]:
    """The path of every field of Knative's and KServe's CRDs, by kind."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "tests/upstream_fields.txt").read_text().splitlines():
        if re.fullmatch(r"# \w+", line):
            below = found.setdefault(line.removeprefix("# "), [])
        elif not line.startswith("#"):
            parent, _, names = line.partition(": ")
            prefix = "" if parent == "." else parent + ("/" if "Keys" in found else ".")
            below += [prefix + name for name in names.split()]
    return found


UPSTREAM = upstream()


def test_upstream_is_read() -> None:
    assert set(UPSTREAM) == {"Keys", "Pod", *(resource.kind for resource in made.KINDS)}
    assert len(UPSTREAM["Pod"]) > 800


def untold(names: list[str], entries: Mapping[str, Entry]) -> list[str]:
    """What has no row, and does not stand in something that is refused whole."""
    refused = tuple(
        mark
        for path, entry in entries.items()
        if entry.fate is Fate.REFUSED
        for mark in (f"{path}.", f"{path}[")
    )
    return [name for name in names if name not in entries and not name.startswith(refused)]


@pytest.mark.parametrize("resource", made.KINDS, ids=lambda each: each.kind)
def test_every_field_that_upstream_has_has_a_row(resource: Resource) -> None:
    entries = {entry.path: entry for entry in ENTRIES[resource]}
    names = [name for name in UPSTREAM[resource.kind] if name.startswith("spec.")]
    assert names
    assert untold(names, entries) == []


def test_every_field_that_a_pod_has_has_a_row() -> None:
    assert untold(UPSTREAM["Pod"], POD) == []


@pytest.mark.parametrize("resource", made.KINDS, ids=lambda each: each.kind)
def test_every_field_of_a_status_is_written_or_told_of(resource: Resource) -> None:
    told = {f"status.{path}" for text in made.NOT_WRITTEN for path in expanded(text)}
    for name in UPSTREAM[resource.kind]:
        if name.startswith("status.") and not any(name.startswith(each) for each in told):
            assert is_in_schema(SCHEMAS[resource], name.split(".")), name


def is_in_schema(schema: Any, steps: list[str]) -> bool:
    for step in steps:
        schema = schema["properties"].get(step.removesuffix("[*]"))
        if schema is None:
            return False
        if step.endswith("[*]"):
            schema = schema.get("items") or schema["additionalProperties"]
    return True


@pytest.mark.parametrize("key", UPSTREAM["Keys"])
def test_every_key_that_upstream_reads_is_on_the_page(key: str) -> None:
    is_entry = any(f'"{key}"' in each.path for entries in ENTRIES.values() for each in entries)
    assert is_entry or f"`{key}`" in PAGE


# On one machine.


def only(value: Any, steps: list[str]) -> Any:
    """A JSON value without anything but one path."""
    if not steps:
        return copy.deepcopy(value)
    name = steps[0].removesuffix("[*]")
    if not steps[0].endswith("[*]"):
        return {name: only(value[name], steps[1:])}
    entry = next(each for each in value[name] if has(each, steps[1:]))
    return {name: [only(entry, steps[1:])]}


def has(value: Any, steps: list[str]) -> bool:
    if not steps:
        return True
    inner = value.get(steps[0].removesuffix("[*]")) if isinstance(value, Mapping) else None
    if inner is None:
        return False
    if steps[0].endswith("[*]"):
        return any(has(each, steps[1:]) for each in inner)
    return has(inner, steps[1:])


def refused_paths(spec: Mapping[str, Any]) -> list[str]:
    found = refusals(spec, path="", machine=MACHINE)
    return [re.sub(r"\[\d+\]", "[*]", path.lstrip(".")) for each in found for path in each.paths]


def of_fate(fate: Fate) -> list[str]:
    return [path for path, entry in POD.items() if entry.fate is fate]


# Part of a union: refused by the name of the union, and tested with its values below.
NAMELESS = {path for path in POD if path.endswith("localhostProfile")}


@pytest.mark.parametrize("path", [each for each in of_fate(Fate.CLUSTER) if each not in NAMELESS])
def test_what_is_served_on_clusters_only_is_refused_by_its_name(path: str) -> None:
    refused = refused_paths(only(REVISION_SPEC, path.split(".")))
    assert refused
    assert all(path == each or path.startswith((f"{each}.", f"{each}[")) for each in refused)


@pytest.mark.parametrize("resource", [kinds.SERVICES, kinds.CONFIGURATIONS])
def test_admission_says_so(resource: Resource) -> None:
    with pytest.raises(InvalidObjectError) as caught:
        refusing(admit, lambda: MACHINE)(resource, OBJECTS[resource.kind], None, user="me")
    told = {
        re.sub(r"\[\d+\]", "[*]", path).removeprefix("spec.template.spec.")
        for error in caught.value.errors
        for path in error.paths
        if error.details.startswith("not served on one machine: ")
    }
    cluster = of_fate(Fate.CLUSTER)
    marks = tuple(mark for each in cluster for mark in (f"{each}.", f"{each}["))
    tops = [path for path in cluster if not path.startswith(marks)]
    assert set(tops) - NAMELESS <= told


# Of what is served in part: a value that is, and one that is not.
_CONTAINER_PARTS: dict[str, tuple[Any, Any]] = {
    "env[*].valueFrom.fieldRef.fieldPath": ("metadata.name", "spec.restartPolicy"),
    "securityContext.capabilities.drop": (["ALL"], ["NOT_ONE"]),
    "securityContext.runAsNonRoot": (False, True),
    "securityContext.seccompProfile.type": ("Unconfined", "RuntimeDefault"),
}
PARTS: dict[str, tuple[Any, Any]] = {
    "automountServiceAccountToken": (False, True),
    "dnsPolicy": ("Default", "None"),
    "nodeSelector": ({NODE_LABELS[0]: "x"}, {"gpu": "h100"}),
    "schedulerName": ("default-scheduler", "mine"),
    "securityContext.runAsNonRoot": (False, True),
    "securityContext.seccompProfile.type": ("Unconfined", "RuntimeDefault"),
    "serviceAccountName": ("default", "me"),
    "topologySpreadConstraints": (
        [{"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
        [{"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    ),
    "volumes[*].emptyDir.medium": ("Memory", "HugePages"),
    "volumes[*].hostPath.type": ("Directory", "Socket"),
    **{
        f"{group}[*].{path}": values
        for group in ("containers", "initContainers")
        for path, values in _CONTAINER_PARTS.items()
    },
    **{
        f"containers[*].{probe}.{action}.host": ("127.0.0.1", "example.org")
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
        for action in ("httpGet", "tcpSocket")
    },
}
# What depends on who runs the platform: a value that is not served to a platform of another's.
_IDENTITY = {"runAsUser": 5, "runAsGroup": 5, "fsGroup": 5, "supplementalGroups": [5]}
OWNED = {
    **{f"securityContext.{name}": value for name, value in _IDENTITY.items()},
    **{
        f"{group}[*].securityContext.{name}": value
        for group in ("containers", "initContainers")
        for name, value in {"runAsUser": 5, "runAsGroup": 5, "privileged": True}.items()
    },
}


def test_all_that_is_served_in_part_is_tried() -> None:
    assert set(of_fate(Fate.PARTLY)) == {*PARTS, *OWNED}


def with_value(path: str, value: Any) -> dict[str, Any]:
    made_: dict[str, Any] = {}
    at: Any = made_
    *steps, last = path.split(".")
    for step in steps:
        name = step.removesuffix("[*]")
        at[name] = [{}] if step.endswith("[*]") else {}
        at = at[name][0] if step.endswith("[*]") else at[name]
    at[last] = value
    return made_


@pytest.mark.parametrize("path", PARTS)
def test_what_is_served_in_part_is(path: str) -> None:
    served, refused = PARTS[path]
    assert refused_paths(with_value(path, served)) == []
    [told] = refused_paths(with_value(path, refused))
    assert path.startswith(told.removesuffix("[*]"))


@pytest.mark.parametrize("path", OWNED)
def test_what_only_root_can_give_is_refused_to_others(path: str) -> None:
    spec = with_value(path, OWNED[path])
    assert refused_paths(spec) == []
    owner = type(MACHINE.owner)(uid=1000, gid=1000)
    [found] = refusals(spec, path="", machine=Machine(owner=owner))
    assert re.sub(r"\[\d+\]", "[*]", found.paths[0].lstrip(".")) == path


NOT_EVERYWHERE = [*of_fate(Fate.CLUSTER), *of_fate(Fate.PARTLY)]


@pytest.mark.parametrize("path", of_fate(Fate.SERVED))
def test_what_is_served_is_not_refused_on_one_machine(path: str) -> None:
    # What is refused of the example is told of elsewhere: by a value, or by something below.
    told = refused_paths(only(REVISION_SPEC, path.split(".")))
    unexplained = [
        each
        for each in told
        if not any(other.startswith(each) or each == f"{other}[*]" for other in NOT_EVERYWHERE)
    ]
    assert unexplained == []


# That what is served does something.


def strings(folder: str, *, without: tuple[str, ...] = ()) -> set[str]:
    """Every text in the code of a folder, and every part of one that is a path."""
    found: set[str] = set()
    for path in (ROOT / folder).glob("*.py"):
        if path.name.endswith("_schemas.py") or path.stem in without:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


EMBEDDED = strings("embedded", without=("capabilities", "openapi", "definitions", "strategic"))


@pytest.mark.parametrize(
    "path", [path for path in POD if POD[path].fate in (Fate.SERVED, Fate.PARTLY)]
)
def test_what_a_pod_says_is_read_on_one_machine_or_holds_there(path: str) -> None:
    steps = [step.removesuffix("[*]") for step in path.split(".")]
    if not set(steps) & set(HELD):
        assert steps[-1] in EMBEDDED


def test_what_holds_by_itself_is_not_refused() -> None:
    assert not set(HELD) & {row.path for row in TABLE if not row.is_partly}


def names(raw: Any, path: str) -> Iterator[str]:
    if isinstance(raw, dict):
        for name, value in raw.items():
            yield f"{path}{name}"
            yield from names(value, f"{path}{name}.")
    elif isinstance(raw, list):
        for value in raw:
            yield from names(value, f"{path.removesuffix('.')}[*].")


def test_every_field_of_a_pod_reaches_the_deployment() -> None:
    revision = copy.deepcopy(OBJECTS["Revision"])
    revision["metadata"]["uid"] = "u"
    pod = make_deployment(revision, replicas=1)["spec"]["template"]["spec"]
    served = {path for path, entry in POD.items() if entry.fate is not Fate.REFUSED}
    assert served - set(names(REVISION_SPEC, "")) == set(), "the example lacks fields"
    assert served - set(names(pod, "")) == set()


PARSERS: dict[str, Callable[[Any], object]] = {
    "Service": Service.parse,
    "Configuration": Configuration.parse,
    "Revision": Revision.parse,
    "Route": Route.parse,
    "DomainMapping": DomainMapping.parse,
    "PodAutoscaler": PodAutoscaler.parse,
}
# Read by the activator, from the object as it is stored.
BY_ACTIVATOR = ("idleTimeoutSeconds", "responseStartTimeoutSeconds")


def leaves(entries: list[Entry]) -> list[str]:
    served = [entry.path for entry in entries if entry.fate is Fate.SERVED]
    return [
        each for each in served if not any(o.startswith((f"{each}.", f"{each}[")) for o in served)
    ]


def changed(raw: Any, path: str) -> Any:
    """The object with another value at a path."""
    result = copy.deepcopy(raw)
    at = [result]
    *steps, last = path.split(".")
    for step in steps:
        name = step.removesuffix("[*]")
        inner = [each[name] for each in at if name in each]
        at = [entry for each in inner for entry in each] if step.endswith("[*]") else inner
    for each in at:
        if last in each:
            each[last] = OTHER[type(each[last])](each[last])
    return result


OTHER: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: not value,
    int: lambda value: value + 1,
    str: lambda value: f"{value}x",
    dict: lambda value: {**value, "another": "one"},
    list: lambda value: [*value, *value],
}


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        (resource, path)
        for resource in coverage.KINDS
        for path in leaves(made.own_entries(resource))
        if not path.endswith(BY_ACTIVATOR)
    ],
    ids=lambda each: getattr(each, "kind", each),
)
def test_what_knatives_objects_say_is_understood(resource: Resource, path: str) -> None:
    raw, parse = OBJECTS[resource.kind], PARSERS[resource.kind]
    before = parse(raw)
    # If not another meaning, it is one that contradicts the rest.
    try:
        after = parse(changed(raw, path))
    except InvalidObjectError:
        return
    assert after != before


@pytest.mark.parametrize("name", BY_ACTIVATOR)
def test_timeouts_of_a_revision_are_read(name: str) -> None:
    assert name in strings("activator")


def parts(module: Any, *, names: Iterable[str]) -> set[str]:
    return {each.name for name in names for each in dataclasses.fields(getattr(module, name))}


def attributes() -> set[str]:
    """Every attribute that a component asks for, or a decision that components share."""
    folders = ("activator", "autoscaler", "controller", "embedded", "relight")
    modules = [path for folder in folders for path in (ROOT / folder).glob("*.py")]
    shared = [ROOT / f"api/{name}.py" for name in ("autoscaling", "runtime_selection")]
    return {
        node.attr
        for path in (*modules, *shared)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }


def test_what_is_understood_is_asked_for() -> None:
    understood = {
        *parts(
            inference_components, names=("Component", "Extension", "Model", "Logger", "Batcher")
        ),
        *parts(runtimes, names=("Runtime", "ModelFormat")),
        *parts(autoscaling, names=("Scaling",)),
    }
    assert understood - attributes() - {"class_"} == set()


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        (resource, path)
        for resource in inference_coverage.KINDS
        for path in leaves(made.own_entries(resource))
    ],
    ids=lambda each: getattr(each, "kind", each),
)
def test_what_kserves_objects_say_is_understood(resource: Resource, path: str) -> None:
    first, second = two_values(schema_at(resource, path), path.rpartition(".")[2])
    parent = path.rpartition(".")[0]
    raw = start(resource, path)
    beside = BESIDE.get(parent.rpartition(".")[2])
    if beside:
        put(raw, f"{parent}.{beside[0]}", beside[1])
    assert understood(resource, put(raw, path, first)) != understood(
        resource, put(raw, path, second)
    )


# What stands beside a field: without it there is nothing to say.
BESIDE = {"logger": ("url", "http://a"), "supportedModelFormats[*]": ("name", "a")}
TEXTS: dict[str, tuple[Any, Any]] = {
    "url": ("http://a", "http://b"),
    "protocolVersions": (["v1"], ["v2"]),
}


def two_values(schema: Any, name: str) -> tuple[Any, Any]:
    if name in TEXTS:
        return TEXTS[name]
    if "enum" in schema:
        return schema["enum"][0], schema["enum"][-1]
    value = example(schema)
    return value, OTHER[type(value)](value)


def understood(resource: Resource, raw: Any) -> object:
    return parse_of_kserve(resource, copy.deepcopy(raw))


SCALING = {
    keys.SCALING_CLASS: "kpa.autoscaling.knative.dev",
    keys.SCALING_METRIC: "rps",
    keys.METRIC_AGGREGATION: "weighted-exponential",
    keys.STABLE_WINDOW: "70s",
    keys.SCALE_DOWN_DELAY: "70s",
    keys.POD_RETENTION: "70s",
    keys.PANIC_THRESHOLD: "300",
}
READ_AS = {keys.STOP: "is_stopped"}  # a property of the parsed object
# Read by nobody: they hold already, are written by us, or are kept for people.
UNREAD = {
    keys.DISABLE_LOCAL_MODEL,
    keys.STORAGE_READONLY,
    keys.DEPLOYMENT_MODE,
}


def test_every_annotation_that_is_served_is_read() -> None:
    named = {value: name for name, value in vars(keys).items() if name.isupper()}
    asked = attributes()
    for resource, entries in ENTRIES.items():
        for entry in entries:
            if made.is_field(entry) or entry.fate is not Fate.SERVED:
                continue
            key = entry.path.removesuffix('"]').split('["')[1]
            if key.startswith(keys.AUTOSCALING_PREFIX):
                scaling = parse_scaling({key: SCALING.get(snake_case(key), "2")})
                assert scaling != parse_scaling({}), key
            elif key not in UNREAD:
                name = READ_AS.get(key) or named.get(snake_case(key)) or named[key]
                assert name in asked, (resource.kind, key)


def snake_case(key: str) -> str:
    domain, _, name = key.rpartition("/")
    return f"{domain}/" + re.sub("[A-Z]", lambda found: f"-{found[0].lower()}", name)
