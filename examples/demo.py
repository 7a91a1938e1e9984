"""`make demo`: a real model served from zero, scaled by its load, rolled out as a canary.

Everything stays in .demo/ of this checkout and on free ports of this machine; nothing survives.
"""

import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

from examples import filetype
from examples.running import Answer, Platform, children_of, is_alive, wait_until

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".demo"
NAME = "filetype"
HOST = f"{NAME}.default.localhost"
INFER = f"/v2/models/{NAME}/infer"
REQUESTS = 200
CANARY_PERCENT = 20


class Demo:
    """The steps, in order; each prints what it does and keeps a line for the summary."""

    def __init__(self, platform: Platform, model: Path, labels: list[str]) -> None:
        self.platform = platform
        self.model = model
        self.labels = labels
        self.summary: list[str] = []

    def run(self) -> None:
        """All of it."""
        self.deploy("--window", "6s", "--max-scale", "4")
        first = self.send_files()
        self.note("first answer", self.split(first))
        self.wait_for_zero()
        self.wake()
        self.canary()
        self.promote_and_roll_back()
        self.show_objects()

    def note(self, what: str, text: str) -> None:
        """Print a line and keep it."""
        line = f"{what:<22} {text}"
        print(f"    {line}")
        self.summary.append(line)

    def command(self, *args: str) -> str:
        """Run and show a command of the command line."""
        shown = " ".join(args).replace(f"{ROOT}/", "")
        step(f"relight {shown}")
        done = self.platform.relight(*args, check=False)
        if done.returncode:
            raise RuntimeError(f"relight {shown} failed:\n{done.stdout}{done.stderr}")
        print(indented(done.stdout))
        return done.stdout

    def deploy(self, *args: str) -> None:
        """A new revision of the model."""
        started = time.perf_counter()
        self.command("deploy", NAME, "--model", str(self.model), *args)
        self.note("deployed", f"ready after {time.perf_counter() - started:.1f} s")

    def infer(self, content: bytes) -> Answer:
        """One request to the model."""
        answer = self.platform.request(HOST, INFER, filetype.request(content))
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {answer.body.decode(errors='replace')}")
        return answer

    def send_files(self) -> Answer:
        """Real files, and what the model takes them for."""
        step("three real files: what are they?")
        files = {
            "README.md": (ROOT / "README.md").read_bytes(),
            "a PNG made here": png(32, 32),
            "examples/demo.py": Path(__file__).read_bytes(),
        }
        first: Answer | None = None
        for name, content in files.items():
            answer = self.infer(content)
            first = first or answer
            label, score = filetype.best(answer.json(), self.labels)
            self.note(name, f"{label} ({score:.1%}), {answer.took_ms:.0f} ms")
        assert first is not None
        return first

    @staticmethod
    def split(answer: Answer) -> str:
        """Where a request's time went."""
        timing = answer.timing()
        names = [each for each in ("queue", "fork", "load", "resume", "run") if each in timing]
        parts = [f"{name} {timing[name]:.1f}" for name in names]
        return f"{answer.took_ms:.1f} ms in all: {', '.join(parts)} ms"

    def wait_for_zero(self) -> None:
        """No load, no replica."""
        step("no requests: waiting for scale to zero")
        started = time.monotonic()
        shown = [-1]

        def at_zero() -> bool:
            pods = len(self.platform.pods(NAME))
            second = int(time.monotonic() - started)
            if second != shown[0]:
                shown[0] = second
                print(f"    {second:3d} s  {pods} replica{'s' * (pods != 1)}", flush=True)
            return pods == 0

        wait_until(at_zero, 60, "scale to zero")
        self.note("scaled to zero", f"{time.monotonic() - started:.1f} s after the last request")

    def wake(self) -> None:
        """The request that finds nobody home."""
        step("one request, from zero")
        self.note("woken by a request", self.split(self.infer(b"#!/bin/sh\necho hello\n" * 20)))

    def canary(self) -> None:
        """A second revision on part of the traffic."""
        self.deploy("--concurrency", "4", "--canary", str(CANARY_PERCENT), "--tag", "next")
        step(f"{REQUESTS} requests: who answers?")
        content = (ROOT / "Makefile").read_bytes()
        counts: Counter[str] = Counter()
        for done in range(1, REQUESTS + 1):
            counts[self.infer(content).headers["relight-revision"]] += 1
            if done % 50 == 0:
                print(f"    {done:4d} sent", flush=True)
        for revision, count in sorted(counts.items()):
            self.note(revision, f"answered {count} of {REQUESTS}")
        if len(counts) != 2:
            raise RuntimeError(f"expected both revisions to answer, got {dict(counts)}")

    def promote_and_roll_back(self) -> None:
        """All traffic to the new one, and back."""
        for verb in ("promote", "rollback"):
            self.command("traffic", NAME, f"--{verb}")
            answered = self.infer(b"x" * 64).headers["relight-revision"]
            self.note(f"after {verb}", f"{answered} answers")

    def show_objects(self) -> None:
        """The objects, as any Kubernetes user sees them."""
        kubectl = Path(sys.executable).parent / "kubectl"
        if kubectl.exists():
            step("kubectl get ksvc,revisions,pods")
            get = ["get", "ksvc,revisions,pods"]
            done = subprocess.run(
                [kubectl, "--kubeconfig", self.platform.kubeconfig, *get],
                capture_output=True,
                text=True,
                check=True,
            )
            print(indented(done.stdout))
            return
        for kind in ("services", "revisions", "pods"):
            self.command("get", kind)


def png(width: int, height: int) -> bytes:
    """A real PNG image: a red and blue gradient."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    rows = b"".join(
        b"\0" + b"".join(bytes((x * 255 // width, 0, y * 255 // height)) for x in range(width))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    image = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + image


def step(text: str) -> None:
    """Say what comes."""
    print(f"\n==> {text}", flush=True)


def indented(text: str) -> str:
    """Output of a command, set in."""
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines())


def main() -> int:
    """Run the demo; 0 when every step did what it should."""
    started = time.monotonic()
    step(f"fetch the model: {filetype.PIN} (3 MB ONNX, checksum verified)")
    model, labels = filetype.fetch(FOLDER)
    step("relight up (free ports, everything in .demo/)")
    platform = Platform(FOLDER / "data", cwd=ROOT)
    with platform:
        print(f"    requests {platform.activator}   API {platform.api}")
        demo = Demo(platform, model, labels)
        demo.run()
        assert platform.process is not None
        processes = [platform.process.pid, *children_of(platform.process.pid)]
        step("SIGTERM: everything stops")
    left = [pid for pid in processes if is_alive(pid)]
    if platform.process.returncode or left:
        print(f"    exit code {platform.process.returncode}, processes left: {left}")
        return 1
    demo.note("stopped", f"{len(processes)} processes ended, none left")
    print(f"\n{'=' * 72}\nRelight demo, {time.monotonic() - started:.0f} s\n")
    print("\n".join(f"  {line}" for line in demo.summary))
    print("\n  Next: make up, then: .venv/bin/relight deploy --help")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (filetype.FetchError, RuntimeError, TimeoutError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
