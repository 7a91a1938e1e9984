"""A model that writes, over HTTP: pieces as they come, or all at once; and one that embeds.

For: joining a generator on the model's thread to an exchange on the loop's, at the client's pace.
Must not know: what is in a request or an answer, paths, gates.

The generator runs on the model's thread like any run. Each piece is handed to the loop, which
writes it. A client that does not read stops the thread until it does; one that left ends it, as
does the revision's timeout.
"""

import asyncio
import logging
import operator
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
from typing_extensions import override

from predictor.calls import Call, Front
from predictor.errors import Fault, RequestError
from predictor.loaded import Loaded
from predictor.model import InvalidInputError, Piece, Tensor
from predictor.protocol import JSON, Codec, Encoded, InferRequest, Outlet
from predictor.text_answers import Answers, event_of
from predictor.text_requests import TextRequest
from wire.exchange import Exchange

_LOG = logging.getLogger(__name__)
EVENTS = b"content-type: text/event-stream\r\ncache-control: no-cache\r\n"

Parse = Callable[[bytes, Mapping[bytes, bytes]], Answers]


class FaultCodec:
    """A codec for calls that decode and encode by themselves: their faults, in their words."""

    def __init__(self, fault: Callable[[RequestError], tuple[int, bytes]]) -> None:
        self.fault = fault

    def decode(self, body: bytes, index: Mapping[bytes, bytes] | None = None) -> InferRequest:
        """Never asked."""
        raise NotImplementedError

    def encode(self, request: InferRequest, outputs: Mapping[str, Tensor]) -> Encoded:
        """Never asked."""
        raise NotImplementedError

    def send(self, exchange: Outlet, status: int, headers: bytes, body: bytes) -> None:
        """See `Codec`."""
        exchange.respond(status, headers, body)

    def refuse(self, error: RequestError) -> Encoded:
        """See `Codec`."""
        return Encoded(JSON, self.fault(error)[1])


class _Call(Call):
    """A call whose codec says how it fails and which parses by itself."""

    __slots__ = ("_fault",)

    def __init__(self, front: Front, exchange: Exchange, fault: FaultCodec) -> None:
        codec: Codec = fault
        super().__init__(front, exchange, codec)
        self._fault = fault.fault

    @override
    def refuse(self, error: RequestError) -> None:
        self.front.refused(self, error, status=self._fault(error)[0])


class EmbedCall(_Call):
    """Vectors for texts."""

    __slots__ = ("_loaded", "_parse", "_tokens", "_write")

    def __init__(
        self,
        front: Front,
        exchange: Exchange,
        fault: FaultCodec,
        *,
        loaded: Loaded,
        parse: Callable[[bytes, Mapping[bytes, bytes]], Sequence[str]],
        write: Callable[[Tensor, int | None], bytes],
    ) -> None:
        """`write` gets the vectors and how many tokens the texts are, where the model counts."""
        super().__init__(front, exchange, fault)
        self._loaded = loaded
        self._parse = parse
        self._write = write
        self._tokens: int | None = None

    @override
    def decode(self) -> InferRequest:
        texts = self._parse(self.body, self.exchange.index)
        self.body = b""

        def run(feeds: dict[str, Tensor], wanted: Any) -> Mapping[str, Tensor]:
            del feeds, wanted
            embed = self._loaded.embed
            assert embed is not None
            self._tokens = _counted(self._loaded, texts)
            return {"embeddings": _vectors(_guarded(lambda: embed(texts)), len(texts))}

        return InferRequest(None, {}, None, run=run)

    @override
    def encode(self, outputs: Mapping[str, Tensor]) -> Encoded:
        return Encoded(JSON, self._write(outputs["embeddings"], self._tokens))


