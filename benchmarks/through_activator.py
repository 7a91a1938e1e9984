"""A whole request beside the predictor alone: `python -m benchmarks.through_activator`.

What is measured: processor time a request of `relight up` and all its processes (activator,
replica, control plane) that serve a tiny model in V2 JSON, over that of `python -m predictor` with
the same model asked directly; with 1, 8 and 32 kept-alive connections of wrk. Servers are pinned
to the first processor, wrk to the second; rounds are interleaved and medians printed.

    python -m benchmarks.through_activator [--rounds 5] [--seconds 3]

Needs wrk; as root it is installed when missing. The last line is the ratio at 8 connections.

Machine: 2 cores, 24 GiB, Debian 12, Python 3.11 (Debian's build), onnxruntime CPU.
Result: see docs/performance.md.
Budget: 1.8 times a predictor of 63 us, the prototype of the design, which is 113 us.
"""

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks.predictor import (
    BODY,
    CONNECTIONS,
    RATIO_AT,
    ROOT,
    SERVER_CPU,
    V2,
    Tally,
    answers,
    command,
    load,
    need_wrk,
    post,
    running,
)
from examples.running import Platform, wait_until
from predictor.warming import MODEL

NAME = "m"  # as benchmarks.predictor calls the model
READY_S = 60.0


def deploy(platform: Platform, model: Path) -> None:
    """One replica that stays."""
    platform.relight("deploy", NAME, "--model", str(model), "--min-scale", "1")
    host = f"{NAME}.default.localhost"
    wait_until(lambda: platform.request(host, V2, BODY).status == 200, READY_S, "an answer")


def measure(flags: argparse.Namespace, folder: Path) -> tuple[Tally, Tally]:
    """The platform and the predictor alone, in turn."""
    os.sched_setaffinity(0, {SERVER_CPU})  # what is started from here on stays there
    model = folder / "tiny.onnx"
    model.write_bytes(MODEL)
    alone, whole = Tally(), Tally()
    direct, through = post(folder, BODY), folder / "through.lua"
    host = f"wrk.headers['Host']='{NAME}.default.localhost'"
    through.write_text(f"{direct.read_text()}\n{host}")
    argv, path = command("relight", model, ROOT)
    with (
        Platform(folder / "d", cwd=ROOT) as platform,
        running(argv, path, folder / "log", answers) as (pid, url, _),
    ):
        deploy(platform, model)
        assert platform.process is not None
        sides = (
            (alone, pid, url, direct),
            (whole, platform.process.pid, platform.activator + V2, through),
        )
        for _ in range(flags.rounds):
            for tally, server, address, script in sides:
                for connections in CONNECTIONS:
                    load(server, address, script, connections, 1)  # warm
                    found = load(server, address, script, connections, flags.seconds)
                    tally.loads.setdefault(connections, []).append(found)
    return alone, whole


def main() -> None:
    """Print a line for each number of connections, and the ratio."""
    parser = argparse.ArgumentParser(description="The platform beside the predictor alone.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    flags = parser.parse_args()
    need_wrk()
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="rl-") as folder:
        alone, whole = measure(flags, Path(folder))
    for connections in CONNECTIONS:
        line = f"connections={connections}"
        for name, tally in (("alone", alone), ("through", whole)):
            cpu, p50, p99 = (
                tally.median(connections, each) for each in ("cpu_us", "p50_ms", "p99_ms")
            )
            line += f" {name}: us={cpu:.0f} p50_ms={p50:.2f} p99_ms={p99:.2f}"
        print(line)
    ours, theirs = (tally.median(RATIO_AT, "cpu_us") for tally in (whole, alone))
    print(f"through_us={ours:.0f} alone_us={theirs:.0f} cpu_ratio={ours / theirs:.2f}")


if __name__ == "__main__":
    main()
