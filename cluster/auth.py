"""Where an API server is and how to prove who we are: kubeconfig files, service accounts.

For: turning what an operator has on disk into an address, or one sentence on what is wrong.
Must not know: requests, or what is asked of the server.
"""

import base64
import binascii
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_UNSUPPORTED: Final = ("exec", "auth-provider", "username", "password", "as")


class CredentialsError(Exception):
    """A kubeconfig or service account that cannot be used; str() says why, and which file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An API server and the credentials for it; certificates are PEM."""

    url: str
    token: str | None = None
    token_file: Path | None = None  # where `token` was read, and its successors will be
    ca_file: Path | None = None  # likewise
    ca: bytes | None = None
    client_certificate: bytes | None = None
    client_key: bytes | None = None
    skips_verification: bool = False

    def ssl_context(self) -> ssl.SSLContext | None:
        """TLS as the address says; None for plain http. CredentialsError for bad certificates."""
        if not self.url.startswith("https:"):
            return None
        try:
            return self._ssl_context()
        except (ssl.SSLError, UnicodeDecodeError) as error:
            raise CredentialsError(
                f"the certificates for {self.url} are unusable: {error}"
            ) from error

    def _ssl_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.ca.decode() if self.ca else None)
        if self.skips_verification:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_certificate is not None and self.client_key is not None:
            # ssl reads certificates from files only; this one is private and gone at once.
            with tempfile.NamedTemporaryFile() as file:
                file.write(self.client_certificate + b"\n" + self.client_key)
                file.flush()
                context.load_cert_chain(file.name)
        return context


def load_kubeconfig(path: Path, *, context: str = "") -> Address:
    """The server and user of a context (default: the current one); CredentialsError."""
    try:
        raw = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise CredentialsError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise CredentialsError(f"{path} is not YAML: {error}") from error
    if not isinstance(raw, Mapping):
        raise CredentialsError(f"{path} is not a kubeconfig")
    name = context or raw.get("current-context") or ""
    chosen = _named(path, raw, "contexts", "context", name)
    cluster = _named(path, raw, "clusters", "cluster", chosen.get("cluster"))
    user = _named(path, raw, "users", "user", chosen.get("user"))
    for field in _UNSUPPORTED:
        if user.get(field):
            raise CredentialsError(f"{path}: users[].user.{field} is not supported; use a token")
    if not isinstance(cluster.get("server"), str):
        raise CredentialsError(f"{path}: clusters[].cluster.server is missing")
    return Address(
        url=cluster["server"],
        token=_token(path, user),
        token_file=_token_file(path, user),
        ca=_pem(path, cluster, "certificate-authority"),
        client_certificate=_pem(path, user, "client-certificate"),
        client_key=_pem(path, user, "client-key"),
        skips_verification=bool(cluster.get("insecure-skip-tls-verify")),
    )


def load_service_account(*, host: str, port: str, folder: Path = SERVICE_ACCOUNT) -> Address:
    """The server as a Pod sees it: KUBERNETES_SERVICE_HOST and _PORT, and the mounted token."""
    try:
        token = (folder / "token").read_text().strip()
        ca = (folder / "ca.crt").read_bytes()
    except OSError as error:
        raise CredentialsError(f"no service account at {folder}: {error.strerror}") from error
    shown = f"[{host}]" if ":" in host else host
    return Address(
        url=f"https://{shown}:{port}",
        token=token,
        token_file=folder / "token",
        ca=ca,
        ca_file=folder / "ca.crt",
    )


def _named(path: Path, raw: Mapping[str, Any], field: str, inner: str, name: Any) -> dict[str, Any]:
    entries = raw.get(field)
    for entry in entries if isinstance(entries, Sequence) else ():
        if isinstance(entry, Mapping) and entry.get("name") == name:
            found = entry.get(inner)
            return dict(found) if isinstance(found, Mapping) else {}
    raise CredentialsError(f"{path} has no {inner} named {name!r} in {field}")


def _token(path: Path, user: Mapping[str, Any]) -> str | None:
    if user.get("token"):
        return str(user["token"])
    if user.get("tokenFile"):
        return _read(path, user["tokenFile"]).decode().strip()
    return None


def _token_file(path: Path, user: Mapping[str, Any]) -> Path | None:
    return (
        None if user.get("token") or not user.get("tokenFile") else path.parent / user["tokenFile"]
    )


def _pem(path: Path, raw: Mapping[str, Any], field: str) -> bytes | None:
    data = raw.get(f"{field}-data")
    if data:
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise CredentialsError(f"{path}: {field}-data is not base64") from error
    return _read(path, raw[field]) if raw.get(field) else None


def _read(path: Path, name: Any) -> bytes:
    # As in kubectl, relative to the kubeconfig that names the file.
    file = path.parent / str(name)
    try:
        return file.read_bytes()
    except OSError as error:
        raise CredentialsError(f"{path} names {file}: {error.strerror}") from error
