"""Certificates: an authority of one's own, and what it signs.

For: servers of ours that others must be able to trust: the API server of one machine, and the
     admission webhook of a cluster.
Must not know: where certificates are kept, or when they are renewed. Imported only where TLS is
wanted: `cryptography` takes its time.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BACKDATED: Final = timedelta(minutes=5)  # clocks of clients differ
_PEM: Final = serialization.Encoding.PEM


class CertificateError(Exception):
    """What was read is no usable certificate or key; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate, as servers and clients read it."""
        return self.certificate.public_bytes(_PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key, not encrypted."""
        return self.key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def read(certificate: bytes, key: bytes) -> Pair:
    """The pair that stands in two PEM texts; CertificateError."""
    found = read_bundle(certificate)[0]
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(str(error)) from error
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise CertificateError("it is no elliptic curve key")
    if private.public_key() != found.public_key():
        raise CertificateError("the key is not the certificate's")
    return Pair(certificate=found, key=private)


def read_bundle(text: bytes) -> list[x509.Certificate]:
    """The certificates that stand in a PEM text, at least one; CertificateError."""
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError as error:
        raise CertificateError(str(error)) from error


def bundle(certificates: Iterable[x509.Certificate]) -> bytes:
    """The PEM text of several certificates."""
    return b"".join(each.public_bytes(_PEM) for each in certificates)


def make_authority(name: str, *, now: datetime, days: int) -> Pair:
    """A new authority, which signs servers only."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
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
    end = now + timedelta(days=days)
    certificate = (
        _builder(key.public_key(), subject, subject, begin=now, end=end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate=certificate, key=key)


def make_server(
    authority: Pair, name: str, *, names: Sequence[str], now: datetime, days: int
) -> Pair:
    """A server's certificate for these names and addresses; it ends no later than who signs it."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = authority.certificate
    end = min(now + timedelta(days=days), signer.not_valid_after_utc)
    alternatives = x509.SubjectAlternativeName(general_names(names))
    certificate = (
        _builder(key.public_key(), _name(name), signer.subject, begin=now, end=end)
        .add_extension(alternatives, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(_public(signer)), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Pair(certificate=certificate, key=key)


def is_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether this authority signed it."""
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # noqa: BLE001 - ValueError, TypeError, InvalidSignature: all mean no
        return False
    return True


def is_for(certificate: x509.Certificate, names: Sequence[str]) -> bool:
    """Whether it is for these names and addresses, and no others."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return set(found) == set(general_names(names))


def general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    """Names and addresses as they stand in a certificate, each once."""
    return [_general_name(each) for each in dict.fromkeys(names)]


def _public(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise CertificateError("the authority has no elliptic curve key")
    return key


def _builder(
    key: ec.EllipticCurvePublicKey,
    subject: x509.Name,
    issuer: x509.Name,
    *,
    begin: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - BACKDATED)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
