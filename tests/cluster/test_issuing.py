"""Certificates that are made, and what is said of those that are no good."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest

from cluster import issuing
from cluster.issuing import CertificateError

NOW = datetime(2027, 1, 15, 12, 0, tzinfo=UTC)
NAMES = ("webhook.relight-system.svc", "10.99.0.1")


def test_a_server_is_signed_by_its_authority_for_its_names() -> None:
    authority = issuing.make_authority("a", now=NOW, days=730)
    server = issuing.make_server(authority, "s", names=NAMES, now=NOW, days=90)
    assert issuing.is_by(server.certificate, authority.certificate)
    assert issuing.is_for(server.certificate, NAMES)
    assert issuing.is_for(server.certificate, [*reversed(NAMES), NAMES[0]])
    assert not issuing.is_for(server.certificate, NAMES[:1])
    assert not issuing.is_for(authority.certificate, NAMES)
    other = issuing.make_authority("a", now=NOW, days=730)
    assert not issuing.is_by(server.certificate, other.certificate)
    assert not issuing.is_by(server.certificate, server.certificate)


def test_it_holds_from_a_little_before_now_and_no_longer_than_its_authority() -> None:
    authority = issuing.make_authority("a", now=NOW, days=60)
    server = issuing.make_server(authority, "s", names=NAMES, now=NOW, days=90).certificate
    assert server.not_valid_before_utc == NOW - issuing.BACKDATED
    assert server.not_valid_after_utc == NOW + timedelta(days=60)
    young = issuing.make_server(authority, "s", names=NAMES, now=NOW, days=9).certificate
    assert young.not_valid_after_utc == NOW + timedelta(days=9)


def test_what_is_written_can_be_read() -> None:
    authority = issuing.make_authority("a", now=NOW, days=730)
    found = issuing.read(authority.certificate_pem, authority.key_pem)
    assert found.certificate == authority.certificate
    assert found.key_pem == authority.key_pem
    both = [authority.certificate, issuing.make_authority("b", now=NOW, days=730).certificate]
    assert issuing.read_bundle(issuing.bundle(both)) == both
    ssl.create_default_context(cadata=issuing.bundle(both).decode())


def test_what_is_no_certificate_is_said() -> None:
    one, other = (issuing.make_authority(name, now=NOW, days=9) for name in "ab")
    for certificate, key in (
        (b"", one.key_pem),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", one.key_pem),
        (one.certificate_pem, b"junk"),
        (one.certificate_pem, other.key_pem),
    ):
        with pytest.raises(CertificateError, match=r"\w"):
            issuing.read(certificate, key)


def test_only_keys_of_elliptic_curves_are_taken() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    authority = issuing.make_authority("a", now=NOW, days=9)
    with pytest.raises(CertificateError, match="no elliptic curve key"):
        issuing.read(authority.certificate_pem, other)
