"""Programs that know who we are: `exec` of a kubeconfig's user, as kubectl runs them.

For: clusters of clouds, whose tokens come from a program: from its description to what it answers.
Must not know: what the credential is used for, or when it is asked for again.
"""

import asyncio
import base64
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cluster.credentials import API_VERSIONS, Credential, CredentialsError, parse

_MODES: Final = ("Never", "IfAvailable", "Always")
_EXTENSION: Final = "client.authentication.k8s.io/exec"
_TOLD: Final = "KUBERNETES_EXEC_INFO"
_TIMEOUT_S: Final = 60.0  # of a program that asks nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A program, and how it is asked."""

    user: str  # of the kubeconfig, for messages
    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    api_version: str
    mode: str = "IfAvailable"  # whether it may ask a person
    install_hint: str = ""
    cluster: Mapping[str, Any] | None = None  # what it is told of the cluster

    @property
    def label(self) -> str:
        """Who it is, at the beginning of a sentence on what is wrong."""
        return f"the credential plugin {self.command} of user {self.user!r}"


def described(path: Path, name: str, raw: Any, cluster: Mapping[str, Any]) -> Plugin:
    """The plugin of a user's `exec`; CredentialsError names the field that is wrong.

    `path` is the file it stands in, `cluster` what it may be told of the cluster.
    """
    where = f"{path}: users[{name}].user.exec"
    if not isinstance(raw, Mapping):
        raise CredentialsError(f"{where} is not a mapping")
    command = raw.get("command")
    if not isinstance(command, str) or not command:
        raise CredentialsError(f"{where}.command is missing")
    version = raw.get("apiVersion")
    if version not in API_VERSIONS:
        raise CredentialsError(
            f"{where}.apiVersion is {version!r}: it must be one of {', '.join(API_VERSIONS)}"
        )
    mode = raw.get("interactiveMode") or ("IfAvailable" if version == API_VERSIONS[1] else None)
    if mode not in _MODES:
        raise CredentialsError(
            f"{where}.interactiveMode is {mode!r}: it must be one of {', '.join(_MODES)}"
        )
    # As in kubectl: a path is relative to the file it stands in, a name is looked for on the PATH.
    if os.sep in command:
        command = str(path.parent / Path(command).expanduser())
    return Plugin(
        user=name,
        command=command,
        args=_args(where, raw.get("args")),
        env=_env(where, raw.get("env")),
        api_version=version,
        mode=mode,
        install_hint=str(raw.get("installHint") or "").strip(),
        cluster=cluster if raw.get("provideClusterInfo") else None,
    )


def told_of(cluster: Mapping[str, Any], authority: bytes | None) -> dict[str, Any]:
    """What a plugin is told of a kubeconfig's cluster if it wants to know."""
    told: dict[str, Any] = {"server": cluster.get("server")}
    if cluster.get("tls-server-name"):
        told["tls-server-name"] = cluster["tls-server-name"]
    if cluster.get("insecure-skip-tls-verify"):
        told["insecure-skip-tls-verify"] = True
    if authority is not None:
        told["certificate-authority-data"] = base64.b64encode(authority).decode()
    for each in cluster.get("extensions") or ():
        if isinstance(each, Mapping) and each.get("name") == _EXTENSION:
            told["config"] = each.get("extension")
    return told


async def ask(plugin: Plugin, *, timeout_s: float = _TIMEOUT_S) -> Credential:
    """Run it, and read its answer; CredentialsError names the user and the program.

    What it writes to stderr is for whoever started us. It may read a terminal, where one is.
    """
    is_interactive = plugin.mode != "Never" and sys.stdin is not None and sys.stdin.isatty()
    if plugin.mode == "Always" and not is_interactive:
        raise CredentialsError(f"{plugin.label} asks for input, and there is no terminal to ask at")
    environment = _environment(plugin, is_interactive)
    program = shutil.which(plugin.command, path=environment.get("PATH"))
    if program is None:
        is_there = os.sep in plugin.command and await asyncio.to_thread(
            os.path.exists, plugin.command
        )
        why = "it is not executable" if is_there else "there is no such program"
        raise _failure(plugin, why)
    answer, code = await _run(
        plugin, program, environment, None if is_interactive else timeout_s, is_interactive
    )
    if code:
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise _failure(plugin, f"it failed ({how})")
    try:
        return parse(answer, plugin.api_version)
    except CredentialsError as error:
        raise CredentialsError(f"{plugin.label}: {error}") from None


async def _run(
    plugin: Plugin,
    program: str,
    environment: Mapping[str, str],
    timeout_s: float | None,
    is_interactive: bool,
) -> tuple[bytes, int]:
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *plugin.args,
            env=environment,
            stdin=None if is_interactive else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise _failure(plugin, str(error.strerror)) from error
    try:
        async with asyncio.timeout(timeout_s):
            answer, _ = await process.communicate()
    except TimeoutError:
        raise _failure(plugin, f"no answer after {timeout_s:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return answer, process.returncode or 0


def _failure(plugin: Plugin, why: str) -> CredentialsError:
    hint = f"\n{plugin.install_hint}" if plugin.install_hint else ""
    return CredentialsError(f"{plugin.label}: {why}{hint}")


def _environment(plugin: Plugin, is_interactive: bool) -> dict[str, str]:
    spec: dict[str, Any] = {"interactive": is_interactive}
    if plugin.cluster is not None:
        spec["cluster"] = plugin.cluster
    told = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    inherited = os.environ  # noqa: TID251 - a plugin finds its own settings there
    return {**inherited, **plugin.env, _TOLD: json.dumps(told)}


def _args(where: str, raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list | None) or not all(isinstance(each, str) for each in raw or ()):
        raise CredentialsError(f"{where}.args is not a list of strings")
    return tuple(raw or ())


def _env(where: str, raw: Any) -> dict[str, str]:
    found = {}
    for each in raw if isinstance(raw, list) else [None] if raw else ():
        name = each.get("name") if isinstance(each, Mapping) else None
        value = each.get("value") if isinstance(each, Mapping) else None
        if not isinstance(name, str) or not name or not isinstance(value, str | None):
            raise CredentialsError(f"{where}.env is not a list of name and value")
        found[name] = value or ""
    return found
