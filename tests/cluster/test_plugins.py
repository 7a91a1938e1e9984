import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cluster import plugins
from cluster.credentials import API_VERSIONS, CredentialsError
from cluster.plugins import Plugin

V1, V1BETA1 = API_VERSIONS
KUBECONFIG = Path("/somewhere/kubeconfig")
# What it was called with comes back as its token.
PROGRAM = f"""#!{sys.executable}
import json, os, sys
told = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
token = json.dumps([sys.argv[1:], os.environ.get("WHO"), "PATH" in os.environ, told])
answer = {{"kind": "ExecCredential", "apiVersion": told["apiVersion"]}}
print(json.dumps({{**answer, "status": {{"token": token}}}}))
"""


def program(folder: Path, text: str = PROGRAM, mode: int = 0o755) -> Path:
    path = folder / "get-token"
    path.write_text(text)
    path.chmod(mode)
    return path


def described(raw: dict[str, Any], path: Path = KUBECONFIG, **cluster: Any) -> Plugin:
    return plugins.described(path, "ada", {"apiVersion": V1BETA1, **raw}, cluster)


async def told(plugin: Plugin) -> Any:
    return json.loads((await plugins.ask(plugin)).token)


@pytest.mark.parametrize("version", API_VERSIONS)
async def test_a_program_is_called_as_it_is_described(tmp_path: Path, version: str) -> None:
    program(tmp_path)
    plugin = described(
        {
            "apiVersion": version,
            "command": "./get-token",  # beside the kubeconfig
            "args": ["--cluster", "one two"],
            "env": [{"name": "WHO", "value": "me"}],
            "interactiveMode": "Never",
        },
        tmp_path / "kubeconfig",
        server="https://x",
    )
    args, who, inherits, info = await told(plugin)
    assert (args, who, inherits) == (["--cluster", "one two"], "me", True)
    assert info == {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}


async def test_it_is_told_of_the_cluster_if_it_wants(tmp_path: Path) -> None:
    cluster = {
        "server": "https://x",
        "tls-server-name": "y",
        "insecure-skip-tls-verify": True,
        "extensions": [
            {"name": "other", "extension": 1},
            {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "z"}},
        ],
    }
    raw = {"command": str(program(tmp_path)), "provideClusterInfo": True}
    plugin = described(raw, **plugins.told_of(cluster, b"authority"))
    assert (await told(plugin))[3]["spec"]["cluster"] == {
        "server": "https://x",
        "tls-server-name": "y",
        "insecure-skip-tls-verify": True,
        "certificate-authority-data": base64.b64encode(b"authority").decode(),
        "config": {"audience": "z"},
    }


async def test_a_name_is_looked_for_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert (await told(described({"command": "get-token"})))[0] == []


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("aws", "exec is not a mapping"),
        ({}, "exec.command is missing"),
        ({"command": "x", "apiVersion": None}, r"exec.apiVersion is None"),
        ({"command": "x", "apiVersion": "client.authentication.k8s.io/v1alpha1"}, "v1alpha1"),
        ({"command": "x", "apiVersion": V1}, "interactiveMode is None"),
        ({"command": "x", "interactiveMode": "Sometimes"}, "'Sometimes': it must be one of Never"),
        ({"command": "x", "args": "y"}, "args is not a list"),
        ({"command": "x", "args": [1]}, "args is not a list"),
        ({"command": "x", "env": {"a": "b"}}, "env is not a list"),
        ({"command": "x", "env": [{"value": "b"}]}, "env is not a list"),
    ],
)
def test_a_description_that_is_wrong_is_named(raw: Any, words: str) -> None:
    given = {"apiVersion": V1BETA1, **raw} if isinstance(raw, dict) else raw
    with pytest.raises(CredentialsError, match=words) as refused:
        plugins.described(KUBECONFIG, "ada", given, {})
    assert str(refused.value).startswith("/somewhere/kubeconfig: users[ada].user.exec")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#!/bin/sh\necho nothing to see >&2; exit 3\n", r"it failed \(exit code 3\)"),
        ("#!/bin/sh\nkill -9 $$\n", r"it failed \(signal 9\)"),
        ("#!/bin/sh\necho token\n", "not JSON"),
        ("#!/bin/sh\n", "it printed nothing"),
        ("#!/nowhere/interpreter\n", "No such file"),
    ],
)
async def test_a_program_that_fails_is_named(tmp_path: Path, text: str, words: str) -> None:
    command = str(program(tmp_path, text))
    with pytest.raises(CredentialsError, match=words) as refused:
        await plugins.ask(described({"command": command}))
    assert f"the credential plugin {command} of user 'ada': " in str(refused.value)


async def test_how_to_install_one_is_said_where_it_is_missing(tmp_path: Path) -> None:
    raw = {"command": "no-such-program", "installHint": "get it at example.org\n"}
    with pytest.raises(
        CredentialsError, match=r"there is no such program\nget it at example\.org$"
    ):
        await plugins.ask(described(raw))
    raw["command"] = str(program(tmp_path, mode=0o644))
    with pytest.raises(CredentialsError, match=r"it is not executable\nget it"):
        await plugins.ask(described(raw))


async def test_one_that_asks_a_person_needs_a_terminal(tmp_path: Path) -> None:
    raw = {"command": str(program(tmp_path)), "interactiveMode": "Always"}
    with pytest.raises(CredentialsError, match="'ada' asks for input, and there is no terminal"):
        await plugins.ask(described(raw))


async def test_one_that_asks_nobody_has_to_answer(tmp_path: Path) -> None:
    command = str(program(tmp_path, "#!/bin/sh\nexec sleep 600\n"))
    begun = time.monotonic()
    with pytest.raises(CredentialsError, match=r"no answer after 0\.05 s"):
        await plugins.ask(described({"command": command}), timeout_s=0.05)
    assert time.monotonic() - begun < 300  # and it was not waited for
