import io
from pathlib import Path

import orjson
import pytest

from api import kinds
from relight.errors import Exit
from tests.relight.conftest import Platform


@pytest.fixture
async def one(platform: Platform, model: Path) -> Platform:
    """One Service with one replica."""
    await platform.type("deploy", "iris", "--model", str(model), "--tag", "next")
    return platform


async def test_a_v2_inference_by_way_of_the_activator(one: Platform) -> None:
    code, out, err = await one.type("invoke", "iris", "--data", '{"inputs":[]}')
    assert (code, err) == (0, "")
    assert orjson.loads(out) == {"path": "/v2/models/iris/infer"}
    [request] = one.activator.seen
    assert request.method == "POST"
    assert request.host.partition(":")[0] == "iris.default.localhost"
    assert request.headers["Content-Type"] == "application/json"
    assert one.activator.bodies == [b'{"inputs":[]}']


async def test_a_v1_prediction_of_a_named_model(one: Platform) -> None:
    await one.type("deploy", "iris", "--model-name", "iris flowers")
    _, out, _ = await one.type("invoke", "iris", "--v1", "-d", "{}")
    assert orjson.loads(out)["path"] == "/v1/models/iris flowers:predict"


async def test_a_model_of_a_repository_has_to_be_named(platform: Platform, model: Path) -> None:
    await platform.type("deploy", "fleet", "--repository", str(model.parent))
    code, _, err = await platform.type("invoke", "fleet", "-d", "{}")
    assert code == Exit.USAGE
    assert "fleet serves a repository of models: say which with --model" in err
    for flags, path in ((), "/v2/models/a b/infer"), (("--v1",), "/v1/models/a b:predict"):
        words = ("invoke", "fleet", "--model", "a b", "-d", "{}", *flags)
        assert orjson.loads((await platform.type(*words))[1])["path"] == path
    code, _, err = await platform.type("invoke", "fleet", "--model", "a", "--path", "/v2")
    assert code == Exit.USAGE
    assert "--model: --path says the whole path" in err


async def test_any_path_and_get_without_data(one: Platform) -> None:
    _, out, _ = await one.type("invoke", "iris", "--path", "/v2?x=1")
    assert orjson.loads(out)["path"] == "/v2"
    [request] = one.activator.seen
    assert (request.method, request.query_string) == ("GET", "x=1")


async def test_a_file_and_standard_input(
    one: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "request.json").write_bytes(b"from a file")
    await one.type("invoke", "iris", "--data", f"@{tmp_path}/request.json")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe")))
    await one.type("invoke", "iris", "--data", "-")
    assert one.activator.bodies == [b"from a file", b"from a pipe"]


async def test_tags_and_revisions_are_asked_by_host(one: Platform) -> None:
    await one.type("invoke", "iris", "-d", "{}", "--tag", "next")
    await one.type("invoke", "iris", "-d", "{}", "--revision", "iris-00001")
    hosts = [request.host.partition(":")[0] for request in one.activator.seen]
    assert hosts == ["next-iris.default.localhost", "iris-00001.default.localhost"]


async def test_headers_and_the_timeout_are_sent(one: Platform) -> None:
    words = ("-H", "X-A: b: c", "-H", "CONTENT-TYPE: text/plain", "--timeout", "2.5")
    await one.type("invoke", "iris", "-d", "x", *words)
    [request] = one.activator.seen
    assert request.headers["X-A"] == "b: c"
    assert request.headers.getall("Content-Type") == ["text/plain"]
    assert request.headers["Relight-Timeout"] == "2.5"


async def test_info_goes_to_stderr(one: Platform) -> None:
    code, out, err = await one.type("invoke", "iris", "-d", "{}", "-i")
    assert code == 0
    assert orjson.loads(out)
    lines = dict(line.split(maxsplit=1) for line in err.splitlines())
    assert lines["status"].startswith("200 OK in ")
    assert lines["revision"] == "iris-00001"
    assert lines["digest"] == "sha256:aa"
    assert lines["timing"] == "queue 0.2 ms, run 1.5 ms"


@pytest.mark.parametrize("status", [301, 400, 503])
async def test_an_error_is_4_in_its_own_words(status: int, one: Platform) -> None:
    one.activator.status = status
    one.activator.body = b'{"error":"no room","reason":"overflow"}'
    code, out, err = await one.type("invoke", "iris", "-d", "{}")
    assert (code, out) == (Exit.ANSWERED, "")
    assert err == f"relight: iris answered {status}: no room (overflow)\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "nothing to send"),
        (["-d", "@no-such-file"], "--data: no-such-file: No such file or directory"),
        (["-d", "{}", "-H", "nonsense"], "-H nonsense: expected 'Name: value'"),
        (["-d", "{}", "--timeout", "0"], "expected more than 0 seconds"),
        (["-d", "{}", "--tag", "old"], "iris has no tag old (tags: next)"),
    ],
)
async def test_bad_input_is_2(words: list[str], told: str, one: Platform) -> None:
    code, _, err = await one.type("invoke", "iris", *words)
    assert code == Exit.USAGE
    assert told in err
    assert one.activator.seen == []


async def test_a_service_that_is_not_there_is_1(platform: Platform) -> None:
    code, _, err = await platform.type("invoke", "iris", "-d", "{}")
    assert code == Exit.FAILED
    assert '"iris" not found' in err


async def test_an_activator_that_is_gone_is_3(one: Platform) -> None:
    told = orjson.loads((one.folder / "relight.json").read_bytes())
    gone = orjson.dumps({**told, "activator": "http://127.0.0.1:1"})
    (one.folder / "relight.json").write_bytes(gone)
    code, _, err = await one.type("invoke", "iris", "-d", "{}")
    assert (code, err) == (3, "relight: nothing answers at http://127.0.0.1:1\n")


async def test_no_answer_in_time_is_1(one: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relight.invoke._GRACE_S", 0.0)
    one.activator.is_silent = True
    code, _, err = await one.type("invoke", "iris", "-d", "{}", "--timeout", "0.05")
    assert (code, err) == (1, "relight: iris did not answer within 0.05 s\n")


async def test_how_a_cluster_is_reached_is_said(one: Platform, tmp_path: Path) -> None:
    service = await one.client.get(kinds.SERVICES, "default", "iris")
    service["status"]["url"] = "http://iris.default.example.com:1"
    await one.client.replace(kinds.SERVICES, service, subresource="status")
    alone = tmp_path / "kubeconfig"
    alone.write_bytes((one.folder / "kubeconfig").read_bytes())
    code, _, err = await one.type("invoke", "iris", "--kubeconfig", str(alone), "-d", "{}")
    assert code == Exit.UNREACHABLE
    assert "nothing answers at http://iris.default.example.com:1: does its name lead" in err
    assert "curl -H 'Host: iris.default.example.com:1' localhost:8080" in err
