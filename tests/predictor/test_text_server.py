"""Paths of a model that writes, over a real socket."""

from pathlib import Path

import orjson
import pytest
from yarl import URL

from tests.predictor import text_bench

GENERATE = "/v2/models/m/generate"
CHAT = {"messages": [{"role": "user", "content": "a b"}]}


async def test_generate_in_both_ways_and_by_version(short_path: Path) -> None:
    async with text_bench.start(short_path) as bench:
        status, body = await bench.post(GENERATE, {"text_input": "a b c"})
        head = {"model_name": "m", "model_version": "m-1"}
        assert (status, body) == (200, {"text_output": " a b c", **head})
        versioned = "/v2/models/m/versions/m-1/generate_stream"
        events = await bench.events(versioned, {"text_input": "a b"})
        assert [orjson.loads(one)["text_output"] for one in events] == [" a", " b"]


@pytest.mark.parametrize("root", ["", "/openai"])
async def test_openai_s_calls(short_path: Path, root: str) -> None:
    async with text_bench.start(short_path) as bench:
        status, body = await bench.post(f"{root}/v1/completions", {"prompt": ["a b", "c"]})
        assert status == 200
        assert [one["text"] for one in body["choices"]] == [" a b", " c"]
        assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
        status, body = await bench.post(f"{root}/v1/chat/completions", CHAT)
        assert body["choices"][0]["message"]["content"] == " user: a b"
        status, body = await bench.post(f"{root}/v1/embeddings", {"input": ["a", "bcd"]})
        assert [one["embedding"] for one in body["data"]] == [[1, 1], [3, 1]]
        assert body["usage"]["prompt_tokens"] == 2
        events = await bench.events(f"{root}/v1/chat/completions", {**CHAT, "stream": True})
        assert events[-1] == "[DONE]"
        deltas = [orjson.loads(one)["choices"][0]["delta"] for one in events[:-1]]
        assert "".join(one.get("content", "") for one in deltas) == " user: a b"


async def test_models_are_listed_for_both_kinds_of_client(short_path: Path) -> None:
    async with text_bench.start(short_path) as bench:
        for path in ("/v1/models", "/openai/v1/models"):
            async with bench.session.get(text_bench.HOST + path) as reply:
                found = await reply.json()
            assert [one["id"] for one in found["data"]] == ["m"]
        async with bench.session.get(text_bench.HOST + "/v2") as reply:
            assert "generate" in (await reply.json())["extensions"]


async def test_a_model_is_looked_up_as_openai_s_clients_do(short_path: Path) -> None:
    async with text_bench.start(short_path) as bench:
        for path in ("/v1/models/m", "/openai/v1/models/m"):
            async with bench.session.get(text_bench.HOST + path) as reply:
                found = await reply.json()
            assert {**found, "name": "m", "ready": True} == {
                "id": "m",
                "object": "model",
                "created": 0,
                "owned_by": "relight",
                "name": "m",
                "ready": True,
            }
        async with bench.session.get(text_bench.HOST + "/openai/v1/models/x") as reply:
            assert reply.status == 404
        async with bench.session.post(text_bench.HOST + "/openai/v1/models/m") as reply:
            assert (reply.status, reply.headers["allow"]) == (405, "GET")


async def test_faults_speak_the_caller_s_protocol(short_path: Path) -> None:
    async with text_bench.start(short_path) as bench:
        status, body = await bench.post(GENERATE, {"text_input": 1})
        assert (status, body) == (422, {"error": "text_input: expected text, got a whole number"})
        status, body = await bench.post("/v1/completions", {"prompt": "a", "model": "x"})
        assert status == 404
        assert body["error"]["code"] == "model_not_found"
        status, body = await bench.post("/v1/completions", {}, **{"content-encoding": "br"})
        assert status == 415
        async with bench.session.get(text_bench.HOST + GENERATE) as reply:
            assert reply.status == 405
            assert reply.headers["allow"] in ("GET", "POST")


async def test_a_model_has_the_paths_of_what_it_can(short_path: Path) -> None:
    can = {"generate": None, "chat_prompt": None}
    async with text_bench.start(short_path, **can) as bench:
        assert (await bench.post(GENERATE, {"text_input": "a"}))[0] == 404
        assert (await bench.post("/v1/completions", {"prompt": "a"}))[0] == 404
        assert (await bench.post("/v1/embeddings", {"input": "a"}))[0] == 200


@pytest.mark.parametrize(
    "path", [f"{GENERATE}/", "/v2/models/%6d/generate", "/v2/models/m/gener%61te"]
)
async def test_a_path_may_be_escaped_and_end_in_a_slash(short_path: Path, path: str) -> None:
    async with text_bench.start(short_path) as bench:
        url = URL(text_bench.HOST + path, encoded=True)
        async with bench.session.post(url, json={"text_input": "a b"}) as reply:
            assert (reply.status, (await reply.json())["text_output"]) == (200, " a b")


@pytest.mark.parametrize("root", ["", "/openai"])
async def test_who_writes_without_a_template_says_why_it_does_not_chat(
    short_path: Path, root: str
) -> None:
    async with text_bench.start(short_path, chat_prompt=None) as bench:
        status, body = await bench.post(f"{root}/v1/chat/completions", CHAT)
        assert status == 404
        assert "has no template for conversations" in body["error"]["message"]
        assert (await bench.post(f"{root}/v1/completions", {"prompt": "a"}))[0] == 200


async def test_who_does_not_write_says_nothing_of_templates(short_path: Path) -> None:
    async with text_bench.start(short_path, generate=None, chat_prompt=None) as bench:
        status, body = await bench.post("/v1/chat/completions", CHAT)
        assert (status, "template" in str(body)) == (404, False)
