"""Where in a folder the model is."""

import contextlib
import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.modelfiles import Kind, ModelFileError
from api.modellayouts import Entries, find, join, located

ONNX = b"\x08\x08\x12"
PICKLE = b"\x80\x04\x95"
UBJ = b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner"
HF = b'{"architectures": ["BertModel"], "model_type": "bert"}'
CONTENT = {".onnx": ONNX, ".pkl": PICKLE, ".skops": b"PK\x03\x04", ".pt": b"PK\x03\x04"}


class Memory:
    """A folder that is only said to be there."""

    def __init__(self, files: Mapping[str, bytes], strays: Sequence[str] = ()) -> None:
        self.files = files
        self.strays = strays
        self.looks: list[str] = []

    def entries(self, folder: str) -> Entries:
        start = f"{folder}/" if folder else ""
        rest = [name.removeprefix(start) for name in self.files if name.startswith(start)]
        folders = {name.partition("/")[0] for name in rest if "/" in name}
        here = [name.removeprefix(start) for name in self.strays if name.startswith(start)]
        strays = [name for name in here if "/" not in name]
        return Entries([name for name in rest if "/" not in name], list(folders), strays)

    def head(self, name: str) -> bytes:
        self.looks.append(name)
        return self.files[name]

    def members(self, name: str) -> Sequence[str]:
        return ()

    def text(self, name: str) -> str:
        return self.files[name].decode()


def memory(*names: str, **contents: bytes) -> Memory:
    files = {name: CONTENT.get(name[name.rfind(".") :], b"text\n") for name in names}
    return Memory({**files, **contents})


@pytest.mark.parametrize(
    ("names", "path", "kind"),
    [
        (["model.onnx"], "model.onnx", Kind.ONNX),
        (["README.md", "Model.SKOPS", "labels.txt"], "Model.SKOPS", Kind.SKOPS),
        (["model.pkl", "sub/other.onnx"], "model.pkl", Kind.PICKLE),
        (["config.pbtxt", "1/model.onnx", "2/model.onnx", "10/m.onnx"], "10/m.onnx", Kind.ONNX),
        (["1/model.onnx", "1/weights.bin", "1/deep/other.onnx"], "1/model.onnx", Kind.ONNX),
        (["..data/model.onnx", "..2026/model.onnx", "model.onnx"], "model.onnx", Kind.ONNX),
        ([".DS_Store", "m.pkl", "__pycache__/x.pyc"], "m.pkl", Kind.PICKLE),
        (["iris/config.pbtxt", "iris/1/model.onnx"], "iris/1/model.onnx", Kind.ONNX),
        (["README.md", "sub/model.onnx"], "sub/model.onnx", Kind.ONNX),
        (["saved_model.pb", "variables/variables.index", "assets/v.txt"], "", Kind.SAVED_MODEL),
        (["1/saved_model.pb", "2/saved_model.pb", "2/variables/x"], "2", Kind.SAVED_MODEL),
        (["m/1/saved_model.pb", "m/1/variables/x"], "m/1", Kind.SAVED_MODEL),
        (["c.pbtxt", "1/model.savedmodel/saved_model.pb"], "1/model.savedmodel", Kind.SAVED_MODEL),
        (["1/model.onnx/model.onnx", "1/model.onnx/w.bin"], "1/model.onnx/model.onnx", Kind.ONNX),
        (["MLmodel", "model.pkl", "conda.yaml"], "", Kind.MLFLOW),
        (["MLmodel", "data/model/saved_model.pb"], "", Kind.MLFLOW),
        (["mine/MLmodel", "mine/model.pkl"], "mine", Kind.MLFLOW),
        (["config.pbtxt", "1/model.pt"], "1/model.pt", Kind.TORCHSCRIPT),
    ],
)
def test_one_model_is_found(names: list[str], path: str, kind: Kind) -> None:
    files = memory(*names)
    if "config.pbtxt" in names or "iris/config.pbtxt" in names:
        files.files = {
            name: b'name: "x"' if name.endswith("pbtxt") else content
            for name, content in files.files.items()
        }
    found = find(files)
    assert (found.path, found.kind) == (path, kind)
    assert found.is_folder == (path in ("", "2", "m/1", "mine") or path.endswith("savedmodel"))


