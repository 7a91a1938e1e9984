from typing import Any

import pytest

from api import pool
from controller.pinning import ModelFile
from controller.predictor_pods import (
    CACHE_PATH,
    PredictorPods,
    fitted,
    is_remote,
    model_of,
    resolved,
    step,
    with_cache,
)

OURS = PredictorPods(image="registry.example.com/relight/predictor:1", node_cache="/var/cache/r")
DIGEST = "sha256:" + "ab" * 32
URI = "s3://bucket/model"


def predictor(*args: str, image: str = "relight/predictor", **more: Any) -> dict[str, Any]:
    return {"name": "user-container", "image": image, "args": [*args], **more}


def spec(container: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"containers": [container], **more}


def env_of(container: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in container["env"]}


def test_an_image_without_a_tag_is_what_the_platform_says() -> None:
    own = predictor(image="example.com/team/relight/predictor:7")
    other = {"name": "side", "image": "example.com/other"}
    made = resolved({"containers": [predictor(), own, other]}, OURS)
    assert [each["image"] for each in made["containers"]] == [
        OURS.image,
        "example.com/team/relight/predictor:7",
        "example.com/other",
    ]
    assert made["containers"][0]["securityContext"]["runAsNonRoot"] is True
    assert "securityContext" not in made["containers"][1]  # what theirs can not do is theirs
    assert resolved(spec(predictor()), PredictorPods())["containers"][0]["image"] == (
        "relight/predictor"
    )


@pytest.mark.parametrize(
    ("above", "own", "kept"),
    [
        ({}, {"runAsUser": 0}, {"runAsUser": 0}),
        ({"runAsUser": 0}, {}, {}),
        ({"runAsNonRoot": False}, {}, {}),
        ({"runAsUser": 0}, {"runAsUser": 7}, {"runAsNonRoot": True, "runAsUser": 7}),
    ],
)
def test_what_users_say_of_rights_counts(
    above: dict[str, Any], own: dict[str, Any], kept: dict[str, Any]
) -> None:
    pod = spec(predictor(securityContext=own), securityContext=above)
    found = resolved(pod, OURS)["containers"][0]["securityContext"]
    assert {key: found[key] for key in found if key.startswith("runAs")} == kept
    assert found["capabilities"] == {"drop": ["ALL"]}


def test_a_cache_on_the_node_is_kept_apart_by_namespace_and_writer() -> None:
    def place(container: dict[str, Any], **pod: Any) -> str:
        made = with_cache(container, spec(container, **pod), "team", OURS)
        assert made.volumes[-1]["hostPath"] == {"path": "/var/cache/r", "type": "Directory"}
        assert env_of(made.container)["RELIGHT_CACHE"] == CACHE_PATH
        return str(made.container["volumeMounts"][-1]["subPath"])

    assert place(predictor()) == "team/relight"
    assert place(predictor(image=OURS.image)) == "team/relight"
    assert place(predictor(securityContext={"runAsUser": 7})) == "team/user-7"
    assert place(predictor(), securityContext={"runAsUser": 8}) == "team/user-8"
    one, other = (
        place(predictor(image="a/relight/predictor:1")),
        place(predictor(image="b/relight/predictor:1")),
    )
    assert one.startswith("team/image-")
    assert one != other
    assert one == place(predictor(image="a/relight/predictor:2"))


def test_without_one_each_pod_has_a_bounded_one_of_its_own() -> None:
    container = predictor()
    made = with_cache(container, spec(container), "team", PredictorPods(cache_limit="2Gi"))
    assert made.volumes == [{"name": "relight-cache", "emptyDir": {"sizeLimit": "2Gi"}}]
    taken = spec(container, volumes=[{"name": "relight-cache", "emptyDir": {}}])
    again = with_cache(container, taken, "team", PredictorPods())
    assert [each["name"] for each in again.volumes] == ["relight-cache", "relight-cache-1"]


@pytest.mark.parametrize(
    "container",
    [
        predictor("--cache-dir", "/mine"),
        predictor(env=[{"name": "RELIGHT_CACHE", "value": "/mine"}]),
    ],
)
def test_who_has_a_cache_keeps_it(container: dict[str, Any]) -> None:
    made = with_cache(container, spec(container), "team", OURS)
    assert made.container == container
    assert made.volumes == []


def test_a_replica_has_its_model_before_it_starts() -> None:
    container = predictor(
        "--model",
        URI,
        env=[{"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": {"secretKeyRef": {"name": "s"}}}],
        ports=[{"containerPort": 8080}],
        readinessProbe={"httpGet": {"path": "/"}},
        resources={"limits": {"nvidia.com/gpu": "1"}},
        volumeMounts=[{"name": "creds", "mountPath": "/creds"}],
        workingDir="/w",
    )
    own = {"name": "mine", "image": "example.com/prepare"}
    made = fitted(spec(container, initContainers=[own]), 0, DIGEST, "team", OURS)
    first, last = made["initContainers"]
    assert first == own
    assert last["args"] == [
        *("--model", URI, "--digest", DIGEST),
        *("--report", "/dev/termination-log", "--form", "text"),
    ]
    assert last["env"][0] == container["env"][0]
    assert {each["mountPath"] for each in last["volumeMounts"]} == {"/creds", CACHE_PATH}
    assert last["workingDir"] == "/w"
    assert "nvidia.com/gpu" not in last["resources"]["limits"]
    assert not {"ports", "readinessProbe"} & set(last)
    serving = made["containers"][0]
    assert env_of(serving)["RELIGHT_HOST"] == "0.0.0.0"
    assert env_of(serving)["RELIGHT_CACHE"] == CACHE_PATH
    assert serving["resources"] == container["resources"]
    assert container["env"] == [container["env"][0]]  # what was given is as it was


def test_a_warm_pod_does_without_our_step_and_no_other() -> None:
    made = fitted(spec(predictor("--model", URI)), 0, DIGEST, "team", OURS)
    assert made["initContainers"]
    assert pool.refusal(made) == ""
    own = {"name": "relight-model", "image": "busybox"}
    made = fitted(spec(predictor("--model", URI), initContainers=[own]), 0, DIGEST, "team", OURS)
    assert "init container 'relight-model'" in pool.refusal(made)


def test_what_is_not_pinned_needs_no_step() -> None:
    repository = predictor("--repository", "/models")
    made = fitted(spec(repository), 0, "", "team", OURS)
    assert "initContainers" not in made
    assert model_of(repository) is None
    assert model_of(predictor("--model", "hdfs://h/m")) is None  # refused elsewhere


def test_a_step_is_told_of_code_and_of_limits() -> None:
    code = predictor("--python", "m.py:Model", "--cache-dir=/c", "--fetched-bytes-max", "7")
    asked = model_of(code)
    assert asked == ModelFile(path="m.py", is_code=True)
    assert not is_remote(asked)
    assert step(code, asked, name="s")["args"][:6] == [
        *("--python", "m.py", "--cache", "/c", "--max-cache-bytes", "7")
    ]
    around = predictor("--model", "m.onnx", "--transformer", "t.py:T")
    asked = model_of(around)
    assert asked is not None
    assert step(around, asked, name="s")["args"][:4] == [
        *("--model", "m.onnx", "--transformer", "t.py")
    ]
