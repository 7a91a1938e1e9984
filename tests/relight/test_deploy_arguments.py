from pathlib import Path

import pytest

from relight.__main__ import build_parser
from relight.containers import Run
from relight.deploy_arguments import wanted
from relight.errors import UsageError
from relight.manifests import Wanted


def typed(folder: Path, *words: str) -> Wanted:
    return wanted(build_parser().parse_args(["deploy", "iris", *words]), folder)


def test_nothing_but_a_name_asks_for_nothing() -> None:
    assert typed(Path("/"), "-n", "lab") == Wanted(name="iris", namespace="lab")


def test_every_flag_arrives(model: Path) -> None:
    words = [
        "--model",
        "model.onnx",
        "--concurrency",
        "4",
        "--timeout",
        "30",
        "--min-scale",
        "1",
        "--max-scale",
        "3",
        "--initial-scale",
        "2",
        "--target",
        "2.5",
        "--window",
        "60s",
        "--class",
        "kpa",
        "--env",
        "A=1",
        "--env",
        "B=x=y",
        "--env",
        "C-",
        "--arg=--x",
        "--providers",
        "CPUExecutionProvider",
        "--threads",
        "2",
        "--model-name",
        "m",
        "--signature-name",
        "rank",
        "--revision-name",
        "v2",
        "--canary",
        "20",
        "--tag",
        "new",
    ]
    found = typed(model.parent, *words)
    prefix = "autoscaling.knative.dev/"
    assert found == Wanted(
        name="iris",
        run=Run(
            model=str(model),
            args=("--x",),
            env={"A": "1", "B": "x=y", "C": None},
            model_name="m",
            signature_name="rank",
            providers="CPUExecutionProvider",
            threads=2,
        ),
        concurrency=4,
        timeout_s=30,
        annotations={
            prefix + "min-scale": "1",
            prefix + "max-scale": "3",
            prefix + "initial-scale": "2",
            prefix + "target": "2.5",
            prefix + "window": "60s",
            prefix + "class": "kpa.autoscaling.knative.dev",
        },
        source_digest=found.source_digest,
        revision_name="v2",
        canary_percent=20,
        tag="new",
    )
    assert found.source_digest is not None


def test_a_command_takes_the_rest_of_the_line() -> None:
    found = typed(Path("/"), "--image", "me/app", "--command", "python", "-m", "app", "--port", "1")
    assert found.run == Run(image="me/app", command=("python", "-m", "app", "--port", "1"))


def test_a_python_model(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("")
    assert typed(tmp_path, "--python", "m.py:M").run.python == f"{tmp_path}/m.py:M"


def test_a_repository_is_a_folder_made_absolute(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    found = typed(tmp_path, "--repository", "./models", "--arg=--models-max=2")
    assert found.run == Run(repository=f"{tmp_path}/models", args=("--models-max=2",))
    assert found.source_digest is None, "what it holds may change"
    with pytest.raises(UsageError, match=r"--repository: .*/no does not exist"):
        typed(tmp_path, "--repository", "no")
    assert typed(tmp_path, "--repository", "no", "--no-check").run.repository == f"{tmp_path}/no"


def test_a_class_may_be_written_out() -> None:
    found = typed(Path("/"), "--class", "mine.example.com")
    assert found.annotations == {"autoscaling.knative.dev/class": "mine.example.com"}


@pytest.mark.parametrize("text", ["A", "=1", "-"])
def test_a_variable_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected NAME=VALUE, or NAME- to remove it"):
        typed(Path("/"), f"--env={text}")


@pytest.mark.parametrize("percent", ["-1", "101"])
def test_a_canary_out_of_bounds(percent: str) -> None:
    with pytest.raises(UsageError, match="a share is between 0 and 100"):
        typed(Path("/"), f"--canary={percent}")


@pytest.mark.parametrize("second", ["--image", "--python", "--repository"])
def test_two_sources_are_one_too_many(second: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        typed(Path("/"), "--model", "a", second, "b")
    assert caught.value.code == 2
    told = f"argument {second}: not allowed with argument --model"
    assert told in capsys.readouterr().err


def test_a_model_that_lies_elsewhere_may_be_asked_for_again(tmp_path: Path) -> None:
    words = ("--model", "https://h/m.onnx")
    assert typed(tmp_path, *words).source_digest is None
    first, second = (typed(tmp_path, *words, "--refetch").source_digest for _ in range(2))
    assert first is not None
    assert first.startswith("refetched:")
    assert first != second
    for wrong in ((), ("--model", "m.onnx", "--no-check")):
        with pytest.raises(UsageError, match="--refetch: give --model with the URI"):
            typed(tmp_path, *wrong, "--refetch")
