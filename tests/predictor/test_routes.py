"""Which paths are served, and what is said of the others."""

import pytest

from predictor import routes
from predictor.errors import RequestError
from predictor.routes import Answer

TABLE = routes.table("m", "m-00001")


def find(path: bytes) -> Answer:
    route = TABLE.get(path)
    if route is None:
        route = routes.find(TABLE, path, model_name="m", revision="m-00001")
    return route.answer


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (b"/", Answer.ALIVE),
        (b"/healthz", Answer.READY),
        (b"/relight/stats", Answer.STATS),
        (b"/v1/models", Answer.MODELS),
        (b"/v1/models/m", Answer.MODEL_V1),
        (b"/v1/models/m:predict", Answer.PREDICT),
        (b"/v1/models/m%3Apredict", Answer.PREDICT),
        (b"/v2", Answer.SERVER),
        (b"/v2/", Answer.SERVER),
        (b"/v2/health/live", Answer.LIVE),
        (b"/v2/health/ready", Answer.READY),
        (b"/v2/models", Answer.MODELS),
        (b"/v2/models/m", Answer.METADATA),
        (b"/v2/models/m/ready", Answer.MODEL_READY),
        (b"/v2/models/m/infer", Answer.INFER),
        (b"/v2/models/m/versions/m-00001", Answer.METADATA),
        (b"/v2/models/m/versions/m-00001/ready", Answer.MODEL_READY),
        (b"/v2/models/m/versions/m-00001/infer", Answer.INFER),
    ],
)
def test_served_paths(path: bytes, answer: Answer) -> None:
    assert find(path) is answer


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (b"/nothing", "nothing is served at /nothing"),
        (b"/v2/models/other/infer", "Model with name other does not exist."),
        (b"/v1/models/other:predict", "Model with name other does not exist."),
        (b"/v1/models/m:regress", "nothing is served at /v1/models/m:regress"),
        (b"/v2/models/m/versions/1/infer", "Model m has no version '1' here; this replica serves"),
        (b"/v2/models/m/versions", "Model m has no version '' here"),
        (b"/v2/models/m/generate", "nothing is served at /v2/models/m/generate"),
        (b"/%ff", "nothing is served at /\ufffd"),
    ],
)
def test_other_paths(path: bytes, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        find(path)
    assert caught.value.status == 404
    assert said in str(caught.value)


def test_without_a_revision_there_are_no_versions() -> None:
    table = routes.table("m", "")
    assert not [path for path in table if b"versions" in path]
    with pytest.raises(RequestError, match="has no version '1'"):
        routes.find(table, b"/v2/models/m/versions/1", model_name="m", revision="")


def test_methods() -> None:
    infer, ready = TABLE[b"/v2/models/m/infer"], TABLE[b"/v2/health/ready"]
    routes.check_method(infer, b"POST", b"/p")
    routes.check_method(ready, b"HEAD", b"/p")
    for route, method in ((infer, b"GET"), (infer, b"HEAD"), (ready, b"POST")):
        with pytest.raises(RequestError, match="/p takes") as caught:
            routes.check_method(route, method, b"/p")
        assert caught.value.status == 405
