import base64

import numpy as np
import orjson
import pytest

from predictor import text_answers
from predictor.errors import Fault, RequestError
from predictor.model import Generation, Piece
from predictor.text_answers import DONE, GenerateAnswers, OpenAIAnswers
from predictor.text_requests import TextRequest

PIECES = [
    Piece(text="Hel", token=1, logprob=-0.5),
    Piece(text="lo", token=2, logprob=-0.25, is_special=True, finish_reason="length"),
]


def events(data: bytes) -> list[object]:
    assert data.endswith(b"\n\n")
    found = [one.removeprefix(b"data: ") for one in data.split(b"\n\n")[:-1]]
    return [one.decode() if one == b"[DONE]" else orjson.loads(one) for one in found]


def test_generate_whole_and_in_events() -> None:
    asked = TextRequest(prompts=("a",), how=Generation(), has_details=True)
    answers = GenerateAnswers(asked, name="m", version="m-1")
    head = {"model_name": "m", "model_version": "m-1"}
    logprobs = [
        {"id": 1, "text": "Hel", "logprob": -0.5, "special": False},
        {"id": 2, "text": "lo", "logprob": -0.25, "special": True},
    ]
    details = {"finish_reason": "length", "logprobs": logprobs}
    expected = {"text_output": "Hello", **head, "details": details}
    assert orjson.loads(answers.whole([PIECES], None)) == expected
    first = {"finish_reason": None, "logprobs": logprobs[:1]}
    assert events(answers.event(0, PIECES[0])) == [{"text_output": "Hel", **head, "details": first}]
    assert answers.last([PIECES], None) == b""
    assert events(answers.last([[]], None))[0]["text_output"] == ""  # type: ignore[index] # an object


def test_a_completion_counts_its_tokens() -> None:
    asked = TextRequest(prompts=("a", "b"), how=Generation(), has_details=True)
    answers = OpenAIAnswers(asked, name="m", identity="7", created_s=5)
    found = orjson.loads(answers.whole([PIECES, []], 4))
    assert found["id"] == "cmpl-7"
    assert (found["object"], found["created"], found["model"]) == ("text_completion", 5, "m")
    assert [(one["text"], one["finish_reason"]) for one in found["choices"]] == [
        ("Hello", "length"),
        ("", "stop"),
    ]
    assert found["choices"][0]["logprobs"]["token_logprobs"] == [-0.5, -0.25]
    assert found["usage"] == {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}


def test_a_conversation_streams_deltas_then_why_it_ends_then_done() -> None:
    asked = TextRequest(
        messages=({"role": "user", "content": "hi"},), how=Generation(), is_stream=True
    )
    answers = OpenAIAnswers(asked, name="m", identity="7", created_s=5)
    first, second = (events(answers.event(0, piece))[0] for piece in PIECES)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "Hel"}  # type: ignore[index]
    assert second["choices"][0]["delta"] == {"content": "lo"}  # type: ignore[index]
    assert first["object"] == "chat.completion.chunk"  # type: ignore[index]
    end, usage, done = events(answers.last([PIECES], 3))
    assert end["choices"][0]["finish_reason"] == "length"  # type: ignore[index]
    assert usage["usage"]["total_tokens"] == 5  # type: ignore[index]
    assert done == "[DONE]"
    quiet = OpenAIAnswers(
        TextRequest(prompts=("a",), how=Generation(), is_stream=True, has_usage=False),
        name="m",
        identity="7",
        created_s=5,
    )
    assert b'"usage"' not in quiet.last([PIECES], 3)
    assert quiet.last([PIECES], 3).endswith(DONE)


def test_vectors_as_numbers_and_as_base64() -> None:
    vectors = np.array([[1.5, 2.0], [0.0, -1.0]], np.float32)
    found = orjson.loads(text_answers.embedded(vectors, name="m", is_base64=False, tokens=3))
    assert [one["embedding"] for one in found["data"]] == vectors.tolist()
    assert found["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    found = orjson.loads(text_answers.embedded(vectors, name="m", is_base64=True, tokens=None))
    raw = base64.b64decode(found["data"][1]["embedding"])
    assert np.frombuffer(raw, "<f4").tolist() == [0.0, -1.0]


@pytest.mark.parametrize(
    ("fault", "v2", "openai", "kind"),
    [
        (Fault.BAD_FIELD, 422, 400, "invalid_request_error"),
        (Fault.NO_MODEL, 404, 404, "invalid_request_error"),
        (Fault.MODEL_RAISED, 424, 500, "server_error"),
        (Fault.QUEUE_FULL, 429, 429, "rate_limit_error"),
        (Fault.TIMED_OUT, 504, 504, "server_error"),
    ],
)
def test_faults_in_the_words_of_either_protocol(
    fault: Fault, v2: int, openai: int, kind: str
) -> None:
    blanks = dict.fromkeys(("field", "expected", "got", "name", "kind", "timeout_s"), "x")
    error = RequestError(fault, **blanks)
    assert text_answers.v2_fault(error) == (v2, error.body)
    status, body = text_answers.openai_fault(error)
    assert (status, orjson.loads(body)["error"]["type"]) == (openai, kind)
    assert orjson.loads(body)["error"]["message"] == str(error)
