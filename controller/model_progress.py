"""Ask a Pod that fetches a model how far it is.

For: a sentence while it lasts; nobody waits for it, and without it only that is missing.
Must not know: Pods, or what is done with the sentence.

Whoever answers runs an image of a user's: what comes is bounded, and is text or nothing.
"""

import asyncio
import json

_ANSWER_BYTES_MAX = 8192
_TEXT_MAX = 300
_WITHIN_S = 1.0


async def told(host: str, port: int) -> str:
    """How far it is; empty where nobody says."""
    try:
        async with asyncio.timeout(_WITHIN_S):
            answer = await _answer(host, port)
    except (OSError, TimeoutError, asyncio.LimitOverrunError):
        return ""
    return _text(answer)


async def _answer(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port, limit=_ANSWER_BYTES_MAX)
    try:
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        found = b""
        while len(found) < _ANSWER_BYTES_MAX and (chunk := await reader.read(_ANSWER_BYTES_MAX)):
            found += chunk
        return found
    finally:
        writer.close()


def _text(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        return ""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    text = said.get("text") if isinstance(said, dict) else None
    return text[:_TEXT_MAX] if isinstance(text, str) and text.isprintable() else ""
