from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.kinds import ENDPOINTSLICES, ENDPOINTSLICES_V1BETA1
from controller.plan import Plan
from controller.slices import ENDPOINTS_MAX, Backends, Endpoint, plan_slices
from tests.controller.objects import a_route

ROUTE = a_route()


def endpoint(number: int, family: str = "IPv4") -> Endpoint:
    address = f"fd00::{number:x}" if family == "IPv6" else f"10.0.{number // 250}.{number % 250}"
    return Endpoint(address=address, namespace="default", pod=f"p{number}")


def backends(*numbers: int, port: int = 8080, family: str = "IPv4") -> Backends:
    return Backends(endpoints=tuple(endpoint(each, family) for each in numbers), port=port)


class Slices:
    """Slices that a server has; plans are carried out on them."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}

    def lead(self, wanted: Backends, **more: Any) -> Plan:
        plan = plan_slices(ROUTE, "mnist", wanted, list(self.held.values()), **more)
        for write in plan.creates:
            assert write.name not in self.held
            uid = {"uid": f"uid-{write.name}", "resourceVersion": "1"}
            raw = {**write.object, "metadata": {**write.object["metadata"], **uid}}
            # What a server fills in.
            filled = [{**each, "nodeName": "n"} for each in raw["endpoints"]]
            self.held[write.name] = {**raw, "endpoints": filled}
        for write in plan.updates:
            before = self.held[write.name]
            assert write.object["addressType"] == before["addressType"], "it can not change"
            self.held[write.name] = write.object
        for delete in plan.deletes:
            assert self.held.pop(delete.name)["metadata"]["uid"] == delete.uid
        return plan

    def led_to(self) -> set[tuple[str, int]]:
        return {
            (address, port["port"])
            for each in self.held.values()
            for one in each["endpoints"]
            for address in one["addresses"]
            for port in each["ports"]
        }


def writes(plan: Plan) -> int:
    return len(plan.creates) + len(plan.updates) + len(plan.deletes)


@pytest.mark.parametrize("resource", [ENDPOINTSLICES, ENDPOINTSLICES_V1BETA1])
def test_a_slice_is_what_kube_proxy_reads(resource: Any) -> None:
    plan = plan_slices(ROUTE, "mnist", backends(7), [], resource)
    [write] = plan.creates
    assert write.object["apiVersion"] == resource.api_version
    assert write.object["kind"] == "EndpointSlice"
    assert write.object["metadata"]["labels"] == {
        "kubernetes.io/service-name": "mnist",
        "endpointslice.kubernetes.io/managed-by": "controller.relight.dev",
    }
    assert write.object["metadata"]["ownerReferences"][0]["uid"] == "Route-mnist"
    assert write.object["addressType"] == "IPv4"
    assert write.object["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert write.object["endpoints"] == [
        {
            "addresses": ["10.0.0.7"],
            "conditions": {"ready": True},
            "targetRef": {"kind": "Pod", "namespace": "default", "name": "p7"},
        }
    ]


def test_a_switch_is_one_write() -> None:
    slices = Slices()
    assert writes(slices.lead(backends(1, 2))) == 1
    assert writes(slices.lead(backends(*range(10, 60), port=9000))) == 1
    assert writes(slices.lead(backends(1, 2))) == 1
    assert slices.led_to() == {("10.0.0.1", 8080), ("10.0.0.2", 8080)}


def test_nothing_is_written_twice() -> None:
    slices = Slices()
    slices.lead(backends(*range(250)))
    assert writes(slices.lead(backends(*reversed(range(250))))) == 0


def test_of_nothing_there_is_one_empty_slice() -> None:
    slices = Slices()
    slices.lead(backends())
    assert slices.led_to() == set()
    assert len(slices.held) == 1
    slices.lead(backends(*range(300)))
    slices.lead(backends())
    assert len(slices.held) == 1
    assert writes(slices.lead(backends())) == 0


def test_one_of_many_that_goes_or_comes_is_one_write() -> None:
    slices = Slices()
    slices.lead(backends(*range(350)))
    assert len(slices.held) == 4
    assert writes(slices.lead(backends(*range(1, 350)))) == 1
    assert writes(slices.lead(backends(*range(1, 351)))) == 1


def test_a_family_of_addresses_has_slices_of_its_own() -> None:
    slices = Slices()
    slices.lead(backends(1))
    six = backends(5, family="IPv6")
    both = Backends(endpoints=backends(1).endpoints + six.endpoints, port=8080)
    slices.lead(both)
    assert {each["addressType"] for each in slices.held.values()} == {"IPv4", "IPv6"}
    slices.lead(six)
    assert slices.led_to() == {("fd00::5", 8080)}
    slices.lead(Backends(port=8080))
    assert [each["addressType"] for each in slices.held.values()] == ["IPv6"]


@settings(deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sets(st.integers(0, 400), max_size=400) | st.sets(st.integers(0, 9), max_size=4),
            st.sampled_from([8080, 9000]),
            st.sampled_from(["IPv4", "IPv6"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_was_before_it_leads_where_it_should_and_slices_are_bounded(
    steps: list[tuple[set[int], int, str]],
) -> None:
    slices = Slices()
    for numbers, port, family in steps:
        wanted = backends(*sorted(numbers), port=port, family=family)
        slices.lead(wanted)
        assert slices.led_to() == {(each.address, port) for each in wanted.endpoints}
        assert all(len(each["endpoints"]) <= ENDPOINTS_MAX for each in slices.held.values())
        assert slices.held
        assert writes(slices.lead(wanted)) == 0, "a plan applied twice changes nothing"
