"""The words agree with what they are words for."""

from api.inference_names import FRAMEWORKS, PROTOCOLS, RUNTIME_POD_FIELDS, RUNTIME_PROTOCOLS
from api.pod_schemas import POD_SPEC


def test_a_runtimes_fields_are_a_pods() -> None:
    assert set(RUNTIME_POD_FIELDS) < set(POD_SPEC)


def test_frameworks_are_no_fields_of_a_pod() -> None:
    assert not set(FRAMEWORKS) & set(POD_SPEC)


def test_what_can_be_asked_for_is_preferred() -> None:
    assert [each for each in RUNTIME_PROTOCOLS if each in PROTOCOLS] == list(PROTOCOLS)
    assert RUNTIME_PROTOCOLS[0] == PROTOCOLS[0]
