import pytest

from api.modelfiles import Kind
from predictor import formats
from predictor.errors import LoadError


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_format(kind: Kind) -> None:
    assert formats.FORMATS[kind].packages
    assert formats.FORMATS[kind].extra


def test_the_opener_is_the_module_s() -> None:
    assert formats.opener(Kind.ONNX).__module__ == "predictor.onnx_model"


def test_a_missing_package_is_told_with_its_extra() -> None:
    with pytest.raises(LoadError, match=r"no_such_package is not installed; pip install '.*\[some"):
        formats.imported(["json", "no_such_package"], extra="some")
