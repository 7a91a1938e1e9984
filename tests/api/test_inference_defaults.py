"""What is filled in: KServe's defaulting, case by case."""

from typing import Any

import pytest

from api.inference_defaults import defaulted_spec, frameworks_in
from api.inference_names import FRAMEWORKS


def predictor(raw: Any) -> Any:
    found = defaulted_spec({"predictor": raw})
    assert defaulted_spec(found) == found
    return found["predictor"]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_older_way_becomes_the_newer(name: str) -> None:
    found = predictor({name: {"storageUri": "a", "args": ["x"]}, "minReplicas": 2})
    protocol = {"protocolVersion": "v2"} if name in ("triton", "onnx", "huggingface") else {}
    model = {"modelFormat": {"name": name}, "storageUri": "a", "args": ["x"], **protocol}
    assert found == {"model": model, "minReplicas": 2}


def test_a_protocol_that_was_chosen_stays() -> None:
    assert predictor({"onnx": {"protocolVersion": "v1"}})["model"]["protocolVersion"] == "v1"


@pytest.mark.parametrize(
    ("name", "protocol"), [("triton", "v2"), ("vllm", "v2"), ("onnx", None), ("sklearn", None)]
)
def test_formats_that_only_speak_v2(name: str, protocol: str | None) -> None:
    found = predictor({"model": {"modelFormat": {"name": name}}})
    assert found["model"].get("protocolVersion") == protocol


def test_an_older_key_replaces_the_model_an_earlier_apply_left() -> None:
    found = predictor(
        {
            "model": {"modelFormat": {"name": "onnx"}, "storageUri": "a"},
            "sklearn": {"storageUri": "b"},
        }
    )
    assert found == {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "b"}}


def test_two_older_keys_are_left_to_be_refused() -> None:
    both = {"sklearn": {"storageUri": "a"}, "onnx": {"storageUri": "b"}}
    assert predictor(both) == both
    assert frameworks_in(both) == ["sklearn", "onnx"]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ([None], ["kserve-container"]),
        (["mine"], ["kserve-container"]),
        ([None, "side"], ["kserve-container", "side"]),
        (["side", "kserve-container"], ["side", "kserve-container"]),
    ],
)
def test_the_name_of_a_predictors_container(names: list[Any], wanted: list[str]) -> None:
    containers = [{"image": "x", **({"name": each} if each else {})} for each in names]
    found = predictor({"containers": containers})
    assert [each["name"] for each in found["containers"]] == wanted


def test_the_name_of_a_transformers_container_is_always_kserves() -> None:
    raw = {"transformer": {"containers": [{"name": "mine"}, {"name": "side"}]}}
    found = defaulted_spec(raw)["transformer"]["containers"]
    assert [each["name"] for each in found] == ["kserve-container", "side"]


@pytest.mark.parametrize(
    "raw", [{"predictor": 1}, {"predictor": {"model": 1}}, {}, {"transformer": []}]
)
def test_what_has_the_wrong_type_is_left(raw: Any) -> None:
    assert defaulted_spec(raw) == raw
