"""What users write to put a host of their own in front of a Service: DomainMapping.

For: turning the raw objects into typed ones, or naming every field that is wrong.
Must not know: how a host is claimed, looked up in DNS or routed.
"""

from dataclasses import dataclass, field
from typing import Self

from api import fields, formats, kinds, known_annotations, metadata
from api.naming import CLUSTER_DOMAIN
from api.objects import ObjectMeta, Raw

NO_TLS = "Relight ends no TLS: let a proxy in front of it do so"
REFUSED = {"tls": NO_TLS}  # of the spec
REFUSED_OF_REFERENCES = frozenset({"address", "group"})  # Knative never takes them here


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The object that a host leads to."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""  # that of the DomainMapping, unless it is of another form


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainMapping:
    """A host of the user's own, which is the object's name, and what it leads to."""

    metadata: ObjectMeta
    ref: Reference
    status: Raw = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """Raises InvalidObjectError naming every wrong and every unknown field."""
        faults = fields.Faults()
        source = metadata.open_object(raw, kinds.DOMAINMAPPINGS, faults)
        meta = ObjectMeta.read(source.child("metadata"))
        _check_metadata(meta, faults)
        spec = source.child("spec")
        mapping = cls(
            metadata=meta,
            ref=_read_reference(spec.child("ref"), meta.namespace),
            status=source.raw("status"),
        )
        spec.finish(refused=REFUSED)
        source.finish()
        faults.raise_any()
        return mapping


def _check_metadata(meta: ObjectMeta, faults: fields.Faults) -> None:
    path, name = "metadata.name", meta.name
    if meta.generate_name:
        faults.disallowed("metadata.generateName")
    wrong = formats.domain_name(name)
    if not name:
        faults.add('invalid name "": name: Required value', path)
    elif wrong:
        why = f'name: Invalid value: "{wrong[0]}": {wrong[1]}'
        faults.add(f'invalid name "{name}": {why}', path)
    if name.endswith(f".{CLUSTER_DOMAIN}"):
        sentence = f'must not be a subdomain of cluster local domain "{CLUSTER_DOMAIN}"'
        faults.add(f'invalid name "{name}": {sentence}', path)
    metadata.check_labels(meta.labels, "metadata.labels", faults)
    metadata.check_annotations(meta.annotations, "metadata.annotations", faults)
    metadata.check_serving_labels(meta, faults)
    known_annotations.check(meta.annotations, kinds.DOMAINMAPPINGS, "metadata.annotations", faults)


def _read_reference(source: fields.Fields, namespace: str) -> Reference:
    ref = Reference(
        api_version=source.text("apiVersion"),
        kind=source.text("kind"),
        name=source.text("name"),
        namespace=source.text("namespace"),
    )
    for name, value in (("apiVersion", ref.api_version), ("kind", ref.kind), ("name", ref.name)):
        if not value:
            source.faults.missing(source.at(name))
    if ref.namespace and namespace and ref.namespace != namespace:
        source.faults.add(
            "mismatched namespaces",
            source.at("namespace"),
            details=f'parent namespace: "{namespace}" does not match ref: "{ref.namespace}"',
        )
    source.finish(disallowed=REFUSED_OF_REFERENCES)
    return ref
