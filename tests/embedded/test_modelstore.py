import hashlib
import shutil
from pathlib import Path

import pytest

from embedded.modelstore import ModelError, ModelStore


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    (tmp_path / "work").mkdir()
    (tmp_path / "models").mkdir()
    return ModelStore(tmp_path / "models", model_root=tmp_path / "work")


async def test_a_pinned_model_outlives_its_file(store: ModelStore, tmp_path: Path) -> None:
    source = tmp_path / "work" / "m.onnx"
    source.write_bytes(b"first")
    path = Path(await store.prepare("m.onnx", digest(b"first")))
    source.write_bytes(b"second")
    again = Path(await store.prepare("m.onnx", digest(b"first")))
    assert again == path
    assert again.read_bytes() == b"first"
    assert again != source


@pytest.mark.parametrize("form", ["{}", "file://{}"])
async def test_absolute_paths_and_file_uris_name_the_same_file(
    store: ModelStore, tmp_path: Path, form: str
) -> None:
    source = tmp_path / "a model.onnx"
    source.write_bytes(b"x")
    text = str(source) if form == "{}" else f"file://{str(source).replace(' ', '%20')}"
    assert Path(await store.prepare(text, digest(b"x"))).read_bytes() == b"x"


async def test_without_a_digest_the_file_is_served_where_it_lies(
    store: ModelStore, tmp_path: Path
) -> None:
    assert await store.prepare("m.onnx", "") == str(tmp_path / "work" / "m.onnx")


async def test_a_changed_file_is_refused(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "work" / "m.onnx").write_bytes(b"second")
    with pytest.raises(ModelError, match="changed since the revision was made"):
        await store.prepare("m.onnx", digest(b"first"))
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("gone.onnx", "No such file"),
        (".", "holds no file"),
        ("s3://bucket/m.onnx", "only local paths and file://"),
    ],
)
async def test_what_can_not_be_read_is_named(store: ModelStore, model: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        await store.prepare(model, digest(b"x"))


async def test_weights_beside_the_model_keep_it_where_it_lies(
    store: ModelStore, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    tensor = onnx.TensorProto(name="w", data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="w.bin")
    source = tmp_path / "work" / "m.onnx"
    source.write_bytes(tensor.SerializeToString())
    assert await store.prepare("m.onnx", digest(source.read_bytes())) == str(source)


async def test_a_folder_gives_its_model_and_is_then_not_needed(
    store: ModelStore, tmp_path: Path
) -> None:
    first = tmp_path / "work" / "iris" / "1" / "model.skops"
    first.parent.mkdir(parents=True)
    first.write_bytes(b"first")
    assert await store.prepare("iris", "") == str(first)
    path = Path(await store.prepare("iris", digest(b"first")))
    assert (path.read_bytes(), path.suffix) == (b"first", ".skops")
    second = tmp_path / "work" / "iris" / "2" / "model.onnx"
    second.parent.mkdir()
    second.write_bytes(b"second")
    assert await store.prepare("iris", digest(b"first")) == str(path)
    assert Path(await store.prepare("iris", digest(b"second"))).read_bytes() == b"second"
    shutil.rmtree(tmp_path / "work" / "iris")
    assert await store.prepare("iris", digest(b"first")) == str(path)


async def test_a_folder_without_one_model_is_described(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "work" / "iris").mkdir()
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / "work" / "iris" / name).write_bytes(b"x")
    with pytest.raises(ModelError, match=r"iris holds 2 model files \(a\.onnx, b\.onnx\)"):
        await store.prepare("iris", digest(b"x"))


async def test_code_is_checked_where_it_lies(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "work" / "m.py").write_bytes(b"code")
    await store.check("m.py", digest(b"code"))
    await store.check("m.py", "")
    with pytest.raises(ModelError, match="changed since"):
        await store.check("m.py", digest(b"other"))
    with pytest.raises(ModelError, match="No such file"):
        await store.check("gone.py", digest(b"code"))


async def test_sweep_keeps_what_is_pinned(store: ModelStore, tmp_path: Path) -> None:
    for name in (b"a", b"b"):
        (tmp_path / "work" / name.decode()).write_bytes(name)
        await store.prepare(name.decode(), digest(name))
    store.sweep({digest(b"a")})
    assert len(list((tmp_path / "models").iterdir())) == 1
