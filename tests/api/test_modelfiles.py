import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.modelfiles import NAMES_MAX, SUFFIXES, Kind, ModelFileError, choose, kind_of, recognise


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["model.onnx"], "model.onnx"),
        (["README.md", "Model.SKOPS", "labels.txt"], "Model.SKOPS"),
        (["model.joblib", "sub/other.onnx"], "model.joblib"),
        (["config.pbtxt", "1/model.onnx", "2/model.onnx", "10/model.onnx"], "10/model.onnx"),
        (["1/model.onnx", "1/weights.bin", "1/deep/other.onnx"], "1/model.onnx"),
        (["model"], "model"),
        (["3/model"], "3/model"),
        (["..data/model.onnx", "..2026/model.onnx", "model.onnx"], "model.onnx"),
        ([".DS_Store", "m.pkl"], "m.pkl"),
    ],
)
def test_one_model_is_found(names: list[str], expected: str) -> None:
    assert choose(names) == expected


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "holds no file"),
        ([".hidden"], "holds no file"),
        (["a.onnx", "b.onnx"], "2 model files (a.onnx, b.onnx): name the one to serve"),
        (["1/a.onnx", "2/a.onnx", "2/b.pkl"], "2 model files in 2 (2/a.onnx, 2/b.pkl)"),
        (["a.txt", "b.txt"], "holds a.txt, b.txt, none of which is a model"),
        (["sub/model.onnx", "x/model.onnx"], "sub-folder named by a version number"),
        ([f"f{n:02}" for n in range(20)], "f07 and 12 more, none"),
        ([f"f{n}" for n in range(NAMES_MAX + 1)], "more than 1000 files"),
    ],
)
def test_a_folder_without_one_model_is_described(names: list[str], words: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        choose(names)
    assert words in str(caught.value)


NAMES = st.lists(
    st.lists(st.sampled_from(["1", "02", "9", "a", ".b", "m.onnx", "n.pkl", "x"]), min_size=1)
    .map("/".join)
    .filter(lambda name: name.count("/") < 3),
    unique=True,
)


@given(NAMES, st.randoms())
def test_the_choice_is_one_of_the_names_and_does_not_depend_on_their_order(
    names: list[str], chance: object
) -> None:
    def outcome(given_names: list[str]) -> str:
        try:
            return choose(given_names)
        except ModelFileError as error:
            return f"! {error}"

    first = outcome(names)
    shuffled = list(names)
    chance.shuffle(shuffled)  # type: ignore[attr-defined] # a Random
    assert outcome(shuffled) == first
    assert first.startswith("! ") or first in names


@pytest.mark.parametrize(
    ("name", "kind"),
    [(f"m{suffix}", kind) for suffix, kind in SUFFIXES.items()]
    + [("M.ONNX", Kind.ONNX), ("m", None), (".onnx", None), ("m.onnx.bak", None)],
)
def test_a_name_says_its_kind(name: str, kind: Kind | None) -> None:
    assert kind_of(name) is kind


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("m", b"\x08\x08\x12\x07", Kind.ONNX),
        ("m.bin", b"PK\x03\x04rest", Kind.SKOPS),
        ("m", b"\x80\x04\x95", Kind.PICKLE),
        ("m.joblib", b"\x78\x9c compressed", Kind.PICKLE),
        ("m.pkl", b"\x80\x04\x95", Kind.PICKLE),
        ("m.onnx", b"garbage", Kind.ONNX),  # ONNX Runtime explains
    ],
)
def test_bytes_decide_where_the_name_does_not(name: str, head: bytes, kind: Kind) -> None:
    assert recognise(name, head) is kind


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("m", b"", "is empty"),
        ("m.onnx", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        ("m.pkl", b"\n<!DOCTYPE html><html>", "HTML page"),
        ("m.onnx", b"<html>", "HTML page"),
        ("m", b"hello there\nsecond", "is text, not a model: it starts with 'hello there'"),
        ("m", b'<?xml version="1.0"?>\n<PMML version="4.1">', "PMML"),
        ("m.onnx", b"\x80\x04\x95", "holds pickle, while its name says ONNX"),
        ("m.skops", b"\x08\x08\x12", "holds ONNX, while its name says skops"),
        ("m.bst", b"{L\x00\x00", "XGBoost"),
        ("m", b"tree\nversion=v4\n", "LightGBM"),
        ("m", b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite"),
        ("m", b"\x89HDF\r\n", "HDF5"),
        ("m", b"\x00\x01\x02", "no model that is known here: it starts with b'\\x00\\x01\\x02'"),
    ],
)
def test_what_is_no_model_is_called_what_it_is(name: str, head: bytes, words: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        recognise(name, head)
    assert words in str(caught.value)


@given(st.text(max_size=20), st.binary(max_size=600))
def test_any_bytes_are_recognised_or_refused(name: str, head: bytes) -> None:
    with contextlib.suppress(ModelFileError):
        assert recognise(name, head) in Kind
