"""gRPC calls to a predictor, with Google's client and our messages."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc

from predictor.grpc_messages import message

INFERENCE = "inference.GRPCInferenceService"
HEALTH = "grpc.health.v1.Health"
PATIENCE_S = 20.0


class Caller:
    """A channel of its own. Metadata of the last answer stands in `initial` and `trailing`."""

    def __init__(self, target: str, **options: Any) -> None:
        self.channel = grpc.aio.insecure_channel(target, options=list(options.items()))
        self.initial: dict[str, Any] = {}
        self.trailing: dict[str, Any] = {}

    async def unary(
        self, method: str, request: Any = None, *, service: str = INFERENCE, **more: Any
    ) -> Any:
        """The answer of an inference method, or of one whose messages are named after it."""
        package = service.rpartition(".")[0]
        prefix = "HealthCheck" if service == HEALTH else method
        asked = message(f"{package}.{prefix}Request")
        answered = message(f"{package}.{prefix}Response")
        call = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=asked.SerializeToString,
            response_deserializer=answered.FromString,
        )
        made = asked() if request is None else request
        if isinstance(made, dict):
            made = asked(**made)
        doing = call(made, timeout=more.pop("timeout", PATIENCE_S), **more)
        try:
            return await doing
        finally:
            self.initial = dict(await doing.initial_metadata())
            self.trailing = dict(await doing.trailing_metadata())

    def stream(
        self, requests: AsyncIterator[Any] | Iterable[Any] | None = None, **more: Any
    ) -> Any:
        """A stream of inferences."""
        call = self.channel.stream_stream(
            f"/{INFERENCE}/ModelStreamInfer",
            request_serializer=message("inference.ModelInferRequest").SerializeToString,
            response_deserializer=message("inference.ModelStreamInferResponse").FromString,
        )
        return call(requests, timeout=more.pop("timeout", PATIENCE_S), **more)

    async def close(self) -> None:
        """Let go."""
        await self.channel.close(None)
