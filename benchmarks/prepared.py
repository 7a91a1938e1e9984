"""A prepared model beside the plain one: `python -m benchmarks.prepared`.

What is measured: a model of 100 MB in the shape of a ResNet-50, made on the spot (seeded), and the
same prepared by `predictor.prepare` as a replica would have it done. Each load is one of a fresh
fork of a warmed process, plain and prepared in turn, through `loader.load` as in a replica; then
one run. The answers of both are compared.

`load_ratio`: median of the prepared loads over the median of the plain ones.
`second_replica_mib`: what a second replica has for itself (Private_Dirty of smaps_rollup, all of
the process) beside a first one, after its first run and what it does two seconds later
(`heap.give_back`). The plain one's is printed before and after that.

Budget: load_ratio <= 0.35, second_replica_mib <= 50.
Machine: 2 cores, 24 GiB, Debian 12, Python 3.11 (Debian's build), onnxruntime CPU.
Result: see docs/performance.md.
"""

import argparse
import contextlib
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from predictor import apart, config, forking, heap, loader, prepared, preparing
from predictor.onnx_model import runtime
from predictor.prepared_store import PreparedStore
from predictor.providers import CPU
from predictor.warming import Rehearsal

ROOT = Path(__file__).parent.parent
STAGES = ((256, 3), (512, 4), (1024, 6), (2048, 3))  # channels and blocks, as a ResNet-50's
CLASSES = 1000
SIDE = 224
LOAD_RATIO_MAX = 0.35
SECOND_MIB_MAX = 50.0
STEP_S = 300.0


class Network:
    """Layers of a network, one after the other."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, shape: tuple[int, ...], scale: float) -> str:
        """A new initialiser."""
        name = f"w{len(self.weights)}"
        values = (self._rng.standard_normal(shape) * scale).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A new node; the name of its output."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def convolution(self, data: str, channels: tuple[int, int], size: int, stride: int = 1) -> str:
        """Convolution and ReLU."""
        into, out = channels
        scale = float(np.sqrt(2 / (into * size * size)))
        weight = self.weight((out, into, size, size), scale)
        bias = self.weight((out,), 0.01)
        attributes = {"pads": [size // 2] * 4, "strides": [stride] * 2, "kernel_shape": [size] * 2}
        return self.add("Relu", self.add("Conv", data, weight, bias, **attributes))


def network(scale: float) -> bytes:
    """The model; `scale` 1 is 100 MB, less is smaller."""
    made = Network(seed=1)
    stages = [(max(16, int(channels * scale) // 16 * 16), blocks) for channels, blocks in STAGES]
    data = made.convolution("x", (3, 64), 7, stride=2)
    into = 64
    for out, blocks in stages:
        for block in range(blocks):
            stride = 2 if block == 0 else 1
            inner = made.convolution(data, (into, out // 4), 1, stride)
            inner = made.convolution(inner, (out // 4, out // 4), 3)
            inner = made.convolution(inner, (out // 4, out), 1)
            if block == 0:
                data = made.convolution(data, (into, out), 1, stride)
            data = made.add("Add", data, inner)
            into = out
    flat = made.add("Flatten", made.add("GlobalAveragePool", data))
    weight, bias = made.weight((into, CLASSES), 0.02), made.weight((CLASSES,), 0.01)
    made.nodes.append(helper.make_node("Gemm", [flat, weight, bias], ["y"]))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        made.nodes,
        "network",
        [info("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [info("y", TensorProto.FLOAT, ["n", CLASSES])],
        made.weights,
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def own_mib() -> float:
    """What this process has dirtied and shares with nobody."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("smaps_rollup says nothing of Private_Dirty")


def load_and_run(settings: config.Settings) -> apart.Answer:
    """In a fork: a load, a run, and what is left of both."""
    started_s = time.perf_counter()
    loaded = loader.load(settings)
    loaded_s = time.perf_counter()
    image = np.random.default_rng(2).standard_normal((1, 3, SIDE, SIDE)).astype(np.float32)
    answer = loaded.run({"x": image}, None)["y"]
    ran_s = time.perf_counter()
    before_mib = own_mib()
    heap.give_back()
    return {
        "load_ms": (loaded_s - started_s) * 1000,
        "run_ms": (ran_s - loaded_s) * 1000,
        "before_mib": before_mib,
        "mib": own_mib(),
        "prepared": loaded.facts["prepared"],
        "answer": [float(value) for value in answer.ravel()],
    }


