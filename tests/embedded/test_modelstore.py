import asyncio
import hashlib
import shutil
from pathlib import Path

import pytest

from api.modeldigests import pair
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
        ("s3://bucket/m.onnx", "nothing fetches models here"),
        ("hdfs://host/m.onnx", "HDFS is not read"),
    ],
)
async def test_what_can_not_be_read_is_named(store: ModelStore, model: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        await store.prepare(model, digest(b"x"))


def external(location: str) -> bytes:
    """An ONNX tensor whose values are in a file of their own."""
    onnx = pytest.importorskip("onnx")
    tensor = onnx.TensorProto(name="w", data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    content: bytes = tensor.SerializeToString()
    return content


def manifest(**files: bytes) -> str:
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return digest("".join(lines).encode())


async def test_weights_beside_a_model_are_kept_with_it(store: ModelStore, tmp_path: Path) -> None:
    model, work = external("w.bin"), tmp_path / "work"
    (work / "m.onnx").write_bytes(model)
    (work / "w.bin").write_bytes(b"first")
    pinned = manifest(**{"m.onnx": model, "w.bin": b"first"})
    path = Path(await store.prepare("m.onnx", pinned))
    (work / "w.bin").write_bytes(b"second")
    assert Path(await store.prepare("m.onnx", pinned)) == path
    assert (path.read_bytes(), path.with_name("w.bin").read_bytes()) == (model, b"first")
    with pytest.raises(ModelError, match="changed since"):
        await store.prepare("m.onnx", digest(model))


async def test_a_folder_gives_its_model_and_is_then_not_needed(
    store: ModelStore, tmp_path: Path
) -> None:
    first = tmp_path / "work" / "iris" / "1" / "model.skops"
    first.parent.mkdir(parents=True)
    first.write_bytes(b"first")
    assert await store.prepare("iris", "") == str(tmp_path / "work" / "iris")
    path = Path(await store.prepare("iris", digest(b"first")))
    assert (path.read_bytes(), path.name) == (b"first", "model.skops")
    second = tmp_path / "work" / "iris" / "2" / "model.onnx"
    second.parent.mkdir()
    second.write_bytes(b"second")
    assert await store.prepare("iris", digest(b"first")) == str(path)
    assert Path(await store.prepare("iris", digest(b"second"))).read_bytes() == b"second"
    shutil.rmtree(tmp_path / "work" / "iris")
    assert await store.prepare("iris", digest(b"first")) == str(path)


async def test_a_folder_with_settings_is_kept_with_them(store: ModelStore, tmp_path: Path) -> None:
    top = tmp_path / "work" / "repository"
    files = {"config.pbtxt": b'name: "iris"', "1/model.onnx": b"first"}
    for name, content in {**files, "README.md": b"of nobody"}.items():
        (top / "iris" / name).parent.mkdir(parents=True, exist_ok=True)
        (top / "iris" / name).write_bytes(content)
    for given in ("repository/iris", "repository"):
        path = Path(await store.prepare(given, manifest(**files)))
        assert path.name == "iris"
        assert path.stat().st_mode & 0o055  # whoever the Pod's process is, it reads it
        kept = {str(each.relative_to(path)) for each in path.rglob("*") if each.is_file()}
        assert kept == set(files)
    shutil.rmtree(top)
    assert Path(await store.prepare("repository/iris", manifest(**files))) == path


async def test_a_folder_without_one_model_is_described(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "work" / "iris").mkdir()
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / "work" / "iris" / name).write_bytes(b"x")
    with pytest.raises(ModelError, match=r"iris holds 2 model files \(a\.onnx, b\.onnx\)"):
        await store.prepare("iris", digest(b"x"))


async def test_code_is_run_where_it_lies_until_it_changes(
    store: ModelStore, tmp_path: Path
) -> None:
    work, code = tmp_path / "work", b"import columns, json\n"
    (work / "m.py").write_bytes(code)
    (work / "columns.py").write_bytes(b"N = 1")
    pinned = manifest(**{"m.py": code, "columns.py": b"N = 1"})
    assert await store.prepare_code("m.py", "") == ""
    assert await store.prepare_code("m.py", pinned) == ""
    assert await store.prepare_code("m.py", pinned) == ""
    (work / "columns.py").write_bytes(b"N = 2")
    copy = Path(await store.prepare_code("m.py", pinned))
    assert (copy.read_bytes(), copy.with_name("columns.py").read_bytes()) == (code, b"N = 1")
    (work / "m.py").unlink()
    assert await store.prepare_code("m.py", pinned) == str(copy)
    with pytest.raises(ModelError, match="No such file"):
        await store.prepare_code("gone.py", digest(b"code"))
    (work / "m.py").write_bytes(b"code")
    with pytest.raises(ModelError, match="changed since"):
        await store.prepare_code("m.py", digest(b"other"))


async def test_a_pair_is_kept_by_what_it_was_pinned_to(store: ModelStore, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "m.onnx").write_bytes(b"first")
    (work / "t.py").write_bytes(b"T = 1")
    pinned = pair(digest(b"first"), digest(b"T = 1"))
    with pytest.raises(ModelError, match=r"m.onnx with .*t.py changed since"):
        await store.prepare_pair("m.onnx", "", "t.py", pair(digest(b"first"), digest(b"")))
    copy, code = await store.prepare_pair("m.onnx", "", "t.py", pinned)
    assert (Path(copy).read_bytes(), code) == (b"first", "")
    (work / "m.onnx").write_bytes(b"second")
    (work / "t.py").write_bytes(b"T = 2")
    store.sweep({pinned})
    again, code = await store.prepare_pair("m.onnx", "", "t.py", pinned)
    assert (again, Path(code).read_bytes()) == (copy, b"T = 1")
    with pytest.raises(ModelError, match="No such file"):
        await store.prepare_pair("m.onnx", "", "gone.py", digest(b"x"))
    store.sweep(())
    assert not list((tmp_path / "models").iterdir())


async def test_a_class_can_have_code_around_it(store: ModelStore, tmp_path: Path) -> None:
    for name in ("m.py", "t.py"):
        (tmp_path / "work" / name).write_bytes(name.encode())
    pinned = pair(digest(b"m.py"), digest(b"t.py"))
    assert await store.prepare_pair("", "m.py", "t.py", pinned) == ("", "")
    (tmp_path / "work" / "m.py").write_bytes(b"changed")
    copy, around = await store.prepare_pair("", "m.py", "t.py", pinned)
    assert (Path(copy).read_bytes(), around) == (b"m.py", "")


async def test_sweep_keeps_what_is_pinned(store: ModelStore, tmp_path: Path) -> None:
    for name in (b"a", b"b"):
        (tmp_path / "work" / name.decode()).write_bytes(name)
        await store.prepare(name.decode(), digest(name))
    store.sweep({digest(b"a")})
    assert len(list((tmp_path / "models").iterdir())) == 1


async def test_starts_at_once_copy_a_model_once(store: ModelStore, tmp_path: Path) -> None:
    top = tmp_path / "work" / "iris"
    top.mkdir()
    files = {"signature.json": b"{}", "model.onnx": b"x" * 100_000}
    for name, content in files.items():
        (top / name).write_bytes(content)
    async with asyncio.TaskGroup() as tasks:
        starts = [tasks.create_task(store.prepare("iris", manifest(**files))) for _ in range(8)]
    assert len({start.result() for start in starts}) == 1
    assert [each.name for each in (tmp_path / "models").iterdir()] == [
        manifest(**files).replace(":", "-")
    ]


async def test_a_copy_that_is_being_made_is_not_swept(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "models" / ".copying-left").mkdir()  # by a platform that was killed
    store.sweep(())
    assert list((tmp_path / "models").iterdir()) == []
