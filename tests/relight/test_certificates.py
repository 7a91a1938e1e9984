"""How long a certificate in a Secret is good for."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from relight.certificates import days_left

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def secret(days: float) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "webhook")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(NOW + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return {"tls.crt": base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()}


@pytest.mark.parametrize("days", [90, 1, -3])
def test_days(days: float) -> None:
    assert days_left(secret(days), NOW.timestamp()) == pytest.approx(days)


@pytest.mark.parametrize("data", [{}, {"tls.crt": ""}, {"tls.crt": "?"}, {"tls.crt": "QUJD"}])
def test_none(data: dict[str, str]) -> None:
    assert days_left(data, 0) is None
