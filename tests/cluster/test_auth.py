import base64
import ssl
import subprocess
from pathlib import Path

import pytest
import yaml

from cluster.auth import Address, CredentialsError, load_kubeconfig, load_service_account


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
        user={"client-key": "key.pem"},
    )
    address = load_kubeconfig(path)
    assert (address.ca, address.client_key) == (b"an authority", b"a key")


def test_a_token_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    path = kubeconfig(tmp_path, user={"tokenFile": "token"})
    assert load_kubeconfig(path).token == "secret"


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
        (None, {"exec": {"command": "aws"}}, "user.exec is not supported"),
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
