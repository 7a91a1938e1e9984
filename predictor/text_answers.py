"""What clients read of text that a model wrote: V2's generate, OpenAI's completions and chat.

For: pieces to JSON, whole or as server-sent events, and faults in the form of either protocol.
Must not know: sockets, models, or the time: ids and times are given.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import orjson

from predictor.errors import Fault, RequestError
from predictor.model import Piece, Tensor
from predictor.nonfinite import written
from predictor.text_requests import TextRequest, finish_reason

DONE = b"data: [DONE]\n\n"
_OPENAI_REASONS = {"length": "length", "eos_token": "stop", "stop_sequence": "stop"}
# Open Inference, generate_rest.yaml: these have statuses of their own.
_V2_STATUSES = {400: 422, 500: 424, 503: 429}


class Answers(Protocol):
    """One protocol's words for one request."""

    request: TextRequest

    def event(self, index: int, piece: Piece) -> bytes:
        """One piece of one prompt's text, as an event."""
        ...

    def last(self, written: Sequence[Sequence[Piece]], prompt_tokens: int | None) -> bytes:
        """The events after the last piece."""
        ...

    def whole(self, written: Sequence[Sequence[Piece]], prompt_tokens: int | None) -> bytes:
        """The body of an answer that is not streamed."""
        ...


class GenerateAnswers:
    """V2: one prompt; details where they were asked for."""

    def __init__(self, request: TextRequest, *, name: str, version: str) -> None:
        self.request = request
        self._head = {"model_name": name, **({"model_version": version} if version else {})}

    def event(self, index: int, piece: Piece) -> bytes:
        """See `Answers`."""
        del index
        return _event(self._answer(piece.text, [piece], piece.finish_reason))

    def last(self, written: Sequence[Sequence[Piece]], prompt_tokens: int | None) -> bytes:
        """See `Answers`; a stream without a piece has one that says why."""
        del prompt_tokens
        return b"" if written[0] else _event(self._answer("", [], finish_reason([])))

    def whole(self, written: Sequence[Sequence[Piece]], prompt_tokens: int | None) -> bytes:
        """See `Answers`."""
        del prompt_tokens
        (pieces,) = written
        text = "".join(piece.text for piece in pieces)
        return orjson.dumps(self._answer(text, pieces, finish_reason(pieces)))

    def _answer(self, text: str, pieces: Sequence[Piece], reason: str) -> dict[str, Any]:
        answer: dict[str, Any] = {"text_output": text, **self._head}
        if self.request.has_details:
            logprobs = [_logprob(piece) for piece in pieces if piece.token is not None]
            answer["details"] = {"finish_reason": reason or None, "logprobs": logprobs}
        return answer


class OpenAIAnswers:
    """Completions, and chat where the request is a conversation."""

    def __init__(self, request: TextRequest, *, name: str, identity: str, created_s: int) -> None:
        self.request = request
        self._is_chat = bool(request.messages)
        self._started: set[int] = set()
        kind = "chat.completion" if self._is_chat else "text_completion"
        start = "chatcmpl" if self._is_chat else "cmpl"
        self._head = {"id": f"{start}-{identity}", "created": created_s, "model": name}
        self._whole = {**self._head, "object": kind}
        self._chunk = {**self._head, "object": kind + (".chunk" if self._is_chat else "")}

    def event(self, index: int, piece: Piece) -> bytes:
        """See `Answers`."""
        choice: dict[str, Any] = {"index": index, "finish_reason": None}
        if self._is_chat:
            role = {} if index in self._started else {"role": "assistant"}
            self._started.add(index)
            choice["delta"] = {**role, "content": piece.text}
        else:
            choice["text"] = piece.text
        choice["logprobs"] = self._logprobs([piece])
        return self._event(choice)

    def last(self, written: Sequence[Sequence[Piece]], prompt_tokens: int | None) -> bytes:
        """See `Answers`."""
        events = []
        for index, pieces in enumerate(written):
            reason = _OPENAI_REASONS.get(finish_reason(pieces), "stop")
            words: dict[str, Any] = {"delta": {}} if self._is_chat else {"text": ""}
            choice = {"index": index, **words, "logprobs": None, "finish_reason": reason}
            events.append(self._event(choice))
        if self.request.has_usage:
            usage = _usage(written, prompt_tokens)
            events.append(_event({**self._chunk, "choices": [], "usage": usage}))
        return b"".join([*events, DONE])

    def whole(self, written: Sequence[Sequence[Piece]], prompt_tokens: int | None) -> bytes:
        """See `Answers`."""
        choices = []
        for index, pieces in enumerate(written):
            text = "".join(piece.text for piece in pieces)
            words: dict[str, Any] = {"text": text}
            if self._is_chat:
                words = {"message": {"role": "assistant", "content": text, "refusal": None}}
            reason = _OPENAI_REASONS.get(finish_reason(pieces), "stop")
            logprobs = self._logprobs(pieces)
            choices.append({"index": index, **words, "logprobs": logprobs, "finish_reason": reason})
        usage = _usage(written, prompt_tokens)
        return orjson.dumps({**self._whole, "choices": choices, "usage": usage})

    def _event(self, choice: dict[str, Any]) -> bytes:
        # With usage asked for, every chunk has the field and only the last one says it.
        usage = {"usage": None} if self.request.has_usage else {}
        return _event({**self._chunk, "choices": [choice], **usage})

    def _logprobs(self, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        if not self.request.has_details:
            return None
        if self._is_chat:
            entries: list[dict[str, Any]] = [
                {"token": p.text, "logprob": p.logprob or 0.0, "bytes": None, "top_logprobs": []}
                for p in pieces
            ]
            return {"content": entries}
        return {
            "tokens": [piece.text for piece in pieces],
            "token_logprobs": [piece.logprob for piece in pieces],
            "top_logprobs": None,
            "text_offset": [],
        }


def embedded(vectors: Tensor, *, name: str, is_base64: bool, tokens: int | None) -> bytes:
    """The answer of /v1/embeddings for vectors FP32 [texts, size]."""
    rows = np.ascontiguousarray(vectors, "<f4")
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(row.tobytes()).decode() if is_base64 else written(row),
        }
        for index, row in enumerate(rows)
    ]
    usage = {"prompt_tokens": tokens or 0, "total_tokens": tokens or 0}
    answer = {"object": "list", "data": data, "model": name, "usage": usage}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def v2_fault(error: RequestError) -> tuple[int, bytes]:
    """A fault as generate's clients read it."""
    return _V2_STATUSES.get(error.status, error.status), error.body


def openai_fault(error: RequestError) -> tuple[int, bytes]:
    """A fault as OpenAI's clients read it."""
    status = 429 if error.fault is Fault.QUEUE_FULL else error.status
    kind = "invalid_request_error" if status < 429 else "server_error"
    kind = "rate_limit_error" if status == 429 else kind
    code = "model_not_found" if error.fault is Fault.NO_MODEL else None
    said = {"message": str(error), "type": kind, "param": None, "code": code}
    return status, orjson.dumps({"error": said})


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def event_of(body: bytes) -> bytes:
    """A body as the last event of a stream that failed."""
    return b"data: " + body + b"\n\n"


def _logprob(piece: Piece) -> dict[str, Any]:
    return {
        "id": piece.token,
        "text": piece.text,
        "logprob": piece.logprob,
        "special": piece.is_special,
    }


def _usage(written: Sequence[Sequence[Piece]], prompt_tokens: int | None) -> dict[str, int]:
    """A model that does not count its prompts' tokens has them counted as none."""
    completion = sum(len(pieces) for pieces in written)
    prompt = prompt_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
