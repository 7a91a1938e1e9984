from pathlib import Path

import pytest

from predictor.fetch_hub import HubSource
from predictor.fetch_uris import FetchError, place
from tests.predictor.fetch_servers import Server, hub

FILES = {"model.onnx": b"w" * 200, "onnx/a.onnx": b"a", "onnx/b.txt": b"b", ".gitattributes": b""}


def names(server: Server, uri: str, **env: str) -> list[str]:
    found = HubSource(place(uri), {"HF_ENDPOINT": server.url, **env}).look("")
    assert found is not None
    return [item.name for item in found.items]


def test_a_repository_a_folder_and_a_file() -> None:
    with Server() as server:
        hub(server, "org/repo", FILES)
        assert names(server, "hf://org/repo") == ["model.onnx", "onnx/a.onnx", "onnx/b.txt"]
        assert names(server, "hf://org/repo:v1/onnx") == ["a.onnx", "b.txt"]
        assert names(server, "hf://org/repo/onnx/a.onnx") == ["a.onnx"]
        assert [each.path for each in server.gets][1].startswith("/api/models/org/repo/revision/v1")
        with pytest.raises(FetchError, match="no such file at commit c0ffee"):
            names(server, "hf://org/repo/none")


def test_one_commit_is_read_and_not_asked_for_twice() -> None:
    with Server() as server:
        hub(server, "org/repo", FILES, commit="abc")
        source = HubSource(place("hf://org/repo/model.onnx"), {"HF_ENDPOINT": server.url})
        found = source.look("")
        assert found is not None
        assert (found.version, found.is_lone) == ("abc", True)
        parts = list(source.read(found.items[0], 150))
        assert (parts[0][0], b"".join(part for _, part in parts)) == (150, b"w" * 50)
        assert server.gets[-1].path == "/org/repo/resolve/abc/model.onnx"
        assert source.look("abc") is None


def test_a_token_is_looked_for_where_the_hub_puts_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mine\n")
    with Server() as server:
        hub(server, "org/repo", FILES)
        names(server, "hf://org/repo", HF_TOKEN="given")
        names(server, "hf://org/repo", HF_HOME=str(tmp_path))
        names(server, "hf://org/repo", HF_HOME=str(tmp_path / "none"))
        told = [each.headers.get("authorization") for each in server.gets]
        assert told == ["Bearer given", "Bearer mine", None]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"", "HF_TOKEN"),
        (200, b"<html>", "is not a Hugging Face Hub"),
        (200, b'{"sha": "1", "siblings": [{"rfilename": "../x"}]}', "leads out of its folder"),
        (200, b'{"sha": "", "siblings": [{"rfilename": "x"}]}', "is not a Hugging Face Hub"),
        (200, b'{"sha": "../x", "siblings": [{"rfilename": "x"}]}', "is not a Hugging Face Hub"),
        (200, b'{"sha": "1", "siblings": ["x"]}', "is not a Hugging Face Hub"),
        (200, b'{"sha": "1", "siblings": [{}]}', "is not a Hugging Face Hub"),
        (200, b'{"sha": "1", "siblings": [{"rfilename": null}]}', "is not a Hugging Face Hub"),
        (200, b'{"sha": "1", "siblings": [{"rfilename": "x", "size": -1}]}', "is not a Hugging"),
        (200, b'{"sha": "1", "siblings": [{"rfilename": "x", "lfs": "y"}]}', "is not a Hugging"),
        (200, b"[" * 100_000, "is not a Hugging Face Hub"),
    ],
)
def test_what_a_hub_says_wrong_is_a_sentence(status: int, body: bytes, words: str) -> None:
    with Server() as server:
        server.routes = lambda _: (status, {}, body)
        with pytest.raises(FetchError, match=words):
            names(server, "hf://org/repo")
