"""ONNX Runtime on a machine with cards, or with some that do not come up: for tests."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime

from predictor.providers import CPU, CUDA, TENSORRT

ALL = (TENSORRT, CUDA, CPU)


class FakeBinding:
    """Remembers what is bound."""

    def __init__(self) -> None:
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, str] = {}
        self.answers: list[Any] = []

    def bind_cpu_input(self, name: str, array: Any) -> None:
        self.inputs[name] = array

    def bind_output(self, name: str, device: str) -> None:
        self.outputs[name] = device

    def copy_outputs_to_cpu(self) -> list[Any]:
        return [np.asarray(answer) for answer in self.answers]


class FakeSession:
    """A real session on the CPU that says it is on a card."""

    def __init__(self, real: Any, used: Sequence[str]) -> None:
        self._used = used
        self.get_inputs = real.get_inputs
        self.get_outputs = real.get_outputs
        self.run = real.run
        self.bindings: list[FakeBinding] = []

    def get_providers(self) -> list[str]:
        return list(self._used)

    def io_binding(self) -> FakeBinding:
        self.bindings.append(FakeBinding())
        return self.bindings[-1]

    def run_with_iobinding(self, binding: FakeBinding) -> None:
        assert set(binding.outputs.values()) == {"cpu"}
        binding.answers = self.run(list(binding.outputs), binding.inputs)


class FakeOrt:
    """`available` are said to be there, `used` come up; `broken` raise when they are asked for."""

    __version__ = "9.9"

    def __init__(
        self, available: Sequence[str], used: Sequence[str], *, broken: Sequence[str] = ()
    ) -> None:
        self.available = available
        self.used = used
        self.broken = broken
        self.asked: list[Any] = []
        self.options: Any = None
        self.session: FakeSession | None = None
        self.preloaded = 0
        self.SessionOptions = onnxruntime.SessionOptions
        self.RunOptions = onnxruntime.RunOptions

    def preload_dlls(self) -> None:
        self.preloaded += 1

    def get_all_providers(self) -> list[str]:
        return list(ALL)

    def get_available_providers(self) -> list[str]:
        return list(self.available)

    def InferenceSession(self, path: str, *, sess_options: Any, providers: list[Any]) -> Any:  # noqa: N802 - its name
        self.asked = providers
        self.options = sess_options
        names = [one if isinstance(one, str) else one[0] for one in providers]
        if set(names) & set(self.broken):
            raise RuntimeError(f"CUDA failure 100: no device\n for {names[0]}")
        real = onnxruntime.InferenceSession(path, sess_options, providers=[CPU])
        self.session = FakeSession(real, [one for one in self.used if one in names])
        return self.session
