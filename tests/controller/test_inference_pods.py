"""What the Pods of components run."""

from typing import Any

import pytest

from api import kinds
from api.defaulting import defaulted
from api.inference import InferenceService
from api.runtime_builtin import built_in
from api.runtimes import Runtime
from controller.inference_pods import PodError, Surroundings, child_name, pod_of
from tests.controller.inferences import isvc, runtime

LAPTOP = Surroundings(domain="localhost", port=8080, model_root="/work")
CLUSTER = Surroundings(domain="example.com", port=None, model_root="")
OURS = next(each for each in built_in() if each["metadata"]["name"] == "relight-onnx")
NAME_ENV = {"name": "INFERENCE_SERVICE_NAME", "value": "iris"}


def parsed(raw: dict[str, Any]) -> InferenceService:
    return InferenceService.parse(defaulted(kinds.INFERENCESERVICES, raw))


def runtime_of(raw: dict[str, Any]) -> Runtime:
    resource = kinds.CLUSTERSERVINGRUNTIMES
    return Runtime.parse(
        raw, resource=resource if raw["kind"] == resource.kind else kinds.SERVINGRUNTIMES
    )


def pod(
    raw: dict[str, Any],
    runs: dict[str, Any] | None = None,
    *,
    kind: str = "predictor",
    around: Surroundings = LAPTOP,
) -> dict[str, Any]:
    service = parsed(raw)
    component = next(each for each in service.components() if each.kind == kind)
    return pod_of(service, component, runtime_of(runs) if runs else None, around)


def args(raw: dict[str, Any], runs: dict[str, Any] | None = None, **how: Any) -> list[str]:
    found: list[str] = pod(raw, runs, **how)["containers"][0].get("args", [])
    return found


def ours(*user: str, annotations: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    model = {"modelFormat": {"name": "onnx"}, "storageUri": "models/a.onnx", "args": list(user)}
    model |= fields.pop("model", {})
    return isvc(model=model, annotations=annotations, **fields)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (ours(), ["--model", "models/a.onnx", "--model-name", "iris"]),
        (
            ours("--threads", "2"),
            ["--model", "models/a.onnx", "--model-name", "iris", "--threads", "2"],
        ),
        (
            ours(model={"storageUri": "file:///m/a"}),
            ["--model", "/m/a", "--model-name", "iris"],
        ),
        (
            ours(annotations={"relight.dev/trust-pickle": "true"}),
            ["--model", "models/a.onnx", "--model-name", "iris", "--trust-pickle"],
        ),
        (
            ours(annotations={"relight.dev/trust-pickle": "false"}),
            ["--model", "models/a.onnx", "--model-name", "iris"],
        ),
        (
            ours(batcher={"maxBatchSize": 8, "maxLatency": 5}),
            [
                *("--model", "models/a.onnx", "--model-name", "iris"),
                *("--max-batch-size", "8", "--max-batch-delay-ms", "5"),
            ],
        ),
        (
            ours(batcher={"maxBatchSize": 8}),
            ["--model", "models/a.onnx", "--model-name", "iris", "--max-batch-size", "8"],
        ),
        (ours("--model=b", "--model_name=c"), ["--model=b", "--model_name=c"]),
        (ours("--python", "m.py:M"), ["--model-name", "iris", "--python", "m.py:M"]),
        (
            ours(model={"storageUri": "pvc://claim/dir"}),
            ["--model", "/mnt/models", "--model-name", "iris"],
        ),
    ],
)
def test_arguments_of_our_predictor(raw: dict[str, Any], wanted: list[str]) -> None:
    assert args(raw, OURS) == wanted


def test_our_predictor_reads_the_model_where_it_is() -> None:
    found = pod(ours(), OURS)
    assert found == {
        "containers": [
            {
                "name": "kserve-container",
                "image": "relight/predictor",
                "args": ["--model", "models/a.onnx", "--model-name", "iris"],
                "env": [NAME_ENV],
            }
        ]
    }


