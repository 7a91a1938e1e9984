"""Servers to fetch from: files with ETags and ranges, cut, slow, lying; the Hub; S3; GCS."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from typing_extensions import override


@dataclass
class File:
    content: bytes
    etag: str | None = ""  # "": of the content; None: none
    modified: str = ""
    has_ranges: bool = True
    cut_after: int = 0  # bytes, of each answer that has more
    cuts: int = 1_000_000  # how often
    length: int | None = None  # what it says it is
    status: int = 200
    failures: int = 0  # answers of `status` before it works; with 200: for ever
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] | None = None  # called after the first part of an answer

    @property
    def tag(self) -> str:
        if self.etag is None:
            return ""
        return self.etag or f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    sent: int = 0


class Server:
    """Files by path, and what was asked of it."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.asked: list[Asked] = []
        self.routes: Callable[[Asked], tuple[int, dict[str, str], bytes] | None] = lambda _: None
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Server":
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def gets(self) -> list[Asked]:
        return [each for each in self.asked if each.method == "GET"]

    def _handler(self) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one class, made for one server
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            @override
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                headers = {name.lower(): text for name, text in self.headers.items()}
                asked = Asked(self.command, self.path, headers)
                server.asked.append(asked)
                try:
                    made = server.routes(asked)
                    if made is not None:
                        self._answer(*made)
                    else:
                        self._file(asked, server.files.get(unquote(urlsplit(self.path).path)))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_HEAD = do_GET  # noqa: N815 - the standard library's name

            def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, text in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, text)
                self.end_headers()
                if self.command != "HEAD" and status != 304:
                    self.wfile.write(body)

            def _file(self, asked: Asked, file: File | None) -> None:
                if file is None:
                    return self._answer(404, {}, b"nothing")
                if file.status != 200 and (file.failures != 0):
                    file.failures -= 1
                    return self._answer(file.status, file.headers, b"")
                facts = dict(file.headers)
                if file.tag:
                    facts["etag"] = file.tag
                if file.modified:
                    facts["last-modified"] = file.modified
                unchanged = file.tag and asked.headers.get("if-none-match") == file.tag
                since = asked.headers.get("if-modified-since")
                if unchanged or (file.modified and since == file.modified):
                    return self._answer(304, facts, b"")
                body, status = file.content, 200
                start = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
                same = asked.headers.get("if-range", file.tag) in (file.tag, file.modified)
                if start is not None and file.has_ranges and same:
                    at = int(start[1])
                    if at >= len(body):
                        return self._answer(416, facts, b"")
                    facts["content-range"] = f"bytes {at}-{len(body) - 1}/{len(body)}"
                    body, status = body[at:], 206
                self._send(asked, file, status, facts, body)
                return None

            def _send(
                self, asked: Asked, file: File, status: int, facts: dict[str, str], body: bytes
            ) -> None:
                self.send_response(status)
                length = len(body) if file.length is None else file.length
                for name, text in {"content-length": str(length), **facts}.items():
                    self.send_header(name, text)
                self.end_headers()
                is_cut = file.cuts and 0 < file.cut_after < len(body)
                sent = body[: file.cut_after] if is_cut else body
                half = len(sent) // 2
                self.wfile.write(sent[:half])
                self.wfile.flush()
                if file.before is not None:
                    file.before()
                self.wfile.write(sent[half:])
                asked.sent = len(sent)
                if is_cut or length != len(body):
                    # A look reads no further than the head: it uses up no cut.
                    file.cuts -= 1
                    self.close_connection = True

        return Handler


@contextmanager
def serving(**files: bytes | File) -> Iterator[Server]:
    """A server of files, by names in which "__" stands for a dot and "_x_" for a slash."""
    with Server() as server:
        for name, content in files.items():
            path = "/" + name.replace("_x_", "/").replace("__", ".")
            server.files[path] = content if isinstance(content, File) else File(content)
        yield server


