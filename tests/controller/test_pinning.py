from typing import Any

import pytest

from controller.pinning import (
    ModelFile,
    Problem,
    fetched_model,
    model_file,
    needs_digest,
    pinned_digest,
    serving_container,
)
from tests.controller.objects import a_revision


def container(*args: str, **more: Any) -> dict[str, Any]:
    return {"name": "c", "image": "relight/predictor", "args": list(args), **more}


@pytest.mark.parametrize(
    ("args", "path"),
    [
        (["--model", "m.onnx"], "m.onnx"),
        (["--model=m.onnx"], "m.onnx"),
        (["--model", "/abs/m.onnx", "--threads", "2"], "/abs/m.onnx"),
        (["--model", "file:///abs/a%20b.onnx"], "/abs/a b.onnx"),
        (["--model", "file://localhost/abs/m.onnx"], "/abs/m.onnx"),
        (["--model", "old.onnx", "--model", "new.onnx"], "new.onnx"),
        (["--model_name", "m", "--model_dir", "/mnt/models"], "/mnt/models"),
        (["--python", "code/model.py:Model"], "code/model.py"),
        (["--python", "model.py"], "model.py"),
    ],
)
def test_which_file_it_is(args: list[str], path: str) -> None:
    is_code = "--python" in args
    assert model_file(container(*args)) == ModelFile(path=path, is_code=is_code)


@pytest.mark.parametrize("flag", [["--transformer", "t.py:Towns"], ["--transformer=t.py:Towns"]])
def test_the_code_around_a_model_is_pinned_with_it(flag: list[str]) -> None:
    found = model_file(container("--model", "m.onnx", *flag))
    assert found == ModelFile(path="m.onnx", transformer="t.py")
    found = model_file(container("--model", "file:///m.onnx", *flag))
    assert found == ModelFile(path="/m.onnx", transformer="t.py")
    found = model_file(container("--python", "m.py:Mine", *flag))
    assert found == ModelFile(path="m.py", is_code=True, transformer="t.py")
    fetched = container("--model", "s3://bucket/m.onnx", *flag)
    assert fetched_model(fetched) == ""
    refused = model_file(fetched)
    assert isinstance(refused, Problem)
    assert "use a local model, or a transformer component" in refused.message


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ([], "ModelMissing"),
        (["--model"], "ModelMissing"),
        (["--model="], "ModelMissing"),
        (["--model", "s3://bucket/m.onnx"], "ModelUnsupported"),
        (["--model", "file://elsewhere/m.onnx"], "ModelUnsupported"),
    ],
)
def test_no_file_is_a_problem(args: list[str], reason: str) -> None:
    found = model_file(container(*args))
    assert isinstance(found, Problem)
    assert found.reason == reason


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (container(), True),
        (container("--repository", "models"), False),
        (container(image="registry.example.com/relight/predictor:v1@sha256:ab"), True),
        (container(image="notrelight/predictor"), False),
        (container(command=["/bin/mine"]), False),
    ],
)
def test_who_needs_a_digest(container: dict[str, Any], expected: bool) -> None:
    revision = a_revision(spec={"containers": [container]})
    assert needs_digest(revision) is expected
    revision["metadata"]["annotations"] = {"relight.dev/model-digest": "sha256:ab"}
    assert not needs_digest(revision)
    assert pinned_digest(revision) == "sha256:ab"


def test_of_several_containers_the_one_with_a_port_serves() -> None:
    side, main = {"name": "side"}, {"name": "main", "ports": [{"containerPort": 1}]}
    assert serving_container({"spec": {"containers": [side, main]}}) == main
    assert serving_container({"spec": {"containers": [side]}}) == side


def test_which_model_is_fetched() -> None:
    assert fetched_model({"args": ["--model", "s3://b/m"]}) == "s3://b/m"
    assert fetched_model({"args": ["--model_dir=hf://a/b"]}) == "hf://a/b"
    for args in (["--model", "m.onnx"], ["--model", "hdfs://h/m"], ["--python", "s3://x:C"], []):
        assert fetched_model({"args": args}) == ""
