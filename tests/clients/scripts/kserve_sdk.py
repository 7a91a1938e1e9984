"""KServe's SDK: KServeClient's verbs, and its REST client asking the model behind it."""

import asyncio
import contextlib
import io
from typing import Any
from urllib.parse import urlparse

import facts
from kserve import (
    InferenceRESTClient,
    InferInput,
    InferRequest,
    KServeClient,
    RESTConfig,
    V1beta1InferenceService,
    V1beta1InferenceServiceSpec,
    V1beta1ModelFormat,
    V1beta1ModelSpec,
    V1beta1PredictorSpec,
    constants,
)
from kubernetes import client

NAMESPACE = facts.NAMESPACE
ACTIVATOR = facts.SETTINGS["activator"]
ROWS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]  # KServe's own end-to-end tests expect [1, 1]


def service(
    name: str, uri: str, annotations: dict[str, str], **predictor: Any
) -> V1beta1InferenceService:
    """As KServe's documentation writes it."""
    return V1beta1InferenceService(
        api_version=constants.KSERVE_V1BETA1,
        kind=constants.KSERVE_KIND_INFERENCESERVICE,
        metadata=client.V1ObjectMeta(name=name, namespace=NAMESPACE, annotations=annotations),
        spec=V1beta1InferenceServiceSpec(
            predictor=V1beta1PredictorSpec(
                min_replicas=0,
                model=V1beta1ModelSpec(
                    model_format=V1beta1ModelFormat(name="sklearn"),
                    storage_uri=uri,
                    resources=client.V1ResourceRequirements(requests={"cpu": "100m"}),
                ),
                **predictor,
            )
        ),
    )


async def predictions(host: str, name: str) -> dict[str, Any]:
    """The same rows by V1 and V2, with the checks of health that clients make before."""
    headers = {"Host": host}
    v1 = InferenceRESTClient(RESTConfig(protocol="v1", retries=0))
    v2 = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
    async with v1, v2:
        one = await v1.infer(ACTIVATOR, {"instances": ROWS}, model_name=name, headers=headers)
        tensor = InferInput(name="input-0", shape=[2, 4], datatype="FP32", data=ROWS)
        request = InferRequest(model_name=name, infer_inputs=[tensor])
        two = await v2.infer(ACTIVATOR, request, model_name=name, headers=dict(headers))
        return {
            "v1": one["predictions"],
            "v2": two.outputs[0].as_numpy().tolist(),
            "v2_name": two.model_name,
            "v1_ready": await v1.is_model_ready(ACTIVATOR, name, headers=headers),
            "v2_ready": await v2.is_model_ready(ACTIVATOR, name, headers=headers),
            "server_ready": await v2.is_server_ready(ACTIVATOR, headers=headers),
            "server_live": await v2.is_server_live(ACTIVATOR, headers=headers),
        }


def serve(api: KServeClient, name: str, uri: str, annotations: dict[str, str]) -> dict[str, Any]:
    """Create, wait, ask, patch, wait for the generation, replace, ask again, delete."""
    made = api.create(service(name, uri, annotations))
    api.wait_isvc_ready(name, NAMESPACE, timeout_seconds=int(facts.DEADLINE_S), polling_interval=1)
    ready = api.get(name, NAMESPACE)
    host = urlparse(ready["status"]["url"]).netloc
    first = asyncio.run(predictions(host, name))
    patched = api.patch(name, service(name, uri, annotations, timeout=55))
    api.wait_isvc_ready(
        name,
        NAMESPACE,
        timeout_seconds=int(facts.DEADLINE_S),
        polling_interval=1,
        expected_generation=patched["metadata"]["generation"],
    )

    def replaced() -> dict[str, Any] | None:
        try:
            return api.replace(name, service(name, uri, annotations, timeout=66))
        except RuntimeError as error:
            if "(409)" not in str(error):  # its status was written in between
                raise
            return None

    second = facts.until(replaced, "a moment to replace it")
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        api.wait_isvc_ready(
            name,
            NAMESPACE,
            watch=True,
            timeout_seconds=int(facts.DEADLINE_S),
            expected_generation=second["metadata"]["generation"],
        )
    again = asyncio.run(predictions(host, name))
    is_ready = api.is_isvc_ready(name, NAMESPACE)
    listed = [found["metadata"]["name"] for found in api.get(namespace=NAMESPACE)["items"]]
    deleted = api.delete(name, NAMESPACE)
    facts.until(lambda: is_gone(api, name), f"the end of {name}")
    return {
        "created": made["metadata"]["generation"],
        "state": ready["status"]["modelStatus"]["states"]["activeModelState"],
        "first": first,
        "again": again,
        "generations": [patched["metadata"]["generation"], second["metadata"]["generation"]],
        "timeouts": [
            patched["spec"]["predictor"]["timeout"],
            second["spec"]["predictor"]["timeout"],
        ],
        "watched": shown.getvalue(),
        "ready": is_ready,
        "listed": listed,
        "deleted": deleted["kind"],
    }


def is_gone(api: KServeClient, name: str) -> bool:
    try:
        api.get(name, NAMESPACE)
    except RuntimeError as error:
        if "(404)" not in str(error):
            raise
        return True
    return False


def refused(api: KServeClient) -> str:
    """What the SDK raises for a service that can not be."""
    wrong = service("kserve-wrong", "ftp://nowhere/model", {})
    try:
        api.create(wrong)
    except RuntimeError as error:
        return str(error)
    return ""


def main() -> None:
    api = KServeClient(config_file=facts.KUBECONFIG)
    uri, annotations = facts.SETTINGS["uri"], facts.SETTINGS["annotations"]
    facts.tell(**serve(api, "kserve-iris", uri, annotations), refused=refused(api))


main()
