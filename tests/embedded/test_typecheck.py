import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.kinds import DEPLOYMENTS, PODS, SERVICES
from cluster.errors import BadRequestError
from embedded.typecheck import check
from tests.cluster.serving import pod, service


@pytest.mark.parametrize(
    ("resource", "part", "words"),
    [
        (PODS, {"spec": []}, "spec: must be an object, not list"),
        (PODS, {"spec": {"containers": {}}}, r"spec\.containers: must be a list, not dict"),
        (PODS, {"spec": {"containers": ["x"]}}, r"spec\.containers\[0\]: must be an object"),
        (PODS, {"spec": {"containers": [None]}}, r"spec\.containers\[0\]: must not be null"),
        (PODS, {"spec": {"nodeName": 7}}, r"spec\.nodeName: must be a string, not int"),
        (
            PODS,
            {"status": {"containerStatuses": [{"ready": "yes"}]}},
            r"\.ready: must be true or false",
        ),
        (
            PODS,
            {"status": {"conditions": [{"type": 1}]}},
            r"conditions\[0\]\.type: must be a string",
        ),
        (DEPLOYMENTS, {"spec": {"replicas": "3"}}, r"spec\.replicas: must be an integer, not str"),
        (
            DEPLOYMENTS,
            {"spec": {"replicas": True}},
            r"spec\.replicas: must be an integer, not bool",
        ),
        (
            DEPLOYMENTS,
            {"spec": {"selector": {"matchLabels": {"a": None}}}},
            r"matchLabels\.a: must not be null",
        ),
        (SERVICES, {"status": {"conditions": "Ready"}}, r"status\.conditions: must be a list"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(resource: Any, part: Any, words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        check(resource, part, {})


def test_right_types_null_and_unknown_fields_pass() -> None:
    check(PODS, pod() | {"status": None, "more": [1]}, {})
    check(PODS, {"spec": {"containers": None, "colour": 7}}, {})
    check(SERVICES, service() | {"status": {"conditions": [], "url": "x"}}, {})
    check(
        PODS, {"spec": {"containers": [{"resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}]}}, {}
    )


def test_what_is_shared_with_the_old_object_is_not_looked_at_again() -> None:
    wrong: dict[str, Any] = {"nodeName": 7}
    check(PODS, {"spec": wrong}, {"spec": wrong})
    with pytest.raises(BadRequestError):
        check(PODS, {"spec": dict(wrong)}, {"spec": {}})


FIELDS = st.sampled_from(["spec", "status", "containers", "conditions", "template", "env", "ports"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=2),
    lambda child: st.lists(child, max_size=3) | st.dictionaries(FIELDS, child, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(FIELDS, ANYTHING), st.dictionaries(FIELDS, ANYTHING))
def test_any_json_passes_or_is_refused(new: dict[str, Any], old: dict[str, Any]) -> None:
    for resource in (PODS, DEPLOYMENTS, SERVICES):
        with contextlib.suppress(BadRequestError):
            check(resource, new, old)
