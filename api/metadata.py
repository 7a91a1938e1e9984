"""The rules for metadata: names, labels and annotations that may stand there.

For: refusing names Kubernetes would refuse and keys that would be accepted and ignored.
Must not know: what stands in a spec.
"""

from collections.abc import Mapping

from api import fields, formats, keys
from api.kinds import Resource
from api.objects import ObjectMeta, Raw

ANNOTATIONS_BYTES_MAX = 262_144  # Kubernetes' TotalAnnotationSizeLimitB
CONTAINER_CONCURRENCY_MAX = 1000
CLUSTER_LOCAL = "cluster-local"  # the only visibility that is said


def open_object(raw: Raw, resource: Resource, faults: fields.Faults) -> fields.Fields:
    """Start to read an object that must be of this kind; absent names are taken as right."""
    source = fields.Fields(raw, "", faults)
    for name, wanted in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        text = source.text(name)
        if text and text != wanted:
            faults.invalid(text, name, f"must be {wanted}")
    return source


def check(metadata: ObjectMeta, faults: fields.Faults) -> None:
    """What holds for the metadata of each of our kinds."""
    for text, name, wrong, what in (
        (metadata.name, "name", formats.dns_1035_label, "label"),
        (metadata.generate_name, "generateName", formats.dns_1035_prefix, "label prefix"),
    ):
        found = wrong(text) if text else []
        if found:
            faults.add(f"not a DNS 1035 {what}: [{' '.join(found)}]", f"metadata.{name}")
    if not metadata.name and not metadata.generate_name:
        faults.add("name or generateName is required", "metadata.name")
    check_labels(metadata.labels, "metadata.labels", faults)
    check_annotations(metadata.annotations, "metadata.annotations", faults)


def check_labels(labels: Mapping[str, str], path: str, faults: fields.Faults) -> None:
    """Keys and values as Kubernetes wants them."""
    for key, value in labels.items():
        _check_key(key, path, faults)
        wrong = formats.label_value(value)
        if wrong:
            faults.invalid(value, f"{path}.{key}", ", ".join(wrong))


def check_annotations(annotations: Mapping[str, str], path: str, faults: fields.Faults) -> None:
    """Keys as Kubernetes wants them, and no more text than it takes."""
    for key in annotations:
        _check_key(key.lower(), path, faults)  # Kubernetes, too, ignores case in these
    # A lone surrogate, which JSON can spell, is no reason to fail here.
    size = sum(
        len(text.encode(errors="surrogatepass")) for each in annotations.items() for text in each
    )
    if size > ANNOTATIONS_BYTES_MAX:
        faults.add(f"must have at most {ANNOTATIONS_BYTES_MAX} bytes", path)


def check_serving_labels(
    metadata: ObjectMeta,
    faults: fields.Faults,
    *,
    allowed: frozenset[str] = frozenset(),
    owned: Mapping[str, str] | None = None,
) -> None:
    """Labels of serving.knative.dev are the controller's.

    `allowed` may stand there with any value; those in `owned` must name the object's
    owner of the given kind.
    """
    owners = {(owner.kind, owner.name) for owner in metadata.owner_references}
    for key, value in metadata.labels.items():
        kind = (owned or {}).get(key)
        if key == keys.VISIBILITY:
            if value != CLUSTER_LOCAL:
                faults.invalid(value, f"metadata.labels.{key}")
        elif kind is not None:
            if (kind, value) not in owners:
                faults.missing(f"metadata.labels.{key}")
        elif key.startswith(keys.SERVING_PREFIX) and key not in allowed:
            faults.invalid_key(key, "metadata.labels")


def read_container_concurrency(source: fields.Fields) -> int:
    """The hard limit of requests in one replica; 0, the default, is none."""
    number = source.integer("containerConcurrency") or 0
    if not 0 <= number <= CONTAINER_CONCURRENCY_MAX:
        path = source.at("containerConcurrency")
        source.faults.out_of_bounds(number, 0, CONTAINER_CONCURRENCY_MAX, path)
    return number


def _check_key(key: str, path: str, faults: fields.Faults) -> None:
    wrong = formats.qualified_name(key)
    if wrong:
        faults.invalid_key(key, path, ", ".join(wrong))
