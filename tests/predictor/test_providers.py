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


@pytest.mark.parametrize(("visible", "is_told"), [("", False), ("-1", False), ("0,1", True)])
def test_a_card_that_was_given_and_can_not_be_used_is_told(visible: str, *, is_told: bool) -> None:
    choice = choose([], available=[CPU], known=KNOWN, visible=visible)
    assert choice.providers == (CPU,)
    said = f"CUDA_VISIBLE_DEVICES={visible}, and ONNX Runtime has no {CUDA} here"
    assert (said in "".join(choice.warnings)) is is_told
    assert not choose([CPU], available=[CPU], known=KNOWN, visible=visible).warnings
    assert not choose([], available=[CUDA, CPU], known=KNOWN, visible=visible).warnings


def test_a_name_twice_is_one() -> None:
    assert choose([CPU, CUDA, CPU], available=[CUDA, CPU], known=KNOWN).providers == (CPU, CUDA)


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(LoadError, match="--providers: ONNX Runtime knows no provider 'Cuda'"):
        choose(["Cuda"], available=[CPU], known=KNOWN)


def test_a_provider_that_did_not_come_up_is_told() -> None:
    assert missed([CUDA, CPU], [CPU]) == f"{CUDA} did not start on this machine; running on {CPU}"
    assert missed([CPU], [CPU]) == ""
