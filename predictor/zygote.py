"""The warm parent that forks predictors on request.

For: everything imported and run once, so that a replica costs a fork and its own model.
Must not know: Pods, services, HTTP, why a replica is wanted.

One thread, no event loop: a blocking `poll` over the control socket and the signals' wake-up
descriptor. When the control socket ends, the platform is gone and so is everything here.
"""

import argparse
import contextlib
import gc
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

import orjson

from predictor import config, confining, forking, importing, replica, spares, templates
from predictor.children import Children
from predictor.errors import LoadError, SettingsError
from predictor.forking import UnsafeForkError, adopt, check_safe, own_streams
from predictor.onnx_model import runtime
from predictor.replica import Execution
from predictor.spares import Spares
from predictor.warming import ROUNDS, Rehearsal

_LOG = logging.getLogger("predictor.zygote")

REFILL_AFTER_S = 0.05  # a fork costs milliseconds that the replica just started needs more
REFILL_AFTER_DEATH_S = 1.0  # a spare that died by itself may do so again
STOP_GRACE_S = 5.0  # between SIGTERM and SIGKILL when asked to stop
ORPHAN_GRACE_S = 2.0  # the same when the platform is gone


class Zygote:
    """Messages in, forks out, deaths reported."""

    def __init__(self, control: socket.socket, spares_wanted: int, *, rounds: int = ROUNDS) -> None:
        """`rounds`: of the rehearsal."""
        self._control = control
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._rehearsal = Rehearsal()
        self._rounds = rounds
        own = (control.fileno(), self._wake_read, self._wake_write)
        self._spares = Spares(spares_wanted, self._rehearsal, close=own)
        self._children = Children()
        self._refill_s: float | None = None  # when to look after the spares
        self._kill_s: float | None = None  # when patience with the children ends

    def run(self) -> int:
        """Serve until the control socket ends or a stop is asked for."""
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the terminal speaks to the platform
        adopt()
        own_streams()
        gc.disable()
        self._rehearsal.in_zygote(self._rounds)
        check_safe()
        # Now: the loops of the rehearsal had the wake-up descriptor.
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, _nothing)
        unconfined = confining.ability()
        while self._spares.is_short:
            self._spares.add()
        ort = runtime()
        self._say(
            event="zygote-ready",
            onnxruntime=ort.__version__,
            providers=ort.get_available_providers(),
            unconfined=unconfined,
        )
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while not (self._is_stopping and not self._children):
            for descriptor, _events in poll.poll(self._timeout_ms()):
                if descriptor == self._wake_read:
                    self._signalled()
                elif not self._receive():
                    poll.unregister(self._control)
                    self._stop(ORPHAN_GRACE_S)
            self._keep_time()
        self._children.end_all(STOP_GRACE_S)
        return 0

    @property
    def _is_stopping(self) -> bool:
        return self._kill_s is not None

    # -- messages ----------------------------------------------------------------------------

    def _receive(self) -> bool:
        """Handle one message; False when the platform is gone."""
        try:
            data, fds, flags, _address = socket.recv_fds(
                self._control, spares.MESSAGE_BYTES_MAX, spares.FDS_MAX
            )
        except ConnectionResetError:
            return False
        received_ns = time.monotonic_ns()
        if not data:
            return False
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            data = b"cut short"  # longer than we take: no JSON, and dropped as such
        try:
            self._handle(orjson.loads(data), data, fds, received_ns)
        except (ValueError, KeyError, TypeError):
            _LOG.exception("a control message makes no sense and is dropped")
        finally:
            for descriptor in fds:
                os.close(descriptor)
        return True

    def _handle(self, raw: dict[str, Any], data: bytes, fds: list[int], received_ns: int) -> None:
        match raw["op"]:
            case "start" if self._is_stopping:
                self._say(event="exited", id=raw["id"], code=None, signal=int(signal.SIGTERM))
            case "start":
                self._start(raw, data, fds, received_ns)
            case "signal":
                self._children.signal(raw["id"], raw["signal"])
            case "spares":
                self._spares.want(raw["wanted"])
            case "stop":
                self._stop(STOP_GRACE_S)
            case other:
                raise ValueError(f"unknown op {other!r}")

    def _start(self, raw: dict[str, Any], data: bytes, fds: list[int], received_ns: int) -> None:
        identity, kind = raw["id"], raw["kind"]
        if identity in self._children:
            raise ValueError(f"id {identity!r} is in use")
        expected = {"predictor": 3, "template": 3, "libraries": 3, "exec": 2}[kind]
        if len(fds) != expected:
            raise ValueError(f"{kind} {identity}: {expected} descriptors expected, got {len(fds)}")
        try:
            if kind == "exec":
                pid = self._spares.fork(lambda: replica.execute(_execution(raw, fds)))
            elif kind in ("template", "libraries"):
                pid = self._spares.fork(lambda: _be_zygote(raw, fds))
            else:
                # A spare has a thread already, and cannot go where a confined one belongs.
                is_free = not raw.get("confinement")
                assigned = is_free and self._spares.assign(data, fds, received_ns=received_ns)
                pid = assigned or self._spares.fork(
                    lambda: spares.start_now(data, fds, received_ns=received_ns)
                )
        except OSError as error:
            replica.tell(fds[-1], {"failed": f"cannot start a process: {error.strerror}"})
            self._say(event="exited", id=identity, code=1, signal=None)
            return
        self._children.add(identity, pid)
        self._say(event="started", id=identity, pid=pid)
        self._refill_in(REFILL_AFTER_S)

    def _say(self, **event: Any) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # poll will tell
            self._control.send(orjson.dumps(event))

    # -- children ----------------------------------------------------------------------------

    def _signalled(self) -> None:
        if signal.SIGTERM in os.read(self._wake_read, 512):
            self._stop(STOP_GRACE_S)
        for pid, code, number in self._children.reap():
            identity = self._children.remove(pid)
            if identity is not None:
                self._say(event="exited", id=identity, code=code, signal=number)
            elif self._spares.died(pid):
                _LOG.warning("spare %d died: code %s, signal %s", pid, code, number)
                self._refill_in(REFILL_AFTER_DEATH_S)

    def _stop(self, grace_s: float) -> None:
        kill_s = time.monotonic() + grace_s
        self._kill_s = kill_s if self._kill_s is None else min(self._kill_s, kill_s)
        self._refill_s = None
        self._spares.dismiss()
        self._children.signal_all(signal.SIGTERM)

    # -- time --------------------------------------------------------------------------------

    def _refill_in(self, delay_s: float) -> None:
        if not self._is_stopping:
            self._refill_s = max(self._refill_s or 0.0, time.monotonic() + delay_s)

    def _timeout_ms(self) -> int | None:
        due = [one for one in (self._refill_s, self._kill_s) if one is not None]
        return max(0, int((min(due) - time.monotonic()) * 1000) + 1) if due else None

    def _keep_time(self) -> None:
        now_s = time.monotonic()
        if self._kill_s is not None and now_s >= self._kill_s:
            self._children.signal_all(signal.SIGKILL)
            self._kill_s = now_s + STOP_GRACE_S
        if self._refill_s is not None and now_s >= self._refill_s:
            self._refill_s = None
            if self._spares.is_short:
                self._refill()

    def _refill(self) -> None:
        """One at a time: a message that arrives meanwhile must not wait for several forks."""
        try:
            self._spares.add()
        except OSError as error:
            _LOG.warning("cannot fork a spare: %s", error.strerror)
            self._refill_in(REFILL_AFTER_DEATH_S)
            return
        if self._spares.is_short:
            self._refill_in(0.0)