class TextCall(_Call):
    """Text for prompts, streamed where the request asks for it."""

    __slots__ = ("_answers", "_is_taking", "_loaded", "_loop", "_parse", "_tokens", "_written")

    def __init__(
        self, front: Front, exchange: Exchange, fault: FaultCodec, *, loaded: Loaded, parse: Parse
    ) -> None:
        super().__init__(front, exchange, fault)
        self._loaded = loaded
        self._parse = parse
        self._loop = asyncio.get_running_loop()
        self._is_taking = threading.Event()
        self._is_taking.set()
        self._written: list[list[Piece]] = []
        self._tokens: int | None = None  # of the prompts
        self._answers: Answers | None = None

    @property
    def _asked(self) -> TextRequest:
        assert self._answers is not None
        return self._answers.request

    @override
    def decode(self) -> InferRequest:
        self._answers = self._parse(self.body, self.exchange.index)
        self.body = b""
        return InferRequest(None, {}, None, run=self._run)

    # -- on the model's thread ---------------------------------------------------------------

    def _run(self, feeds: dict[str, Tensor], wanted: Any) -> Mapping[str, Tensor]:
        del feeds, wanted
        _guarded(self._generate)
        return {}

    def _generate(self) -> None:
        assert self._loaded.generate is not None
        prompts = self._prompts()
        self._tokens = _counted(self._loaded, prompts)
        for index, prompt in enumerate(prompts):
            self._written.append([])
            with closing(self._loaded.generate(prompt, self._asked.how)) as pieces:  # type: ignore[type-var] # a generator, as a rule
                for given in pieces:
                    if self._has_left():
                        return
                    piece = _checked(given)
                    self._written[index].append(piece)
                    if self._asked.is_stream:
                        self._loop.call_soon_threadsafe(self._piece, index, piece)

    def _prompts(self) -> Sequence[str]:
        if not self._asked.messages:
            return self._asked.prompts
        assert self._loaded.chat_prompt is not None
        prompt: Any = self._loaded.chat_prompt(self._asked.messages)
        if not isinstance(prompt, str):
            raise _bad(f"its chat_prompt gave {type(prompt).__name__}, not text")
        return (prompt,)

    def _has_left(self) -> bool:
        """Whether nobody waits for more, asked once the client takes more."""
        self._is_taking.wait()
        return self.is_over

    # -- on the loop's thread ----------------------------------------------------------------

    def _piece(self, index: int, piece: Piece) -> None:
        if self.is_over:
            return
        assert self._answers is not None
        self._start()
        self.exchange.write(self._answers.event(index, piece))

    def _start(self) -> None:
        if not self.exchange.is_started:
            self.exchange.receiver = self
            self.exchange.start(200, self.front.heading(EVENTS), content_length=None)

    @override
    def encode(self, outputs: Mapping[str, Tensor]) -> Encoded:
        assert self._answers is not None
        if self._asked.is_stream:
            return Encoded(EVENTS, self._answers.last(self._written, self._tokens))
        return Encoded(JSON, self._answers.whole(self._written, self._tokens))

    @override
    def answer(self, encoded: Encoded, run_s: float, timing: bytes) -> None:
        if not self._asked.is_stream:
            super().answer(encoded, run_s, timing)
            return
        self._start()
        self.exchange.write(encoded.body)
        self.exchange.end()

    @override
    def refuse(self, error: RequestError) -> None:
        self._is_taking.set()
        if not self.exchange.is_started:
            super().refuse(error)
            return
        self.exchange.write(event_of(self._fault(error)[1]))
        self.exchange.end()

    @override
    def on_abort(self) -> None:
        super().on_abort()
        self._is_taking.set()

    @override
    def on_writable(self, is_writable: bool) -> None:
        if is_writable or self.is_over:
            self._is_taking.set()
        else:
            self._is_taking.clear()


def _checked(piece: object) -> Piece:
    """What a model yields is anybody's; numpy's numbers become Python's, as JSON knows those."""
    if not isinstance(piece, Piece) or not isinstance(piece.text, str):
        raise _bad(f"its generate yielded {type(piece).__name__}, not a Piece of text")
    given: Any = piece
    try:
        given.text.encode()
        token = None if given.token is None else operator.index(given.token)
        logprob = None if given.logprob is None else float(given.logprob)
    except (TypeError, ValueError) as error:
        raise _bad(f"its generate yielded a Piece that no JSON holds: {error}") from None
    if token is given.token and logprob is given.logprob and type(given.is_special) is bool:
        return piece
    return replace(piece, token=token, logprob=logprob, is_special=bool(given.is_special))


def _vectors(given: object, count: int) -> Tensor:
    """A row of numbers for each text; a copy, as a model may fill its array again."""
    try:
        vectors = np.array(given, "<f4")
    except (TypeError, ValueError):
        raise _bad(f"its embed gave {type(given).__name__}, not rows of numbers") from None
    if vectors.ndim != 2 or len(vectors) != count:
        raise _bad(f"its embed gave shape {list(vectors.shape)} for {count} texts")
    return vectors


def _counted(loaded: Loaded, texts: Sequence[str]) -> int | None:
    """How many tokens texts are; None of a model that does not count."""
    count: Any = loaded.count_tokens
    return None if count is None else _guarded(lambda: sum(int(count(text)) for text in texts))


def _bad(detail: str) -> RequestError:
    return RequestError(Fault.BAD_OUTPUT, detail=detail)


def _guarded(work: Callable[[], Any]) -> Any:
    """What a user's code raises, as a fault."""
    try:
        return work()
    except RequestError:
        raise
    except InvalidInputError as error:
        raise RequestError(Fault.REJECTED, detail=str(error)) from None
    except BaseException as error:  # noqa: BLE001 - anybody's code; logged, answered
        _LOG.exception("the model failed while it wrote")
        raise RequestError(Fault.MODEL_RAISED, kind=type(error).__name__) from None