def test_where_no_name_says_so_the_content_does() -> None:
    assert find(Memory({"model": ONNX})).kind is Kind.ONNX
    assert find(Memory({"3/model": ONNX})).path == "3/model"
    lightgbm = Memory({"model.txt": b"tree\nversion=v4\n", "notes.txt": b"text", "labels.txt": b""})
    assert (find(lightgbm).kind, find(lightgbm).path) == (Kind.LIGHTGBM, "model.txt")
    xgboost = Memory({"model.json": b'{"learner":{', "other.json": b"{}"})
    assert (find(xgboost).kind, find(xgboost).path) == (Kind.XGBOOST, "model.json")
    assert find(Memory({"model.onnx": ONNX, "model.json": b'{"learner":{'})).kind is Kind.ONNX


def test_a_hugging_face_folder_is_one_with_weights() -> None:
    weights = {"config.json": HF, "model.safetensors": b"\x08", "tokenizer.json": b"{}"}
    assert find(Memory(weights)).kind is Kind.HUGGINGFACE
    assert find(Memory({f"mine/{k}": v for k, v in weights.items()})).path == "mine"
    assert find(Memory({"config.json": HF, "pytorch_model.bin": b"PK"})).path == ""
    exported = Memory({"config.json": HF, "model.onnx": ONNX, "tokenizer.json": b"{}"})
    assert find(exported).kind is Kind.ONNX


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (b"version_policy: { latest { num_versions: 2 } }", "3/model.onnx"),
        (b"version_policy { all {} }", "3/model.onnx"),
        (b"version_policy { specific { versions: [1, 2] } }", "2/model.onnx"),
        (b'default_model_filename: "best.onnx"', "3/best.onnx"),
        (b'platform: "onnxruntime_onnx"', "3/model.onnx"),
    ],
)
def test_a_repository_says_which_version_and_file(config: bytes, path: str) -> None:
    files = {f"{n}/model.onnx": ONNX for n in (1, 2, 3)} | {"config.pbtxt": config}
    if "best" in path:
        files["3/best.onnx"] = ONNX
    if b"platform" in config:
        files["3/model.pkl"] = PICKLE
    found = find(Memory(files))
    assert (found.path, found.root, found.version) == (path, "", path[0])


