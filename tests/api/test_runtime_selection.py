"""Which runtime a model gets: KServe's rules, one by one."""

from typing import Any

import pytest

from api.inference_components import Model
from api.objects import ObjectMeta
from api.runtime_selection import NoRuntime, select
from api.runtimes import ModelFormat, Runtime


def runtime(
    name: str,
    *formats: tuple[Any, ...],
    cluster: bool = False,
    created: str = "2027-01-15T08:00:00Z",
    **fields: Any,
) -> Runtime:
    found = [
        ModelFormat(name=each[0], version=each[1], is_auto_selected=each[2], priority=each[3])
        for each in formats
    ]
    return Runtime(
        metadata=ObjectMeta(name=name, creation_timestamp=created),
        is_of_cluster=cluster,
        formats=tuple(found),
        **fields,
    )


TOY = ("toy", "1", True, None)


def chosen(model: Model, *runtimes: Runtime) -> str:
    found = select(model, runtimes)
    return found.reason if isinstance(found, NoRuntime) else found.metadata.name


def test_one_of_the_namespace_comes_before_those_of_the_cluster() -> None:
    ours = runtime("b", TOY)
    theirs = runtime("a", ("toy", "1", True, 9), cluster=True)
    assert chosen(Model(format="toy"), theirs, ours) == "b"


def test_the_higher_priority_then_the_protocol_then_the_newest_then_the_name() -> None:
    low = runtime("low", ("toy", "1", True, 1))
    high = runtime("high", ("toy", "1", True, 2))
    none = runtime("none", TOY, created="2027-01-16T08:00:00Z")
    assert chosen(Model(format="toy"), low, high, none) == "high"
    v2 = runtime("v2", TOY, protocols=("v2",))
    v1 = runtime("v1", TOY, protocols=("v2", "v1"))
    assert chosen(Model(format="toy"), v2, v1) == "v1"
    old, new = runtime("old", TOY), runtime("new", TOY, created="2027-01-16T08:00:00Z")
    assert chosen(Model(format="toy"), old, new) == "new"
    assert chosen(Model(format="toy"), runtime("y", TOY), runtime("x", TOY)) == "x"


def test_only_those_that_offer_themselves_are_chosen() -> None:
    shy = runtime("shy", ("toy", "1", False, None))
    assert chosen(Model(format="toy"), shy) == "NoSupportingRuntime"
    assert chosen(Model(format="toy", runtime="shy"), shy) == "shy"


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        (Model(format="toy"), "x"),
        (Model(format="toy", format_version="1"), "x"),
        (Model(format="toy", format_version="2"), "NoSupportingRuntime"),
        (Model(format="lego"), "NoSupportingRuntime"),
        (Model(format="toy", protocol="v2"), "NoSupportingRuntime"),
        (Model(format="toy", runtime="y"), "RuntimeNotRecognized"),
        (Model(format="lego", runtime="x"), "NoSupportingRuntime"),
        (Model(format="toy", runtime="x", protocol="v2"), "NoSupportingRuntime"),
        (Model(format="toy", runtime="off"), "RuntimeDisabled"),
    ],
)
def test_reasons(model: Model, wanted: str) -> None:
    off = runtime("off", TOY, is_disabled=True)
    assert chosen(model, runtime("x", TOY, protocols=("v1",)), off) == wanted


@pytest.mark.parametrize(
    ("model", "message", "sentence"),
    [
        (
            Model(format="lego", format_version="3"),
            "No runtime found to support specified framework/version",
            "no runtime found to support predictor with model type: lego version 3, protocol v1",
        ),
        (
            Model(format="toy", runtime="y"),
            "Waiting for runtime to become available",
            "No ServingRuntimes or ClusterServingRuntimes with the name: y",
        ),
        (
            Model(format="lego", runtime="x"),
            "Specified runtime does not support specified framework/version",
            "specified runtime x does not support specified framework/version",
        ),
        (
            Model(format="toy", runtime="x", protocol="v2"),
            "Specified runtime does not support specified protocol version",
            "specified runtime x does not support specified protocol version",
        ),
        (
            Model(format="toy", runtime="off"),
            "Specified runtime is disabled",
            "specified runtime off is disabled",
        ),
    ],
)
def test_messages(model: Model, message: str, sentence: str) -> None:
    off = runtime("off", TOY, is_disabled=True)
    found = select(model, [runtime("x", TOY, protocols=("v1",)), off])
    assert isinstance(found, NoRuntime)
    assert (found.message, found.sentence) == (message, sentence)


def test_a_name_in_the_namespace_hides_one_of_the_cluster() -> None:
    both = [runtime("x", TOY, cluster=True), runtime("x", TOY, is_disabled=True)]
    assert chosen(Model(format="toy", runtime="x"), *both) == "RuntimeDisabled"
