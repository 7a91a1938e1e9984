"""Conditions and the record of who had all requests, from what Services say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.conditions import Condition
from api.inference_components import Extension
from controller.inference_children import traffic
from controller.inference_status import (
    Trouble,
    component_conditions,
    component_status,
    stopped,
    summed_up,
)
from tests.controller.objects import a_service, saying

ONE, TWO, THREE = "r-00001", "r-00002", "r-00003"
URL = "http://iris-predictor.default.localhost"


def says(type_: str, status: str = "True", reason: str = "", message: str = "") -> Condition:
    return Condition(type=type_, status=status, reason=reason, message=message)


def service(
    *targets: tuple[str, int, bool],
    ready: str = "True",
    configured: str = "True",
    created: str = "",
    latest: str = "",
) -> dict[str, Any]:
    found = [
        {"revisionName": name, "percent": percent, "latestRevision": is_latest}
        for name, percent, is_latest in targets
    ]
    return saying(
        a_service("iris-predictor"),
        says("Ready", ready),
        says("ConfigurationsReady", configured),
        says("RoutesReady"),
        traffic=found,
        latestCreatedRevisionName=created or latest,
        latestReadyRevisionName=latest,
        url=URL,
        address={"url": "http://inside"},
    )


def record(last: str, previous: str = "") -> dict[str, str]:
    return {"latestRolledoutRevision": last, "previousRolledoutRevision": previous}


def rolled_out(before: dict[str, str], child: dict[str, Any]) -> tuple[str, str]:
    found = component_status(before, child)
    names = ("latestRolledoutRevision", "previousRolledoutRevision")
    return found.get(names[0], ""), found.get(names[1], "")


@pytest.mark.parametrize(
    ("what", "before", "child", "wanted"),
    [
        ("the first", {}, service((ONE, 100, True), latest=ONE), (ONE, "")),
        (
            "a canary moves nothing",
            record(ONE),
            service((TWO, 20, True), (ONE, 80, False), latest=TWO),
            (ONE, ""),
        ),
        ("promoted", record(ONE), service((TWO, 100, True), latest=TWO), (TWO, ONE)),
        (
            "told to step back",
            record(TWO, ONE),
            service((TWO, 0, True), (TWO, 100, False), latest=TWO),
            (ONE, ONE),
        ),
        (
            "a newer one is being made",
            record(TWO, ONE),
            service((TWO, 20, True), (TWO, 80, False), latest=TWO, created=THREE),
            (TWO, ONE),
        ),
        (
            "the Configuration has not looked yet",
            record(TWO, ONE),
            service((TWO, 20, True), (TWO, 80, False), latest=TWO, configured="Unknown"),
            (TWO, ONE),
        ),
        (
            "nobody to step back to",
            record(ONE),
            service((ONE, 20, True), (ONE, 80, False), latest=ONE),
            (ONE, ""),
        ),
        (
            "pinned by name",
            record(ONE),
            service((TWO, 100, False), latest=TWO),
            (ONE, ""),
        ),
        ("nothing is ready", {}, service(), ("", "")),
    ],
)
def test_who_had_everything(
    what: str, before: dict[str, str], child: dict[str, Any], wanted: tuple[str, str]
) -> None:
    assert rolled_out(before, child) == wanted, what


def test_a_status_of_an_older_spec_moves_nothing() -> None:
    child = service((TWO, 100, True), latest=TWO)
    child["metadata"]["generation"] = 2
    assert rolled_out(record(ONE), child) == (ONE, "")


def test_addresses_stay_while_it_is_not_ready() -> None:
    before = component_status({}, service((ONE, 100, True), latest=ONE))
    assert (before["url"], before["address"]) == (URL, {"url": "http://inside"})
    after = component_status(before, service((ONE, 100, True), latest=ONE, ready="False"))
    assert (after["url"], after["address"]) == (URL, {"url": "http://inside"})
    assert "url" not in component_status({}, service(ready="Unknown"))
    assert component_status(before, None) == before


class Platform:
    """Knative under a Service, in a few lines: what a spec becomes, step by step."""

    def __init__(self) -> None:
        self.before: dict[str, Any] = {}
        self.ready: list[str] = []
        self.made = 0
        self.extension = Extension()
        self.failed = False

    def apply(self, percent: int | None, fate: str) -> None:
        """A new spec: the same model, a good one or a broken one; then everything settles."""
        self.extension = Extension(canary_percent=percent)
        if fate != "same":
            self.made += 1
            self.failed = fate == "broken"
            if not self.failed:
                self.ready.append(f"r-{self.made:05d}")
        for _ in range(4):
            self.settle()

    def settle(self) -> None:
        if not self.made:
            return
        latest = self.ready[-1] if self.ready else ""
        wanted = traffic(
            self.extension, self.before.get("latestRolledoutRevision", ""), is_tagged=False
        )
        # What the planner asks for is whole, and names only what was ready once.
        assert sum(each["percent"] for each in wanted) == 100
        for each in wanted:
            assert each.get("revisionName", latest) in (*self.ready, "")
        targets = [
            (each.get("revisionName") or latest, each["percent"], each["latestRevision"])
            for each in wanted
            if each.get("revisionName") or latest
        ]
        is_good = "False" if self.failed else "True"
        child = service(
            *targets,
            latest=latest,
            created=f"r-{self.made:05d}",
            ready=is_good,
            configured=is_good,
        )
        self.before = component_status(self.before, child)


STEPS = st.lists(
    st.tuples(
        st.none() | st.sampled_from([0, 1, 20, 99, 100]),
        st.sampled_from(["same", "good", "broken"]),
    ),
    max_size=8,
)


@given(STEPS)
def test_any_story_leaves_requests_with_revisions_that_were_ready(steps: Any) -> None:
    platform = Platform()
    for percent, fate in steps:
        platform.apply(percent, fate)
        last = platform.before.get("latestRolledoutRevision", "")
        assert last in (*platform.ready, "")
        if platform.ready:
            assert last  # somebody had everything, from the first ready one on
        if percent is None and platform.ready and not platform.failed:
            assert last == platform.ready[-1]  # promoted


@given(STEPS)
def test_zero_percent_gives_a_new_revision_nothing(steps: Any) -> None:
    platform = Platform()
    platform.apply(None, "good")
    for percent, fate in steps:
        platform.apply(percent, fate)
    before = platform.before["latestRolledoutRevision"]
    platform.apply(0, "good")
    shares = {each["revisionName"]: each["percent"] for each in platform.before["traffic"]}
    assert shares == {platform.ready[-1]: 0, before: 100}


def by_type(found: list[Condition]) -> dict[str, tuple[str, str]]:
    return {each.type: (each.status, each.reason) for each in found}


def test_conditions_of_a_component_are_its_services() -> None:
    child = service((ONE, 100, True), latest=ONE, configured="False", ready="False")
    assert by_type([*component_conditions("explainer", child, None)]) == {
        "ExplainerReady": ("False", ""),
        "ExplainerRoutesReady": ("True", ""),
        "ExplainerConfigurationReady": ("False", ""),
    }
    assert {each.status for each in component_conditions("predictor", None, None)} == {"Unknown"}


def test_trouble_is_told_whatever_the_service_says() -> None:
    child = service((ONE, 100, True), latest=ONE)
    trouble = Trouble(reason="NotOwned", sentence="It is not ours.")
    ready, *rest = component_conditions("predictor", child, trouble)
    assert (ready.status, ready.reason, ready.message) == ("False", "NotOwned", "It is not ours.")
    assert {each.status for each in rest} == {"True"}


def test_a_service_that_has_not_looked_yet_is_not_known() -> None:
    child = service((ONE, 100, True), latest=ONE)
    child["metadata"]["generation"] = 2
    found = component_conditions("predictor", child, None)
    assert {(each.status, each.reason) for each in found} == {("Unknown", "OutOfDate")}
    child["metadata"]["generation"] = 1
    found = component_conditions("predictor", child, None, is_behind=True)
    assert {(each.status, each.reason) for each in found} == {("Unknown", "OutOfDate")}


@pytest.mark.parametrize(
    ("predictor", "transformer", "wanted"),
    [
        ("True", "True", ("True", "")),
        ("True", "False", ("False", "Transformer ingress not created")),
        ("Unknown", "False", ("Unknown", "Predictor ingress not created")),
        ("False", "True", ("False", "Predictor ingress not created")),
    ],
)
def test_the_ingress_waits_for_every_component(
    predictor: str, transformer: str, wanted: tuple[str, str]
) -> None:
    found = [
        *component_conditions("predictor", service(ready=predictor), None),
        *component_conditions("transformer", service(ready=transformer), None),
    ]
    assert by_type(summed_up(["predictor", "transformer"], found))["IngressReady"] == wanted


def test_what_holds_for_all_is_summed_up() -> None:
    found = [
        *component_conditions("predictor", service(), None),
        *component_conditions("explainer", service(configured="False"), None),
    ]
    summed = summed_up(["predictor", "explainer"], found)
    assert by_type(summed)["RoutesReady"] == ("True", "")
    reason = "ExplainerConfigurationReady not ready"
    assert by_type(summed)["LatestDeploymentReady"] == ("False", reason)
    assert by_type(summed)["Stopped"] == ("False", "")
    gating = {each.type for each in summed if not each.severity}
    assert gating == {"PredictorReady", "IngressReady"}


def test_stopped() -> None:
    assert by_type(stopped(["predictor", "transformer"])) == {
        "PredictorReady": ("False", "Stopped"),
        "TransformerReady": ("False", "Stopped"),
        "IngressReady": ("False", "Stopped"),
        "Stopped": ("True", ""),
    }
