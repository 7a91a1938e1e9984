"""What a credential plugin answers: the ExecCredential of client.authentication.k8s.io.

For: telling a token or a client certificate, and how long it holds, from an answer that is wrong.
Must not know: how a plugin is asked, or what its answer is used for.
"""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

API_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class CredentialsError(Exception):
    """Credentials that cannot be used; str() says why, and which file or program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What proves who we are. Certificate and key are PEM; none, or both."""

    token: str = field(default="", repr=False)
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    expires_s: float | None = None  # None: it holds until the server says otherwise

    def holds(self, now_s: float) -> bool:
        """Whether it may still be used."""
        return self.expires_s is None or now_s < self.expires_s


def parse(answer: bytes, api_version: str) -> Credential:
    """The credential of an answer; CredentialsError says what is wrong with it, never what it is.

    The answer has to be of the version that was asked for.
    """
    try:
        raw = json.loads(answer)
    except ValueError:
        raise CredentialsError(
            "it printed nothing" if not answer.strip() else "what it printed is not JSON"
        ) from None
    if not isinstance(raw, Mapping) or raw.get("kind") != "ExecCredential":
        raise CredentialsError("what it printed is no ExecCredential")
    if raw.get("apiVersion") != api_version:
        raise CredentialsError(
            f"it printed an ExecCredential of {raw.get('apiVersion')}; asked for was {api_version}"
        )
    status = raw.get("status")
    if not isinstance(status, Mapping):
        raise CredentialsError("its ExecCredential has no status")
    certificate = _text(status, "clientCertificateData")
    key = _text(status, "clientKeyData")
    if bool(certificate) != bool(key):
        raise CredentialsError(
            "its ExecCredential has one of clientCertificateData and clientKeyData, and not both"
        )
    token = _text(status, "token")
    if not token and not certificate:
        raise CredentialsError("its ExecCredential has neither a token nor a certificate")
    return Credential(
        token=token,
        certificate=certificate.encode(),
        key=key.encode(),
        expires_s=_seconds(_text(status, "expirationTimestamp")),
    )


def _text(status: Mapping[str, Any], name: str) -> str:
    value = status.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CredentialsError(f"status.{name} of its ExecCredential is not a string")
    return value.strip() if name == "token" else value


def _seconds(timestamp: str) -> float | None:
    if not timestamp:
        return None
    try:
        found = datetime.datetime.fromisoformat(timestamp)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise CredentialsError(
            f"status.expirationTimestamp of its ExecCredential is no time (RFC 3339): {timestamp!r}"
        )
    return found.timestamp()
