import hashlib
import os
import signal
from pathlib import Path
from typing import Any

from tests.embedded.machine import FAHRENHEIT, ROOT, Machine, container_status, running


async def restarted(machine: Machine, count: int) -> bool:
    return container_status(await machine.pod("p")).get("restartCount", 0) >= count


def listener_of(address: str) -> int:
    """The process that holds the listening end of a Unix socket and is not this one."""
    table = Path("/proc/net/unix").read_text().splitlines()
    inode = next(line.split()[6] for line in table if line.endswith(address))
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        try:
            if any(str(fd.readlink()) == f"socket:[{inode}]" for fd in (folder / "fd").iterdir()):
                return int(folder.name)
        except OSError:
            continue
    raise AssertionError("nobody listens")


async def test_a_replica_that_dies_is_started_again_on_the_same_socket() -> None:
    async with running() as machine:
        await machine.create_pod("p")
        before = await machine.until_ready("p")
        address = before["metadata"]["annotations"]["relight.dev/endpoint"].removeprefix("unix:")
        os.kill(listener_of(address), signal.SIGKILL)
        await machine.until(lambda: restarted(machine, 1))
        after = await machine.until_ready("p")
        assert container_status(after)["lastState"]["terminated"]["exitCode"] == 137
        assert after["metadata"]["annotations"]["relight.dev/endpoint"] == f"unix:{address}"
        assert (await machine.ask("p")).startswith(b"HTTP/1.1 200")


async def failure(machine: Machine) -> str:
    async def has_failed() -> bool:
        return await restarted(machine, 1)

    await machine.until(has_failed)
    last: dict[str, Any] = container_status(await machine.pod("p"))["lastState"]["terminated"]
    assert last["exitCode"] == 1
    return str(last["message"])


async def test_a_model_that_does_not_load_says_why_in_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_text("not a model")
    async with running() as machine:
        await machine.create_pod("p", args=["--model", str(broken)])
        message = await failure(machine)
        assert str(broken) in message
        assert "Traceback" not in message
        state = container_status(await machine.pod("p"))["state"]
        assert state["waiting"]["reason"] == "CrashLoopBackOff"


async def test_a_failure_names_the_users_file_and_not_our_copy(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_text("not a model")
    digest = f"sha256:{hashlib.sha256(broken.read_bytes()).hexdigest()}"
    async with running() as machine:
        annotations = {"relight.dev/model-digest": digest}
        await machine.create_pod("p", args=["--model", str(broken)], annotations=annotations)
        assert (await failure(machine)).startswith(f"{broken} is not an ONNX file")


async def test_more_environment_than_a_start_holds_is_told() -> None:
    async with running() as machine:
        await machine.create_pod("p", env=[{"name": "A", "value": "y" * 300_000}])
        assert "command, args and env take 300" in await failure(machine)


async def test_a_pinned_model_that_changed_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    model.write_bytes(FAHRENHEIT.read_bytes())
    pinned = f"sha256:{hashlib.sha256(b'other').hexdigest()}"
    async with running() as machine:
        annotations = {"relight.dev/model-digest": pinned}
        await machine.create_pod("p", args=["--model", str(model)], annotations=annotations)
        assert "changed since the revision was made" in await failure(machine)


async def test_pinned_code_runs_from_its_copy_or_not_at_all(tmp_path: Path) -> None:
    code = tmp_path / "m.py"
    code.write_text((ROOT / "examples/wordcount.py").read_text())
    pinned = f"sha256:{hashlib.sha256(code.read_bytes()).hexdigest()}"
    made = {"args": ["--python", f"{code}:WordCount", "--model-name", "m"]}
    annotations = {"relight.dev/model-digest": pinned}
    async with running() as machine:
        await machine.create_pod("same", **made, annotations=annotations)
        await machine.until_ready("same")
        code.write_text("raise RuntimeError('another version')")
        await machine.create_pod("copy", **made, annotations=annotations)
        await machine.until_ready("copy")
        never = {"relight.dev/model-digest": "sha256:" + "0" * 64}
        await machine.create_pod("p", **made, annotations=never)
        assert "changed since the revision was made" in await failure(machine)


async def test_a_command_that_ends_leaves_its_last_words() -> None:
    async with running() as machine:
        command = ["python3", "-c", "import sys; print('no licence found'); sys.exit(1)"]
        await machine.create_pod("p", image="x", command=command, args=[])
        assert "no licence found" in await failure(machine)


async def test_what_ignores_sigterm_is_killed_after_its_grace() -> None:
    async with running() as machine:
        script = (
            "import os, signal, socket, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n"
            "time.sleep(600)"
        )
        await machine.create_pod(
            "p",
            image="x",
            command=["python3", "-c", script],
            args=[],
            spec={"terminationGracePeriodSeconds": 1},
        )
        await machine.until_ready("p")
        # Leaving the block stops the kubelet, which waits for the life to end.


async def test_limits_bind_the_process() -> None:
    # Limits are set once the zygote has told of the start, so the program looks for them.
    script = (
        "import os, socket, time\n"
        "while len(os.sched_getaffinity(0)) > 1: time.sleep(0.01)\n"
        "listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n"
        "print('cores', len(os.sched_getaffinity(0)), flush=True)\n"
        "try:\n"
        "    bytearray(1 << 30)\n"
        "except MemoryError:\n"
        "    print('no memory', flush=True)\n"
        "listener.accept()"
    )
    async with running() as machine:
        await machine.create_pod(
            "p",
            image="x",
            command=["python3", "-c", script],
            args=[],
            resources={"limits": {"memory": "256Mi", "cpu": "1"}},
        )

        async def is_bound() -> bool:
            pieces = [piece async for piece in machine.kubelet.logs("default", "p")]
            return b"cores 1" in b"".join(pieces) and b"no memory" in b"".join(pieces)

        await machine.until_ready("p")
        await machine.until(is_bound)