@contextlib.contextmanager
def first_replica(settings: config.Settings) -> Iterator[None]:
    """A replica that has run and stays."""
    ready, telling = os.pipe()
    waiting, releasing = os.pipe()

    def live() -> int:
        loaded = load_and_run(settings)
        os.write(telling, b"r" if loaded else b"")
        os.close(telling)
        os.read(waiting, 1)
        return 0

    pid = forking.fork(live, close=(ready, releasing))
    os.close(telling)
    try:
        if os.read(ready, 1) != b"r":
            raise RuntimeError("the first replica did not run")
        yield
    finally:
        os.close(releasing)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(waiting)


def settings_of(model: Path, cache_dir: Path, *, is_prepared: bool) -> config.Settings:
    """As a replica's whose Revision has the digest pinned."""
    digest = "sha256:" + hashlib.sha256(model.read_bytes()).hexdigest()
    arguments = ["--model", str(model), "--cache-dir", str(cache_dir)]
    arguments += ["--prepared", "auto" if is_prepared else "off"]
    return config.parse(arguments, {"RELIGHT_MODEL_DIGEST": digest})


def prepare(settings: config.Settings) -> prepared.Entry:
    """Have it prepared as a replica would, and wait."""
    model, version = Path(settings.model), runtime().__version__
    cached = preparing.look(model, settings, runtime=version, provider=CPU)
    assert cached is not None
    cached.prepare()
    found = PreparedStore(settings.cache_dir).find(cached.key, now_s=0.0)
    assert found is not None, "nothing was prepared"
    return found.entry


def measured(settings: config.Settings) -> dict[str, Any]:
    """One load in a fresh fork."""
    answer: dict[str, Any] = apart.run(partial(load_and_run, settings), timeout_s=STEP_S)
    return answer


def median(found: Sequence[dict[str, Any]], name: str) -> float:
    """Of one number of several loads."""
    return statistics.median(each[name] for each in found)


def compare(model: Path, cache_dir: Path, runs: int) -> bool:
    """Measure, print, and say whether the budget is kept."""
    plain = settings_of(model, cache_dir, is_prepared=False)
    ready = settings_of(model, cache_dir, is_prepared=True)
    started_s = time.perf_counter()
    entry = prepare(ready)
    print(f"prepared in {time.perf_counter() - started_s:.1f} s: {entry.reason}")
    rehearsal = Rehearsal()
    rehearsal.in_zygote()
    found: dict[str, list[dict[str, Any]]] = {"plain": [], "prepared": []}
    for _ in range(runs):
        found["plain"].append(measured(plain))
        found["prepared"].append(measured(ready))
    seconds: dict[str, dict[str, Any]] = {}
    for name, settings in (("plain", plain), ("prepared", ready)):
        with first_replica(settings):
            seconds[name] = measured(settings)
    rehearsal.close()
    assert all(each["prepared"] for each in found["prepared"]), entry.reason
    ours, theirs = (np.array(found[name][0]["answer"]) for name in ("plain", "prepared"))
    gap = np.abs(ours - theirs).max()
    print(f"largest difference of an answer: {gap:.2g} of {np.abs(ours).max():.2g}")
    print("           load ms   first run ms  second replica MiB  before trimming")
    for name, each in found.items():
        mib, before_mib = seconds[name]["mib"], seconds[name]["before_mib"]
        load_ms, run_ms = median(each, "load_ms"), median(each, "run_ms")
        print(f"{name:8}{load_ms:10.1f}{run_ms:15.1f}{mib:20.1f}{before_mib:17.1f}")
    ratio = median(found["prepared"], "load_ms") / median(found["plain"], "load_ms")
    mib = seconds["prepared"]["mib"]
    print(f"load_ratio={ratio:.3f} second_replica_mib={mib:.0f}")
    return ratio <= LOAD_RATIO_MAX and mib <= SECOND_MIB_MAX


def main() -> int:
    """Run in a process of one thread, as a zygote is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="loads of each kind")
    parser.add_argument("--scale", type=float, default=1.0, help="of the model; 1 is 100 MB")
    parser.add_argument("--in-one-thread", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if not flags.in_one_thread:
        alone = dict.fromkeys(config.ZYGOTE_ONLY, "1")
        command = [sys.executable, "-m", "benchmarks.prepared", *sys.argv[1:], "--in-one-thread"]
        return subprocess.run(
            command, env={**config.inherited(), **alone}, cwd=ROOT, check=False
        ).returncode
    with tempfile.TemporaryDirectory(prefix="relight-prepared-") as folder:
        model = Path(folder) / "model.onnx"
        model.write_bytes(network(flags.scale))
        print(f"a model of {model.stat().st_size / 1e6:.0f} MB, {flags.runs} loads of each kind")
        return 0 if compare(model, Path(folder), flags.runs) else 1


if __name__ == "__main__":
    sys.exit(main())
