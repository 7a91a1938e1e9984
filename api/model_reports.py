"""What a step that looks for a model says of it in the end: a digest, or a reason and a sentence.

For: one form of that for who looks and who reads it; and the reasons why a model is not found.
Must not know: who looks, where the text stands, or what is done about it.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

MODEL_MISSING = "ModelMissing"
MODEL_NOT_A_FILE = "ModelNotAFile"
MODEL_UNREADABLE = "ModelUnreadable"
MODEL_UNSUPPORTED = "ModelUnsupported"
FETCH_FAILED = "ModelFetchFailed"

PROGRESS_PORT = 8081  # of a Pod that finds a model, where it tells how far it is
TEXT_BYTES_MAX = 4096  # of a container's termination message
_MESSAGE_MAX = 1500  # characters; one may take two bytes and more
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REASON = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """The model is there."""

    digest: str  # "sha256:<64 hex>"
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoModel:
    """Why it is not."""

    reason: str
    message: str
    is_final: bool = False  # trying again later would end the same


def to_text(report: FoundModel | NoModel) -> str:
    """As it is written; never longer than a termination message may be."""
    if isinstance(report, FoundModel):
        return json.dumps({"digest": report.digest, "bytes": report.size_bytes})
    said = {"reason": report.reason, "message": report.message[:_MESSAGE_MAX]}
    text = json.dumps({**said, "final": report.is_final}, ensure_ascii=False)
    if len(text.encode(errors="replace")) <= TEXT_BYTES_MAX:
        return text
    said["message"] = report.message.encode("ascii", "replace").decode()[: _MESSAGE_MAX // 2]
    return json.dumps({**said, "final": report.is_final})


def parse(text: str) -> FoundModel | NoModel | None:
    """What was written; None where it is nothing of ours. Whoever wrote it is not trusted."""
    try:
        said: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    digest, size = said.get("digest"), said.get("bytes", 0)
    if isinstance(digest, str) and _DIGEST.fullmatch(digest):
        is_size = isinstance(size, int) and not isinstance(size, bool) and size >= 0
        return FoundModel(digest=digest, size_bytes=size if is_size else 0)
    reason, message = said.get("reason"), said.get("message")
    if not isinstance(message, str) or not isinstance(reason, str):
        return None
    if not _REASON.fullmatch(reason):
        return None
    return NoModel(reason=reason, message=message, is_final=said.get("final") is True)
