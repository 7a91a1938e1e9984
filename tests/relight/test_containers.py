import pytest

from relight import containers
from relight.containers import Run
from relight.errors import UsageError

OLD = {
    "name": "user-container",
    "image": "relight/predictor",
    "args": ["--model", "/a.onnx", "--threads=2", "--max-body-bytes", "1024"],
    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "readinessProbe": {"tcpSocket": {"port": 0}},
}


def test_a_model_from_nothing() -> None:
    container = containers.build(Run(model="/a.onnx", threads=2, model_name="iris"), None)
    assert container == {
        "image": "relight/predictor",
        "args": ["--model", "/a.onnx", "--model-name", "iris", "--threads", "2"],
    }


def test_a_new_model_keeps_what_is_not_named() -> None:
    container = containers.build(Run(model="/b.onnx"), OLD)
    assert container == {
        **OLD,
        "args": ["--model", "/b.onnx", "--threads", "2", "--max-body-bytes", "1024"],
    }


def test_python_takes_the_place_of_a_model() -> None:
    container = containers.build(Run(python="/m.py:Model"), OLD)
    assert container["args"][:2] == ["--python", "/m.py:Model"]
    assert "--model" not in container["args"]


def test_arguments_given_replace_the_extra_ones() -> None:
    container = containers.build(Run(args=("--x",)), OLD)
    assert container["args"] == ["--model", "/a.onnx", "--threads", "2", "--x"]


def test_another_image_takes_nothing_of_the_predictor_but_its_variables() -> None:
    container = containers.build(Run(image="me/app:1", command=("run", "--fast")), OLD)
    assert container == {
        "name": "user-container",
        "image": "me/app:1",
        "command": ["run", "--fast"],
        "env": OLD["env"],
    }


def test_back_to_a_model_drops_the_command() -> None:
    program = {"image": "me/app:1", "command": ["run"], "args": ["-v"]}
    container = containers.build(Run(model="/a.onnx"), program)
    assert container == {"image": "relight/predictor", "args": ["--model", "/a.onnx"]}


def test_a_program_keeps_its_image_when_only_the_command_changes() -> None:
    program = {"image": "me/app:1", "command": ["run"], "args": ["-v"]}
    container = containers.build(Run(command=("go",), args=()), program)
    assert container == {"image": "me/app:1", "command": ["go"], "args": []}


def test_predictor_options_on_another_image_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="--providers, --threads: only for Relight's own"):
        containers.build(Run(image="me/app", threads=1, providers="CPUExecutionProvider"), None)


def test_variables_are_set_and_removed() -> None:
    container = containers.build(Run(env={"A": None, "B": "3", "C": ""}), OLD)
    assert container["env"] == [{"name": "B", "value": "3"}, {"name": "C", "value": ""}]
    assert "env" not in containers.build(Run(env={"A": None, "B": None}), OLD)


def test_what_is_served() -> None:
    assert containers.model_source(OLD) == "/a.onnx"
    assert containers.model_source({"image": "me/app", "args": ["-v"]}) == "me/app"
    assert containers.model_source({}) == ""


def test_the_old_container_is_not_touched() -> None:
    before = repr(OLD)
    containers.build(Run(model="/b.onnx", env={"A": "9"}, args=("--x",)), OLD)
    assert repr(OLD) == before


def test_code_around_a_model_is_kept_when_the_model_changes() -> None:
    run = Run(model="/a.onnx", transformer="/t.py:Towns")
    container = containers.build(run, None)
    assert container["args"] == ["--model", "/a.onnx", "--transformer", "/t.py:Towns"]
    changed = containers.build(Run(model="/b.onnx"), container)
    assert changed["args"] == ["--model", "/b.onnx", "--transformer", "/t.py:Towns"]


