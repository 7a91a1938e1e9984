from pathlib import Path
from typing import Any

from api.model_reports import (
    FETCH_FAILED,
    MODEL_MISSING,
    MODEL_NOT_A_FILE,
    MODEL_UNREADABLE,
    FoundModel,
    NoModel,
)
from api.modelcode import pin_code
from api.modeldigests import pair
from predictor.fetch_cache import ModelCache
from predictor.fetch_checks import Asked, find
from tests.predictor.fetch_servers import serving
from tests.predictor.test_fetching import DIGEST, MODEL, Ticking
from wire import folders


def looked(cache: Path, **asked: Any) -> FoundModel | NoModel:
    return find(Asked(**asked), ModelCache(cache), {}, Ticking().clock())


def test_a_model_is_fetched_once_and_then_needs_nobody(tmp_path: Path) -> None:
    with serving(m__onnx=MODEL) as server:
        uri = f"{server.url}/m.onnx"
        assert looked(tmp_path, model=uri) == FoundModel(digest=DIGEST, size_bytes=len(MODEL))
    assert looked(tmp_path, model=uri, digest=DIGEST) == FoundModel(
        digest=DIGEST, size_bytes=len(MODEL)
    )
    gone = looked(tmp_path, model=uri)
    assert isinstance(gone, NoModel)
    assert (gone.reason, gone.is_final) == (FETCH_FAILED, False)


def test_what_somebody_else_wrote_over_it_is_noticed_and_fetched_again(tmp_path: Path) -> None:
    with serving(m__onnx=MODEL) as server:
        uri = f"{server.url}/m.onnx"
        assert isinstance(looked(tmp_path, model=uri), FoundModel)
        kept = ModelCache(tmp_path).find(DIGEST, now_s=1e9)
        assert kept is not None
        kept.path.chmod(0o644)
        kept.path.write_bytes(b"x" * len(MODEL))  # as large as it was, so that only reading tells
        assert ModelCache(tmp_path).find(DIGEST, now_s=1e9) is not None
        assert looked(tmp_path, model=uri, digest=DIGEST) == FoundModel(
            digest=DIGEST, size_bytes=len(MODEL)
        )
        assert kept.path.read_bytes() == MODEL
        kept.path.chmod(0o644)
        kept.path.write_bytes(b"x" * len(MODEL))
    found = looked(tmp_path, model=uri, digest=DIGEST)  # and there is nobody to ask
    assert isinstance(found, NoModel)
    assert not found.is_final


def test_what_lies_here_is_read_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    missing = looked(tmp_path, model=str(path))
    assert missing == NoModel(reason=MODEL_MISSING, message=f"model {path} does not exist")
    path.write_bytes(MODEL)
    assert looked(tmp_path, model=f"file://{path}", digest=DIGEST) == FoundModel(
        digest=DIGEST, size_bytes=len(MODEL)
    )
    path.write_bytes(MODEL + b"\n")
    changed = looked(tmp_path, model=str(path), digest=DIGEST)
    assert isinstance(changed, NoModel)
    assert changed.reason == MODEL_UNREADABLE
    assert "changed since the revision was made" in changed.message
    (tmp_path / "empty").mkdir()
    empty = looked(tmp_path, model=str(tmp_path / "empty"))
    assert isinstance(empty, NoModel)
    assert empty.reason == MODEL_NOT_A_FILE
    elsewhere = looked(tmp_path, model="file://host/m.onnx")
    assert isinstance(elsewhere, NoModel)
    assert elsewhere.is_final


def test_code_is_pinned_with_its_neighbours_and_around_a_model_with_it(tmp_path: Path) -> None:
    model, code = tmp_path / "m.onnx", tmp_path / "code.py"
    model.write_bytes(MODEL)
    code.write_text("class Model: pass\n")
    own = pin_code(*folders.of(code)).digest
    found = looked(tmp_path, python=str(code))
    assert isinstance(found, FoundModel)
    assert found.digest == own
    both = looked(tmp_path, model=str(model), transformer=str(code))
    assert isinstance(both, FoundModel)
    assert both.digest == pair(DIGEST, own)
    gone = looked(tmp_path, model=str(model), transformer=str(tmp_path / "no.py"))
    assert isinstance(gone, NoModel)
    folder = looked(tmp_path, python=str(tmp_path))
    assert isinstance(folder, NoModel)
    assert "is a folder: name the Python file" in folder.message


def test_a_cache_that_can_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    found = looked(tmp_path / "file", model="http://127.0.0.1:1/m.onnx")
    assert isinstance(found, NoModel)
    assert found.message.startswith("the cache: ")
