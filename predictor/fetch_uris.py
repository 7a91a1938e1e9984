"""Where a model that is fetched lies: its URI taken apart, what is asked first, what is refused.

For: one reading of http(s)://, s3://, gs:// and hf:// for whoever fetches or only mentions one.
Must not know: sockets, files, credentials, or how anything is fetched.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import SplitResult, quote, unquote, urlsplit

from api.storage_uris import FETCHED, refusal, shown

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
HUB = "https://huggingface.co"
REDIRECTS_MAX = 5
_NAME_BYTES_MAX = 255  # of every file system's
_PATH_BYTES_MAX = 2048  # of the 4096 that Linux takes, the cache's own folder among them
_PIN = re.compile(r"#sha256[:=]([0-9a-f]{64})", re.IGNORECASE)
_LIKE_A_PIN = re.compile(r"#(sha|md5)", re.IGNORECASE)
_REPO = re.compile(r"[\w.-]+/[\w.-]+")
_REVISION = re.compile(r"[\w./-]+")


class FetchError(Exception):
    """A model was not fetched; the message is one sentence for a person."""

    def __init__(
        self,
        message: str,
        *,
        is_final: bool = True,
        is_absent: bool = False,
        wait_s: float = 0.0,
    ) -> None:
        """`is_final`: at once tried again, it would end the same. `wait_s`: as the source asked.

        `is_absent`: somebody may put it there, or give the right to read it.
        """
        super().__init__(message)
        self.is_final = is_final
        self.is_absent = is_absent
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A model's place, taken apart."""

    scheme: str
    uri: str  # without the digest that it may end in
    where: str  # the bucket, or the Hub's repository; "" over HTTP
    path: str  # in there: of an object or of all that begins so; "" everything
    revision: str = ""  # the Hub's: a branch, tag or commit
    digest: str = ""  # what it must have: "sha256:<64 hex>"

    @property
    def name(self) -> str:
        """What a lone file of it is called."""
        found = PurePosixPath(self.path or self.where).name
        return found if is_name(found) else "model"


def place(uri: str) -> Place:
    """A URI, taken apart; FetchError says why it is not fetched."""
    match = _PIN.search(uri)
    digest = ""
    if match is not None and match.end() == len(uri):
        uri, digest = uri[: match.start()], f"sha256:{match[1].lower()}"
    if _LIKE_A_PIN.search(uri):
        raise FetchError(f'"{shown(uri)}" ends in no digest: write #sha256= and 64 hex digits')
    try:
        parts = urlsplit(uri)
        _ = parts.hostname, parts.port
    except ValueError as error:
        raise FetchError(f'"{shown(uri)}" is not a URI: {error}') from None
    if re.search(r"[\x00-\x20\x7f]", uri):
        raise FetchError(f"{shown(uri)!r} is not a URI: it holds a space or a control character")
    if parts.scheme in ("http", "https"):
        return _web(parts, uri, digest)
    if parts.scheme in ("s3", "gs"):
        bucket, _, path = uri[5:].partition("/")
        if not bucket:
            raise FetchError(f'"{shown(uri)}" names no bucket')
        path = path.rstrip("/")
        return Place(scheme=parts.scheme, uri=uri, where=bucket, path=path, digest=digest)
    if parts.scheme == "hf":
        return _hub(uri, digest)
    raise FetchError(f'"{shown(uri)}" is not fetched: {", ".join(FETCHED)} are')


def _web(parts: SplitResult, uri: str, digest: str) -> Place:
    if not parts.hostname:
        raise FetchError(f'"{shown(uri)}" names no host')
    if parts.username is not None or parts.password is not None:
        raise FetchError(
            f'"{parts.scheme}://…@{parts.hostname}{parts.path}" holds a password, which would be '
            "shown wherever the model is named: it is not fetched"
        )
    if words := refusal(uri):
        raise FetchError(f'"{shown(uri)}": {words}')
    path = unquote(parts.path).strip("/")
    return Place(scheme=parts.scheme, uri=uri, where="", path=path, digest=digest)