@pytest.mark.parametrize(
    ("uri", "path"),
    [("./m.ubj", "m.ubj"), ("sub/", "sub/m.ubj"), ("sub/m.ubj", "sub/m.ubj"), (".", "m.ubj")],
)
def test_mlservers_settings_name_the_file(uri: str, path: str) -> None:
    said = {"implementation": "mlserver_xgboost.XGBoostModel", "parameters": {"uri": uri}}
    files = {"m.ubj": UBJ, "sub/m.ubj": UBJ, "model-settings.json": json.dumps(said).encode()}
    if uri != ".":
        files["other.onnx"] = ONNX
    found = find(Memory(files))
    assert (found.path, found.kind, found.root) == (path, Kind.XGBOOST, "")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no file"),
        ({".hidden": b""}, "holds no file"),
        ({"a.onnx": ONNX, "b.onnx": ONNX}, "2 model files (a.onnx, b.onnx): name the one to serve"),
        ({"1/a.onnx": ONNX, "2/a.onnx": ONNX, "2/b.pkl": PICKLE}, "2 model files in 2 (2/a.onnx,"),
        ({"a.txt": b"a", "b.txt": b"b"}, "holds a.txt, b.txt, none of which is a model"),
        (
            {"s/m.onnx": ONNX, "x/m.onnx": ONNX},
            "holds 2 models (s, x): name the one to serve, or all with --repository",
        ),
        ({"s/a.onnx": ONNX, "s/b.onnx": ONNX}, "has a folder s, which holds 2 model files in s"),
        ({f"f{n:02}": b"" for n in range(20)}, "f07 and 12 more, none"),
        ({f"f{n:02}.txt": b"t" for n in range(70)}, "holds 70 files that may be models"),
        ({"m.onnx": b""}, "holds m.onnx, which is empty"),
        ({"1/model.plan": b"x"}, "holds 1/model.plan, which is a TensorRT engine"),
        ({"model.safetensors": b"x", "README.md": b"x"}, "holds weights without a model"),
        ({"saved_model.pb": b"version https://git-lfs"}, "run git lfs pull"),
        ({"config.json": HF, "model.safetensors": b"version https://git-lfs"}, "git lfs pull"),
        ({"saved_model.pbtxt": b"x"}, "SavedModel written as text"),
        ({"config.pbtxt": b"name: [", "1/model.onnx": ONNX}, "holds config.pbtxt that cannot be"),
        (
            {"config.pbtxt": b'platform: "tensorflow_savedmodel"', "1/model.onnx": ONNX},
            'holds 1/model.onnx, which is ONNX, while config.pbtxt says platform "tensorflow_saved',
        ),
        (
            {"config.pbtxt": b"version_policy { specific { versions: [7] } }", "1/m.onnx": ONNX},
            "holds none of the versions config.pbtxt names: 7",
        ),
        (
            {"model-settings.json": b'{"parameters": {"uri": "gone.onnx"}}'},
            "holds no gone.onnx, which model-settings.json names",
        ),
        (
            {"model-settings.json": b'{"parameters": {"uri": "../m.onnx"}}'},
            "parameters.uri leads out of the folder: ../m.onnx",
        ),
    ],
)
def test_a_folder_without_one_model_is_described(files: dict[str, bytes], words: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        find(Memory(files))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("files", "strays"),
    [
        ({}, ["model.onnx"]),
        ({"1/m.onnx": ONNX}, ["2"]),
        ({"model-settings.json": b'{"parameters": {"uri": "m.onnx"}}'}, ["m.onnx"]),
    ],
)
def test_a_link_that_leads_out_is_told(files: dict[str, bytes], strays: list[str]) -> None:
    with pytest.raises(ModelFileError, match="a link that leads out of the folder"):
        find(Memory(files, strays))


def test_a_stray_link_beside_a_model_does_not_matter() -> None:
    assert find(Memory({"m.onnx": ONNX}, ["notes"])).path == "m.onnx"


def test_a_named_file_is_taken_whatever_lies_beside_it() -> None:
    found = located(Memory({"a.onnx": ONNX, "b.onnx": ONNX}), "a.onnx")
    assert (found.path, found.kind, found.is_alone) == ("a.onnx", Kind.ONNX, True)
    with pytest.raises(ModelFileError, match=r"^is empty$"):
        located(Memory({"a.onnx": b""}), "a.onnx")


def test_a_large_folder_is_not_looked_through() -> None:
    files = Memory({"m.onnx": ONNX, **{f"{n}.txt": b"text" for n in range(500)}})
    assert find(files).path == "m.onnx"
    assert files.looks == ["m.onnx"]


def test_names_are_joined() -> None:
    assert [join("", "a"), join("a", "b"), join("a", ""), join("", "")] == ["a", "a/b", "a", ""]


PARTS = ["1", "02", "9", "a", ".b", "m.onnx", "n.pkl", "x", "MLmodel", "config.json", "w.bin"]
NAMES = st.lists(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("/".join), unique=True, max_size=8
)


@given(NAMES, st.randoms())
def test_the_choice_is_in_the_folder_and_does_not_depend_on_the_order_of_names(
    names: list[str], chance: object
) -> None:
    def outcome(given_names: list[str]) -> str:
        try:
            return find(Memory(dict.fromkeys(given_names, ONNX))).path
        except ModelFileError as error:
            return f"! {error}"

    names = [name for name in names if not any(other.startswith(f"{name}/") for other in names)]
    first = outcome(names)
    shuffled = list(names)
    chance.shuffle(shuffled)  # type: ignore[attr-defined] # a Random
    assert outcome(shuffled) == first
    is_there = first in names or any(name.startswith(f"{first}/") for name in names) or not first
    assert first.startswith("! ") or is_there


@given(st.dictionaries(st.sampled_from(PARTS), st.binary(max_size=40)))
def test_any_folder_is_answered(files: dict[str, bytes]) -> None:
    with contextlib.suppress(ModelFileError):
        find(Memory(files))
