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
from typing_extensions import override

from cluster import plugins
from cluster.credentials import CredentialsError
from cluster.plugins import Plugin

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_UNSUPPORTED: Final = {
    "users": (
        *("auth-provider", "username", "password"),
        *("as", "as-uid", "as-groups", "as-user-extra"),
    ),
    "clusters": ("proxy-url",),
}


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
    server_name: str = ""  # of its certificate, where that is not the URL's host
    plugin: Plugin | None = None  # who knows the token or certificate

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
        context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        context.server_name = self.server_name
        if self.ca:
            context.load_verify_locations(cadata=self.ca.decode())
        else:
            context.load_default_certs()
        if self.skips_verification:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_certificate is not None and self.client_key is not None:
            present(context, self.client_certificate, self.client_key)
        return context


class _Context(ssl.SSLContext):
    """TLS with a server whose certificate may have another name than its URL."""

    server_name = ""

    @override
    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        name = self.server_name or server_hostname
        return super().wrap_bio(incoming, outgoing, server_side, name, session)


def present(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Say who we are by a certificate, in connections to come; ssl.SSLError."""
    # ssl reads certificates from files only; this one is private and gone at once.
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)


def load_kubeconfig(*paths: Path, context: str = "") -> Address:
    """The server and user of a context (default: the current one); CredentialsError.

    Of several files each name is the first's that has it, and so is the current context.
    """
    files = [(path, _file(path)) for path in paths]
    shown = ":".join(str(path) for path in paths)
    name = context or next((n for _, raw in files if (n := raw.get("current-context"))), "")
    _, chosen = _named(files, shown, "contexts", "context", name)
    at, cluster = _named(files, shown, "clusters", "cluster", chosen.get("cluster"))
    path, user = _named(files, shown, "users", "user", chosen.get("user"))
    if not isinstance(cluster.get("server"), str):
        raise CredentialsError(f"{at}: clusters[].cluster.server is missing")
    authority = _pem(at, cluster, "certificate-authority")
    certificate, key = _pem(path, user, "client-certificate"), _pem(path, user, "client-key")
    if (certificate is None) != (key is None):
        missing = "client-key" if key is None else "client-certificate"
        raise CredentialsError(f"{path}: users[].user has no {missing}, and one needs both")
    token = _token(path, user)
    plugin = None
    if user.get("exec") and token is None:
        told = plugins.told_of(cluster, authority)
        plugin = plugins.described(path, str(chosen.get("user")), user["exec"], told)
    return Address(
        url=cluster["server"],
        token=token,
        token_file=path.parent / user["tokenFile"] if user.get("tokenFile") else None,
        ca=authority,
        client_certificate=certificate,
        client_key=key,
        skips_verification=bool(cluster.get("insecure-skip-tls-verify")),
        server_name=str(cluster.get("tls-server-name") or ""),
        plugin=plugin,
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


def _file(path: Path) -> Mapping[str, Any]:
    try:
        raw = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise CredentialsError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise CredentialsError(f"{path} is not YAML: {error}") from error
    if not isinstance(raw, Mapping):
        raise CredentialsError(f"{path} is not a kubeconfig")
    return raw


def _named(
    files: Sequence[tuple[Path, Mapping[str, Any]]], shown: str, field: str, inner: str, name: Any
) -> tuple[Path, dict[str, Any]]:
    """An entry, and the file that it is in: what it names stands beside that."""
    known = []
    for path, raw in files:
        entries = raw.get(field)
        for entry in entries if isinstance(entries, Sequence) else ():
            if not isinstance(entry, Mapping):
                continue
            known.append(str(entry.get("name")))
            if entry.get("name") != name:
                continue
            found = entry.get(inner)
            found = dict(found) if isinstance(found, Mapping) else {}
            _refuse(path, field, inner, found)
            return path, found
    told = f" (there are {', '.join(dict.fromkeys(known))})" if known else ""
    raise CredentialsError(f"{shown} has no {inner} named {name!r} in {field}{told}")


def _refuse(path: Path, field: str, inner: str, found: Mapping[str, Any]) -> None:
    advice = "use a token, a certificate or exec" if field == "users" else "connect without"
    for name in _UNSUPPORTED.get(field, ()):
        if found.get(name):
            raise CredentialsError(f"{path}: {field}[].{inner}.{name} is not supported; {advice}")


def _token(path: Path, user: Mapping[str, Any]) -> str | None:
    # As in kubectl: the file goes before what stands beside it.
    if user.get("tokenFile"):
        return _read(path, user["tokenFile"]).decode().strip()
    return str(user["token"]) if user.get("token") else None


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
