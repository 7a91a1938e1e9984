"""Which libraries belong together."""

from api.modelfiles import Kind
from predictor import libraries
from predictor.formats import FORMATS


def test_every_kind_has_the_set_that_brings_its_packages() -> None:
    for kind, form in FORMATS.items():
        name = libraries.of_kind(kind)
        if kind in (Kind.ONNX, Kind.MLFLOW):
            assert name == ""
        else:
            assert set(form.packages) <= set(libraries.SETS[name]), kind


def test_an_mlflow_folder_needs_what_its_flavour_does() -> None:
    assert libraries.of_flavour("mlflow.sklearn") == libraries.of_kind(Kind.PICKLE) == "sklearn"
    assert libraries.of_flavour("mlflow.transformers") == libraries.of_kind(Kind.HUGGINGFACE)
    assert libraries.of_flavour("mlflow.onnx") == ""
    assert libraries.of_flavour("mlflow.prophet") == "mlflow"
