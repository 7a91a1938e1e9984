from typing import Any

import pytest

from api.kinds import CORE_SERVICES, ENDPOINTSLICES
from controller.publishing import (
    Leading,
    Observed,
    Wanted,
    backends_of,
    foreign,
    not_nowhere,
    of_inference,
    of_revision,
    of_route,
    plan,
    ready_pods,
    sole_revision,
)
from controller.slices import Backends, Endpoint
from tests.controller.objects import a_revision, a_route, owned_by, saying, stored

ACTIVATORS = [
    Endpoint(address=f"10.9.0.{n}", namespace="relight-system", pod=f"activator-{n}")
    for n in range(6)
]


def a_pod(name: str, *, of: dict[str, Any], ip: str, is_ready: bool = True, **metadata: Any) -> Any:
    labels = {
        "serving.knative.dev/revision": of["metadata"]["name"],
        "serving.knative.dev/revisionUID": of["metadata"]["uid"],
    }
    raw = stored("Pod", name, api="v1", labels=labels, **metadata)
    ready = {"type": "Ready", "status": "True" if is_ready else "False"}
    return {**raw, "status": {"podIP": ip, "conditions": [ready]}}


def leading(
    *,
    mode: str | None = "Serve",
    direct: bool = True,
    pods: int = 2,
    count: int = 2,
    concurrency: int = 0,
    name: str = "mnist-00001",
) -> Leading:
    ports = [{"containerPort": 9000}]
    spec = {
        "containerConcurrency": concurrency,
        "containers": [{"name": "c", "image": "relight/predictor", "ports": ports}],
    }
    revision = a_revision(name, spec=spec)
    annotations = {"relight.dev/direct": "true"} if direct else {}
    autoscaler = stored("PodAutoscaler", name, annotations=annotations)
    status = {"activators": count, **({"mode": mode} if mode else {})}
    return Leading(
        revision=revision,
        podautoscaler={**autoscaler, "status": status},
        pods=[a_pod(f"p{n}", of=revision, ip=f"10.1.0.{n}") for n in range(pods)],
    )


def addresses(backends: Backends) -> set[str]:
    return {each.address for each in backends.endpoints}


def is_straight(backends: Backends) -> bool:
    assert backends.endpoints
    return all(each.address.startswith("10.1.") for each in backends.endpoints)


def test_in_serve_it_leads_to_pods_at_their_port() -> None:
    backends = backends_of(leading(), ACTIVATORS)
    assert (addresses(backends), backends.port) == ({"10.1.0.0", "10.1.0.1"}, 9000)


@pytest.mark.parametrize(
    "changes", [{"mode": "Proxy"}, {"mode": None}, {"direct": False}, {"pods": 0}]
)
def test_else_to_as_many_activators_as_it_takes(changes: dict[str, Any]) -> None:
    backends = backends_of(leading(count=4, **changes), ACTIVATORS)
    assert backends.port == 8080
    assert len(backends.endpoints) == 4
    assert addresses(backends) < {each.address for each in ACTIVATORS}


def test_activators_that_stay_are_chosen_again() -> None:
    seen = leading(mode="Proxy")
    chosen = addresses(backends_of(seen, ACTIVATORS))
    for gone in ACTIVATORS:
        left = [each for each in ACTIVATORS if each != gone]
        again = addresses(backends_of(seen, left))
        assert chosen - {gone.address} <= again


def test_revisions_are_spread_over_activators() -> None:
    names = [f"m-{n:05d}" for n in range(60)]
    found = [addresses(backends_of(leading(mode="Proxy", name=name), ACTIVATORS)) for name in names]
    counts = [sum(each.address in one for one in found) for each in ACTIVATORS]
    assert min(counts) > 5


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"direct": False}, True),
        ({"concurrency": 1}, True),
        ({"direct": False, "concurrency": 1}, False),
    ],
)
def test_without_activators_pods_are_better_than_nobody_unless_nobody_keeps_their_limit(
    changes: dict[str, Any], expected: bool
) -> None:
    backends = backends_of(leading(mode="Proxy", **changes), [])
    assert bool(backends.endpoints) is expected


