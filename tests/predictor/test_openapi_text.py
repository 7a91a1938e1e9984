"""What the document says of text, against what reads it."""

from typing import Any

import orjson
import pytest

from predictor import openapi_text, text_requests
from predictor.errors import RequestError

jsonschema = pytest.importorskip("jsonschema")

PATHS = [
    b"/v2/models/m/generate",
    b"/v2/models/m/generate_stream",
    b"/v1/completions",
    b"/v1/chat/completions",
    b"/openai/v1/embeddings",
    b"/openai/v1/models",
]
SAID = [{"role": "user", "content": "x"}]
TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("generate", {"text_input": ""}),
    ("generate", {"text_input": "x", "id": 3, "parameters": {"stop": ["a"], "details": True}}),
    ("generate", {"text_input": "x", "parameters": None}),
    ("completions", {"prompt": ["a", "b"], "n": 1, "logprobs": 0, "user": [1], "model": "m"}),
    ("completions", {"prompt": "a", "stream": True, "stream_options": {"include_usage": True}}),
    ("chat", {"messages": SAID, "max_tokens": 1, "max_completion_tokens": 2, "top_logprobs": 0}),
    ("chat", {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}),
    ("embeddings", {"input": "a", "encoding_format": "base64", "dimensions": None}),
    ("completions", {"prompt": "a", "stop": [], "max_tokens": 3.0, "seed": -1.0}),
]
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("generate", {}),
    ("generate", {"text_input": 1}),
    ("generate", {"text_input": "x", "parameters": []}),
    ("generate", {"text_input": "x", "parameters": {"top_k": 3}}),
    ("generate", {"text_input": "x", "parameters": {"seed": 2**63}}),
    ("completions", {"prompt": []}),
    ("completions", {"prompt": "a", "n": True}),
    ("completions", {"prompt": "a", "n": 2}),
    ("completions", {"prompt": "a", "logprobs": True}),
    ("completions", {"prompt": "a", "model": "another"}),
    ("completions", {"prompt": "a", "stream_options": {"x": 1}}),
    ("chat", {"messages": []}),
    ("chat", {"messages": [{"role": "user"}]}),
    ("chat", {"messages": SAID, "top_logprobs": ""}),
    ("chat", {"messages": SAID, "max_tokens": 0, "max_completion_tokens": 2}),
    ("chat", {"messages": SAID, "max_completion_tokens": 0}),
    ("embeddings", {"input": "a", "encoding_format": "hex"}),
    ("embeddings", {"input": "a", "temperature": 1}),
]
ENDS = {"generate": PATHS[0], "completions": PATHS[2], "chat": PATHS[3], "embeddings": PATHS[4]}


def schema_of(what: str) -> Any:
    found = openapi_text.paths(PATHS, model_name="m")[ENDS[what].decode()]["post"]
    return found["requestBody"]["content"]["application/json"]["schema"]


def read(what: str, body: Any) -> Any:
    raw = orjson.dumps(body)
    match what:
        case "generate":
            return text_requests.generate(raw, is_stream=False)
        case "completions":
            return text_requests.completion(raw, model_name="m")
        case "chat":
            return text_requests.chat(raw, model_name="m")
        case _:
            return text_requests.embeddings(raw, model_name="m")


@pytest.mark.parametrize(("what", "body"), TAKEN)
def test_what_is_taken_fits(what: str, body: Any) -> None:
    jsonschema.Draft202012Validator(schema_of(what)).validate(body)
    assert read(what, body)


@pytest.mark.parametrize(("what", "body"), REFUSED)
def test_what_is_refused_does_not_fit(what: str, body: Any) -> None:
    assert not jsonschema.Draft202012Validator(schema_of(what)).is_valid(body)
    with pytest.raises(RequestError):
        read(what, body)


def test_the_newer_name_of_the_limit_wins() -> None:
    asked = {"messages": SAID, "max_tokens": 5, "max_completion_tokens": 2}
    assert read("chat", asked).how.max_tokens == 2


def test_methods_and_streams() -> None:
    found = openapi_text.paths(PATHS, model_name="m")
    assert {path: list(each) for path, each in found.items()} == {
        path.decode(): ["get" if path.endswith(b"models") else "post"] for path in PATHS
    }
    answer = found["/v1/completions"]["post"]["responses"]["200"]["content"]
    assert list(answer) == ["application/json", "text/event-stream"]