def _be_zygote(raw: dict[str, Any], fds: list[int]) -> int:
    """Be another zygote, from which is forked what needs more than is in this one.

    That is one model, opened, or libraries.
    """
    control_fd, log_fd, status_fd = fds
    forking.redirect(log_fd)
    try:
        os.chdir(raw["cwd"])
        config.adopt(raw["env"])
        if raw["kind"] == "template":
            templates.open_model(raw["args"], raw["env"])
        else:
            importing.import_ahead(raw["packages"])
    except (LoadError, SettingsError, OSError) as error:
        replica.tell(status_fd, {"failed": str(error)})
        return 1
    os.close(status_fd)
    # One round: what it was forked from has learnt the rest.
    return Zygote(socket.socket(fileno=control_fd), raw["spares"], rounds=1).run()


def _execution(raw: dict[str, Any], fds: list[int]) -> Execution:
    log_fd, status_fd = fds
    return Execution(
        id=raw["id"],
        argv=tuple(raw["argv"]),
        env=raw["env"],
        cwd=raw["cwd"],
        log_fd=log_fd,
        status_fd=status_fd,
        confinement=raw.get("confinement", ""),
    )


def _nothing(number: int, frame: object) -> None:
    """The wake-up descriptor tells; a handler must exist for it to be written."""


def main(arguments: Sequence[str]) -> int:
    """Run the zygote on the control socket it was given."""
    parser = argparse.ArgumentParser(prog="predictor.zygote", allow_abbrev=False)
    parser.add_argument("--control-fd", type=int, required=True, metavar="N")
    parser.add_argument("--spares", type=int, default=4, metavar="K", help="0 to 64 (default 4)")
    parser.add_argument(
        "--packages", default="", metavar="A,B", help="libraries of formats to import before forks"
    )
    flags = parser.parse_args(arguments)
    if not 0 <= flags.spares <= 64:
        parser.error(f"--spares: expected 0 to 64, got {flags.spares}")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    forking.drop_doubles(keep=flags.control_fd)
    control = socket.socket(fileno=flags.control_fd)
    control.set_inheritable(False)
    try:
        if flags.packages:
            importing.import_ahead(flags.packages.split(","))
        return Zygote(control, flags.spares).run()
    except (LoadError, UnsafeForkError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
