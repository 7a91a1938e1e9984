import logging
from typing import Any

import pytest

from predictor.fetch_objects import ObjectSource, gs_options, s3_options
from predictor.fetch_sources import ChangedError
from predictor.fetch_uris import FetchError, place
from tests.predictor.fetch_servers import Server, gcs, s3

# Theirs, of sessions that nobody closes.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
OBJECTS = {"dir/1/model.onnx": b"weights", "dir/": b"", "dir/notes": b"n", "dir2/x": b"x"}
KEYS = {
    "AWS_ACCESS_KEY_ID": "AK",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "eu-north-1",
}


@pytest.fixture
def server() -> Any:
    with Server() as found:
        yield found


@pytest.fixture(params=["s3", "gs"])
def store(request: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Any, Any]:
    """A scheme, the environment to read it with, and the objects."""
    pytest.importorskip("s3fs" if request.param == "s3" else "gcsfs")
    objects = dict(OBJECTS)
    if request.param == "s3":
        s3(server, "b", objects, key_id="AK")
        for name, text in KEYS.items():
            monkeypatch.setenv(name, text)
        return "s3", {"AWS_ENDPOINT_URL": server.url, **KEYS}, objects
    gcs(server, "b", objects)
    return "gs", {"STORAGE_EMULATOR_HOST": server.url}, objects


def test_a_prefix_an_object_and_nothing(store: tuple[str, Any, Any]) -> None:
    scheme, env, objects = store
    source = ObjectSource(place(f"{scheme}://b/dir"), env)
    found = source.look("")
    assert found is not None
    assert [(i.name, i.size) for i in found.items] == [("1/model.onnx", 7), ("notes", 1)]
    assert not found.is_lone
    assert source.look(found.version) is None
    assert list(source.read(found.items[0], 3)) == [(3, b"ghts")]
    lone = ObjectSource(place(f"{scheme}://b/dir/1/model.onnx"), env).look("")
    assert lone is not None
    assert (lone.is_lone, [item.name for item in lone.items]) == (True, ["model.onnx"])
    objects["dir/1/model.onnx"] = b"changed!"
    assert source.look(found.version) is not None
    with pytest.raises(ChangedError):
        list(source.read(found.items[0], 0))
    for path in ("b/none", "c/dir"):
        with pytest.raises(FetchError, match=r"no object of that name|there is nothing") as caught:
            ObjectSource(place(f"{scheme}://{path}"), env).look("")
        assert caught.value.is_final


def test_wrong_keys_are_told_with_where_right_ones_are_looked_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("s3fs")
    s3(server, "b", dict(OBJECTS), key_id="AK")
    env = {"AWS_ENDPOINT_URL": server.url, **KEYS, "AWS_ACCESS_KEY_ID": "other"}
    for name, text in env.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(FetchError, match=r"access was refused.*AWS_ACCESS_KEY_ID") as caught:
        ObjectSource(place("s3://b/dir"), env).look("")
    assert caught.value.is_final
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("debug", "logged"), [("", 0), ("ERROR", 1)])
def test_what_fails_is_said_once(
    server: Server, caplog: pytest.LogCaptureFixture, debug: str, logged: int
) -> None:
    pytest.importorskip("gcsfs")
    server.routes = lambda _: (418, {}, b'{"error": {"code": 418, "message": "a teapot"}}')
    log = logging.getLogger("gcsfs")
    was = log.level
    try:
        log.setLevel(logging.NOTSET)
        env = {"STORAGE_EMULATOR_HOST": server.url, "GCSFS_DEBUG": debug}
        with pytest.raises(FetchError, match="418"):
            ObjectSource(place("gs://b/dir"), env).look("")
    finally:
        log.setLevel(was)
    assert len([each for each in caplog.records if each.name == "gcsfs"]) == logged


def test_kserves_variables_reach_the_client() -> None:
    made = s3_options(
        {
            "S3_ENDPOINT": "minio:9000",
            "S3_USE_HTTPS": "0",
            "S3_VERIFY_SSL": "0",
            "AWS_DEFAULT_REGION": "eu",
            "awsAnonymousCredential": "True",
            "S3_USE_VIRTUAL_BUCKET": "true",
        }
    )
    assert made["anon"] is True
    assert made["client_kwargs"] == {
        "endpoint_url": "http://minio:9000",
        "region_name": "eu",
        "verify": False,
    }
    assert made["config_kwargs"]["s3"] == {"addressing_style": "virtual"}
    made = s3_options({"AWS_ENDPOINT_URL": "https://s3", "AWS_CA_BUNDLE": "/ca.pem"})
    assert made["client_kwargs"] == {"endpoint_url": "https://s3", "verify": "/ca.pem"}
    assert made["anon"] is False
    assert gs_options({})["token"] is None
    assert gs_options({"GOOGLE_APPLICATION_CREDENTIALS": "/key"})["token"] == "google_default"
    with pytest.raises(FetchError, match="S3_VERIFY_SSL: expected true or false, got 'maybe'"):
        s3_options({"S3_VERIFY_SSL": "maybe"})


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("predictor.fetch_objects.importlib.import_module", missing)
    with pytest.raises(FetchError, match=r"s3fs is not installed; pip install 'relight\[s3\]'"):
        ObjectSource(place("s3://b"), {})
