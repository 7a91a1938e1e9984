"""The messages and services that are spoken over gRPC, as their authors write them.

For: field numbers in one place, readable beside the specifications: Open Inference with the
repository and streaming methods of Triton and KServe, gRPC's health, gRPC's reflection.
Must not know: how descriptors are made, what answers.

KServe and Triton number the fields of RepositoryModelLoadRequest differently: KServe's
`model_name` is 1, where Triton has `repository_name`. Whoever reads such a request takes
`model_name`, else `repository_name`; the answers have KServe's fields, which Triton has not.
"""

from typing import Final

INFERENCE: Final = """
service GRPCInferenceService {
  rpc ServerLive (ServerLiveRequest) returns (ServerLiveResponse);
  rpc ServerReady (ServerReadyRequest) returns (ServerReadyResponse);
  rpc ModelReady (ModelReadyRequest) returns (ModelReadyResponse);
  rpc ServerMetadata (ServerMetadataRequest) returns (ServerMetadataResponse);
  rpc ModelMetadata (ModelMetadataRequest) returns (ModelMetadataResponse);
  rpc ModelInfer (ModelInferRequest) returns (ModelInferResponse);
  rpc ModelStreamInfer (stream ModelInferRequest) returns (stream ModelStreamInferResponse);
  rpc RepositoryIndex (RepositoryIndexRequest) returns (RepositoryIndexResponse);
  rpc RepositoryModelLoad (RepositoryModelLoadRequest) returns (RepositoryModelLoadResponse);
  rpc RepositoryModelUnload (RepositoryModelUnloadRequest) returns (RepositoryModelUnloadResponse);
}
message ServerLiveRequest {
}
message ServerLiveResponse {
  bool live = 1;
}
message ServerReadyRequest {
}
message ServerReadyResponse {
  bool ready = 1;
}
message ModelReadyRequest {
  string name = 1;
  string version = 2;
}
message ModelReadyResponse {
  bool ready = 1;
}
message ServerMetadataRequest {
}
message ServerMetadataResponse {
  string name = 1;
  string version = 2;
  repeated string extensions = 3;
}
message ModelMetadataRequest {
  string name = 1;
  string version = 2;
}
message TensorMetadata {
  string name = 1;
  string datatype = 2;
  repeated int64 shape = 3;
}
message ModelMetadataResponse {
  string name = 1;
  repeated string versions = 2;
  string platform = 3;
  repeated TensorMetadata inputs = 4;
  repeated TensorMetadata outputs = 5;
}
message InferParameter {
  oneof parameter_choice {
    bool bool_param = 1;
    int64 int64_param = 2;
    string string_param = 3;
    double double_param = 4;
    uint64 uint64_param = 5;
  }
}
message InferTensorContents {
  repeated bool bool_contents = 1;
  repeated int32 int_contents = 2;
  repeated int64 int64_contents = 3;
  repeated uint32 uint_contents = 4;
  repeated uint64 uint64_contents = 5;
  repeated float fp32_contents = 6;
  repeated double fp64_contents = 7;
  repeated bytes bytes_contents = 8;
}
message InferInputTensor {
  string name = 1;
  string datatype = 2;
  repeated int64 shape = 3;
  map<InferParameter> parameters = 4;
  InferTensorContents contents = 5;
}
message InferRequestedOutputTensor {
  string name = 1;
  map<InferParameter> parameters = 2;
}
message InferOutputTensor {
  string name = 1;
  string datatype = 2;
  repeated int64 shape = 3;
  map<InferParameter> parameters = 4;
  InferTensorContents contents = 5;
}
message ModelInferRequest {
  string model_name = 1;
  string model_version = 2;
  string id = 3;
  map<InferParameter> parameters = 4;
  repeated InferInputTensor inputs = 5;
  repeated InferRequestedOutputTensor outputs = 6;
  repeated bytes raw_input_contents = 7;
}
message ModelInferResponse {
  string model_name = 1;
  string model_version = 2;
  string id = 3;
  map<InferParameter> parameters = 4;
  repeated InferOutputTensor outputs = 5;
  repeated bytes raw_output_contents = 6;
}
message ModelStreamInferResponse {
  string error_message = 1;
  ModelInferResponse infer_response = 2;
}
message ModelRepositoryParameter {
  oneof parameter_choice {
    bool bool_param = 1;
    int64 int64_param = 2;
    string string_param = 3;
    bytes bytes_param = 4;
  }
}
message RepositoryIndexRequest {
  string repository_name = 1;
  bool ready = 2;
}
message ModelIndex {
  string name = 1;
  string version = 2;
  string state = 3;
  string reason = 4;
}
message RepositoryIndexResponse {
  repeated ModelIndex models = 1;
}
message RepositoryModelLoadRequest {
  string repository_name = 1;
  string model_name = 2;
  map<ModelRepositoryParameter> parameters = 3;
}
message RepositoryModelLoadResponse {
  string model_name = 1;
  bool isLoaded = 2;
}
message RepositoryModelUnloadRequest {
  string repository_name = 1;
  string model_name = 2;
  map<ModelRepositoryParameter> parameters = 3;
}
message RepositoryModelUnloadResponse {
  string model_name = 1;
  bool isUnloaded = 2;
}
"""

HEALTH: Final = """
service Health {
  rpc Check (HealthCheckRequest) returns (HealthCheckResponse);
  rpc Watch (HealthCheckRequest) returns (stream HealthCheckResponse);
}
message HealthCheckRequest {
  string service = 1;
}
message HealthCheckResponse {
  int32 status = 1;
}
"""

REFLECTION: Final = """
service ServerReflection {
  rpc ServerReflectionInfo (stream ServerReflectionRequest) returns (stream ServerReflectionResponse);
}
message ExtensionRequest {
  string containing_type = 1;
  int32 extension_number = 2;
}
message ServerReflectionRequest {
  string host = 1;
  oneof message_request {
    string file_by_filename = 3;
    string file_containing_symbol = 4;
    ExtensionRequest file_containing_extension = 5;
    string all_extension_numbers_of_type = 6;
    string list_services = 7;
  }
}
message FileDescriptorResponse {
  repeated bytes file_descriptor_proto = 1;
}
message ExtensionNumberResponse {
  string base_type_name = 1;
  repeated int32 extension_number = 2;
}
message ServiceResponse {
  string name = 1;
}
message ListServiceResponse {
  repeated ServiceResponse service = 1;
}
message ErrorResponse {
  int32 error_code = 1;
  string error_message = 2;
}
message ServerReflectionResponse {
  string valid_host = 1;
  ServerReflectionRequest original_request = 2;
  oneof message_response {
    FileDescriptorResponse file_descriptor_response = 4;
    ExtensionNumberResponse all_extension_numbers_response = 5;
    ListServiceResponse list_services_response = 6;
    ErrorResponse error_response = 7;
  }
}
"""  # noqa: E501 - one declaration a line

# Where each lives: the file that reflection names, and the package.
FILES: Final = (
    ("open_inference_grpc.proto", "inference", INFERENCE),
    ("grpc/health/v1/health.proto", "grpc.health.v1", HEALTH),
    ("grpc/reflection/v1/reflection.proto", "grpc.reflection.v1", REFLECTION),
    ("grpc/reflection/v1alpha/reflection.proto", "grpc.reflection.v1alpha", REFLECTION),
)
