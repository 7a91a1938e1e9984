"""The zygote and what it forks, as real processes: nothing may be lost and nothing may survive."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest

from predictor import zygote
from tests.predictor.talking import PATIENCE_S, Client, infer_body, request, wait_until
from tests.predictor.test_serving import HELD
from tests.predictor.zygotes import ROOT, Platform, children_of, is_alive, platform

INFER = request("POST", "/v2/models/m/infer", infer_body([[1.0, 2.0]]))
READY = request("GET", "/v2/health/ready")


def test_a_request_sent_before_the_replica_exists_is_answered(
    short_path: Path, identity_model: Callable[..., Path]
) -> None:
    with platform(short_path) as it:
        replica = it.start("--model", str(identity_model()), "--model-name", "m", K_REVISION="m-1")
        client = Client(replica.path)
        reply = client.ask(INFER)
        it.started(replica)
        assert reply.json["outputs"][0]["data"] == [1, 2]
        assert reply.headers["relight-revision"] == "m-1"
        assert "fork;dur=" in reply.headers["server-timing"]
        fact = replica.fact()
        assert fact["ready"] is True
        assert fact["fork_ms"] >= 0
        assert fact["provider"] == "CPUExecutionProvider"
        assert os.getsid(replica.pid) == replica.pid
        client.close()
        it.wait_for_spares()
        it.say(op="signal", id=replica.id, signal=signal.SIGTERM)
        assert it.event() == {"event": "exited", "id": replica.id, "code": 0, "signal": None}
        assert replica.fact() is None


def test_it_says_what_it_has(short_path: Path) -> None:
    it = Platform(short_path, 0)
    try:
        ready = it.event()
        assert ready["onnxruntime"] == onnxruntime.__version__
        assert "CPUExecutionProvider" in ready["providers"]
    finally:
        it.close()


def test_without_a_spare_it_forks_at_once(
    short_path: Path, identity_model: Callable[..., Path]
) -> None:
    with platform(short_path, spares=0) as it:
        replicas = [
            it.start("--model", str(identity_model()), "--model-name", "m") for _ in range(2)
        ]
        for replica in replicas:
            it.started(replica)
            client = Client(replica.path)
            assert client.ask(INFER).status == 200
            client.close()


@pytest.mark.parametrize("spares", [0, 1])
def test_a_replica_holds_nothing_open_that_is_not_its_own(
    short_path: Path, identity_model: Callable[..., Path], spares: int
) -> None:
    with platform(short_path, spares=spares) as it:
        if spares:
            it.wait_for_spares()
        replica = it.start("--model", str(identity_model()), "--model-name", "m")
        it.started(replica)
        assert replica.fact()["ready"] is True
        assert not opened(it.process.pid) & opened(replica.pid)


def opened(pid: int) -> set[str]:
    """Files and sockets; not /dev/null, which uvloop has in reserve."""
    folder = Path(f"/proc/{pid}/fd")
    return {str(each.readlink()) for each in folder.iterdir()} - {os.devnull}


def test_a_zygote_drops_what_was_left_in_it_by_who_started_it(short_path: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, (short_path / "log").open("wb") as log:
        double = os.dup(log.fileno())
        command = [sys.executable, "-m", "predictor.zygote", "--spares", "0"]
        with subprocess.Popen(
            [*command, "--control-fd", str(theirs.fileno())],
            cwd=ROOT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"},
            pass_fds=[theirs.fileno(), double],
            stderr=log,
        ) as process:
            os.close(double)
            with ours:  # its end is the zygote's
                ours.settimeout(PATIENCE_S)
                assert b"zygote-ready" in ours.recv(65536)
                assert not Path(f"/proc/{process.pid}/fd/{double}").exists()


def test_a_spare_that_died_is_replaced_and_costs_no_request(
    short_path: Path, identity_model: Callable[..., Path]
) -> None:
    with platform(short_path) as it:
        (spare,) = it.wait_for_spares()
        os.kill(spare, signal.SIGKILL)
        wait_until(lambda: not is_alive(spare), "the spare is dead")
        replica = it.start("--model", str(identity_model()), "--model-name", "m")
        client = Client(replica.path)
        assert client.ask(INFER).status == 200
        client.close()
        it.started(replica)
        it.wait_for_spares()


def test_a_model_that_does_not_load_is_told_and_exits_with_one(short_path: Path) -> None:
    with platform(short_path) as it:
        replica = it.start("--model", "no.onnx")
        it.started(replica)
        assert replica.fact() == {"failed": "there is no model file at no.onnx"}
        assert it.event() == {"event": "exited", "id": replica.id, "code": 1, "signal": None}
        assert "there is no model file at no.onnx" in replica.log.read_text()
        wrong = it.start("--modell", "x")
        it.started(wrong)
        assert wrong.fact() == {"failed": "unknown argument '--modell'"}
        assert it.event()["code"] == 1


def test_a_replica_that_is_killed_is_reported_with_its_signal(
    short_path: Path, identity_model: Callable[..., Path]
) -> None:
    with platform(short_path) as it:
        replica = it.start("--model", str(identity_model()))
        it.started(replica)
        assert replica.fact()["ready"]
        it.say(op="signal", id=replica.id, signal=signal.SIGKILL)
        assert it.event() == {"event": "exited", "id": replica.id, "code": None, "signal": 9}


def test_a_stop_while_loading_is_quick(
    short_path: Path, python_file: Callable[[str], Path]
) -> None:
    path = python_file(HELD)
    with platform(short_path) as it:
        replica = it.start("--python", f"{path}:Held")
        it.started(replica)
        wait_until((path.parent / "load-began").exists, "the load began")
        it.say(op="signal", id=replica.id, signal=signal.SIGTERM)
        assert it.event() == {"event": "exited", "id": replica.id, "code": 0, "signal": None}


def test_a_request_in_flight_survives_the_stop(
    short_path: Path, python_file: Callable[[str], Path]
) -> None:
    path = python_file(HELD)
    (path.parent / "load").touch()
    with platform(short_path) as it:
        replica = it.start("--python", f"{path}:Held", "--model-name", "m")
        it.started(replica)
        client = Client(replica.path)
        client.send(INFER)
        wait_until((path.parent / "predict-began").exists, "the run began")
        probe = Client(replica.path)
        assert probe.ask(READY).status == 200
        it.say(op="signal", id=replica.id, signal=signal.SIGTERM)
        wait_until(lambda: probe.ask(READY).status == 503, "it drains")
        probe.close()
        (path.parent / "predict").touch()
        reply = client.read()
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert client.is_ended()
        client.close()
        assert it.event()["code"] == 0


def test_what_a_model_prints_goes_to_its_own_log_at_once(
    short_path: Path, python_file: Callable[[str], Path]
) -> None:
    code = (
        "import os, sys\nclass Mine(Model):\n  def load(self):\n"
        "    print('hello from', os.environ['WHO'], os.getcwd(), end='', flush=False)\n"
        "    print('to stderr', file=sys.stderr)\n"
    )
    with platform(short_path) as it:
        replica = it.start("--python", f"{python_file(code)}:Mine", WHO="me")
        it.started(replica)
        assert replica.fact()["ready"]
        assert f"hello from me {short_path}" in replica.log.read_text()
        assert "to stderr" in replica.log.read_text()


def test_programs_run_with_their_environment_and_die_with_their_children(
    short_path: Path,
) -> None:
    script = 'echo "port $PORT threads ${OPENBLAS_NUM_THREADS:-none}"; sleep 1000 & wait'
    with platform(short_path) as it:
        replica = it.execute("sh", "-c", script, PORT="4321")
        pid = it.started(replica)
        wait_until(lambda: "port 4321 threads none" in replica.log.read_text(), "it wrote its log")
        wait_until(lambda: len(children_of(pid)) == 1, "its child runs")
        (child,) = children_of(pid)
        it.say(op="signal", id=replica.id, signal=signal.SIGTERM)
        assert it.event() == {"event": "exited", "id": replica.id, "code": None, "signal": 15}
        wait_until(lambda: not is_alive(child), "its child is gone")
        assert replica.fact() is None


def test_a_program_that_cannot_run_is_told(short_path: Path) -> None:
    with platform(short_path) as it:
        replica = it.execute("/no/such/program")
        it.started(replica)
        said = f"cannot run /no/such/program in {short_path}: No such file or directory"
        assert replica.fact() == {"failed": said}
        assert it.event()["code"] == 127
        assert said in replica.log.read_text()


@pytest.mark.parametrize("way", ["control", "stop", "sigterm", "sigkill"])
def test_no_process_survives(
    short_path: Path, identity_model: Callable[..., Path], way: str
) -> None:
    with platform(short_path, spares=2) as it:
        predictor = it.start("--model", str(identity_model()))
        it.started(predictor)
        assert predictor.fact()["ready"]
        program = it.execute("sleep", "1000")
        it.started(program)
        pids = it.wait_for_spares() | {predictor.pid, program.pid}
        assert len(pids) == 4
        if way == "control":
            it.control.close()
        elif way == "stop":
            it.say(op="stop")
        else:
            it.process.send_signal(signal.SIGTERM if way == "sigterm" else signal.SIGKILL)
        code = it.process.wait(20)
        assert code == (-9 if way == "sigkill" else 0)
        wait_until(lambda: not any(map(is_alive, pids)), "every process is gone")


@pytest.mark.parametrize("way", ["control", "stop"])
@pytest.mark.parametrize("is_orphan", [False, True])
def test_a_daemon_that_left_its_group_ends_with_the_zygote(
    short_path: Path, way: str, is_orphan: bool
) -> None:
    script = "setsid sh -c 'echo pid $$; touch up; exec sleep 1000' & "
    leave = "until [ -e up ]; do sleep 0.01; done"  # else it dies with the group it is still in
    with platform(short_path, spares=1) as it:
        replica = it.execute("sh", "-c", script + (leave if is_orphan else "wait"))
        it.started(replica)
        wait_until(lambda: replica.log.read_text().endswith("\n"), "it tells its pid")
        daemon = int(replica.log.read_text().split()[1])
        if is_orphan:
            assert it.event()["event"] == "exited"
        assert is_alive(daemon)
        if way == "control":
            it.control.close()
        else:
            it.say(op="stop")
        assert it.process.wait(20) == 0
        assert not is_alive(daemon)


def test_who_ignores_sigterm_is_killed_when_the_platform_is_gone(short_path: Path) -> None:
    with platform(short_path, spares=0) as it:
        stubborn = it.execute("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
        it.started(stubborn)
        wait_until(lambda: "ready" in stubborn.log.read_text(), "it ignores the signal")
        it.control.close()
        assert it.process.wait(20) == 0
        assert not is_alive(stubborn.pid)


def test_messages_that_make_no_sense_are_dropped(
    short_path: Path, identity_model: Callable[..., Path]
) -> None:
    with platform(short_path, spares=0) as it:
        it.control.send(b"not json")
        it.control.send(b'"text"')
        it.say(op="dance")
        it.say(op="start", id="x", kind="predictor", args=[], env={}, cwd="/")
        it.say(op="signal", id="nobody", signal=15)
        replica = it.start("--model", str(identity_model()), "--model-name", "m")
        it.started(replica)
        client = Client(replica.path)
        assert client.ask(INFER).status == 200
        client.close()
        log = (short_path / "zygote.log").read_text()
        assert log.count("makes no sense and is dropped") == 4


def test_it_refuses_to_run_beside_other_threads(short_path: Path) -> None:
    code = (
        "import threading, sys; threading.Thread(target=threading.Event().wait, daemon=True)"
        ".start(); from predictor import zygote; sys.exit(zygote.main(sys.argv[1:]))"
    )
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", code, "--control-fd", "0"]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        found = subprocess.run(
            command, cwd=ROOT, env=env, stdin=theirs, capture_output=True, text=True, check=False
        )
    assert found.returncode == 1
    assert "cannot fork beside 1 other threads; start the zygote with" in found.stderr


def test_flags_are_checked() -> None:
    with pytest.raises(SystemExit):
        zygote.main(["--control-fd", "0", "--spares", "65"])
