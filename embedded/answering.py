"""How an answer is written: JSON or YAML, pretty or not, compressed or not, with warnings.

For: what a client asks of the form of an answer, in one place.
Must not know: what is answered.
"""

from collections.abc import Iterable
from typing import Any, Final

import orjson
import yaml
from aiohttp import web

from cluster.errors import ApiError

JSON: Final = "application/json"
_YAML: Final = "application/yaml"
_COMPRESSED_BYTES_MIN: Final = 128 * 1024  # as in Kubernetes: less is not worth the time


def answer(
    request: web.Request,
    raw: Any,
    *,
    status: int = 200,
    content_type: str = JSON,
    warnings: Iterable[str] = (),
) -> web.Response:
    """A whole answer; `raw` is bytes that are written already, or a value to write."""
    body = raw if isinstance(raw, bytes) else orjson.dumps(raw)
    if content_type == JSON:
        body, content_type = _formed(request, body)
    response = web.Response(body=body, status=status, headers={"Content-Type": content_type})
    add_warnings(response, warnings)
    if len(body) > _COMPRESSED_BYTES_MIN and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.enable_compression(web.ContentCoding.gzip)
    return response


def _formed(request: web.Request, body: bytes) -> tuple[bytes, str]:
    accept = request.headers.get("Accept", "")
    if _YAML in accept and "json" not in accept and "*/*" not in accept:
        return yaml.safe_dump(orjson.loads(body), sort_keys=False).encode(), _YAML
    if request.query.get("pretty", "false").lower() in ("true", "1"):
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2) + b"\n", JSON
    return body, JSON


def add_warnings(response: web.StreamResponse, warnings: Iterable[str]) -> None:
    """Warnings as Kubernetes sends them, each once; kubectl prints them."""
    for warning in dict.fromkeys(warnings):
        text = " ".join(warning.split()).replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{text}"')


def refused(request: web.Request, error: ApiError) -> web.Response:
    """A refusal as a Status object."""
    response = answer(request, error.to_status(), status=error.status)
    if error.status == 429 or "retryAfterSeconds" in error.details:
        response.headers["Retry-After"] = str(error.details.get("retryAfterSeconds", 1))
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
