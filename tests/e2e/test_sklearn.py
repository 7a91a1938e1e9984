"""scikit-learn models from folders, through the whole platform."""

import json
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

from examples.running import Platform, send, wait_until
from tests.e2e.conftest import ROOT, SERVICES, at_zero, condition, create, service

pytestmark = pytest.mark.e2e

datasets = pytest.importorskip("sklearn.datasets", reason="pip install 'relight[sklearn]'")
skops = pytest.importorskip("skops.io", reason="pip install 'relight[sklearn]'")

KSERVE = ROOT.parent / "shared/data/kserve"
INSTANCES = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as Triton lays it out: a model under its version."""
    from sklearn.svm import SVC

    folder = tmp_path_factory.mktemp("iris")
    rows, classes = datasets.load_iris(return_X_y=True)
    (folder / "1").mkdir()
    skops.dump(SVC().fit(rows, classes), folder / "1/model.skops")
    return folder


def test_iris_from_a_folder_in_both_protocols_and_from_zero(platform: Platform, iris: Path) -> None:
    host = create(platform, service("iris", "--model", str(iris)))
    for _ in range(2):
        v1 = platform.request(host, "/v1/models/iris:predict", {"instances": INSTANCES})
        assert v1.json() == {"predictions": [1, 1]}, v1.body
        assert v1.headers["relight-model-digest"].startswith("sha256:")
        tensor = {"name": "input-0", "shape": [2, 4], "datatype": "FP32", "data": INSTANCES}
        v2 = platform.request(host, "/v2/models/iris/infer", {"inputs": [tensor]})
        assert v2.json()["outputs"] == [
            {"name": "output-0", "shape": [2], "datatype": "INT64", "data": [1, 1]}
        ]
        at_zero(platform, "iris")
    metadata = platform.request(host, "/v2/models/iris").json()
    assert metadata["platform"] == "sklearn"
    assert metadata["inputs"] == [{"name": "input-0", "datatype": "FP64", "shape": [-1, 4]}]
    assert metadata["parameters"] == {"classes": [0, 1, 2]}


def test_kserves_own_model_with_consent(platform: Platform) -> None:
    if not (KSERVE / "sklearn").is_dir():
        pytest.skip(f"{KSERVE} is not here")
    made = service("kiris", "--model_dir", str(KSERVE / "sklearn"), "--trust-pickle")
    host = create(platform, made)
    body = json.loads((KSERVE / "requests/iris_input.json").read_text())
    answer = platform.request(host, "/v1/models/kiris:predict", body)
    assert answer.json() == {"predictions": [1, 1]}


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_without_consent_is_not_run_and_the_service_says_why(
    platform: Platform, tmp_path: Path
) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Payload(tmp_path / "proof")))
    made = service("pickled", "--model", str(tmp_path))
    assert send(platform.api, "localhost", SERVICES, made).status == 201
    wait_until(
        lambda: condition(platform, "pickled")["status"] == "False", 60, "the Service to fail"
    )
    assert "say so with --trust-pickle" in condition(platform, "pickled")["message"]
    assert not (tmp_path / "proof").exists()


def test_a_folder_with_two_models_is_refused_by_name(platform: Platform, tmp_path: Path) -> None:
    for name in ("a.onnx", "b.skops"):
        (tmp_path / name).write_bytes(b"x")
    made = service("twofold", "--model", str(tmp_path))
    assert send(platform.api, "localhost", SERVICES, made).status == 201
    wait_until(
        lambda: condition(platform, "twofold")["status"] == "False", 60, "the Service to fail"
    )
    assert "2 model files (a.onnx, b.skops)" in condition(platform, "twofold")["message"]


def test_batches_answer_each_with_its_own(platform: Platform, iris: Path) -> None:
    batching = ("--max-batch-size", "8", "--max-batch-delay-ms", "20")
    host = create(platform, service("batched", "--model", str(iris), *batching))
    rows, classes = datasets.load_iris(return_X_y=True)
    wrong: list[Any] = []

    def ask(start: int) -> None:
        for number in range(start, 150, 15):
            body = {"instances": [rows[number].tolist()] * (1 + number % 3)}
            answer = platform.request(host, "/v1/models/batched:predict", body)
            batch = answer.headers.get("server-timing", "")
            if answer.status != 200 or len(answer.json()["predictions"]) != 1 + number % 3:
                wrong.append((number, answer.status, answer.body))
            elif len(set(answer.json()["predictions"])) != 1 or "batch;desc=" not in batch:
                wrong.append((number, answer.json(), batch))
            elif answer.json()["predictions"][0] != classes[number]:
                misses.append(number)

    misses: list[int] = []
    threads = [threading.Thread(target=ask, args=(start,)) for start in range(15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(misses) < 10, "an SVC on iris is right for 97 of 100"
