"""What a source of models gives: the files there are, which version of them, and their bytes.

For: one way to fetch, whatever the bytes come from; and sentences for what a server answers.
Must not know: caches, archives, or who wants the model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from predictor.fetch_uris import FetchError

CHUNK_BYTES = 1 << 20
FILES_MAX = 10_000
_BRIEF = frozenset({408, 425, 429, 500, 502, 503, 504})  # may pass by itself


class ChangedError(Exception):
    """What is there now is not what was listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file."""

    name: str  # below the model's place; of a lone file, its own
    key: str  # what its source calls it
    size: int | None  # None: the source does not say
    version: str = ""  # equal only if the bytes are; "" where the source has no such thing
    sha256: str = ""  # what the source says it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All files of a model, at one time."""

    items: Sequence[Item]
    version: str  # equal only if all the bytes are; "" where that can not be told
    is_lone: bool  # one file, not a folder that holds one

    @property
    def total(self) -> int | None:
        """Bytes; None where the source does not say."""
        sizes = [item.size for item in self.items]
        return None if None in sizes else sum(size for size in sizes if size is not None)


class Source(Protocol):
    """Where a model is fetched from. Everything it raises of its own is a FetchError."""

    def look(self, known: str) -> Listing | None:
        """What is there; None if that is still the version `known`, which may be ""."""

    def read(self, item: Item, start: int) -> Iterator[tuple[int, bytes]]:
        """Its bytes with their positions, from `start` or, where that can not be, from 0.

        ChangedError where they are another version's.
        """


def refused(status: int, shown: str, credentials: str) -> FetchError:
    """What to say of an HTTP status that is not a success."""
    if status in (401, 403):
        words = f"{shown}: access was refused (HTTP {status}); {credentials}"
        return FetchError(words, is_absent=True)
    if status == 404:
        return FetchError(f"{shown}: there is nothing (HTTP 404)", is_absent=True)
    if status == 410:
        return FetchError(f"{shown}: it is gone (HTTP 410)", is_absent=True)
    return FetchError(f"{shown}: the server answered HTTP {status}", is_final=status not in _BRIEF)


def chosen(env: Mapping[str, str], prefixes: Sequence[str]) -> dict[str, str]:
    """The variables of an environment that begin so."""
    return {name: text for name, text in env.items() if name.startswith(tuple(prefixes))}


# What a fetch may read of a container's environment: credentials, and how servers are reached.
ENVIRONMENT = (
    "AWS_",
    "S3_",
    "awsAnonymousCredential",
    "GOOGLE_",
    "CLOUDSDK_",
    "STORAGE_EMULATOR_HOST",
    "HF_",
    "HUGGING_FACE_HUB_TOKEN",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_",
)


def of_fetches(env: Mapping[str, str]) -> dict[str, str]:
    """What of a container's environment a fetch is given."""
    return chosen(env, ENVIRONMENT)
