"""What dynamic batching gives and takes, at 32 connections: `python -m benchmarks.batching`.

What is measured: our predictor over TCP, one replica with one model thread pinned to the first
processor, wrk on the second with 32 kept-alive connections that send one row each in V2 JSON, with
and without `--max-batch-size 32` (and the default delay of 5 ms), interleaved. Two models:
* `dense`: four layers of 1,024 units. One row reads 16 MiB of weights, and so do 32: here
  batching helps;
* `tiny`: microseconds a run, little to share: here it may cost more than it gives.

    python -m benchmarks.batching [--rounds 5] [--seconds 3]

The last line has, for both, the ratio of requests a second and of p99 with batching to those
without. Result (2 quiet EPYC cores): 3.80 and 0.09 for dense, 1.24 and 0.70 for tiny.
Budget: dense gains, tiny loses at most 3 %.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import orjson
from onnx import TensorProto, helper, numpy_helper

from benchmarks.predictor import V2, Load, ask, load, need_wrk, post, running

CONNECTIONS = 32
UNITS, LAYERS = 1024, 4
BATCHED = ("--max-batch-size", "32")


def dense(units: int, layers: int, width: int) -> bytes:
    """y = relu(... relu(x W) ... W), x FP32 [n, width], with weights of one seed."""
    rng = np.random.default_rng(7)
    nodes, weights, name = [], [], "x"
    for layer in range(layers):
        rows = width if layer == 0 else units
        matrix = (rng.standard_normal((rows, units)) / rows**0.5).astype(np.float32)
        weights.append(numpy_helper.from_array(matrix, f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [name, f"w{layer}"], [f"m{layer}"]))
        name = "y" if layer == layers - 1 else f"r{layer}"
        nodes.append(helper.make_node("Relu", [f"m{layer}"], [name]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", units])
    graph = helper.make_graph(nodes, "dense", [x], [y], weights)
    opsets = [helper.make_opsetid("", 17)]
    made: bytes = onnx.ModelProto.SerializeToString(
        helper.make_model(graph, ir_version=8, opset_imports=opsets)
    )
    return made


MODELS = {"dense": (UNITS, LAYERS, UNITS), "tiny": (4, 1, 4)}


def rounds(name: str, folder: Path, flags: argparse.Namespace) -> Iterator[tuple[Load, Load]]:
    """Plain and batched, in turns, the one that goes first changing."""
    units, layers, width = MODELS[name]
    model = folder / f"{name}.onnx"
    model.write_bytes(dense(units, layers, width))
    row = np.random.default_rng(1).standard_normal(width).round(3).tolist()
    tensor = {"name": "x", "shape": [1, width], "datatype": "FP32", "data": row}
    body = orjson.dumps({"inputs": [tensor]})
    script = post(folder, body)
    program = [sys.executable, "-m", "predictor", "--model", str(model), "--port", "{}"]
    program += ["--model-name", "m"]
    arguments = {"plain": program, "batched": [*program, *BATCHED]}
    for number in range(flags.rounds):
        found, answers = {}, {}
        for kind in sorted(arguments, reverse=bool(number % 2)):
            ready = lambda url: bool(ask(url, body))  # noqa: E731 - short
            with running(arguments[kind], V2, folder / "log", ready) as (pid, url, _):
                load(pid, url, script, CONNECTIONS, 1)  # warm
                found[kind] = load(pid, url, script, CONNECTIONS, flags.seconds)
                answers[kind] = ask(url, body)["outputs"][0]["data"]
        assert np.allclose(answers["plain"], answers["batched"], rtol=1e-4, atol=1e-5)
        yield found["plain"], found["batched"]


def main() -> None:
    """Print a line a model, and the ratios."""
    parser = argparse.ArgumentParser(description="What dynamic batching gives and takes.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    flags = parser.parse_args()
    need_wrk()
    told = []
    for name in MODELS:
        with tempfile.TemporaryDirectory(prefix="relight-batching-") as folder:
            found = list(rounds(name, Path(folder), flags))
        for at, kind in enumerate(("plain", "batched")):
            rps = statistics.median(pair[at].rps for pair in found)
            p99_ms = statistics.median(pair[at].p99_ms for pair in found)
            print(f"{name:6} {kind:8} {rps:8.0f} requests/s, p99 {p99_ms:7.2f} ms")
        ratio = statistics.median(batched.rps / plain.rps for plain, batched in found)
        p99 = statistics.median(batched.p99_ms / plain.p99_ms for plain, batched in found)
        told.append(f"{name}_throughput_ratio={ratio:.2f} {name}_p99_ratio={p99:.2f}")
    print(" ".join(told))


if __name__ == "__main__":
    main()
