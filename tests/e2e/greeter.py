"""A user's own gRPC server, as a container's command: it listens on $PORT and knows no Relight."""

import os
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc


class Greeter(grpc.GenericRpcHandler):  # type: ignore[misc] # grpcio has no types
    """SayHello, and Chat, which answers while it is still being asked."""

    def service(self, details: Any) -> Any:
        """The handler of a method."""
        match details.method:
            case "/greet.Greeter/SayHello":
                return grpc.unary_unary_rpc_method_handler(lambda name, _: b"Hello " + name)
            case "/greet.Greeter/Chat":
                return grpc.stream_stream_rpc_method_handler(_chat)
            case _:
                return None


def _chat(names: Iterator[bytes], context: Any) -> Iterator[bytes]:
    for name in names:
        yield b"Hello " + name
    context.set_trailing_metadata((("x-count", "done"),))


if __name__ == "__main__":
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((Greeter(),))
    server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    server.start()
    server.wait_for_termination()
