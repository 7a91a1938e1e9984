"""Which execution provider is used, and what the operator hears about it."""

import pytest

from predictor.errors import LoadError
from predictor.providers import CPU, CUDA, choose, missed

KNOWN = ["TensorrtExecutionProvider", CUDA, CPU]


def test_cuda_comes_first_where_it_is() -> None:
    assert choose([], available=[CUDA, CPU], known=KNOWN).providers == (CUDA, CPU)
    assert choose([], available=[CPU], known=KNOWN).providers == (CPU,)


def test_the_asked_order_is_kept_and_the_cpu_ends_it() -> None:
    choice = choose([CUDA], available=[CUDA, CPU], known=KNOWN)
    assert choice.providers == (CUDA, CPU)
    assert choose([CPU], available=[CUDA, CPU], known=KNOWN).providers == (CPU,)
    assert not choice.warnings


def test_an_absent_provider_is_warned_about_and_passed_over() -> None:
    choice = choose([CUDA, CPU], available=[CPU], known=KNOWN)
    assert choice.providers == (CPU,)
    (warning,) = choice.warnings
    assert f"{CUDA} was asked for and is not available here" in warning


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(LoadError, match="--providers: ONNX Runtime knows no provider 'Cuda'"):
        choose(["Cuda"], available=[CPU], known=KNOWN)


def test_a_provider_that_did_not_come_up_is_told() -> None:
    assert missed([CUDA, CPU], [CPU]) == f"{CUDA} did not start on this machine; running on {CPU}"
    assert missed([CPU], [CPU]) == ""