def test_before_there_is_a_podautoscaler_it_leads_to_activators() -> None:
    seen = leading()
    backends = backends_of(
        Leading(revision=seen.revision, podautoscaler=None, pods=seen.pods), ACTIVATORS
    )
    assert len(backends.endpoints) == 2
    assert not is_straight(backends)


def test_pods_that_are_leaving_not_ready_or_of_another_are_not_led_to() -> None:
    revision = a_revision()
    other = a_revision(uid="another")
    pods = [
        a_pod("good", of=revision, ip="10.1.0.1"),
        a_pod("leaving", of=revision, ip="10.1.0.2", deletionTimestamp="now"),
        a_pod("starting", of=revision, ip="10.1.0.3", is_ready=False),
        a_pod("waiting", of=revision, ip=""),
        a_pod("older", of=other, ip="10.1.0.5"),
    ]
    assert [each.pod for each in ready_pods(revision, pods)] == ["good"]


def routed(*lines: dict[str, Any], **annotations: str) -> dict[str, Any]:
    return saying(a_route(annotations=annotations), traffic=list(lines))


ALL = {"revisionName": "mnist-00001", "percent": 100}


@pytest.mark.parametrize(
    ("route", "sole"),
    [
        (routed(ALL), "mnist-00001"),
        (routed({**ALL, "latestRevision": True}), "mnist-00001"),
        (routed(), ""),
        (a_route(), ""),
        (routed({**ALL, "tag": "t"}), ""),
        (routed(ALL, {"revisionName": "mnist-00002", "percent": 0, "tag": "next"}), ""),
        (routed({**ALL, "percent": 60}, {"revisionName": "mnist-00002", "percent": 40}), ""),
        (routed(ALL, **{"networking.internal.knative.dev/rollout": "{}"}), ""),
    ],
)
def test_only_one_revision_with_everything_is_led_to_straight(
    route: dict[str, Any], sole: str
) -> None:
    assert sole_revision(route) == sole
    wanted = of_route(route, {"mnist-00001": leading()}, ACTIVATORS)
    assert is_straight(wanted["mnist"].backends) is bool(sole)


def test_a_tag_has_an_address_that_leads_to_activators() -> None:
    route = routed({**ALL, "tag": "now"}, {"revisionName": "mnist-00002", "tag": "next"})
    wanted = of_route(route, {"mnist-00001": leading()}, ACTIVATORS)
    assert {name: each.of for name, each in wanted.items()} == {
        "mnist": "route",
        "now-mnist": "tag",
        "next-mnist": "tag",
    }
    assert not is_straight(wanted["next-mnist"].backends)


def test_a_route_that_divides_has_as_many_activators_as_the_greediest_needs() -> None:
    lines = ({**ALL, "percent": 50}, {"revisionName": "mnist-00002", "percent": 50})
    served = {"mnist-00001": leading(count=2), "mnist-00002": leading(count=5)}
    wanted = of_route(routed(*lines), served, ACTIVATORS)
    assert len(wanted["mnist"].backends.endpoints) == 5


def observed(owner: dict[str, Any], *services: Any, slices: Any = ()) -> Observed:
    named = {each["metadata"]["name"]: each for each in services}
    return Observed(owner=owner, services=named, slices=slices, resource=ENDPOINTSLICES)


def carried_out(seen: Observed, wanted: dict[str, Wanted]) -> Observed:
    made = plan(seen, wanted)
    objects = [*made.creates, *made.updates]

    def stamped(raw: Any) -> Any:
        name = raw["metadata"]["name"]
        known = {"uid": f"{raw['kind']}-{name}", "resourceVersion": "1", "namespace": "default"}
        spec = {**raw.get("spec", {}), "clusterIP": "10.96.0.9"} if "spec" in raw else None
        more = {} if spec is None else {"spec": spec}
        return {**raw, **more, "metadata": {**raw["metadata"], **known}}

    services = [stamped(one.object) for one in objects if one.resource == CORE_SERVICES]
    slices = [stamped(one.object) for one in objects if one.resource == ENDPOINTSLICES]
    return observed(seen.owner, *services, slices=slices)


