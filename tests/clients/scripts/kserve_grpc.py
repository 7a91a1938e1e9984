"""KServe's InferenceGRPCClient, unchanged: raw and typed tensors, health, a model that is not."""

import asyncio
from typing import Any

import facts
import grpc
import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest
from kubernetes import client, config

NAME = "kserve-grpc"
GROUP = ("serving.knative.dev", "v1", facts.NAMESPACE, "services")


def serve() -> None:
    config.load_kube_config(facts.KUBECONFIG)
    api = client.CustomObjectsApi()
    api.create_namespaced_custom_object(*GROUP, facts.ksvc(NAME))

    def ready() -> Any:
        found = api.get_namespaced_custom_object(*GROUP, NAME)
        return facts.is_ready(found)

    facts.until(ready, f"{NAME} to be ready")


def asked(*, is_binary: bool, model: str = NAME) -> InferRequest:
    tensor = InferInput(name="celsius", shape=[2, 1], datatype="FP32")
    tensor.set_data_from_numpy(np.array([[0.0], [100.0]], np.float32), binary_data=is_binary)
    return InferRequest(model_name=model, infer_inputs=[tensor], request_id="7")


async def main() -> None:
    serve()
    address = facts.SETTINGS["activator"].partition("//")[2]
    async with InferenceGRPCClient(address) as server:
        answers = {}
        for name, is_binary in (("raw", True), ("typed", False)):
            answer = await server.infer(asked(is_binary=is_binary))
            answers[name] = [answer.id, answer.outputs[0].as_numpy().ravel().tolist()]
        try:
            await server.infer(asked(is_binary=True, model="nobody"))
            code = ""
        except grpc.RpcError as error:
            code = error.code().name
        facts.tell(
            **answers,
            live=await server.is_server_live(),
            ready=await server.is_server_ready(),
            model=await server.is_model_ready(NAME),
            code=code,
        )


asyncio.run(main())
