"""Models over HTTP: conditional, ranged and resumable GETs; redirects only where they are safe.

For: http(s):// and whatever else is told by a URL.
Must not know: what the bytes are, where they are kept, or which storage answers.
"""

import contextlib
import email.message
import http.client
import re
import ssl
import string
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

from typing_extensions import override

from api.storage_uris import shown
from predictor.fetch_sources import CHUNK_BYTES, ChangedError, Item, Listing, refused
from predictor.fetch_uris import (
    FetchError,
    Place,
    archive,
    is_name,
    is_same_host,
    redirected,
)

IO_S: Final = 30.0  # of silence, and of connecting
_HEADERS = {"User-Agent": "relight", "Accept": "*/*", "Accept-Encoding": "identity"}
_CREDENTIALS = "no credentials are sent over http(s): give a URL that may be read, or a signed one"
_RETRY_AFTER_MAX_S = 60.0
_DIGITS_MAX = 20  # more than any disk has; Python refuses to read thousands
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_FILENAME = re.compile(r'filename="?([^";]+)"?')


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows what may be followed, and tells no other host what is secret."""

    @override
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request:
        hops = int(getattr(req, "hops", 0)) + 1
        target = redirected(req.full_url, newurl, hops=hops)
        kept = {name: str(text) for name, text in req.header_items()}
        if not is_same_host(req.full_url, target):
            kept = {name: text for name, text in kept.items() if name != "Authorization"}
        kept = {name: text for name, text in kept.items() if name != "Host"}
        following = urllib.request.Request(target, headers=kept, method="GET")  # noqa: S310 - checked above
        setattr(following, "hops", hops)  # noqa: B010 - the type has none
        return following

    @override
    def http_error_302(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any
    ) -> http.client.HTTPResponse | None:
        """As the base's, but any Location comes to us to be judged, file:// included."""
        location = headers.get("location")
        if location:
            try:
                absolute = urllib.parse.urljoin(req.full_url, _sendable(location, "iso-8859-1"))
                following = self.redirect_request(req, fp, code, msg, headers, absolute)
            finally:
                fp.close()
            found: http.client.HTTPResponse = self.parent.open(following, timeout=req.timeout)
            return found
        return None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class Web:
    """Answers to GETs."""

    def __init__(
        self, *, credentials: str = _CREDENTIALS, headers: Mapping[str, str] | None = None
    ) -> None:
        """`credentials` says in a sentence which are looked for; `headers` go with every GET."""
        self._credentials = credentials
        self._headers = {**_HEADERS, **(headers or {})}
        context = ssl.create_default_context()
        self._opener = urllib.request.build_opener(
            _Redirects, urllib.request.HTTPSHandler(context=context)
        )

    @contextlib.contextmanager
    def get(
        self, url: str, headers: Mapping[str, str] | None = None, *, but: tuple[int, ...] = ()
    ) -> Iterator["http.client.HTTPResponse | urllib.error.HTTPError"]:
        """An answer; FetchError for a failure that is not one of the statuses `but`."""
        with told(url):
            try:
                request = urllib.request.Request(  # noqa: S310 - http(s), by whoever made it
                    _sendable(url), headers={**self._headers, **(headers or {})}
                )
                answer = self._opener.open(request, timeout=IO_S)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code not in but:
                        failure = refused(error.code, shown(url), self._credentials)
                        failure.wait_s = _retry_after_s(error.headers)
                        raise failure from None
                    yield error
                    return
            with answer:
                yield answer


@contextlib.contextmanager
def told(url: str) -> Iterator[None]:
    """A FetchError for all that goes wrong between here and there. It may pass by itself."""
    name = shown(url)
    try:
        yield
    except urllib.error.URLError as error:
        why = error.reason
        is_final = isinstance(why, ssl.SSLCertVerificationError)
        words = getattr(why, "verify_message", None) or getattr(why, "strerror", None) or why
        raise FetchError(f"{name} can not be reached: {words}", is_final=is_final) from None
    except TimeoutError:
        message = f"{name} said nothing for {IO_S:.0f} s"
        raise FetchError(message, is_final=False) from None
    except http.client.HTTPException as error:
        message = f"{name} broke off or is no HTTP server ({type(error).__name__})"
        raise FetchError(message, is_final=False) from None
    except ssl.SSLError as error:
        raise FetchError(f"{name} can not be reached: {error}", is_final=False) from None
    except OSError as error:
        why = error.strerror or error
        raise FetchError(f"{name} can not be reached: {why}", is_final=False) from None
    except ValueError as error:  # of urllib: a URL or header it can not send
        raise FetchError(f"{name} can not be asked for: {error}") from None


