"""Settings from flags and environment; every error names the flag."""

import subprocess
import sys
from pathlib import Path

import pytest

from predictor import config
from predictor.errors import SettingsError

DIGEST = "sha256:" + "a" * 64


def test_defaults() -> None:
    settings = config.parse(["--model", "models/iris.onnx"], {})
    assert settings.model_name == "iris"
    assert settings.threads == 1
    assert settings.body_bytes_max == 64 * 1024 * 1024
    assert settings.providers == ()
    assert settings.container_concurrency == 0
    assert settings.timeout_s == 300
    assert settings.port == 8080
    assert (settings.grpc_port, settings.has_grpc) == (None, True)


def test_everything_set() -> None:
    arguments = ["--python=m.py:Mine", "--model-name", "n", "--threads", "4", "--port", "0"]
    arguments += ["--max-body-bytes", "5", "--host", "::1"]
    arguments += ["--providers", "CUDAExecutionProvider,CPUExecutionProvider"]
    environment = {
        "K_SERVICE": "s",
        "K_REVISION": "s-00001",
        "PORT": "9",
        "RELIGHT_CONTAINER_CONCURRENCY": "7",
        "RELIGHT_TIMEOUT_S": "9",
        "RELIGHT_MODEL_DIGEST": DIGEST,
    }
    settings = config.parse(arguments, environment)
    assert (settings.python_file, settings.python_class) == ("m.py", "Mine")
    assert (settings.model_name, settings.service, settings.revision) == ("n", "s", "s-00001")
    assert settings.providers == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert (settings.threads, settings.body_bytes_max, settings.port) == (4, 5, 0)
    assert (settings.container_concurrency, settings.timeout_s) == (7, 9)
    assert settings.model_digest == DIGEST


def test_the_working_directory_has_a_name_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "iris").mkdir()
    monkeypatch.chdir(tmp_path / "iris")
    assert config.parse(["--model", "."], {}).model_name == "iris"
    assert config.parse(["--model", "s3://bucket/models/irises/"], {}).model_name == "irises"


def test_the_service_names_the_model_and_the_port_may_come_from_the_environment() -> None:
    settings = config.parse(["--model", "x.onnx"], {"K_SERVICE": "iris", "PORT": "9"})
    assert (settings.model_name, settings.port) == ("iris", 9)


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ("", {}, "exactly one of --model URI, --python FILE.py:CLASS and --repository DIR"),
        ("--model a --python b.py:C", {}, "exactly one of --model"),
        ("--python b.py:C --signature-name a", {}, "--signature-name: it is of one model"),
        ("--python b.py", {}, "--python: expected FILE.py:CLASS, got 'b.py'"),
        ("--python b.py:1C", {}, "--python: expected FILE.py:CLASS"),
        ("--model a --threads x", {}, "--threads"),
        ("--model a --threads 0", {}, "--threads: expected 1 to 1024, got 0"),
        ("--model a --max-body-bytes 0", {}, "--max-body-bytes: expected 1 to"),
        ("--model a --grpc-port 70000", {}, "--grpc-port: expected 0 to 65535, got 70000"),
        ("--model a --enable_grpc maybe", {}, "--enable-grpc: expected true or false, got 'maybe'"),
        (
            "--model a --enable_grpc False --grpc_port 1",
            {},
            "--grpc-port: there is no gRPC with --enable-grpc false",
        ),
        ("--model a --port 70000", {}, "--port: expected 0 to 65535, got 70000"),
        ("--model a --providers A,,B", {}, "--providers: an empty name in 'A,,B'"),
        ("--model a --model-name a/b", {}, "--model-name: 'a/b' is not a name"),
        ("--model a --modelname b", {}, "unknown argument '--modelname'"),
        ("--model", {}, "--model"),
        ("--mod a", {}, "unknown argument '--mod'"),
        ("--model a", {"PORT": "http"}, "PORT: expected a whole number, got 'http'"),
        ("--model a", {"RELIGHT_CONTAINER_CONCURRENCY": "-1"}, "RELIGHT_CONTAINER_CONCURRENCY"),
        ("--model a", {"RELIGHT_CONTAINER_CONCURRENCY": "1001"}, "expected 0 to 1000, got 1001"),
        ("--model a", {"RELIGHT_TIMEOUT_S": "0"}, "RELIGHT_TIMEOUT_S: expected 1 to"),
        ("--model a", {"RELIGHT_MODEL_DIGEST": "md5:1"}, "RELIGHT_MODEL_DIGEST: expected sha256"),
        ("--model a", {"K_SERVICE": "a b"}, "K_SERVICE: 'a b' is not a name"),
    ],
)
def test_errors_name_what_is_wrong(arguments: str, environment: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        config.parse(arguments.split(), environment)
    assert said in str(caught.value)


def test_adopting_adds_to_what_was_inherited() -> None:
    code = (
        "from predictor import config; import os;"
        "config.adopt({'NEW': '1', 'SAME': '3', 'OTHER': '5'});"
        "print(config.inherited()['OLD'], os.popen('echo $NEW $SAME $OTHER').read())"
    )
    command = [sys.executable, "-c", code]
    before = {"OLD": "2", "SAME": "3", "OTHER": "4"}
    run = subprocess.run(command, env=before, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["2", "1", "3", "5"]


def test_usage_names_every_flag() -> None:
    for flag in ("--model", "--python", "--model-name", "--providers", "--threads", "--port"):
        assert flag in config.usage()


def test_the_cache_is_where_it_is_said_to_be() -> None:
    environment = {"HOME": "/home/me"}
    ours = ["--model", "x.onnx"]
    assert str(config.parse(ours, {}).cache_dir) == "/.cache/relight"
    assert str(config.parse(ours, environment).cache_dir) == "/home/me/.cache/relight"
    environment["XDG_CACHE_HOME"] = "/xdg"
    assert str(config.parse(ours, environment).cache_dir) == "/xdg/relight"
    environment["RELIGHT_CACHE"] = "/data/cache"
    assert str(config.parse(ours, environment).cache_dir) == "/data/cache"
    assert str(config.parse([*ours, "--cache-dir", "/mine"], environment).cache_dir) == "/mine"


def test_models_are_prepared_unless_that_is_off() -> None:
    settings = config.parse(["--model", "x.onnx"], {})
    assert settings.prepared
    assert settings.prepared_bytes_max == 8 * 1024**3
    assert settings.fetched_bytes_max == 100 * 1024**3
    assert not config.parse(["--model", "x.onnx", "--prepared", "off"], {}).prepared
    with pytest.raises(SettingsError, match="--prepared"):
        config.parse(["--model", "x.onnx", "--prepared", "maybe"], {})
    with pytest.raises(SettingsError, match="--prepared-bytes-max: expected 0"):
        config.parse(["--model", "x.onnx", "--prepared-bytes-max", "-1"], {})


def test_a_transformer_is_around_one_model() -> None:
    settings = config.parse(["--model", "m.onnx", "--transformer", "a/t.py:Towns"], {})
    assert (settings.transformer_file, settings.transformer_class) == ("a/t.py", "Towns")
    with pytest.raises(SettingsError, match=r"^--transformer: expected FILE.py:CLASS, got 't.py'"):
        config.parse(["--model", "m.onnx", "--transformer", "t.py"], {})
    with pytest.raises(SettingsError, match=r"^--transformer: it is around one model"):
        config.parse(["--repository", "models", "--transformer", "t.py:Towns"], {})