def test_consent_to_a_pickle_is_written_once_and_stays() -> None:
    container = containers.build(Run(model="/a.joblib", trust_pickle=True), None)
    assert container["args"] == ["--model", "/a.joblib", "--trust-pickle"]
    again = containers.build(Run(model="/b.joblib", trust_pickle=True), container)
    assert again["args"] == ["--model", "/b.joblib", "--trust-pickle"]
    assert containers.build(Run(threads=2), again)["args"][-1] == "--trust-pickle"
    assert containers.build(Run(model="/c.joblib"), again)["args"] == ["--model", "/c.joblib"]
    with pytest.raises(UsageError, match="--trust-pickle: only for Relight's own predictor"):
        containers.build(Run(image="example/other", trust_pickle=True), None)


def test_a_signature_is_chosen_of_a_model_and_goes_with_it() -> None:
    chosen = containers.build(Run(model="/a.tflite", signature_name="rank"), None)
    assert chosen["args"] == ["--model", "/a.tflite", "--signature-name", "rank"]
    newer = containers.build(Run(model="/b.tflite"), chosen)
    assert newer["args"] == ["--model", "/b.tflite", "--signature-name", "rank"]
    assert containers.build(Run(signature_name=""), newer)["args"][-2:] == ["--signature-name", ""]
    assert containers.build(Run(python="/a.py:A"), chosen)["args"] == ["--python", "/a.py:A"]
    assert containers.build(Run(repository="/m"), chosen)["args"] == ["--repository", "/m"]
    with pytest.raises(UsageError, match="--signature-name: it is one model's"):
        containers.build(Run(repository="/m", signature_name="rank"), None)


def test_a_repository_takes_the_place_of_a_model_and_of_what_is_said_of_one() -> None:
    one = containers.build(Run(model="/a.onnx", transformer="/t.py:T", model_name="m"), OLD)
    many = containers.build(Run(repository="/models", args=("--models-max", "3")), one)
    args = ["--repository", "/models", "--threads", "2", "--models-max", "3"]
    assert many["args"] == args
    assert containers.has_repository(many)
    assert containers.model_source(many) == "/models"
    assert containers.build(Run(threads=4), many)["args"][3] == "4"
    back = containers.build(Run(model="/b.onnx"), many)
    assert back["args"] == ["--model", "/b.onnx", "--threads", "2"], "no bounds of a repository's"
    assert not containers.has_repository(back)
    typed = {"image": "relight/predictor", "args": ["--repository=/x", "--models-max=1"]}
    assert containers.build(Run(model="/b.onnx"), typed)["args"] == ["--model", "/b.onnx"]
    assert not containers.has_repository({"image": "me/app", "args": ["--repository", "/x"]})


def test_what_is_said_of_one_model_is_refused_of_a_repository_by_name() -> None:
    many = containers.build(Run(repository="/models"), None)
    for run in (Run(transformer="/t.py:T"), Run(repository="/r", transformer="/t.py:T")):
        with pytest.raises(UsageError, match=r"--transformer: it is around one .*--repository /"):
            containers.build(run, many)
    with pytest.raises(UsageError, match=r"--model-name: the models .* are named by their folders"):
        containers.build(Run(model_name="m"), many)
    with pytest.raises(UsageError, match="--threads: only for Relight's own"):
        containers.build(Run(image="me/app", threads=2), many)


def test_consent_is_to_one_repository() -> None:
    trusted = containers.build(Run(repository="/a", trust_pickle=True), None)
    assert trusted["args"] == ["--repository", "/a", "--trust-pickle"]
    assert containers.build(Run(repository="/b"), trusted)["args"] == ["--repository", "/b"]


def test_kserves_spellings_are_the_same_arguments() -> None:
    said = {"image": "relight/predictor", "args": ["--model_dir", "/a", "--nthread=2"]}
    assert containers.model_source(said) == "/a"
    changed = containers.build(Run(model="/b.onnx", threads=4), said)
    assert changed["args"] == ["--model", "/b.onnx", "--threads", "4"]
