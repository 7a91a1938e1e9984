"""What the Secret with the webhook's certificates is to hold now.

For: making, renewing and replacing them so that no call of the API server ever meets one that it
     does not trust yet, whichever replica does it.
Must not know: API servers, sockets or clocks.

An authority is announced in the bundle half a year before the one before it ends, and signs
nothing for an hour, in which the leader shows the bundle to the API server. The one before stays
in the bundle until its end. `ca.crt` is the bundle, youngest first; `ca.key` is the youngest's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.x509 import Certificate

from cluster import issuing
from cluster.issuing import CertificateError, Pair

AUTHORITIES: Final = "ca.crt"
AUTHORITY_KEY: Final = "ca.key"
SERVER: Final = "tls.crt"
SERVER_KEY: Final = "tls.key"

AUTHORITY_DAYS: Final = 730
SERVER_DAYS: Final = 90
ANNOUNCED: Final = timedelta(days=180)  # before the end of the authority before
SETTLED: Final = timedelta(hours=1)  # until every API server has heard of an authority
RENEWED: Final = timedelta(days=30)  # before the end of the server's
URGENT: Final = timedelta(days=1)  # so near its end, a certificate waits for nothing
AUTHORITIES_MAX: Final = 4

Data = Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What could be read of the Secret."""

    authorities: list[Certificate]  # that have not ended, youngest first
    signer: Pair | None  # the youngest, if its key is there
    server: Pair | None


def wanted(found: Data, *, names: Sequence[str], now: datetime) -> Data:
    """What the Secret shall hold; that which it holds, where nothing is to be done."""
    kept = _read(found, now)
    signer = kept.signer
    if signer is None or signer.certificate.not_valid_after_utc - now <= ANNOUNCED:
        name = f"relight-webhook-{now:%Y-%m-%d}"
        signer = issuing.make_authority(name, now=now, days=AUTHORITY_DAYS)
    others = [each for each in kept.authorities if each != signer.certificate]
    authorities = [signer.certificate, *others][:AUTHORITIES_MAX]
    server = kept.server
    if server is None or _is_due(server.certificate, authorities, names=names, now=now):
        server = issuing.make_server(
            signer, "relight-webhook", names=names, now=now, days=SERVER_DAYS
        )
    return {
        AUTHORITIES: issuing.bundle(authorities),
        AUTHORITY_KEY: signer.key_pem,
        SERVER: server.certificate_pem,
        SERVER_KEY: server.key_pem,
    }


def _is_due(
    server: Certificate, authorities: Sequence[Certificate], *, names: Sequence[str], now: datetime
) -> bool:
    """Whether the server needs another certificate, now."""
    left = server.not_valid_after_utc - now
    is_trusted = any(issuing.is_by(server, each) for each in authorities)
    if not is_trusted or left <= URGENT or not issuing.is_for(server, names):
        return True
    youngest = authorities[0]
    announced = youngest.not_valid_before_utc + issuing.BACKDATED
    if len(authorities) > 1 and now - announced < SETTLED:
        return False
    return left <= RENEWED or not issuing.is_by(server, youngest)


def _read(found: Data, now: datetime) -> _Kept:
    """What is unreadable is as good as absent: it is made anew."""
    text, key = found.get(AUTHORITIES, b""), found.get(AUTHORITY_KEY, b"")
    try:
        authorities = [e for e in issuing.read_bundle(text) if e.not_valid_after_utc > now]
    except CertificateError:
        authorities = []
    signer = _pair(text, key)
    if signer is not None and signer.certificate not in authorities:
        signer = None
    server = _pair(found.get(SERVER, b""), found.get(SERVER_KEY, b""))
    return _Kept(authorities=authorities, signer=signer, server=server)


def _pair(certificate: bytes, key: bytes) -> Pair | None:
    try:
        return issuing.read(certificate, key)
    except CertificateError:
        return None
