"""The methods that run nothing, message by message."""

from typing import Any

import pytest

from predictor.errors import Fault, RequestError
from predictor.grpc_answers import HEALTH, INFERENCE, NOT_SERVING, SERVING, Answers
from predictor.grpc_messages import message
from predictor.loaded import Loaded
from predictor.model import Signature, TensorSpec

SPEC = TensorSpec(name="x", datatype="FP32", shape=(-1, 2))
LOADED = Loaded(
    run=lambda feeds, _: feeds,
    signature=None,
    described=Signature(inputs=[SPEC], outputs=[]),
    platform="p",
)


@pytest.fixture
def answers() -> Answers:
    return Answers(LOADED, name="m", revision="m-1", version="9")


def ask(answers: Answers, method: str, **fields: Any) -> Any:
    request = message(f"inference.{method}Request")(**fields)
    data = answers.answer(f"/{INFERENCE}/{method}", request.SerializeToString())
    return message(f"inference.{method}Response").FromString(data)


def refused(answers: Answers, method: str, **fields: Any) -> Fault:
    with pytest.raises(RequestError) as caught:
        ask(answers, method, **fields)
    return caught.value.fault


def test_metadata(answers: Answers) -> None:
    server = ask(answers, "ServerMetadata")
    assert list(server.extensions) == ["binary_tensor_data", "model_repository"]
    assert (server.name, server.version) == ("relight", "9")
    found = ask(answers, "ModelMetadata", name="m", version="m-1")
    assert (found.name, found.platform, list(found.versions)) == ("m", "p", ["m-1"])
    (tensor,) = found.inputs
    assert (tensor.name, tensor.datatype, list(tensor.shape)) == ("x", "FP32", [-1, 2])
    nameless = Answers(LOADED, name="m", revision="", version="9")
    assert not ask(nameless, "ModelMetadata", name="m").versions


def test_a_draining_replica_is_not_ready(answers: Answers) -> None:
    for is_draining in (False, True):
        answers.is_draining = is_draining
        assert ask(answers, "ServerLive").live
        assert ask(answers, "ServerReady").ready is not is_draining
        assert ask(answers, "ModelReady", name="m").ready is not is_draining
        assert answers.health("").status == (NOT_SERVING if is_draining else SERVING)
        (one,) = ask(answers, "RepositoryIndex").models
        assert (one.name, one.version) == ("m", "m-1")
        assert one.state == ("UNAVAILABLE" if is_draining else "READY")
        assert bool(ask(answers, "RepositoryIndex", ready=True).models) is not is_draining


@pytest.mark.parametrize("field", ["model_name", "repository_name"])
def test_the_repository_has_one_model(answers: Answers, field: str) -> None:
    """KServe's `model_name` stands where Triton has `repository_name`."""
    assert ask(answers, "RepositoryModelLoad", **{field: "m"}).isLoaded
    assert refused(answers, "RepositoryModelLoad", **{field: "n"}) is Fault.NO_MODEL
    assert refused(answers, "RepositoryModelUnload", **{field: "m"}) is Fault.UNSERVED


def test_what_is_refused(answers: Answers) -> None:
    assert refused(answers, "ModelReady", name="n") is Fault.NO_MODEL
    assert refused(answers, "ModelMetadata", name="m", version="2") is Fault.NO_VERSION
    parameters = {"config": {"string_param": "{}"}}
    assert (
        refused(answers, "RepositoryModelLoad", model_name="m", parameters=parameters)
        is Fault.UNSERVED
    )
    for path, fault in (
        (f"/{INFERENCE}/ModelReady", Fault.NOT_MESSAGE),
        (f"/{HEALTH}/Check", Fault.NOT_MESSAGE),
    ):
        with pytest.raises(RequestError) as caught:
            answers.answer(path, b"\x0a\x7f")
        assert caught.value.fault is fault
