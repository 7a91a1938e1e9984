"""How the API server is guarded: open to this machine, or TLS and a token.

For: deciding once, from the settings, what server and clients need.
Must not know: HTTP, or who starts the server.
"""

import ssl
from dataclasses import dataclass

from embedded import hosts
from embedded.config import Settings, SettingsError
from embedded.datadir import DataDirectory, DataDirectoryError
from embedded.private_files import kept_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What the server listens with, and what clients are told. Nothing is set on loopback."""

    context: ssl.SSLContext | None = None
    authority: bytes | None = None
    token: str | None = None

    @property
    def scheme(self) -> str:
        """Of the server's URL."""
        return "http" if self.context is None else "https"


def security(settings: Settings, folder: DataDirectory, *, now_s: float) -> Security:
    """What these settings ask for; SettingsError without the package it takes."""
    if not settings.is_secure:
        return Security()
    try:
        from embedded import certificates
    except ImportError as error:
        raise SettingsError(
            f"--api-host: {settings.api_listens} can be reached by others, which takes TLS, and "
            "the package cryptography is not installed: pip install cryptography"
        ) from error
    try:
        served = certificates.prepare(
            folder.certificates, names=hosts.names(settings.api_listens), now_s=now_s
        )
        token = kept_token(folder.token)
    except (certificates.CertificateError, OSError) as error:
        raise DataDirectoryError(str(error)) from error
    return Security(context=served.context, authority=served.authority, token=token)
