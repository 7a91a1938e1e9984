"""Every field and annotation of KServe's kinds, and what becomes of it here.

For: the same page as `coverage.py`, from the tables that validation itself reads.
Must not know: how the page looks, or what one machine can not do.
"""

from collections.abc import Iterator, Mapping

from api import inference, inference_refusals, keys, kinds, refusals, shapes
from api.coverage import Entry, Fate, OneMachine, laid_over
from api.inference_names import FRAMEWORKS
from api.kinds import Resource
from api.pod_schemas import POD_SPEC
from api.schemas import SCHEMAS
from api.shapes import Refusal, Refusals

KINDS = (kinds.INFERENCESERVICES, kinds.SERVINGRUNTIMES, kinds.CLUSTERSERVINGRUNTIMES)
_COMPONENTS = ("predictor", "transformer", "explainer")
_MODELS = ("model", *FRAMEWORKS)  # a container stands in each of them
_FIRST = "containers[]"


def entries(resource: Resource, one_machine: OneMachine | None = None) -> list[Entry]:
    """Everything that may stand in an object of the kind, and all that is refused by name."""
    found = _entries(resource)
    return [laid_over(each, one_machine) for each in found] if one_machine else found


def _entries(resource: Resource) -> list[Entry]:
    schema = SCHEMAS[resource]["properties"]["spec"]
    is_service = resource == kinds.INFERENCESERVICES
    refused = _of_services() if is_service else _of_runtimes()
    found = [
        Entry(
            kind=resource,
            path=path.replace("[]", "[*]"),
            fate=Fate.REFUSED if how else Fate.SERVED,
            reason=next((each.why or each.details for each in how), ""),
            pod_path=_pod_path(path, is_service=is_service).replace("[]", "[*]"),
        )
        for path, how in shapes.walk(shapes.compiled(schema, refused), "spec")
    ]
    if is_service:
        found += _annotations()
    # multiModel is in the schema, for the false that manifests have, and is refused besides.
    refused_paths = {each.path for each in found if each.fate is Fate.REFUSED}
    return sorted(
        (e for e in found if e.fate is Fate.REFUSED or e.path not in refused_paths),
        key=lambda each: each.path,
    )


def _named(table: inference_refusals.Table) -> Mapping[str, tuple[Refusal, ...]]:
    return {name: (Refusal(why=each.why),) for name, each in table.items()}


def _of_services() -> Refusals:
    found: dict[str, Mapping[str, tuple[Refusal, ...]]] = {}
    for path, table in inference_refusals.BY_PATH.items():
        found[path.removeprefix("spec").removeprefix(".")] = _named(table)
    for path, group in refusals.REVISION_SPEC.items():
        for component in _COMPONENTS:
            where = f"{component}.{path}" if path else component
            found[where] = {**group, **found.get(where, {})}
        for name in _MODELS if path.startswith(_FIRST) else ():
            where = f"predictor.{name}{path.removeprefix(_FIRST)}"
            found[where] = {**group, **found.get(where, {})}
    for name in FRAMEWORKS:
        where = f"predictor.{name}"
        found[where] = {**found[where], **_named(inference_refusals.MODEL)}
    return found


def _of_runtimes() -> Refusals:
    found = {path: group for path, group in refusals.REVISION_SPEC.items() if path}
    return {**found, "": _named(inference_refusals.RUNTIME)}


def _pod_path(path: str, *, is_service: bool) -> str:
    """From the Pod's spec; empty for what is KServe's own."""
    steps = path.split(".")[1:]
    if is_service:
        if len(steps) > 1 and steps[1] in _MODELS:
            inner = ".".join(steps[2:])
            return f"{_FIRST}.{inner}" if steps[2:] and _is_of_container(steps[2]) else ""
        steps = steps[1:]
    if not steps:
        return ""
    first = steps[0].removesuffix("[]")
    return ".".join(steps) if first in POD_SPEC or first in refusals.POD else ""


def _is_of_container(name: str) -> bool:
    container = SCHEMAS[kinds.REVISIONS]["properties"]["spec"]["properties"]["containers"]
    refused = refusals.REVISION_SPEC[_FIRST]
    return name.removesuffix("[]") in {*container["items"]["properties"], *refused} - {"name"}


def _annotations() -> Iterator[Entry]:
    for key in inference.SERVED_ANNOTATIONS:
        yield _annotation(key, Fate.SERVED, "")
    for key, why in inference.REFUSED_ANNOTATIONS.items():
        yield _annotation(key, Fate.REFUSED, why)
    yield _annotation(keys.AUTOSCALER_CLASS, Fate.REFUSED, inference.NO_AUTOSCALERS)


def _annotation(key: str, fate: Fate, reason: str) -> Entry:
    path = f'metadata.annotations["{key}"]'
    return Entry(kind=kinds.INFERENCESERVICES, path=path, fate=fate, reason=reason)
