from typing import Any

import pytest

from relight import outcome

URL = "http://iris.default.localhost:8080"


def service(container: dict[str, Any], traffic: dict[str, int]) -> dict[str, Any]:
    return {
        "metadata": {"name": "iris"},
        "spec": {"template": {"spec": {"containers": [container]}}},
        "status": {
            "url": URL,
            "latestReadyRevisionName": "iris-00002",
            "traffic": [{"revisionName": n, "percent": p} for n, p in traffic.items()],
        },
    }


MODEL = {"image": "relight/predictor:1", "args": ["--model", "/a", "--model-name", "flowers"]}


def test_beside_a_sidecar_the_serving_container_is_told_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    raw = service({"image": "side"}, {"iris-00002": 100})
    main = {**MODEL, "ports": [{"containerPort": 8080}]}
    raw["spec"]["template"]["spec"]["containers"].append(main)
    outcome.tell(raw, is_ready=True)
    assert "/v2/models/flowers/infer" in capsys.readouterr().err


def test_only_the_url_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    outcome.tell(service(MODEL, {"iris-00002": 100}), is_ready=True)
    out, err = capsys.readouterr()
    assert out == URL + "\n"
    assert err == (
        "Revision iris-00002 is ready and has 100 % of the traffic.\n"
        "Call it:\n"
        "  relight invoke iris --data @request.json\n"
        f"  curl -H content-type:application/json -d @request.json {URL}/v2/models/flowers/infer\n"
    )


def test_a_revision_without_all_the_traffic_says_who_has_it() -> None:
    told = outcome.summary(service(MODEL, {"iris-00001": 100}))
    assert told == (
        "Revision iris-00002 is ready and has 0 % of the traffic (iris-00001 100 %); "
        "'relight traffic iris --promote' gives it all."
    )


def test_a_program_is_called_as_it_is() -> None:
    told = outcome.advice(service({"image": "me/app"}, {}), URL)
    assert told == f"Call it:\n  curl {URL}"


def test_before_there_is_a_url(capsys: pytest.CaptureFixture[str]) -> None:
    stored = service(MODEL, {})
    del stored["status"]
    outcome.tell(stored, is_ready=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "Service iris is stored; see 'relight get services iris -w'\n"


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ({"metadata": {"annotations": {"relight.dev/model-name": "a"}}, "spec": {}}, "a"),
        ({"spec": {"containers": [MODEL]}}, "flowers"),
        ({"spec": {"containers": [{"image": "relight/predictor"}]}}, "iris"),
    ],
)
def test_the_name_in_paths(template: dict[str, Any], name: str) -> None:
    assert outcome.model_name(template, "iris") == name
