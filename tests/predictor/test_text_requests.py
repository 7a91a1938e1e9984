import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor import text_requests
from predictor.errors import Fault, RequestError
from predictor.model import Generation


def test_generate_has_the_specification_s_defaults() -> None:
    asked = text_requests.generate(b'{"text_input": "a"}', is_stream=True)
    assert asked.prompts == ("a",)
    assert asked.how == Generation(max_tokens=20, temperature=1.0, top_p=1.0)
    assert asked.is_stream
    assert not asked.has_details


def test_generate_reads_every_parameter() -> None:
    parameters = {"max_tokens": 3, "temperature": 0, "top_p": 0.5, "stop": ["x"], "seed": 7}
    body = {"text_input": "a", "parameters": {**parameters, "details": True}}
    asked = text_requests.generate(orjson.dumps(body), is_stream=False)
    how = Generation(max_tokens=3, temperature=0.0, top_p=0.5, stop=("x",), seed=7)
    assert asked.how == how
    assert asked.has_details


def test_whole_numbers_may_be_written_with_a_point_and_stops_left_empty() -> None:
    parameters = {"max_tokens": 3.0, "seed": -7.0, "stop": []}
    asked = text_requests.generate(
        orjson.dumps({"text_input": "a", "parameters": parameters}), is_stream=False
    )
    assert asked.how == Generation(max_tokens=3, seed=-7)
    assert repr((asked.how.max_tokens, asked.how.seed)) == "(3, -7)"


def test_a_completion_and_a_conversation() -> None:
    body = {"model": "m", "prompt": ["a", "b"], "stream": True, "stop": "x", "user": "u", "n": 1}
    asked = text_requests.completion(orjson.dumps(body), model_name="m")
    assert asked.prompts == ("a", "b")
    assert asked.how.max_tokens == 16
    assert asked.how.stop == ("x",)
    assert (asked.is_stream, asked.has_usage) == (True, False)
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": parts}]
    body = {"messages": messages, "max_completion_tokens": 5, "logprobs": True}
    asked = text_requests.chat(orjson.dumps(body), model_name="m")
    assert asked.messages == (messages[0], {"role": "user", "content": "ab"})
    assert (asked.how.max_tokens, asked.has_details, asked.has_usage) == (5, True, True)


def test_embeddings_take_one_text_or_many() -> None:
    one = text_requests.embeddings(b'{"input":"a","encoding_format":"base64"}', model_name="m")
    assert (one.texts, one.is_base64) == (("a",), True)
    assert text_requests.embeddings(b'{"input":["a","b"]}', model_name="m").texts == ("a", "b")


def read(which: str, body: dict[str, object]) -> object:
    if which == "generate":
        return text_requests.generate(orjson.dumps(body), is_stream=False)
    return getattr(text_requests, which)(orjson.dumps(body), model_name="m")


HELLO = [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize(
    ("which", "body", "said"),
    [
        ("generate", {}, "text_input: expected text, got null"),
        ("generate", {"text_input": ["a"]}, "text_input: expected text, got a list"),
        ("generate", {"text_input": "a", "x": 1}, "unknown field 'x'"),
        ("generate", {"text_input": "a", "parameters": 3}, "parameters: expected an object"),
        ("generate", {"text_input": "a", "parameters": {"top_k": 3}}, "field 'parameters.top_k'"),
        (
            "generate",
            {"text_input": "a", "parameters": {"max_tokens": 0}},
            "parameters.max_tokens: expected a whole number of 1 to 1048576, got 0",
        ),
        (
            "generate",
            {"text_input": "a", "parameters": {"temperature": "hot"}},
            "parameters.temperature: expected a number of 0 to 2, got text",
        ),
        (
            "generate",
            {"text_input": "a", "parameters": {"details": 1}},
            "parameters.details: expected true or false, got a whole number",
        ),
        ("completion", {}, "prompt: expected text, or a list of texts, got null"),
        ("completion", {"prompt": []}, "prompt: expected text, or a list of texts, got a list"),
        ("completion", {"prompt": [1, 2]}, "got a list of a whole number"),
        ("completion", {"prompt": ["a"] * 129}, "prompt: expected at most 128 texts, got 129"),
        ("completion", {"prompt": "a", "n": 2}, "n: this model can not honour it; leave it out"),
        ("completion", {"prompt": "a", "logprobs": 3}, "logprobs: expected 0 or 1"),
        ("completion", {"prompt": "a", "model": "x"}, "Model with name x does not exist."),
        ("completion", {"prompt": "a", "model": 1}, "model: expected text, got a whole number"),
        (
            "completion",
            {"prompt": "a", "stream": "yes"},
            "stream: expected true or false",
        ),
        ("completion", {"prompt": "a", "stream_options": 1}, "stream_options: expected an object"),
        ("completion", {"prompt": "a", "stream_options": {"x": 1}}, "field 'stream_options.x'"),
        ("chat", {"messages": []}, "messages: expected a list of messages, got an empty list"),
        ("chat", {"messages": [1]}, "messages[0]: expected an object with role and content"),
        ("chat", {"messages": [{"content": "a"}]}, "messages[0].role: expected text, got null"),
        ("chat", {"messages": [{"role": "user"}]}, "messages[0].content: expected text, got null"),
        (
            "chat",
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            'messages[0].content[0]: expected an object {"type": "text", "text": ...}',
        ),
        ("chat", {"messages": [{**HELLO[0], "tool_calls": []}]}, "messages[0].tool_calls: this"),
        ("chat", {"messages": HELLO, "tools": [{"type": "function"}]}, "tools: this model can not"),
        ("chat", {"messages": HELLO, "top_logprobs": 2}, "top_logprobs: expected 0"),
        ("chat", {"messages": HELLO, "seed": 1.5}, "seed: expected a whole number"),
        ("chat", {"messages": HELLO, "seed": -(2.0**63)}, "seed: expected a whole number"),
        ("embeddings", {}, "input: expected text, or a list of texts, got null"),
        ("embeddings", {"input": "a", "dimensions": 3}, "dimensions: this model can not honour it"),
        ("embeddings", {"input": "a", "encoding_format": "x"}, "expected float or base64, got 'x'"),
    ],
)
def test_a_wrong_request_is_refused_in_words(
    which: str, body: dict[str, object], said: str
) -> None:
    with pytest.raises(RequestError) as caught:
        read(which, body)
    assert said in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["prompt", "messages", "input", "text_input", "parameters", "stop", "stream", "n", "seed",
     "max_tokens", "temperature", "logprobs", "stream_options", "tools", "dimensions", "model"]
)  # fmt: skip


FAULTS = {
    Fault.BAD_FIELD,
    Fault.UNKNOWN_FIELD,
    Fault.NOT_HONOURED,
    Fault.NO_MODEL,
    Fault.NOT_JSON,
}


def fault(which: str, body: dict[str, object]) -> Fault | None:
    try:
        read(which, body)
    except RequestError as error:
        return error.fault
    return None


@given(st.dictionaries(FIELDS, JSON, max_size=5))
def test_no_body_fails_in_another_way(body: dict[str, object]) -> None:
    found = {fault(which, body) for which in ("generate", "completion", "chat", "embeddings")}
    assert found <= {*FAULTS, None}
