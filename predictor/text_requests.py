"""What a client asks of a model that writes or embeds: V2 generate and OpenAI's three calls.

For: bodies to one `TextRequest`, and a fault that names the field.
Must not know: how text is made, sockets, or how it is answered.

What can not be honoured is refused by name; what changes nothing (`user`, `metadata`) passes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from predictor.datatypes import whole, word
from predictor.errors import Fault, RequestError
from predictor.model import Generation
from predictor.protocol import parse_object

PROMPTS_MAX = 128
TEXTS_MAX = 2048  # OpenAI's limit of inputs to one embeddings call
STOPS_MAX = 16
TOKENS_MAX = 1 << 20
TEMPERATURE_MAX = 2.0
_COMPLETION_TOKENS = 16  # OpenAI's default
_CHAT_TOKENS = 1024  # OpenAI: as many as the model can; a replica promises less
HINTS = {"model", "user", "metadata", "store", "service_tier", "safety_identifier"}
_GENERATION = {"max_tokens", "temperature", "top_p", "stop", "seed"}
# Fields of OpenAI's that say what happens without them; any other value is refused.
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "n": (1, None),
    "best_of": (1, None),
    "echo": (False, None),
    "suffix": (None, ""),
    "presence_penalty": (0, 0.0, None),
    "frequency_penalty": (0, 0.0, None),
    "logit_bias": (None, {}),
    "tools": (None, []),
    "tool_choice": (None, "none", "auto"),
    "parallel_tool_calls": (None, True, False),
    "functions": (None, []),
    "response_format": (None, {"type": "text"}),
    "modalities": (None, ["text"]),
    "dimensions": (None,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest:
    """Prompts to continue."""

    prompts: tuple[str, ...] = ()
    messages: tuple[Mapping[str, Any], ...] = ()  # a conversation, in place of prompts
    how: Generation
    is_stream: bool = False
    has_usage: bool = True  # in a stream: only where asked for
    has_details: bool = False  # V2: finish reason and log probabilities; OpenAI: the latter


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """Texts to turn into vectors."""

    texts: tuple[str, ...]
    is_base64: bool


def generate(body: bytes, *, is_stream: bool) -> TextRequest:
    """V2's generate (Open Inference, generate_rest.yaml)."""
    raw = parse_object(body)
    _only(raw, {"text_input", "parameters", "id"}, {})
    text = raw.get("text_input")
    if type(text) is not str:
        raise _bad("text_input", "text", word(text))
    parameters = raw.get("parameters")
    if parameters is None:
        parameters = {}
    if type(parameters) is not dict:
        raise _bad("parameters", "an object", word(parameters))
    for name in parameters:
        if name not in _GENERATION | {"details"}:
            raise RequestError(Fault.UNKNOWN_FIELD, field=f"parameters.{name}")
    how = _generation(parameters, "parameters.", tokens=Generation().max_tokens)
    details = _flag(parameters, "details", "parameters.details")
    return TextRequest(prompts=(text,), how=how, is_stream=is_stream, has_details=details)


def completion(body: bytes, *, model_name: str) -> TextRequest:
    """OpenAI's POST /v1/completions."""
    raw = _openai(body, {"prompt", "logprobs"}, model_name)
    prompts = _texts(raw.get("prompt"), "prompt", PROMPTS_MAX)
    logprobs = raw.get("logprobs")
    if not _is_among(logprobs, (0, 1, None)):
        raise _bad("logprobs", "0 or 1: those of the tokens that were chosen", repr(logprobs))
    how = _generation(raw, "", tokens=_COMPLETION_TOKENS)
    return _streamed(raw, TextRequest(prompts=prompts, how=how, has_details=logprobs is not None))


def chat(body: bytes, *, model_name: str) -> TextRequest:
    """OpenAI's POST /v1/chat/completions."""
    raw = _openai(
        body, {"messages", "max_completion_tokens", "logprobs", "top_logprobs"}, model_name
    )
    messages = raw.get("messages")
    if type(messages) is not list or not messages:
        got = "an empty list" if messages == [] else word(messages)
        raise _bad("messages", "a list of messages", got)
    read = tuple(_message(one, f"messages[{at}]") for at, one in enumerate(messages))
    if not _is_among(raw.get("top_logprobs"), (0, None)):
        raise _bad("top_logprobs", "0: log probabilities are of chosen tokens", "more")
    how = _generation(raw, "", tokens=_CHAT_TOKENS)
    tokens = _whole(raw, "max_completion_tokens", "", None, 1, TOKENS_MAX)
    how = how if tokens is None else replace(how, max_tokens=tokens)
    details = _flag(raw, "logprobs", "logprobs")
    return _streamed(raw, TextRequest(messages=read, how=how, has_details=details))


def embeddings(body: bytes, *, model_name: str) -> EmbeddingRequest:
    """OpenAI's POST /v1/embeddings."""
    raw = parse_object(body)
    _only(raw, {"input", "encoding_format", *HINTS}, NEUTRAL)
    _check_model(raw, model_name)
    form = raw.get("encoding_format")
    if form not in (None, "float", "base64"):
        raise _bad("encoding_format", "float or base64", repr(form))
    return EmbeddingRequest(
        texts=_texts(raw.get("input"), "input", TEXTS_MAX), is_base64=form == "base64"
    )


