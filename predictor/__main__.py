"""Run one predictor alone: `python -m predictor --model x.onnx --port 8080`.

For: building the process from its settings.
Must not know: zygotes, models.
"""

import logging
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

import uvloop

from predictor import config, serving
from predictor.config import Settings
from predictor.errors import SettingsError
from predictor.worker import Worker

_LOG = logging.getLogger("predictor")


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(config.usage())
        return 0
    try:
        settings = config.parse(arguments, config.inherited())
        listeners = _bind_all(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    host, port = listeners[0].getsockname()[:2]

    def report(fact: dict[str, Any]) -> None:
        if "ready" in fact:
            _LOG.info(
                "serving %s at http://%s:%d%s (loaded in %.1f ms)",
                fact["name"] or settings.model_name,
                host,
                port,
                f" on {fact['provider']}" if fact["provider"] else "",
                fact["load_ms"],
            )
            for also in listeners[1:]:
                _LOG.info("and gRPC at %s:%d", *also.getsockname()[:2])

    loop = uvloop.new_event_loop()
    worker = Worker(loop)
    code = loop.run_until_complete(serving.serve(settings, listeners, worker, report))
    if worker.mark:  # a load or a run goes on, and would be torn down under its library: SIGABRT
        logging.shutdown()
        os._exit(code)
    return code


def _bind_all(settings: Settings) -> list[socket.socket]:
    found = [_bind(settings.host, settings.port, "--port")]
    if settings.grpc_port is not None:
        found.append(_bind(settings.host, settings.grpc_port, "--grpc-port"))
    return found


def _bind(host: str, port: int, flag: str) -> socket.socket:
    try:
        found = socket.create_server((host, port), backlog=serving.BACKLOG)
    except OSError as error:
        where = f"{host}:{port}"
        said = f"--host, {flag}: cannot listen on {where}: {error.strerror}"
        raise SettingsError(said) from None
    found.setblocking(False)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
