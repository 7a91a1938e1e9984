"""What a file is, by its name, its bytes and what an archive lists."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.modelfiles import (
    SUFFIXES,
    Kind,
    ModelFileError,
    kind_of,
    listed,
    recognise,
    top_level_keys,
)

SAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "kserve"
ZIP = b"PK\x03\x04rest"


@pytest.mark.parametrize(
    ("name", "kind"),
    [(f"m{suffix}", kind) for suffix, kind in SUFFIXES.items()]
    + [
        ("m.pfa.json", Kind.PFA),
        ("m.pfa.yaml", Kind.PFA),
        ("M.ONNX", Kind.ONNX),
        ("m", None),
        (".onnx", None),
        ("m.onnx.bak", None),
    ],
)
def test_a_name_says_its_kind(name: str, kind: Kind | None) -> None:
    assert kind_of(name) is kind


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("m", b"\x08\x08\x12\x07", Kind.ONNX),
        ("m", b"\x80\x04\x95", Kind.PICKLE),
        ("m.joblib", b"\x78\x9c compressed", Kind.PICKLE),
        ("m.pkl", b"\x80\x04\x95", Kind.PICKLE),
        ("m.onnx", b"garbage", Kind.ONNX),  # ONNX Runtime explains
        ("m.json", b'{"learner":{"attributes":{}', Kind.XGBOOST),
        ("m.json", b'{ "version":[3,2,0], "learner": {', Kind.XGBOOST),
        ("m", b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{L", Kind.XGBOOST),
        ("m.bst", b"tree\nversion=v4\n", Kind.LIGHTGBM),
        ("m.txt", b"tree\r\nversion=v3\r\n", Kind.LIGHTGBM),
        ("m.xml", b'\xef\xbb\xbf<?xml version="1.0"?>\n<PMML version="4.1">', Kind.PMML),
        ("m.pmml", b"<PMML>", Kind.PMML),
        ("m.json", b'{"input": "double", "output": "double", "action": []}', Kind.PFA),
        ("m.json", b'{"action": [{"+": ["input", 1]}], "cells": {"a":', Kind.PFA),
        ("m.pfa", b"---\ninput: double", Kind.PFA),
        ("m.pfa.json", b'{"name": "x", "input": {"type": "map"}, "output": 1}', Kind.PFA),
        ("m", b"\x1c\x00\x00\x00TFL3", Kind.TFLITE),
        ("m.pt", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", Kind.TORCHSCRIPT),
        ("m.pth", b"\x80\x04\x95", Kind.TORCHSCRIPT),
    ],
)
def test_bytes_decide_where_the_name_does_not(name: str, head: bytes, kind: Kind) -> None:
    assert recognise(name, head) is kind


@pytest.mark.parametrize(
    ("name", "members", "kind"),
    [
        ("m.bin", ["schema.json", "0.npy"], Kind.SKOPS),
        ("m.skops", [], Kind.SKOPS),  # its own reader says what is wrong
        ("m.skops", ["a.txt"], Kind.SKOPS),
        ("m.pt", ["m/data.pkl", "m/code/__torch__.py", "m/constants.pkl"], Kind.TORCHSCRIPT),
        ("m", ["m/constants.pkl", "m/code/a/b.py", "m/data/0"], Kind.TORCHSCRIPT),
        ("m.pt2", ["m/archive_format", "m/models/model.json"], Kind.TORCH_EXPORT),
        ("m.pt", ["m/archive_format"], Kind.TORCH_EXPORT),
        ("m.pt2", ["serialized_exported_program.json", "version"], Kind.TORCH_EXPORT),
        ("m.pt", [], Kind.TORCHSCRIPT),
        ("m.pth", ["m/data.pkl", "m/data/0"], Kind.TORCHSCRIPT),  # a module or weights: torch says
    ],
)
def test_an_archive_is_what_it_lists(name: str, members: list[str], kind: Kind) -> None:
    assert recognise(name, ZIP, members) is kind


@pytest.mark.parametrize(
    ("name", "members", "words"),
    [
        (
            "m",
            ["archive/data.pkl", "archive/data/0", "archive/version"],
            "weights without the code",
        ),
        ("pytorch_model.bin", ["archive/data.pkl"], "torch.jit.save, torch.export.save or"),
        ("m", ["config.json", "metadata.json", "model.weights.h5"], "is a Keras model"),
        ("m", ["MAR-INF/MANIFEST.json", "model.pt"], "TorchServe archive"),
        ("m.zip", ["MLmodel", "model.pkl"], "unpack it and name the folder"),
        ("m.zip", ["saved_model.pb", "variables/variables.index"], "unpack it"),
        ("m.zip", ["a.txt", "b.txt"], "is a zip archive of a.txt, b.txt; this version serves"),
        ("m.zip", [], "is a zip archive; this version serves"),
        ("m.onnx", ["schema.json"], "holds skops, while its name says ONNX: rename it"),
    ],
)
def test_an_archive_that_is_no_model_is_called_what_it_is(
    name: str, members: list[str], words: str
) -> None:
    with pytest.raises(ModelFileError) as caught:
        recognise(name, ZIP, members)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("m", b"", "is empty"),
        ("m.onnx", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        ("m.pkl", b"\n<!DOCTYPE html><html>", "HTML page"),
        ("m.onnx", b"<html>", "HTML page"),
        ("m", b"hello there\nsecond", "is text, not a model: it starts with 'hello there'"),
        ("m.onnx", b"\x80\x04\x95", "holds pickle, while its name says ONNX"),
        ("m.skops", b"\x08\x08\x12", "holds ONNX, while its name says skops"),
        ("m.bst", b"binf\x00\x00", "old binary format, which XGBoost 3 no longer reads"),
        ("m.bst", b"\x00\x00\x00\x3f\x04\x00", "save_model("),
        ("m.xgb", b"\x00\x00\x00\x3f\x04\x00", "old binary format"),
        ("m.bin", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "weights without the code"),
        ("m.json", b'{"name":"tree","num_class":1,"tree_info":[]', "LightGBM's JSON dump"),
        ("m.json", b'{"modelTopology": {', "TensorFlow.js"),
        ("m.json", b'{"a": {"learner": 1}}', "is text, not a model"),
        ("m", b"\x89HDF\r\n", "HDF5"),
        ("m.h5", b"\x89HDF\r\n", "is a Keras model"),
        ("m.safetensors", b"\x08\x00", "holds weights without a model"),
        ("m.gguf", b"GGUF", "llama-server"),
        ("m.plan", b"ptrt", "runs only on the kind of card it was built on"),
        ("saved_model.pb", b"\x08\x01", "name the folder of a SavedModel"),
        ("MLmodel", b"flavors:", "is one file of an MLflow model: name the folder"),
        ("model-settings.json", b"{}", "says how a model is served, and is none"),
        ("m.py", b"class Model:", "--python FILE.py:CLASS"),
        ("m.xml", b'<?xml version="1.0"?><net name="x">', "is text, not a model"),
        ("m", b"\x00\x01\x02", "no model that is known here: it starts with b'\\x00\\x01\\x02'"),
    ],
)
def test_what_is_no_model_is_called_what_it_is(name: str, head: bytes, words: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        recognise(name, head)
    assert words in str(caught.value)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="KServe's models are not here")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lightgbm/model.bst", Kind.LIGHTGBM),
        ("onnx/model.onnx", Kind.ONNX),
        ("pmml/model.pmml", Kind.PMML),
        ("xgboost/model.json", Kind.XGBOOST),
        ("xgboost/model.ubj", Kind.XGBOOST),
        ("sklearn/model.joblib", Kind.PICKLE),
    ],
)
def test_kserves_models_are_recognised_with_their_names_and_without(name: str, kind: Kind) -> None:
    head = (SAMPLES / name).read_bytes()[:65_536]
    assert recognise(name, head) is kind
    assert recognise("model", head) is kind


def test_the_fields_of_a_document_that_is_cut_short() -> None:
    text = rb'{"a": {"b": 1}, "c\"d": ["e", {"f": 2}], "g" : "h:i", "j'
    assert top_level_keys(text) == {"a", 'c\\"d', "g"}


def test_a_long_list_is_cut() -> None:
    assert listed([f"f{n:02}" for n in range(20)]).endswith("f07 and 12 more")


@given(st.text(max_size=20), st.binary(max_size=600), st.lists(st.text(max_size=20), max_size=5))
def test_any_bytes_are_recognised_or_refused(name: str, head: bytes, members: list[str]) -> None:
    with contextlib.suppress(ModelFileError):
        assert recognise(name, head, members) in Kind
