from typing import Any

import pytest

from api.admission import admit
from api.errors import InvalidObjectError
from api.kinds import ROUTES, SERVICES
from embedded.capabilities import Machine
from embedded.refusing import refusing


def service(**spec: Any) -> dict[str, Any]:
    container = {"image": "relight/predictor", "args": ["--model", "m.onnx"]}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [container], **spec}}},
    }


def test_what_one_machine_does_not_serve_is_refused_by_path() -> None:
    check = refusing(admit, Machine)
    with pytest.raises(InvalidObjectError) as refused:
        check(SERVICES, service(runtimeClassName="gvisor"), None, user="u")
    assert str(refused.value) == (
        "must not set the field(s): spec.template.spec.runtimeClassName\n"
        "not served on one machine: there is no container runtime"
    )


def test_what_a_process_can_do_is_admitted_with_its_defaults() -> None:
    check = refusing(admit, Machine)
    made = check(SERVICES, service(), None, user="u")
    assert made == admit(SERVICES, service(), None, user="u")


def test_a_template_that_did_not_change_is_let_be() -> None:
    check = refusing(admit, Machine)
    stored = admit(SERVICES, service(runtimeClassName="gvisor"), None, user="u")
    again = {**stored, "metadata": {**stored["metadata"], "labels": {"a": "b"}}}
    assert check(SERVICES, again, stored, user="u")["metadata"]["labels"] == {"a": "b"}


def test_other_kinds_are_none_of_its_business() -> None:
    check = refusing(lambda resource, new, old, *, user: dict(new), Machine)
    assert check(ROUTES, service(runtimeClassName="x"), None, user="u")["kind"] == "Service"