def _openai(body: bytes, own: set[str], model_name: str) -> dict[str, Any]:
    raw = parse_object(body)
    _only(raw, {*own, *_GENERATION, *HINTS, "stream", "stream_options"}, NEUTRAL)
    _check_model(raw, model_name)
    return raw


def _check_model(raw: Mapping[str, Any], model_name: str) -> None:
    name = raw.get("model", model_name)
    if type(name) is not str:
        raise _bad("model", "text", word(name))
    if name != model_name:
        raise RequestError(Fault.NO_MODEL, name=name)


def _only(raw: Mapping[str, Any], known: set[str], neutral: Mapping[str, tuple[Any, ...]]) -> None:
    for name, value in raw.items():
        if name in known:
            continue
        if name not in neutral:
            raise RequestError(Fault.UNKNOWN_FIELD, field=name)
        if not _is_among(value, neutral[name]):
            raise RequestError(Fault.NOT_HONOURED, field=name)


def _is_among(value: Any, known: tuple[Any, ...]) -> bool:
    """Whether it is one of these; in Python true is 1, in JSON it is not."""
    return any(type(value) is type(one) and value == one for one in known)


def _streamed(raw: Mapping[str, Any], request: TextRequest) -> TextRequest:
    is_stream = _flag(raw, "stream", "stream")
    options = raw.get("stream_options")
    if options is not None and type(options) is not dict:
        raise _bad("stream_options", "an object", word(options))
    for name in options or {}:
        if name not in ("include_usage", "include_obfuscation"):
            raise RequestError(Fault.UNKNOWN_FIELD, field=f"stream_options.{name}")
    has_usage = _flag(options or {}, "include_usage", "stream_options.include_usage")
    return TextRequest(
        prompts=request.prompts,
        messages=request.messages,
        how=request.how,
        has_details=request.has_details,
        is_stream=is_stream,
        has_usage=has_usage or not is_stream,
    )


def _generation(raw: Mapping[str, Any], prefix: str, *, tokens: int) -> Generation:
    stop = raw.get("stop")
    return Generation(
        max_tokens=_whole(raw, "max_tokens", prefix, tokens, 1, TOKENS_MAX) or tokens,
        temperature=_number(raw, "temperature", prefix, TEMPERATURE_MAX),
        top_p=_number(raw, "top_p", prefix, 1.0),
        stop=() if stop in (None, []) else _texts(stop, f"{prefix}stop", STOPS_MAX),
        seed=_whole(raw, "seed", prefix, None, -(2**63), 2**63 - 1),
    )


def _whole(
    raw: Mapping[str, Any], name: str, prefix: str, default: int | None, low: int, high: int
) -> int | None:
    value = whole(raw.get(name))
    if value is None:
        return default
    if type(value) is not int or not low <= value <= high:
        got = str(value) if type(value) is int else word(value)
        raise _bad(prefix + name, f"a whole number of {low} to {high}", got)
    return value


def _number(raw: Mapping[str, Any], name: str, prefix: str, high: float) -> float:
    value = raw.get(name)
    if value is None:
        return 1.0
    if type(value) not in (int, float) or not 0 <= value <= high:
        got = str(value) if type(value) in (int, float) else word(value)
        raise _bad(prefix + name, f"a number of 0 to {high:g}", got)
    return float(value)


def _flag(raw: Mapping[str, Any], name: str, field: str) -> bool:
    value = raw.get(name)
    if value is None:
        return False
    if type(value) is not bool:
        raise _bad(field, "true or false", word(value))
    return value


def _texts(value: Any, field: str, most: int) -> tuple[str, ...]:
    given = [value] if type(value) is str else value
    if type(given) is not list or not given or any(type(one) is not str for one in given):
        kinds = {word(one) for one in given} if type(given) is list else set()
        got = f"a list of {' and '.join(sorted(kinds)) or 'nothing'}" if kinds else word(given)
        raise _bad(field, "text, or a list of texts", got)
    if len(given) > most:
        raise _bad(field, f"at most {most} texts", str(len(given)))
    return tuple(given)


def _message(raw: Any, where: str) -> Mapping[str, Any]:
    if type(raw) is not dict:
        raise _bad(where, "an object with role and content", word(raw))
    for name in raw:
        if name not in ("role", "content", "name"):
            raise RequestError(Fault.NOT_HONOURED, field=f"{where}.{name}")
    if type(raw.get("role")) is not str:
        raise _bad(f"{where}.role", "text", word(raw.get("role")))
    content = raw.get("content")
    if type(content) is list:
        content = "".join(_part(one, f"{where}.content[{at}]") for at, one in enumerate(content))
    if type(content) is not str:
        raise _bad(f"{where}.content", "text", word(content))
    return {**raw, "content": content}


def _part(raw: Any, where: str) -> str:
    if type(raw) is not dict or raw.get("type") != "text" or type(raw.get("text")) is not str:
        raise _bad(where, 'an object {"type": "text", "text": ...}', word(raw))
    text: str = raw["text"]
    return text


def _bad(field: str, expected: str, got: str) -> RequestError:
    return RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=got)


def finish_reason(pieces: Sequence[Any]) -> str:
    """Why the last piece is the last; a model that does not say has said all."""
    return (pieces[-1].finish_reason if pieces else "") or "eos_token"
