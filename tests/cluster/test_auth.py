import base64
import ssl
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from aiohttp import ClientSession, TCPConnector, web
from aiohttp.test_utils import TestServer

from cluster.auth import Address, load_kubeconfig, load_service_account
from cluster.credentials import CredentialsError
from embedded import certificates


def kubeconfig(folder: Path, *, cluster: object = None, user: object = None) -> Path:
    raw = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster or {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user or {}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(raw))
    return path


def test_the_current_context_is_read(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, user={"token": "secret"})
    assert load_kubeconfig(path) == Address(url="http://127.0.0.1:1", token="secret")


def test_certificates_may_stand_in_the_file_or_beside_it(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("a key")
    path = kubeconfig(
        tmp_path,
        cluster={
            "server": "https://x",
            "certificate-authority-data": base64.b64encode(b"an authority").decode(),
        },
        user={
            "client-key": "key.pem",
            "client-certificate-data": base64.b64encode(b"a certificate").decode(),
        },
    )
    address = load_kubeconfig(path)
    assert (address.ca, address.client_key) == (b"an authority", b"a key")
    assert address.client_certificate == b"a certificate"


def test_a_token_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    path = kubeconfig(tmp_path, user={"tokenFile": "token", "token": "older"})
    address = load_kubeconfig(path)
    assert (address.token, address.token_file) == ("secret", tmp_path / "token")


def test_a_plugin_is_there_for_who_has_no_token(tmp_path: Path) -> None:
    raw = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "./get-token",
        "provideClusterInfo": True,
    }
    plugin = load_kubeconfig(kubeconfig(tmp_path, user={"exec": raw})).plugin
    assert plugin is not None
    assert (plugin.user, plugin.command) == ("u", str(tmp_path / "get-token"))
    assert plugin.cluster == {"server": "http://127.0.0.1:1"}
    assert load_kubeconfig(kubeconfig(tmp_path, user={"exec": raw, "token": "t"})).plugin is None


def test_of_several_files_the_first_that_has_a_name_tells(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first = kubeconfig(tmp_path, user={"token": "first"})
    second = kubeconfig(tmp_path / "b", user={"token": "second"})
    raw = yaml.safe_load(second.read_text())
    raw["current-context"] = "there"
    raw["contexts"].append({"name": "there", "context": {"cluster": "d", "user": "v"}})
    raw["clusters"].append({"name": "d", "cluster": {"server": "http://d"}})
    raw["users"].append({"name": "v", "user": {"tokenFile": "token"}})
    second.write_text(yaml.safe_dump(raw))
    (tmp_path / "b/token").write_text("beside")
    assert load_kubeconfig(first, second).token == "first"
    there = load_kubeconfig(first, second, context="there")
    assert (there.url, there.token) == ("http://d", "beside")
    assert load_kubeconfig(second, first).url == "http://d"
    with pytest.raises(
        CredentialsError,
        match=f"^{first}:{second} has no context named 'x' .*there are here, there",
    ):
        load_kubeconfig(first, second, context="x")


async def test_a_certificate_may_have_another_name_than_the_url(tmp_path: Path) -> None:
    made = certificates.prepare(tmp_path / "tls", names=["inside"], now_s=time.time())
    authority = base64.b64encode(made.authority).decode()
    server = TestServer(web.Application(), scheme="https")
    await server.start_server(ssl=made.context)
    cluster = {"server": str(server.make_url("")), "certificate-authority-data": authority}

    async def status(**more: str) -> int:
        address = load_kubeconfig(kubeconfig(tmp_path, cluster=cluster | more))
        connector = TCPConnector(ssl=address.ssl_context() or True)
        async with ClientSession(connector=connector) as session:
            return (await session.get(address.url)).status

    try:
        assert await status(**{"tls-server-name": "inside"}) == 404
        with pytest.raises(OSError, match="certificate"):
            await status(**{"tls-server-name": "outside"})
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not YAML"),
        ("[]", "is not a kubeconfig"),
        ("current-context: x", "has no context named 'x'"),
        ("contexts: 7", "has no context named ''"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(CredentialsError, match=words) as refused:
        load_kubeconfig(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        ({"x": 1}, None, "server is missing"),
        (None, {"exec": {"command": "aws"}}, r"users\[u\].user.exec.apiVersion is None"),
        (None, {"as": "root"}, "users.*user.as is not supported"),
        (None, {"as-groups": ["x"]}, "user.as-groups is not supported"),
        (None, {"username": "x", "password": "y"}, "user.username is not supported"),
        ({"server": "http://x", "proxy-url": "http://p"}, None, "cluster.proxy-url is not supp"),
        (None, {"client-certificate-data": "eA=="}, "has no client-key, and one needs both"),
        (None, {"client-key-data": "eA=="}, "has no client-certificate, and"),
        (None, {"tokenFile": "absent"}, "absent: No such file"),
        ({"server": "https://x", "certificate-authority-data": "?"}, None, "is not base64"),
    ],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, cluster: object, user: object, words: str
) -> None:
    with pytest.raises(CredentialsError, match=words):
        load_kubeconfig(kubeconfig(tmp_path, cluster=cluster, user=user))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="No such file"):
        load_kubeconfig(tmp_path / "absent")


def test_plain_http_needs_no_tls() -> None:
    assert Address(url="http://x").ssl_context() is None


def test_verification_is_on_unless_it_is_switched_off() -> None:
    checked = Address(url="https://x").ssl_context()
    assert checked is not None
    assert checked.verify_mode is ssl.CERT_REQUIRED
    loose = Address(url="https://x", skips_verification=True).ssl_context()
    assert loose is not None
    assert loose.verify_mode is ssl.CERT_NONE


def test_bad_certificates_are_told() -> None:
    with pytest.raises(CredentialsError, match="unusable"):
        Address(url="https://x", ca=b"\xff not PEM").ssl_context()


def test_a_client_certificate_is_loaded(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x"
    )
    done = subprocess.run(
        [*command.split(), "-keyout", key, "-out", certificate], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("openssl is not installed")
    address = Address(
        url="https://x",
        ca=certificate.read_bytes(),
        client_certificate=certificate.read_bytes(),
        client_key=key.read_bytes(),
    )
    context = address.ssl_context()
    assert context is not None
    assert len(context.get_ca_certs()) == 1


def test_a_service_account_is_read(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "ca.crt").write_bytes(b"authority")
    address = load_service_account(host="fd00::1", port="443", folder=tmp_path)
    assert (address.url, address.token, address.ca) == (
        "https://[fd00::1]:443",
        "secret",
        b"authority",
    )
    with pytest.raises(CredentialsError, match="no service account"):
        load_service_account(host="x", port="443", folder=tmp_path / "absent")
