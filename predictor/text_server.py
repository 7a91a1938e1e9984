"""Where a model that writes or embeds is asked: V2's generate and OpenAI's paths.

For: paths to calls, for models that can; the others have none of these paths.
Must not know: how text is made, gates, or bytes.
"""

import time
import uuid
from collections.abc import Callable, Mapping

import orjson

from predictor import coding, routes, text_answers, text_requests
from predictor.calls import Front
from predictor.config import Settings
from predictor.errors import Fault, RequestError
from predictor.loaded import Loaded
from predictor.model import Tensor
from predictor.protocol import JSON
from predictor.routes import Answer, Route
from predictor.text_answers import Answers, GenerateAnswers, OpenAIAnswers
from predictor.text_requests import EmbeddingRequest
from predictor.writing import EmbedCall, FaultCodec, TextCall
from wire.exchange import Exchange

EXTENSIONS = ("generate",)  # of a server whose model writes
_CHAT = "/v1/chat/completions"
_NO_CHAT = "the model has no template for conversations; /v1/completions takes a prompt"
_ROOTS = ("", "/openai")  # the second is KServe's

Headers = Mapping[bytes, bytes]


class TextServer:
    """One model's calls that make or read text."""

    def __init__(self, front: Front, settings: Settings, loaded: Loaded) -> None:
        self._front = front
        self._settings = settings
        self._loaded = loaded
        self._v2 = FaultCodec(text_answers.v2_fault)
        self._openai = FaultCodec(text_answers.openai_fault)
        self.paths = self._table()
        # Of chat, which is asked first of whatever writes, it is told why it is not served.
        chats = [f"{root}{_CHAT}".encode() for root in _ROOTS] if loaded.generate else []
        self._absent = {path: _NO_CHAT for path in chats if path not in self.paths}

    @property
    def is_serving(self) -> bool:
        """Whether the model can do any of this."""
        return bool(self.paths)

    def takes(self, path: bytes) -> bool:
        """Whether a request to this path is for here."""
        if not self.paths:  # as most models have none, which then cost nothing
            return False
        found = routes.plain(path)
        return found in self.paths or found in self._absent

    def on_request(self, exchange: Exchange) -> None:
        """Take a request to one of the paths that are taken."""
        path = routes.plain(exchange.path)
        handle = self.paths.get(path, self._nothing)
        is_read = handle in (self._models, self._model)
        route = Route(b"GET" if is_read else b"POST", Answer.INFER)
        try:
            routes.check_method(route, exchange.method, path)
            if b"content-encoding" in exchange.index:
                coding.check(exchange.index[b"content-encoding"])
            handle(exchange)
        except RequestError as error:
            fault = self._openai if b"/v1/" in path else self._v2
            status, body = fault.fault(error)
            head = JSON + routes.remedy(error, route)
            exchange.respond(status, self._front.heading(head), body)

    def listed(self) -> dict[str, object]:
        """What OpenAI's clients read of GET /v1/models."""
        return {"object": "list", "data": [self.described()]}

    def described(self) -> dict[str, object]:
        """What they read of GET /v1/models/{model}."""
        name = self._settings.model_name
        return {"id": name, "object": "model", "created": 0, "owned_by": "relight"}

    def _table(self) -> dict[bytes, Callable[[Exchange], None]]:
        found: dict[str, Callable[[Exchange], None]] = {}
        name, version = self._settings.model_name, self._settings.revision
        if self._loaded.generate is not None:
            model = f"/v2/models/{name}"
            for start in (model, *((f"{model}/versions/{version}",) if version else ())):
                found[f"{start}/generate"] = self._generate
                found[f"{start}/generate_stream"] = self._generate_stream
        for root in _ROOTS:
            if self._loaded.generate is not None:
                found[f"{root}/v1/completions"] = self._complete
                if self._loaded.chat_prompt is not None:
                    found[f"{root}{_CHAT}"] = self._chat
            if self._loaded.embed is not None:
                found[f"{root}/v1/embeddings"] = self._embed
        if found:
            found["/openai/v1/models"] = self._models
            found[f"/openai/v1/models/{name}"] = self._model
        return {path.encode(): handle for path, handle in found.items()}

    def _nothing(self, exchange: Exchange) -> None:
        path = routes.plain(exchange.path)
        raise RequestError(Fault.NOT_HERE, path=path.decode(), why=self._absent[path])

    def _models(self, exchange: Exchange) -> None:
        exchange.respond(200, self._front.heading(JSON), orjson.dumps(self.listed()))

    def _model(self, exchange: Exchange) -> None:
        exchange.respond(200, self._front.heading(JSON), orjson.dumps(self.described()))

    def _generate(self, exchange: Exchange) -> None:
        self._v2_text(exchange, is_stream=False)

    def _generate_stream(self, exchange: Exchange) -> None:
        self._v2_text(exchange, is_stream=True)

    def _v2_text(self, exchange: Exchange, *, is_stream: bool) -> None:
        settings = self._settings

        def parse(body: bytes, index: Headers) -> Answers:
            asked = text_requests.generate(self._plain(body, index), is_stream=is_stream)
            return GenerateAnswers(asked, name=settings.model_name, version=settings.revision)

        self._text(exchange, self._v2, parse)

    def _complete(self, exchange: Exchange) -> None:
        self._openai_text(exchange, text_requests.completion)

    def _chat(self, exchange: Exchange) -> None:
        self._openai_text(exchange, text_requests.chat)

    def _openai_text(
        self, exchange: Exchange, read: Callable[..., text_requests.TextRequest]
    ) -> None:
        name = self._settings.model_name

        def parse(body: bytes, index: Headers) -> Answers:
            asked = read(self._plain(body, index), model_name=name)
            created_s = time.time_ns() // 10**9
            identity = uuid.uuid4().hex
            return OpenAIAnswers(asked, name=name, identity=identity, created_s=created_s)

        self._text(exchange, self._openai, parse)

    def _text(
        self, exchange: Exchange, fault: FaultCodec, parse: Callable[[bytes, Headers], Answers]
    ) -> None:
        call = TextCall(self._front, exchange, fault, loaded=self._loaded, parse=parse)
        call.begin(bytes_max=self._settings.body_bytes_max)

    def _embed(self, exchange: Exchange) -> None:
        name = self._settings.model_name
        asked: list[EmbeddingRequest] = []

        def parse(body: bytes, index: Headers) -> tuple[str, ...]:
            asked.append(text_requests.embeddings(self._plain(body, index), model_name=name))
            return asked[0].texts

        def write(vectors: Tensor, tokens: int | None) -> bytes:
            is_base64 = asked[0].is_base64
            return text_answers.embedded(vectors, name=name, is_base64=is_base64, tokens=tokens)

        call = EmbedCall(
            self._front, exchange, self._openai, loaded=self._loaded, parse=parse, write=write
        )
        call.begin(bytes_max=self._settings.body_bytes_max)

    def _plain(self, body: bytes, index: Headers) -> bytes:
        given = index.get(b"content-encoding", b"")
        return coding.inflated(body, given, bytes_max=self._settings.body_bytes_max)
