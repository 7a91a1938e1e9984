"""What gRPC's methods answer that run nothing: health, metadata, the repository's index.

For: one message in, one message out, for each method of a replica of one model.
Must not know: exchanges, framing, inference.

A draining replica says that it is not ready, and serves on.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from predictor.errors import Fault, RequestError
from predictor.grpc_messages import DecodeError, message
from predictor.loaded import Loaded

INFERENCE: Final = "inference.GRPCInferenceService"
HEALTH: Final = "grpc.health.v1.Health"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3

_METHODS: Final = (
    *("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata"),
    *("RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"),
)
_CHECK: Final = f"/{HEALTH}/Check"
PATHS: Final = (*(f"/{INFERENCE}/{method}" for method in _METHODS), _CHECK)

_Answer = Callable[[Any], Any]
_ONE_MODEL = "a replica is one model: delete its Service, or let it scale to zero"

_HealthCheckResponse = message("grpc.health.v1.HealthCheckResponse")


def _inference(name: str) -> Any:
    return message(f"inference.{name}")


class Answers:
    """One model's. `is_draining` is changed by whoever knows."""

    def __init__(self, loaded: Loaded, *, name: str, revision: str, version: str) -> None:
        """`version` is the server's; the model's is its revision."""
        self.is_draining = False
        self._name = name
        self._revision = revision
        self._described = _described(loaded, name, revision)
        server = {"name": "relight", "version": version, "extensions": _extensions(loaded)}
        self._server = _inference("ServerMetadataResponse")(**server)
        told: Sequence[_Answer] = (
            lambda _: _inference("ServerLiveResponse")(live=True),
            lambda _: self._ready("ServerReadyResponse"),
            self._model_ready,
            lambda _: self._server,
            self._metadata,
            self._index,
            self._load,
            self._unload,
        )
        self._methods: dict[str, tuple[Any, _Answer]] = {
            f"/{INFERENCE}/{method}": (_inference(f"{method}Request"), answer)
            for method, answer in zip(_METHODS, told, strict=True)
        }
        self._methods[_CHECK] = message("grpc.health.v1.HealthCheckRequest"), self._check

    def answer(self, path: str, data: bytes | memoryview) -> bytes:
        """The answer to a message; RequestError when there is none."""
        request, answer = self._methods[path]
        return bytes(answer(read(request, data)).SerializeToString())

    def health(self, service: str) -> Any:
        """What the health service says of a service."""
        if service not in ("", INFERENCE):
            return _HealthCheckResponse(status=SERVICE_UNKNOWN)
        return _HealthCheckResponse(status=NOT_SERVING if self.is_draining else SERVING)

    def _check(self, request: Any) -> Any:
        found = self.health(request.service)
        if found.status == SERVICE_UNKNOWN:
            raise RequestError(Fault.NO_SERVICE, name=request.service)
        return found

    def _ready(self, response: str) -> Any:
        return _inference(response)(ready=not self.is_draining)

    def _model_ready(self, request: Any) -> Any:
        self._check_model(request.name, request.version)
        return self._ready("ModelReadyResponse")

    def _metadata(self, request: Any) -> Any:
        self._check_model(request.name, request.version)
        return self._described

    def _index(self, request: Any) -> Any:
        response = _inference("RepositoryIndexResponse")()
        if not (request.ready and self.is_draining):
            state, reason = ("UNAVAILABLE", "unloading") if self.is_draining else ("READY", "")
            response.models.add(name=self._name, version=self._revision, state=state, reason=reason)
        return response

    def _load(self, request: Any) -> Any:
        name = request.model_name or request.repository_name  # see grpc_schema
        self._check_model(name, "")
        if request.parameters:
            what = f"parameter '{min(request.parameters)}' of RepositoryModelLoad"
            raise RequestError(Fault.UNSERVED, what=what, why="a Revision's model never changes")
        return _inference("RepositoryModelLoadResponse")(model_name=name, isLoaded=True)

    def _unload(self, request: Any) -> Any:
        self._check_model(request.model_name or request.repository_name, "")
        raise RequestError(Fault.UNSERVED, what="RepositoryModelUnload", why=_ONE_MODEL)

    def _check_model(self, name: str, version: str) -> None:
        if name != self._name:
            raise RequestError(Fault.NO_MODEL, name=name)
        if version and version != self._revision:
            raise RequestError(Fault.NO_VERSION, name=name, got=version, expected=self._revision)


def _extensions(loaded: Loaded) -> list[str]:
    """Those of the server, whichever protocol they are spoken in: as REST says them."""
    return ["binary_tensor_data", "model_repository", *(["generate"] if loaded.generate else [])]


def read(request: Any, data: bytes | memoryview) -> Any:
    """A message of a class; RequestError when the bytes are none."""
    try:
        return request.FromString(bytes(data))
    except DecodeError as error:
        name = request.DESCRIPTOR.name
        detail = str(error).removeprefix("Error parsing message with type ")
        raise RequestError(Fault.NOT_MESSAGE, name=name, detail=detail) from None


def _described(loaded: Loaded, name: str, revision: str) -> Any:
    response = _inference("ModelMetadataResponse")(name=name, platform=loaded.platform)
    if revision:
        response.versions.append(revision)
    if loaded.described is not None:
        for specs, told in (
            (loaded.described.inputs, response.inputs),
            (loaded.described.outputs, response.outputs),
        ):
            for spec in specs:
                told.add(name=spec.name, datatype=spec.datatype, shape=spec.shape)
    return response
