"""The certificates of an API server that others than this machine may reach.

For: an authority of the platform's own, and a server certificate by it, kept and renewed.
Must not know: HTTP. It is imported only where TLS is wanted: `cryptography` takes its time.
"""

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from embedded.private_files import write_private

_AUTHORITY_DAYS: Final = 3650
_SERVER_DAYS: Final = 365
_RENEWED_DAYS: Final = 30  # before the end
_BACKDATED: Final = timedelta(minutes=5)  # clocks of clients differ


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
        authority, key = _authority(folder, now)
        _server(folder, authority, key, names=names, now=now)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
    except (ValueError, TypeError, ssl.SSLError) as error:
        raise CertificateError(
            f"{folder} holds no usable certificates ({error}): remove it, and new ones are made"
        ) from error
    return Served(context=context, authority=(folder / "ca.crt").read_bytes())


def _authority(folder: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The authority that is there, unless it ends soon: then clients need the new kubeconfig."""
    certificate_path, key_path = folder / "ca.crt", folder / "ca.key"
    if certificate_path.exists() and key_path.exists():
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{key_path} is no elliptic curve key")
        if certificate.not_valid_after_utc - now > timedelta(days=_RENEWED_DAYS + _SERVER_DAYS):
            return certificate, key
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("relight")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(key.public_key(), name, name, now, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(certificate_path, key_path, certificate, key)
    return certificate, key


def _server(
    folder: Path,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    *,
    names: Sequence[str],
    now: datetime,
) -> None:
    """Keep the server's certificate while it is by this authority, for these names, and young."""
    certificate_path, key_path = folder / "server.crt", folder / "server.key"
    wanted = [_general_name(each) for each in dict.fromkeys(names)]
    if certificate_path.exists() and key_path.exists():
        old = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        found = old.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        is_young = old.not_valid_after_utc - now > timedelta(days=_RENEWED_DAYS)
        if is_young and set(found) == set(wanted) and _is_by(old, authority):
            return
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(key.public_key(), _name("relight-api"), authority.subject, now, _SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName(wanted), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(_public(authority)), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write(certificate_path, key_path, certificate, key)


def _is_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    wanted = x509.AuthorityKeyIdentifier.from_issuer_public_key(_public(authority))
    found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    return found == wanted


def _public(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("the authority has no elliptic curve key")
    return key


def _builder(
    key: ec.EllipticCurvePublicKey,
    subject: x509.Name,
    issuer: x509.Name,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _write(certificate_path: Path, key_path: Path, certificate: Any, key: Any) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(key_path, pem)
    write_private(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))