@pytest.mark.parametrize(
    ("uri", "volume", "mount"),
    [
        (
            "/m/dir",
            {"hostPath": {"path": "/m/dir"}},
            {"mountPath": "/mnt/models"},
        ),
        ("dir", {"hostPath": {"path": "/work/dir"}}, {"mountPath": "/mnt/models"}),
        (
            "/m/a.bin",
            {"hostPath": {"path": "/m/a.bin"}},
            {"mountPath": "/mnt/models/a.bin"},
        ),
        (
            "pvc://claim/some/dir",
            {"persistentVolumeClaim": {"claimName": "claim", "readOnly": True}},
            {"mountPath": "/mnt/models", "subPath": "some/dir"},
        ),
        (
            "pvc://claim",
            {"persistentVolumeClaim": {"claimName": "claim", "readOnly": True}},
            {"mountPath": "/mnt/models"},
        ),
    ],
)
def test_others_find_it_below_mnt_models(
    uri: str, volume: dict[str, Any], mount: dict[str, Any]
) -> None:
    wanted = {"name": "kserve-model", "readOnly": True, **mount}
    found = pod(isvc(model={"storageUri": uri}), runtime())
    assert found["volumes"] == [{"name": "kserve-model", **volume}]
    assert found["containers"][0]["volumeMounts"] == [wanted]
    own = {"name": "kserve-container", "image": "example.com/x"}
    env = [{"name": "STORAGE_URI", "value": uri}]
    custom = {**isvc(), "spec": {"predictor": {"containers": [{**own, "env": env}]}}}
    found = pod(custom)
    assert found["volumes"] == [{"name": "kserve-model", **volume}]
    assert found["containers"][0]["volumeMounts"] == [wanted]


@pytest.mark.parametrize("scheme", ["s3", "gs", "hf", "https"])
def test_what_is_fetched_is_named_to_our_predictor_and_to_no_other_image(scheme: str) -> None:
    uri = f"{scheme}://a/b"
    found = pod(ours(model={"storageUri": uri}), OURS)
    assert found["containers"][0]["args"][:2] == ["--model", uri]
    assert "volumes" not in found
    own = {"name": "kserve-container", "image": "example.com/x"}
    env = [{"name": "STORAGE_URI", "value": uri}]
    custom = {**isvc(), "spec": {"predictor": {"containers": [{**own, "env": env}]}}}
    for made, runs in (
        (isvc(model={"storageUri": uri}), runtime()),
        (custom, None),
    ):
        with pytest.raises(PodError) as caught:
            pod(made, runs) if runs else pod(made)
        assert caught.value.reason == "ModelLoadFailed"
        assert caught.value.sentence == (
            f'storageUri "{uri}" is fetched for relight/predictor only, not for another image: '
            "give a path, file:// or, on a cluster, pvc://"
        )


@pytest.mark.parametrize("scheme", ["oci", "hdfs"])
def test_what_is_not_fetched_is_told(scheme: str) -> None:
    for runs in (OURS, runtime(formats=[{"name": "onnx"}])):
        with pytest.raises(PodError) as caught:
            pod(ours(model={"storageUri": f"{scheme}://a/b"}), runs)
        assert caught.value.reason == "ModelLoadFailed"
        assert caught.value.sentence.startswith(
            f'storageUri "{scheme}://a/b" is not fetched by this version of Relight'
        )


def test_a_model_overrides_its_runtime() -> None:
    below = runtime(
        container={
            "args": ["--name={{.Name}}", "--ns={{.Namespace}}"],
            "env": [{"name": "A", "value": "1"}],
            "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}},
        },
        nodeSelector={"a": "b"},
        tolerations=[{"key": "x"}],
    )
    model = {
        "env": [{"name": "A", "value": "2"}],
        "resources": {"requests": {"cpu": "100m"}},
        "runtimeVersion": "v9",
    }
    raw = isvc("iris", "--more", model=model, nodeSelector={"c": "d"})
    assert pod(raw, below) == {
        "nodeSelector": {"a": "b", "c": "d"},
        "tolerations": [{"key": "x"}],
        "containers": [
            {
                "name": "kserve-container",
                "image": "example.com/serve:v9",
                "command": ["/bin/serve"],
                "args": ["--name=iris", "--ns=default", "--more"],
                "env": [{"name": "A", "value": "2"}, NAME_ENV],
                "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "2"}},
            }
        ],
    }


