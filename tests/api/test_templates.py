from collections.abc import Callable
from typing import Any

import pytest

from api import keys, refusals
from api.fields import Faults, Fields
from api.objects import ObjectMeta
from api.templates import RevisionTemplate, progress_deadline_s

SPEC = {"containers": [{"image": "a/b"}]}
PARENT = ObjectMeta(name="iris")
META = "spec.template.metadata"


def template_of(raw: Any, *, parent: ObjectMeta = PARENT) -> RevisionTemplate:
    faults = Faults()
    found = RevisionTemplate.read(Fields(raw, "spec.template", faults), parent=parent)
    faults.raise_any()
    return found


def test_defaults() -> None:
    found = template_of({"spec": SPEC})
    assert (found.name, found.labels, found.annotations) == ("", {}, {})
    assert (found.spec.container_concurrency, found.spec.timeout_s) == (0, 300)


@pytest.mark.parametrize(("given", "expected"), [(0, 300), (1, 1), (600, 600)])
def test_timeout(given: int, expected: int) -> None:
    assert template_of({"spec": {**SPEC, "timeoutSeconds": given}}).spec.timeout_s == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"timeoutSeconds": 601}, "expected 0 <= 601 <= 600: spec.template.spec.timeoutSeconds"),
        ({"timeoutSeconds": -1}, "expected 0 <= -1 <= 600: spec.template.spec.timeoutSeconds"),
        (
            {"containerConcurrency": -1},
            "expected 0 <= -1 <= 1000: spec.template.spec.containerConcurrency",
        ),
        (
            {"containerConcurrency": 1001},
            "expected 0 <= 1001 <= 1000: spec.template.spec.containerConcurrency",
        ),
        (
            {"conatinerConcurrency": 1},
            "unknown field: spec.template.spec.conatinerConcurrency",
        ),
    ],
)
def test_a_wrong_spec(spec: dict[str, Any], expected: str, refused: Callable[..., str]) -> None:
    assert refused(template_of, {"spec": {**SPEC, **spec}}) == expected


@pytest.mark.parametrize("name", sorted(refusals.DISALLOWED_TEMPLATE_METADATA))
def test_a_template_is_no_object(name: str, refused: Callable[..., str]) -> None:
    raw = {"metadata": {name: "x"}, "spec": SPEC}
    assert refused(template_of, raw) == f"must not set the field(s): {META}.{name}"


def test_a_null_timestamp_is_no_timestamp() -> None:
    template_of({"metadata": {"creationTimestamp": None}, "spec": SPEC})


@pytest.mark.parametrize(
    ("name", "parent", "expected"),
    [
        ("other-1", PARENT, f'invalid value: "other-1" must have prefix "iris-": {META}.name'),
        ("iris", PARENT, f'invalid value: "iris" must have prefix "iris-": {META}.name'),
        ("iris-X", PARENT, "invalid value: not a DNS 1035 label: [a DNS-1035 label"),
        (
            "iris-1",
            ObjectMeta(generate_name="iris-"),
            f"must not set the field(s): {META}.name",
        ),
    ],
)
def test_a_wrong_name(
    name: str, parent: ObjectMeta, expected: str, refused: Callable[..., str]
) -> None:
    raw = {"metadata": {"name": name}, "spec": SPEC}
    assert refused(template_of, raw, parent=parent).startswith(expected)


def test_a_name_of_ones_own() -> None:
    assert template_of({"metadata": {"name": "iris-blue"}, "spec": SPEC}).name == "iris-blue"


def test_labels_of_the_controller_are_refused(refused: Callable[..., str]) -> None:
    raw = {"metadata": {"labels": {keys.SERVICE: "x"}}, "spec": SPEC}
    assert refused(template_of, raw) == f'invalid key name "{keys.SERVICE}": {META}.labels'


def test_our_annotations_are_read_and_slips_of_the_pen_refused(
    refused: Callable[..., str],
) -> None:
    raw = {"metadata": {"annotations": {keys.MODEL_NAME: "m"}}, "spec": SPEC}
    assert template_of(raw).annotations == {keys.MODEL_NAME: "m"}
    raw = {"metadata": {"annotations": {"relight.dev/modelname": "m"}}, "spec": SPEC}
    assert refused(template_of, raw) == (
        f'invalid key name "relight.dev/modelname": {META}.annotations\n'
        "not an annotation that Relight reads here"
    )


def test_autoscaling_annotations_are_checked_here(refused: Callable[..., str]) -> None:
    raw = {"metadata": {"annotations": {keys.MIN_SCALE: "-1"}}, "spec": SPEC}
    assert refused(template_of, raw) == (
        f"expected 0 <= -1 <= 2147483647: {META}.annotations.{keys.MIN_SCALE}"
    )


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, 600),
        ({keys.PROGRESS_DEADLINE: "2m"}, 120),
        ({"serving.knative.dev/progressDeadline": "30s"}, 30),
    ],
)
def test_progress_deadline(annotations: dict[str, str], expected: int) -> None:
    assert progress_deadline_s(annotations) == expected
    template_of({"metadata": {"annotations": annotations}, "spec": SPEC})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("soon", "invalid value: soon: {}"),
        ("1500ms", "progress-deadline=1500ms is not at second precision: {}"),
        ("-1s", "progress-deadline=-1s must be positive: {}"),
    ],
)
def test_a_wrong_deadline(text: str, expected: str, refused: Callable[..., str]) -> None:
    annotations = {keys.PROGRESS_DEADLINE: text}
    path = "metadata.annotations." + keys.PROGRESS_DEADLINE
    assert refused(progress_deadline_s, annotations) == expected.format(path)
    raw = {"metadata": {"annotations": annotations}, "spec": SPEC}
    assert refused(template_of, raw) == expected.format(f"spec.template.{path}")
