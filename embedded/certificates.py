"""The certificates of an API server that others than this machine may reach.

For: an authority of the platform's own, and a server certificate by it, kept and renewed.
Must not know: HTTP. It is imported only where TLS is wanted: `cryptography` takes its time.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cluster import issuing
from cluster.issuing import Pair
from embedded.private_files import write_private

_AUTHORITY_DAYS: Final = 3650
_SERVER_DAYS: Final = 365
_RENEWED_DAYS: Final = 30  # before the end


class CertificateError(Exception):
    """The files hold no usable certificate; the message names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a server needs, and what its clients must know."""

    context: ssl.SSLContext
    authority: bytes  # PEM


def prepare(folder: Path, *, names: Sequence[str], now_s: float) -> Served:
    """The certificates in a folder, made or renewed where need be; CertificateError."""
    now = datetime.fromtimestamp(now_s, UTC)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        authority = _authority(folder, now)
        _server(folder, authority, names=names, now=now)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
    except (issuing.CertificateError, ssl.SSLError) as error:
        raise CertificateError(
            f"{folder} holds no usable certificates ({error}): remove it, and new ones are made"
        ) from error
    return Served(context=context, authority=(folder / "ca.crt").read_bytes())


def _authority(folder: Path, now: datetime) -> Pair:
    """The authority that is there, unless it ends soon: then clients need the new kubeconfig."""
    certificate_path, key_path = folder / "ca.crt", folder / "ca.key"
    if certificate_path.exists() and key_path.exists():
        found = issuing.read(certificate_path.read_bytes(), key_path.read_bytes())
        left = found.certificate.not_valid_after_utc - now
        if left > timedelta(days=_RENEWED_DAYS + _SERVER_DAYS):
            return found
    made = issuing.make_authority("relight", now=now, days=_AUTHORITY_DAYS)
    _write(certificate_path, key_path, made)
    return made


def _server(folder: Path, authority: Pair, *, names: Sequence[str], now: datetime) -> None:
    """Keep the server's certificate while it is by this authority, for these names, and young."""
    certificate_path, key_path = folder / "server.crt", folder / "server.key"
    if certificate_path.exists() and key_path.exists():
        [old, *_] = issuing.read_bundle(certificate_path.read_bytes())
        is_young = old.not_valid_after_utc - now > timedelta(days=_RENEWED_DAYS)
        is_ours = issuing.is_by(old, authority.certificate)
        if is_young and is_ours and issuing.is_for(old, names):
            return
    made = issuing.make_server(authority, "relight-api", names=names, now=now, days=_SERVER_DAYS)
    _write(certificate_path, key_path, made)


def _write(certificate_path: Path, key_path: Path, made: Pair) -> None:
    write_private(key_path, made.key_pem)
    write_private(certificate_path, made.certificate_pem)