def chunks(answer: Any, url: str) -> Iterator[bytes]:
    """The bytes of an answer, as they come."""
    while True:
        with told(url):
            chunk = answer.read1(CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


class WebSource:
    """One file at a URL."""

    def __init__(self, place: Place) -> None:
        self._url = place.uri
        self._place = place
        self._web = Web()

    def look(self, known: str) -> Listing | None:
        """Ask without reading on: a HEAD is not answered by every server, nor by signed URLs."""
        asked = {}
        if known:
            etag, _, modified = known.partition(" @ ")
            asked = {"If-None-Match": etag} if etag else {"If-Modified-Since": modified}
        with self._web.get(self._url, asked, but=(304,)) as answer:
            if answer.status == 304:
                if not known:
                    message = f"{shown(self._url)}: the server answered HTTP 304, unasked"
                    raise FetchError(message)
                return None
            version = version_of(answer.headers)
            if known and version == known:
                return None
            name = self._name(answer.headers)
            _plain(answer.headers, name, self._url)
            size = size_of(answer.headers)
            item = Item(name=name, key=self._url, size=size, version=version)
        return Listing(items=(item,), version=version, is_lone=True)

    def read(self, item: Item, start: int) -> Iterator[tuple[int, bytes]]:
        """The rest of it, if it is still the same."""
        return ranged(self._web, item, start)

    def _name(self, headers: email.message.Message) -> str:
        """The URL's, unless that says nothing and the server does."""
        name = self._place.name
        said = _FILENAME.search(headers.get("content-disposition", ""))
        if said is not None and "." not in name and is_name(said[1].strip()):
            return said[1].strip()
        return name


def ranged(web: Web, item: Item, start: int) -> Iterator[tuple[int, bytes]]:
    """A file's bytes from a position on, or from its start where the server will not."""
    etag, _, modified = item.version.partition(" @ ")
    strong = etag if etag and not etag.startswith("W/") else modified
    headers = {}
    if start and (strong or item.sha256):
        headers = {"Range": f"bytes={start}-", **({"If-Range": strong} if strong else {})}
    with web.get(item.key, headers, but=(416,)) as answer:
        if answer.status == 416:
            raise ChangedError
        at = 0
        if answer.status == 206:
            at = start
            said = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
            if said is None or int(said[1]) != at:
                message = f"{shown(item.key)}: the server sent another part than was asked for"
                raise FetchError(message)
            if item.size is not None and said[3] not in ("*", str(item.size)):
                raise ChangedError
        if item.version and version_of(answer.headers) != item.version:
            raise ChangedError  # also where the server knows nothing of If-Range
        for chunk in chunks(answer, item.key):
            yield at, chunk
            at += len(chunk)


def version_of(headers: email.message.Message) -> str:
    """What the server says about which bytes these are: its ETag and when they changed."""
    etag, modified = headers.get("etag", ""), headers.get("last-modified", "")
    return f"{etag} @ {modified}" if etag or modified else ""


def size_of(headers: email.message.Message) -> int | None:
    """How long the server says it is."""
    text = headers.get("content-length", "")
    return int(text[:_DIGITS_MAX]) if text.isascii() and text.isdigit() else None


def _sendable(url: str, encoding: str = "utf-8") -> str:
    """A URL whose path and query are as they are sent: many are written, and told, with letters.

    `encoding` is that of the bytes these letters were read from.
    """
    host = url.find("://") + 3 if "://" in url else 0
    path = min((at for mark in "/?#" if (at := url.find(mark, host)) >= 0), default=len(url))
    rest = urllib.parse.quote(url[path:], safe=string.punctuation, encoding=encoding)
    return url[:path] + rest


def _plain(headers: email.message.Message, name: str, url: str) -> None:
    coding = headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity") and not archive(name).endswith("gz"):
        message = f"{shown(url)}: the server compresses ({coding}) what was asked for as it is"
        raise FetchError(message)


def _retry_after_s(headers: email.message.Message) -> float:
    text = headers.get("retry-after", "")
    return min(float(text), _RETRY_AFTER_MAX_S) if text.isascii() and text.isdigit() else 0.0
