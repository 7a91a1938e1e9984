"""ServingRuntime and ClusterServingRuntime: containers that serve models of some formats.

For: turning the raw objects of serving.kserve.io/v1alpha1 into typed ones, or naming every
field that is wrong.
Must not know: which runtime a model gets, or what a container of one does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from api import component_pods, fields, formats, inference_refusals, kinds, metadata
from api.inference_names import RUNTIME_POD_FIELDS, RUNTIME_PROTOCOLS
from api.inference_refusals import refuse
from api.kinds import Resource
from api.objects import ObjectMeta, Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFormat:
    """A format that a runtime serves."""

    name: str
    version: str = ""
    is_auto_selected: bool = False  # for models that name no runtime
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A runtime, of a namespace or of the whole cluster."""

    metadata: ObjectMeta
    is_of_cluster: bool
    formats: tuple[ModelFormat, ...] = ()
    protocols: tuple[str, ...] = ()
    is_disabled: bool = False
    containers: tuple[Raw, ...] = ()
    pod: Raw = field(default_factory=dict)  # of RUNTIME_POD_FIELDS
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Raw, *, resource: Resource = kinds.SERVINGRUNTIMES) -> Self:
        """Raises InvalidObjectError naming every wrong and every unknown field."""
        faults = fields.Faults()
        source = metadata.open_object(raw, resource, faults)
        meta = ObjectMeta.read(source.child("metadata"))
        _check_metadata(meta, faults)
        spec, given = source.child("spec"), source.raw("spec")
        refuse(spec, given, inference_refusals.RUNTIME)
        runtime = cls(
            metadata=meta,
            is_of_cluster=not resource.is_namespaced,
            formats=tuple(map(_read_format, spec.children("supportedModelFormats"))),
            protocols=spec.texts("protocolVersions"),
            is_disabled=spec.boolean("disabled") or False,
            containers=tuple(each for each in _listed(given) if isinstance(each, Mapping)),
            pod={name: given[name] for name in RUNTIME_POD_FIELDS if given.get(name) is not None},
            labels=spec.string_map("labels"),
            annotations=spec.string_map("annotations"),
        )
        _check(runtime, given, spec)
        spec.skip("containers", *RUNTIME_POD_FIELDS)
        spec.finish()
        source.skip("status")
        source.finish()
        faults.raise_any()
        return runtime

    def priority_of(self, format_name: str) -> int | None:
        """The priority of the first format of that name."""
        return next((each.priority for each in self.formats if each.name == format_name), None)

    def speaks(self, protocol: str) -> bool:
        """Whether the protocol is served; a runtime that names none speaks all."""
        return not self.protocols or not protocol or protocol in self.protocols


def _listed(given: Raw) -> list[Any]:
    containers = given.get("containers")
    return containers if isinstance(containers, list) else []


def _read_format(source: fields.Fields) -> ModelFormat:
    found = ModelFormat(
        name=source.text("name"),
        version=source.text("version"),
        is_auto_selected=source.boolean("autoSelect") or False,
        priority=source.integer("priority"),
    )
    if not found.name:
        source.faults.missing(source.at("name"))
    if found.priority is not None and found.priority < 1:
        source.faults.invalid(found.priority, source.at("priority"), "must be greater than zero")
    source.finish()
    return found


def _check_metadata(meta: ObjectMeta, faults: fields.Faults) -> None:
    wrong = formats.dns_1123_subdomain(meta.name) if meta.name else []
    if wrong:
        faults.invalid(meta.name, "metadata.name", ", ".join(wrong))
    if not meta.name and not meta.generate_name:
        faults.add("name or generateName is required", "metadata.name")
    metadata.check_labels(meta.labels, "metadata.labels", faults)
    metadata.check_annotations(meta.annotations, "metadata.annotations", faults)


def _check(runtime: Runtime, given: Raw, spec: fields.Fields) -> None:
    faults = spec.faults
    if not given.get("containers"):
        faults.missing("spec.containers")
    else:
        pod = {name: given[name] for name in ("containers", *RUNTIME_POD_FIELDS) if name in given}
        component_pods.check(pod, "spec", faults, is_whole=False)
    for at, each in enumerate(runtime.protocols):
        if each not in RUNTIME_PROTOCOLS:
            message = f"invalid protocol {each}. Must be one of [{', '.join(RUNTIME_PROTOCOLS)}]"
            faults.add(message, f"spec.protocolVersions[{at}]")
    metadata.check_labels(runtime.labels, "spec.labels", faults)
    metadata.check_annotations(runtime.annotations, "spec.annotations", faults)
    if not runtime.is_disabled:
        _check_priorities(runtime, faults)


def _check_priorities(runtime: Runtime, faults: fields.Faults) -> None:
    seen: dict[str, int | None] = {}
    for each in runtime.formats:
        if not each.is_auto_selected:
            continue
        before = seen.setdefault(each.name, each.priority)
        if None not in (before, each.priority) and before != each.priority:
            what = "clusterservingruntime" if runtime.is_of_cluster else "servingruntime"
            faults.add(
                f"different priorities assigned for the model format {each.name} under the "
                f"{what} {runtime.metadata.name}"
            )
