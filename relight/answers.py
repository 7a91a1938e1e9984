"""The answer to a request, for a person and for a pipe.

For: what `relight invoke` prints: the body on stdout, everything else on stderr.
Must not know: what was asked, or how it was sent.
"""

import sys

import aiohttp
import orjson

from api import keys


def tell(response: aiohttp.ClientResponse, whole_s: float) -> None:
    """Say on stderr who answered and where the time went. `whole_s` is what we measured."""
    headers = response.headers
    lines = [
        ("status", f"{response.status} {response.reason or ''} in {whole_s * 1000:.1f} ms"),
        ("revision", headers.get(keys.HEADER_REVISION)),
        ("digest", headers.get(keys.HEADER_MODEL_DIGEST)),
        ("timing", server_timing(headers.get(keys.HEADER_SERVER_TIMING, ""))),
    ]
    for title, value in lines:
        if value:
            print(f"{title:<9} {value}", file=sys.stderr)


def server_timing(header: str) -> str:
    """A Server-Timing header for a person: "queue 0.2 ms, run 1.5 ms"."""
    told = []
    for metric in header.split(","):
        name, *parameters = (part.strip() for part in metric.split(";"))
        duration = next((p[4:] for p in parameters if p.startswith("dur=")), None)
        if name:
            told.append(f"{name} {duration} ms" if duration else name)
    return ", ".join(told)


def message(answer: bytes) -> str:
    """The platform's or the model's own words, and the request's id where there is one."""
    try:
        raw = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raw = None
    if not isinstance(raw, dict) or not raw.get("error"):
        return answer[:500].decode("utf-8", "replace").strip() or "(no body)"
    details = ", ".join(str(raw[key]) for key in ("reason", "requestId") if raw.get(key))
    return f"{raw['error']}" + (f" ({details})" if details else "")


def write(answer: bytes) -> None:
    """Bytes as they came; a newline after text, so that a prompt starts on its own line."""
    sys.stdout.flush()
    sys.stdout.buffer.write(answer)
    if answer and not answer.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
