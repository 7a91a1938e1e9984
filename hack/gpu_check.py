"""Prove on a machine with a card that models run on it: `python -m hack.gpu_check`.

Looks for the driver and for ONNX Runtime's providers, then runs a tiny model and one of 100 MB on
the CPU and on the card through the predictor's own loading: with and without IO binding, with a
limit for the arena, and with TensorRT where that is installed (twice: the second start must find
the engine it kept). Each answer is compared with the CPU's. Prints a table; exit code 0 when all
that could be tried did well and a card was really used, else 1.
"""

import argparse
import contextlib
import ctypes
import importlib.util
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from predictor import warming
from predictor.errors import LoadError
from predictor.model import Tensor
from predictor.onnx_model import OnnxModel, runtime
from predictor.onnx_session import Wish
from predictor.provider_options import Options
from predictor.providers import CPU, CUDA, TENSORRT

RTOL, ATOL = 1e-2, 1e-2  # of the largest: a card may use 19-bit products and other algorithms
RUNS = 10
ARENA_BYTES = 2 << 30


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to run a model."""

    name: str
    providers: Sequence[str]
    is_bound: bool = True
    options: Options | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of it."""

    provider: str
    load_ms: float
    run_ms: float
    difference: float
    fault: str = ""


def driver() -> str:
    """What the driver says of the cards; "" where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    query = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    found = subprocess.run([program, *query], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else ""


def has_tensorrt() -> bool:
    """Whether TensorRT's own library is here: ONNX Runtime names its provider without it too."""
    if importlib.util.find_spec("tensorrt_libs") is not None:
        return True
    for name in ("libnvinfer.so.10", "libnvinfer.so"):
        with contextlib.suppress(OSError):
            ctypes.CDLL(name)
            return True
    return False


def cases(available: Sequence[str]) -> list[Case]:
    """What can be tried with these providers."""
    found: list[Case] = []
    if CUDA in available:
        limited: dict[str, Mapping[str, str]] = {
            CUDA: {"gpu_mem_limit": str(ARENA_BYTES), "arena_extend_strategy": "kSameAsRequested"}
        }
        found += [
            Case(name="CUDA, bound", providers=[CUDA]),
            Case(name="CUDA, not bound", providers=[CUDA], is_bound=False),
            Case(name="CUDA, arena of 2 GiB", providers=[CUDA], options=limited),
        ]
    if TENSORRT in available:
        names = ("TensorRT, engine built", "TensorRT, engine kept")
        found += [Case(name=name, providers=[TENSORRT, CUDA]) for name in names]
    return found


def attempt(
    path: Path, case: Case, feeds: dict[str, Tensor], plain: Tensor | None, engines: Path
) -> tuple[Outcome, Tensor | None]:
    """Load and run one; what it answered."""
    wish = Wish(providers=case.providers, options=case.options or {}, engines=engines)
    model = OnnxModel(path, wish, is_bound=case.is_bound)
    started_s = time.perf_counter()
    try:
        model.load()
        load_ms = (time.perf_counter() - started_s) * 1000
        ((_, answer),) = model.run(feeds, None).items()
        runs: list[float] = []
        for _ in range(RUNS):
            before_s = time.perf_counter()
            model.run(feeds, None)
            runs.append(time.perf_counter() - before_s)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the table must say
        said = " ".join(str(error).split())[:120]
        return Outcome(provider="", load_ms=0, run_ms=0, difference=0, fault=said), None
    outcome = Outcome(
        provider=model.provider,
        load_ms=load_ms,
        run_ms=statistics.median(runs) * 1000,
        difference=0.0 if plain is None else float(np.abs(answer - plain).max() / _size(plain)),
        fault="" if plain is None else _fault(model.provider, case, answer, plain),
    )
    return outcome, answer


def _size(plain: Tensor) -> float:
    return max(1.0, float(np.abs(plain).max()))


def _fault(provider: str, case: Case, answer: Tensor, plain: Tensor) -> str:
    if not np.allclose(answer, plain, rtol=RTOL, atol=ATOL * _size(plain)):
        return "another answer than the CPU's"
    return "" if provider == case.providers[0] else f"ran on {provider}"


def check(folder: Path, available: Sequence[str], scale: float) -> bool:
    """Try everything with both models; whether all did well."""
    try:
        from benchmarks.prepared import SIDE, network
    except ModuleNotFoundError as error:
        raise LoadError(f"the models are made with {error.name}: pip install onnx") from None
    tiny, large = folder / "tiny.onnx", folder / "large.onnx"
    tiny.write_bytes(warming.MODEL)
    large.write_bytes(network(scale))
    rng = np.random.default_rng(3)
    inputs = {
        tiny: rng.standard_normal((4, 2)).astype(np.float32),
        large: rng.standard_normal((4, 3, SIDE, SIDE)).astype(np.float32),
    }
    print(f"{'model':7}{'how':26}{'provider':28}{'load ms':>9}{'run ms':>9}  difference")
    is_well = True
    for path, data in inputs.items():
        engines = folder / "tensorrt" / path.stem
        plain: Tensor | None = None
        for case in (Case(name="CPU", providers=[CPU]), *cases(available)):
            outcome, answer = attempt(path, case, {"x": data}, plain, engines)
            plain = answer if plain is None else plain
            told = outcome.fault or f"{outcome.difference:.1e}"
            is_well = is_well and not outcome.fault
            numbers = f"{outcome.load_ms:9.1f}{outcome.run_ms:9.2f}"
            print(f"{path.stem:7}{case.name:26}{outcome.provider:28}{numbers}  {told}")
        if TENSORRT in available and not any(engines.glob("*.engine")):
            print(f"no engine was kept in {engines}")
            is_well = False
    return is_well


def report(ort: ModuleType, scale: float) -> bool:
    """Print what is here and how it does; whether a card is really used, and well."""
    cards = driver()
    available = ort.get_available_providers()
    print(f"cards:     {cards or 'no driver answers (nvidia-smi)'}")
    print(f"runtime:   ONNX Runtime {ort.__version__}: {', '.join(available)}")
    if not cards:
        print("no GPU: this machine has none, or its driver is not installed")
    if not {CUDA, TENSORRT} & set(available):
        print("no GPU provider: pip install '.[gpu]' instead of '.[cpu]'")
    if not cards or not {CUDA, TENSORRT} & set(available):
        return False
    if TENSORRT in available and not has_tensorrt():
        print("TensorRT:  is not installed, so it is not tried")
        available = [name for name in available if name != TENSORRT]
    with tempfile.TemporaryDirectory(prefix="relight-gpu-") as folder:
        return check(Path(folder), available, scale)


def main(arguments: Sequence[str]) -> int:
    """0 when a card does what it should."""
    parser = argparse.ArgumentParser(prog="python -m hack.gpu_check", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of the large model; 1 is 100 MB")
    flags = parser.parse_args(arguments)
    try:
        is_well = report(runtime(), flags.scale)
    except LoadError as error:
        print(error)
        is_well = False
    print("gpu_check: well" if is_well else "gpu_check: NOT well")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
