"""The first process of a warm Pod: a zygote, and at most one replica, which is claimed once.

For: a Pod in which all is imported before anyone knows which model it will serve.
Must not know: Kubernetes, who claims, or what for.

The replica's port is bound before the claim, so that the kernel holds what comes while the model
is loaded. When the replica ends, this process ends with its exit code, and with it the Pod.
"""

import argparse
import asyncio
import functools
import importlib.util
import logging
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from api import keys
from predictor import claims, config, libraries
from predictor.claim_server import Answer, Call, ClaimServer
from predictor.claims import ClaimError, Phase, PodLife
from predictor.pooled_zygote import Order, PodZygote, ZygoteError

_LOG = logging.getLogger("predictor.pooled")

_BACKLOG = 4096  # connections that the kernel holds while the model is loaded
_AUTO = "auto"


class Pooled:
    """One warm Pod."""

    def __init__(self, *, key: str, env: Mapping[str, str], listener: socket.socket) -> None:
        """`listener` is where the replica will listen; `env` is what the zygote lives in."""
        self._life = PodLife(key)
        self._listener = listener
        self._zygote = PodZygote(self, env=env)
        self._env = env
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._changed = asyncio.Event()
        self._is_told_to_leave = False

    async def run(self, packages: Sequence[str]) -> int:
        """Be warm, be claimed, live and end; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        try:
            async with asyncio.TaskGroup() as tasks:
                warming = tasks.create_task(self._warm(packages))
                code = await self._code
                warming.cancel()
        finally:
            await self._zygote.stop()
        return code

    async def _warm(self, packages: Sequence[str]) -> None:
        try:
            await self._zygote.start(packages)
        except ZygoteError as error:
            if not packages:
                _LOG.error("%s", error)
                self._end(1)
                return
            _LOG.warning("%s: going on without %s", error, ", ".join(packages))
            await self._zygote.stop()
            self._zygote = PodZygote(self, env=self._env)
            await self._warm(())
            return
        self._life.warmed()
        _LOG.info("warm%s", f" with {', '.join(packages)}" if packages else "")

    async def handle(self, call: Call) -> Answer:
        """Answer one call of the claim port."""
        match call.method, call.path:
            case ("GET" | "HEAD", "/healthz"):
                return 200, self._life.told()
            case ("GET" | "HEAD", "/readyz"):
                is_ready = self._life.is_ready and not self._is_told_to_leave
                return (200 if is_ready else 503), self._life.told()
            case ("POST", "/claim"):
                try:
                    return await self._claim(call)
                except ClaimError as error:
                    return error.status, {"error": error.message}
            case _:
                return 404, {"error": "expected GET /readyz, GET /healthz or POST /claim"}

    async def _claim(self, call: Call) -> Answer:
        self._life.check_key(call.headers.get("authorization", ""))
        claim = claims.read_claim(call.body)
        if self._is_told_to_leave:
            raise ClaimError(503, "this Pod is leaving")
        if self._life.take(claim):
            self._launch(claim)
        try:
            async with asyncio.timeout(claim.wait_s):
                while self._life.phase is Phase.CLAIMED:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass  # it goes on loading
        told = self._life.told()
        return (500 if self._life.phase is Phase.ENDED else 200), told

    def _launch(self, claim: claims.Claim) -> None:
        _LOG.info("claimed for %s", claim.revision)
        order = Order(args=claim.args, env=claim.env, cwd=str(Path.cwd()))
        try:
            self._zygote.launch(order, self._listener)
        except ValueError as error:
            self._life.facts["failed"] = str(error)
            self._end(1)
            return
        # From now on it is the replica's alone: without it, callers are refused at once.
        self._listener.close()

    def replica_said(self, fact: Mapping[str, Any]) -> None:
        """Follow what the replica reports."""
        self._life.said(fact)
        if self._life.phase is Phase.SERVING:
            _LOG.info("serving, loaded in %.1f ms", fact.get("load_ms", 0.0))
        self._changed.set()

    def replica_ended(self, code: int) -> None:
        """The Pod ends with its replica."""
        if code:
            _LOG.warning("the replica ended with code %d", code)
        self._end(code)

    def _leave(self) -> None:
        """Drain as a replica does: it is told, and this process ends after it."""
        self._is_told_to_leave = True
        if self._life.phase in (Phase.CLAIMED, Phase.SERVING):
            self._zygote.terminate()
        else:
            self._end(0)

    def _end(self, code: int) -> None:
        self._life.ended()
        self._changed.set()
        if not self._code.done():
            self._code.set_result(code)


def packages_of(said: str) -> tuple[str, ...]:
    """The packages that a flag means; "auto": those of the sets that are installed here."""
    if said != _AUTO:
        return tuple(name.strip() for name in said.split(",") if name.strip())
    found: dict[str, None] = {}
    for packages in libraries.SETS.values():
        if all(_is_installed(each.partition(".")[0]) for each in packages):
            found.update(dict.fromkeys(packages))
    return tuple(found)


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


async def _main(flags: argparse.Namespace, environment: Mapping[str, str]) -> int:
    env = dict(environment)
    key = env.pop(keys.ENV_CLAIM_KEY, "")  # no model's code has a use for it
    if not key:
        sys.stderr.write(f"{keys.ENV_CLAIM_KEY}: expected the key that a claim has to name\n")
        return 2
    try:
        listener = socket.create_server((flags.host, flags.port), backlog=_BACKLOG)
    except OSError as error:
        where = f"{flags.host}:{flags.port}"
        sys.stderr.write(f"--host, --port: cannot listen on {where}: {error.strerror}\n")
        return 2
    with listener:
        pooled = Pooled(key=key, env=env, listener=listener)
        server = ClaimServer(pooled.handle)
        try:
            port = await server.start(flags.host, flags.claim_port)
        except OSError as error:
            where = f"{flags.host}:{flags.claim_port}"
            sys.stderr.write(f"--host, --claim-port: cannot listen on {where}: {error.strerror}\n")
            return 2
        own = listener.getsockname()[1]
        _LOG.info("claims at port %d, the replica will be at port %d", port, own)
        try:
            return await pooled.run(packages_of(flags.packages))
        finally:
            server.close()


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Serve one claim; the exit code."""
    parser = argparse.ArgumentParser(
        prog="predictor.pooled", allow_abbrev=False, description="Be a replica when asked to."
    )
    number = functools.partial(parser.add_argument, type=int, metavar="N")
    number("--port", default=8080, help="of the replica to be (default 8080)")
    number("--claim-port", default=8081, help="of claims and probes (default 8081)")
    parser.add_argument("--host", default="0.0.0.0", help="of both (default 0.0.0.0)")  # noqa: S104 - a Pod's own address
    parser.add_argument(
        "--packages",
        default=_AUTO,
        metavar="A,B",
        help="libraries of formats to import ahead; auto: all that are installed (default auto)",
    )
    flags = parser.parse_args(arguments)
    for name in ("port", "claim_port"):
        if not 0 <= getattr(flags, name) <= 65535:
            parser.error(f"--{name.replace('_', '-')}: expected 0 to 65535")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    return asyncio.run(_main(flags, environment))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], config.inherited()))
