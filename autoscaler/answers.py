"""The whole body of an answer, up to a size: aiohttp's `read(n)` gives what has come so far.

For: replicas, warm Pods and activators that are asked over HTTP.
Must not know: what an answer says.
"""

import aiohttp


class TooLongError(ValueError):
    """An answer is longer than any that is meant for us."""


async def whole(answer: aiohttp.ClientResponse, *, bytes_max: int) -> bytes:
    """All of it; TooLongError when that is more than `bytes_max`."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > bytes_max:
            raise TooLongError(f"more than {bytes_max} bytes")
    return bytes(body)
