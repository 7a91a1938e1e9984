import pytest

from api.modelfiles import Kind
from predictor import config, formats
from predictor.errors import LoadError
from predictor.providers import CPU, CUDA


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_format(kind: Kind) -> None:
    assert formats.FORMATS[kind].packages
    assert formats.FORMATS[kind].extra


def test_the_opener_is_the_module_s() -> None:
    assert formats.opener(Kind.ONNX).__module__ == "predictor.onnx_model"


@pytest.mark.parametrize(
    ("kind", "flags", "said"),
    [
        (Kind.SKOPS, [f"--providers={CUDA},{CPU}"], [f"runs on the CPU, and not on {CUDA}"]),
        (Kind.SKOPS, [f"--providers={CPU}"], []),
        (Kind.XGBOOST, [f"--providers={CUDA}"], []),
        (Kind.XGBOOST, [f'--provider-options={{"{CUDA}": {{"device_id": 1}}}}'], ["are not used"]),
        (Kind.ONNX, [f'--provider-options={{"{CUDA}": {{"device_id": 1}}}}'], []),
        (Kind.PMML, [], []),
    ],
)
def test_what_makes_no_difference_is_said(kind: Kind, flags: list[str], said: list[str]) -> None:
    settings = config.parse(["--model", "m", *flags], {})
    found = formats.unused(kind, settings)
    assert len(found) == len(said)
    assert all(kind.value in one and part in one for one, part in zip(found, said, strict=True))


def test_a_missing_package_is_told_with_its_extra() -> None:
    with pytest.raises(LoadError, match=r"no_such_package is not installed; pip install '.*\[some"):
        formats.imported(["json", "no_such_package"], extra="some")