def hub(server: Server, repo: str, files: dict[str, bytes], *, commit: str = "c0ffee" * 6) -> None:
    """Make a server answer as the Hugging Face Hub, for one repository."""

    def routes(asked: Asked) -> tuple[int, dict[str, str], bytes] | None:
        path = unquote(urlsplit(asked.path).path)
        if path.startswith(f"/api/models/{repo}/revision/"):
            siblings = [
                {
                    "rfilename": name,
                    "size": len(content),
                    **(
                        {"lfs": {"sha256": hashlib.sha256(content).hexdigest()}}
                        if len(content) > 100
                        else {}
                    ),
                }
                for name, content in files.items()
            ]
            body = json.dumps({"sha": commit, "siblings": siblings}).encode()
            return 200, {"content-type": "application/json"}, body
        return None

    server.routes = routes
    for name, content in files.items():
        server.files[f"/{repo}/resolve/{commit}/{name}"] = File(content)


def s3(server: Server, bucket: str, objects: dict[str, bytes], *, key_id: str = "") -> None:
    """Make a server answer as S3 in the path style: ListObjectsV2, HeadObject, GetObject."""

    def etag(content: bytes) -> str:
        return f'"{hashlib.md5(content).hexdigest()}"'

    def refused() -> tuple[int, dict[str, str], bytes]:
        xml = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        return 403, {"content-type": "application/xml"}, xml

    def routes(asked: Asked) -> tuple[int, dict[str, str], bytes] | None:
        parts = urlsplit(asked.path)
        name, _, key = unquote(parts.path).lstrip("/").partition("/")
        if f"Credential={key_id}/" not in asked.headers.get("authorization", "") and key_id:
            return refused()
        if name != bucket:
            xml = b"<Error><Code>NoSuchBucket</Code><Message>no such bucket</Message></Error>"
            return 404, {"content-type": "application/xml"}, xml
        if not key:
            prefix = parse_qs(parts.query).get("prefix", [""])[0]
            rows = "".join(
                f"<Contents><Key>{each}</Key><Size>{len(content)}</Size>"
                f"<ETag>{etag(content)}</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                "<StorageClass>STANDARD</StorageClass></Contents>"
                for each, content in sorted(objects.items())
                if each.startswith(prefix)
            )
            xml = (
                '<?xml version="1.0"?><ListBucketResult '
                'xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<Name>{bucket}</Name><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
            ).encode()
            return 200, {"content-type": "application/xml"}, xml
        if key not in objects:
            return (
                404,
                {"content-type": "application/xml"},
                b"<Error><Code>NoSuchKey</Code></Error>",
            )
        content = objects[key]
        facts = {"etag": etag(content), "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        if asked.method == "HEAD":
            return 200, {**facts, "content-length": str(len(content))}, b""
        if span is not None:
            start, end = int(span[1]), min(int(span[2]) + 1, len(content))
            facts["content-range"] = f"bytes {start}-{end - 1}/{len(content)}"
            return 206, facts, content[start:end]
        return 200, facts, content

    server.routes = routes


def gcs(server: Server, bucket: str, objects: dict[str, bytes]) -> None:
    """Make a server answer as Google Cloud Storage: list, metadata, media."""

    def about(key: str) -> dict[str, Any]:
        content = objects[key]
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": key,
            "size": str(len(content)),
            "generation": str(len(content)),
            "timeCreated": "2026-01-01T00:00:00.000Z",
            "updated": "2026-01-01T00:00:00.000Z",
            "mediaLink": f"{server.url}/download/storage/v1/b/{bucket}/o/{key}?alt=media",
        }

    def routes(asked: Asked) -> tuple[int, dict[str, str], bytes] | None:
        parts = urlsplit(asked.path)
        query = parse_qs(parts.query)
        kind = {"content-type": "application/json"}
        path = parts.path.removeprefix("/download").removeprefix(f"/storage/v1/b/{bucket}/o")
        key = unquote(path.lstrip("/"))
        if f"/b/{bucket}" not in parts.path:
            return 404, kind, b'{"error": {"code": 404, "message": "no such bucket"}}'
        if not key:
            prefix = query.get("prefix", [""])[0]
            items = [about(each) for each in sorted(objects) if each.startswith(prefix)]
            return 200, kind, json.dumps({"items": items}).encode()
        if key not in objects:
            return 404, kind, b'{"error": {"code": 404, "message": "no such object"}}'
        if query.get("alt") != ["media"] and not parts.path.startswith("/download"):
            return 200, kind, json.dumps(about(key)).encode()
        content = objects[key]
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        if span is not None:
            content = content[int(span[1]) : int(span[2]) + 1]
        return (206 if span else 200), {"content-type": "application/octet-stream"}, content

    server.routes = routes