def _hub(uri: str, digest: str) -> Place:
    """Of the Hub, written hf://organisation/repository[:revision][/path]."""
    pieces = uri.removeprefix("hf://").strip("/").split("/")
    repo, _, revision = "/".join(pieces[:2]).partition(":")
    path = "/".join(pieces[2:])
    if not _REPO.fullmatch(repo) or (":" in "/".join(pieces[:2]) and not revision):
        message = "write hf://organisation/repository[:revision][/path]"
        raise FetchError(f'"{uri}" names no repository: {message}')
    if revision and not _REVISION.fullmatch(revision):
        raise FetchError(f'"{uri}": "{revision}" is no revision')
    revision = revision or "main"
    return Place(scheme="hf", uri=uri, where=repo, path=path, revision=revision, digest=digest)


def archive(name: str) -> str:
    """The suffix of a file that is unpacked; empty for one that is served as it is."""
    lower = name.lower()
    found = [suffix for suffix in ARCHIVES if lower.endswith(suffix) and len(lower) > len(suffix)]
    return max(found, key=len, default="")


def redirected(url: str, location: str, *, hops: int) -> str:
    """Where a redirect leads; FetchError where it is not followed."""
    name = shown(url)
    if hops > REDIRECTS_MAX:
        raise FetchError(f"{name} was redirected more than {REDIRECTS_MAX} times")
    try:
        before, after = urlsplit(url), urlsplit(location)
        _ = after.port
    except ValueError:
        raise FetchError(f"{name} redirects to what is no URL") from None
    if after.scheme not in ("http", "https") or not after.hostname:
        raise FetchError(f"{name} redirects to {after.scheme or 'no'}://, which is not followed")
    if (before.scheme, after.scheme) == ("https", "http"):
        raise FetchError(f"{name} redirects from https to http ({after.hostname}): not followed")
    if after.username is not None:
        raise FetchError(f"{name} redirects to a URL with a password: not followed")
    return location


def is_same_host(url: str, other: str) -> bool:
    """Whether what is secret may be told there as well."""
    return urlsplit(url)[:2] == urlsplit(other)[:2]


def quoted(path: str) -> str:
    """A path as part of a URL."""
    return quote(path, safe="/")


def is_name(name: str) -> bool:
    """Whether a file may be called so."""
    if not name or name in (".", "..") or re.search(r"[\x00-\x1f/\\]", name):
        return False
    return 0 < _bytes(name) <= _NAME_BYTES_MAX


def _bytes(name: str) -> int:
    """How long a name is on disk; 0 for what no name can be."""
    try:
        return len(name.encode(errors="surrogateescape"))
    except UnicodeEncodeError:
        return 0


def safe(name: str, *, of: str) -> str:
    """A relative name that leads nowhere else, as it is written on disk; FetchError."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise FetchError(f'{of} holds "{name}", an absolute path: refused')
    if ".." in parts:
        raise FetchError(f'{of} holds "{name}", which leads out of its folder: refused')
    if any(_bytes(part) > _NAME_BYTES_MAX for part in parts) or _bytes(name) > _PATH_BYTES_MAX:
        raise FetchError(
            f"{of} holds a file with a name of more than {_NAME_BYTES_MAX} bytes, "
            f"or of more than {_PATH_BYTES_MAX} with its folders: refused"
        )
    if not parts or not all(map(is_name, parts)) or len(parts) > 32:
        raise FetchError(f"{of} holds a file called {name[:200]!r}: refused")
    return "/".join(parts)


def distinct(names: Iterable[str], *, of: str) -> None:
    """FetchError where two files would be one, or one of them a folder as well."""
    files: set[str] = set()
    for name in names:
        if name in files:
            raise FetchError(f'{of} holds "{name}" twice: refused')
        files.add(name)
    for name in files:
        parts = name.split("/")
        for count in range(1, len(parts)):
            above = "/".join(parts[:count])
            if above in files:
                raise FetchError(f'{of} holds "{above}" as a file and as a folder: refused')


def amount(size: int) -> str:
    """Bytes, for a person."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def progress(done: int, total: int | None, uri: str) -> str:
    """How far it is: "12.3 of 98.1 MB (12 %) of s3://bucket/model"."""
    if not total:
        return f"{amount(done)} of {shown(uri)}"
    whole, said = amount(total), amount(done)
    if said.rpartition(" ")[2] == whole.rpartition(" ")[2]:
        said = said.rpartition(" ")[0]
    return f"{said} of {whole} ({100 * done // total} %) of {shown(uri)}"