@pytest.mark.parametrize(
    ("image", "version", "wanted"),
    [
        ("a/b:1", "2", "a/b:2"),
        ("a/b", "2", "a/b:2"),
        ("r:5000/a/b", "2", "r:5000/a/b:2"),
        (f"a/b@sha256:{'0' * 64}", "2", f"a/b@sha256:{'0' * 64}"),
        ("a/b:1", "", "a/b:1"),
    ],
)
def test_the_version_is_the_images_tag(image: str, version: str, wanted: str) -> None:
    model = {"runtimeVersion": version} if version else {}
    found = pod(isvc(model=model), runtime(container={"image": image}))
    assert found["containers"][0]["image"] == wanted


def test_containers_stand_beside_one_another() -> None:
    below = runtime()
    below["spec"]["containers"].append({"name": "side", "image": "example.com/a", "args": ["1"]})
    own = [
        {"name": "side", "image": "example.com/b", "args": ["2"]},
        {"name": "transformer-container", "image": "example.com/t"},
    ]
    found = pod(isvc(containers=own), below)["containers"]
    assert [(each["name"], each["image"]) for each in found] == [
        ("kserve-container", "example.com/serve"),
        ("side", "example.com/b"),
        ("transformer-container", "example.com/t"),
    ]
    assert found[1]["args"] == ["1", "2"]
    assert all(NAME_ENV in each["env"] for each in found)


@pytest.mark.parametrize(
    ("runs", "fields", "message"),
    [
        (
            runtime(container={"name": "other"}),
            {},
            "failed to find kserve-container in ServingRuntime containers",
        ),
        (
            runtime(container={"args": ["{{.Labels.gone}}"]}),
            {},
            "failed to replace placeholders in serving runtime toys Container kserve-container",
        ),
        (
            runtime(),
            {"batcher": {"maxBatchSize": 2}},
            "batcher: runtime toys does not run relight/predictor",
        ),
    ],
)
def test_what_can_not_run_is_told(
    runs: dict[str, Any], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(PodError) as caught:
        pod(isvc(**fields), runs)
    assert (caught.value.reason, caught.value.message) == ("InvalidPredictorSpec", message)


def test_a_relative_path_starts_nowhere_on_a_cluster() -> None:
    raw = isvc(model={"storageUri": "examples/models/price"})
    assert pod(raw, runtime())["volumes"][0]["hostPath"] == {"path": "/work/examples/models/price"}
    with pytest.raises(PodError) as caught:
        pod(raw, runtime(), around=CLUSTER)
    assert caught.value.reason == "ModelLoadFailed"
    assert 'storageUri "examples/models/price" is a relative path' in str(caught.value.sentence)
    for uri in ("/mnt/price", "pvc://models/price"):
        assert pod(isvc(model={"storageUri": uri}), runtime(), around=CLUSTER)["volumes"]


@pytest.mark.parametrize(
    ("around", "wanted"),
    [
        (LAPTOP, "iris-predictor.default.localhost:8080"),
        (CLUSTER, "iris-predictor.default.svc.cluster.local"),
        (
            Surroundings(domain="a.localhost", port=80, model_root="/"),
            "iris-predictor.default.a.localhost",
        ),
    ],
)
def test_a_transformer_finds_its_predictor(around: Surroundings, wanted: str) -> None:
    own = {"image": "example.com/mine"}
    for kind in ("transformer", "explainer"):
        raw = isvc(others={kind: {"containers": [own], "containerConcurrency": 3}})
        assert args(raw, kind=kind, around=around) == [
            *("--model_name", "iris", "--predictor_host", wanted),
            *("--http_port", "$(PORT)", "--workers", "3"),
        ]


def test_arguments_that_the_user_gave_are_not_given_again() -> None:
    own = {"image": "example.com/mine", "args": ["--model_name=x", "--http_port", "9"]}
    raw = isvc(others={"transformer": {"containers": [own]}})
    assert args(raw, kind="transformer") == [
        *("--model_name=x", "--http_port", "9"),
        *("--predictor_host", "iris-predictor.default.localhost:8080"),
    ]


def test_names_of_children() -> None:
    assert child_name(parsed(isvc("a")), "explainer") == "a-explainer"