def test_a_service_is_made_with_its_slice_and_then_left_alone() -> None:
    seen = leading()
    wanted = of_revision(seen, ACTIVATORS)
    after = carried_out(observed(seen.revision), wanted)
    service = after.services["mnist-00001"]
    assert service["spec"] == {
        "type": "ClusterIP",
        "clusterIP": "10.96.0.9",
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}],
    }
    assert service["metadata"]["labels"]["relight.dev/published"] == "revision"
    assert service["metadata"]["labels"]["serving.knative.dev/revision"] == "mnist-00001"
    assert service["metadata"]["ownerReferences"] == owned_by(seen.revision)
    [one] = after.slices
    assert one["metadata"]["labels"]["kubernetes.io/service-name"] == "mnist-00001"
    again = plan(after, wanted)
    assert (again.creates, again.updates, again.deletes) == ((), (), ())


def test_a_service_that_somebody_changed_is_put_right() -> None:
    route = routed(ALL)
    wanted = of_route(route, {"mnist-00001": leading()}, ACTIVATORS)
    after = carried_out(observed(route), wanted)
    service = after.services["mnist"]
    spoiled = {
        **service,
        "metadata": {**service["metadata"], "labels": {"mine": "too"}},
        "spec": {**service["spec"], "selector": {"app": "x"}, "ports": [{"port": 1}]},
    }
    [update] = plan(observed(route, spoiled, slices=after.slices), wanted).updates
    assert update.object["spec"] == service["spec"]
    assert update.object["metadata"]["labels"]["mine"] == "too"
    assert update.object["metadata"]["labels"]["serving.knative.dev/route"] == "mnist"


def test_what_is_somebody_elses_is_left_alone_and_told() -> None:
    route = routed({**ALL, "tag": "next"})
    theirs = stored("Service", "next-mnist", {"selector": {"app": "x"}}, api="v1")
    wanted = of_route(route, {}, ACTIVATORS)
    seen = observed(route, theirs)
    assert foreign(seen, wanted) == ["next-mnist"]
    made = plan(seen, wanted)
    assert {each.name for each in made.creates} == {"mnist", "mnist-0"}
    assert (made.updates, made.deletes) == ((), ())


def test_the_address_of_a_tag_that_is_gone_goes() -> None:
    before = routed({**ALL, "tag": "next"})
    wanted = of_route(before, {}, ACTIVATORS)
    after = carried_out(observed(before), wanted)
    route = routed(ALL)
    made = plan(
        observed(route, *after.services.values(), slices=after.slices),
        of_route(route, {}, ACTIVATORS),
    )
    assert {each.name for each in made.deletes} == {"next-mnist", "next-mnist-0"}


def test_of_an_owner_that_goes_nothing_is_written() -> None:
    route = {**routed(ALL)}
    route["metadata"] = {**route["metadata"], "deletionTimestamp": "now"}
    made = plan(observed(route), of_route(route, {}, ACTIVATORS))
    assert made.creates == ()


def test_an_inference_service_has_an_address_that_leads_to_activators() -> None:
    raw = stored("InferenceService", "iris", api="serving.kserve.io/v1beta1")
    wanted = of_inference(raw, ACTIVATORS)
    after = carried_out(observed(raw), wanted)
    labels = after.services["iris"]["metadata"]["labels"]
    assert labels["relight.dev/published"] == "inferenceservice"
    assert labels["serving.kserve.io/inferenceservice"] == "iris"
    assert not is_straight(wanted["iris"].backends)


def test_rather_than_nowhere_it_leads_to_activators_that_are_not_ready() -> None:
    nowhere = of_revision(leading(mode="Proxy", pods=0), [])
    assert nowhere["mnist-00001"].backends.endpoints == ()
    led = not_nowhere(nowhere, ACTIVATORS)["mnist-00001"].backends
    assert (led.port, len(led.endpoints)) == (8080, len(ACTIVATORS))
    somewhere = of_revision(leading(), ACTIVATORS[:2])
    assert not_nowhere(somewhere, ACTIVATORS) == somewhere
