"""A client that knows nothing beforehand, as grpcurl: what there is, and how to ask, it is told."""

import facts
import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

SERVICE = "inference.GRPCInferenceService"
NAME = "reflection-echo"


def main() -> None:
    host = facts.serve_python(NAME, facts.SETTINGS["echo"])
    address = facts.SETTINGS["activator"].partition("//")[2]
    options = [("grpc.default_authority", host)]
    with grpc.insecure_channel(address, options=options) as channel:
        told = ProtoReflectionDescriptorDatabase(channel)
        services = sorted(told.get_services())
        service = DescriptorPool(told).FindServiceByName(SERVICE)
        method = service.FindMethodByName("ModelInfer")
        request = GetMessageClass(method.input_type)(model_name=NAME)
        tensor = request.inputs.add(name="x", datatype="FP32", shape=[2])
        tensor.contents.fp32_contents.extend([1, 2])
        call = channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        answer = call(request, timeout=facts.DEADLINE_S)
    facts.tell(
        services=services,
        methods=sorted(each.name for each in service.methods),
        values=list(answer.outputs[0].contents.fp32_contents),
    )


main()
