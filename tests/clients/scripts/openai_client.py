"""OpenAI's Python client as its README uses it: models, completions, chat, streams, embeddings."""

from typing import Any

import facts
import openai

NAME = "openai-writer"
PROMPT = "one two three"
TALK: Any = [
    {"role": "system", "content": "short"},
    {"role": "user", "content": [{"type": "text", "text": "hello there"}]},
]


def refusal(act: Any) -> list[Any]:
    try:
        act()
    except openai.APIStatusError as error:
        return [type(error).__name__, error.code, error.message]
    return []


def seen(root: str, host: str) -> dict[str, Any]:
    """All of it, below one of the two roots."""
    api = openai.OpenAI(
        base_url=facts.SETTINGS["activator"] + root,
        api_key="none",
        default_headers={"Host": host},
        max_retries=0,
    )
    completion = api.completions.create(model=NAME, prompt=PROMPT, logprobs=1)
    chat = api.chat.completions.create(model=NAME, messages=TALK, max_completion_tokens=3)
    chunks = list(
        api.chat.completions.create(
            model=NAME, messages=TALK, stream=True, stream_options={"include_usage": True}
        )
    )
    with api.chat.completions.stream(model=NAME, messages=TALK) as stream:
        accumulated = stream.get_final_completion().choices[0].message.content
    words = [chunk.choices[0].text for chunk in completions(api)]
    # Without a word from the caller the client asks for base64 and unpacks it.
    packed = api.embeddings.create(model=NAME, input=["a", "four"]).data
    plain = api.embeddings.create(model=NAME, input="four", encoding_format="float").data
    return {
        "models": [each.id for each in api.models.list()],
        "completion": [completion.choices[0].text, completion.choices[0].finish_reason],
        "tokens": completion.choices[0].logprobs.tokens,
        "usage": completion.usage.to_dict(),
        "chat": [chat.choices[0].message.content, chat.choices[0].finish_reason],
        "streamed": "".join(
            choice.delta.content or "" for chunk in chunks for choice in chunk.choices
        ),
        "streamed_tokens": chunks[-1].usage.completion_tokens,
        "accumulated": accumulated,
        "words": words,
        "packed": [each.embedding for each in packed],
        "plain": [each.embedding for each in plain],
        "unknown": refusal(lambda: api.completions.create(model="nobody", prompt="x")),
        "tools": refusal(
            lambda: api.chat.completions.create(
                model=NAME, messages=TALK, tools=[{"type": "function", "function": {"name": "f"}}]
            )
        ),
    }


def completions(api: Any) -> Any:
    return api.completions.create(model=NAME, prompt=PROMPT, stream=True, max_tokens=2)


def main() -> None:
    host = facts.serve_python(NAME, facts.SETTINGS["writer"])
    facts.tell(plain=seen("/v1", host), kserve=seen("/openai/v1", host))


main()
