"""Hugging Face folders: each task answers as the library itself does, from local files only."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.modelfiles import Kind
from predictor import config, huggingface_model
from predictor.errors import LoadError, RequestError
from predictor.explain_requests import Asked
from predictor.loaded import Loaded
from predictor.model import Generation, Piece
from predictor.protocol_v1 import CodecV1
from tests.predictor import explain_bench
from tests.predictor import transformers_made as made

torch = pytest.importorskip("torch", reason="make formats")
transformers = pytest.importorskip("transformers", reason="make formats")
transformers.utils.logging.disable_progress_bar()


@pytest.fixture(autouse=True)
def _environment_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "adopt", lambda _: None)  # the environment is pytest's


def load(path: Path, *arguments: str, **environment: str) -> Loaded:
    settings = config.parse(["--model", str(path), *arguments], environment)
    return huggingface_model.open_model(path, Kind.HUGGINGFACE, settings)


def failure(path: Path, *arguments: str) -> str:
    with pytest.raises(LoadError) as caught:
        load(path, *arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def texts(*given: str) -> dict[str, Any]:
    return {"input-0": np.array(given, object)}


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.gpt(tmp_path_factory.mktemp("gpt"))


@pytest.fixture(scope="module")
def writer(gpt: Path) -> Loaded:
    return load(gpt)


def written(loaded: Loaded, prompt: str, **how: Any) -> list[Piece]:
    assert loaded.generate is not None
    return list(loaded.generate(prompt, Generation(**how)))


def test_generation_is_what_the_library_generates(gpt: Path, writer: Loaded) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(gpt)
    model = transformers.AutoModelForCausalLM.from_pretrained(gpt)
    given = tokenizer("the quick", return_tensors="pt")
    expected = model.generate(**given, max_new_tokens=12, do_sample=False)[0]
    pieces = written(writer, "the quick", max_tokens=12, temperature=0.0)
    count = given["input_ids"].shape[1]
    assert [piece.token for piece in pieces] == expected[count:].tolist()
    ended = pieces[-1].token == 1
    assert pieces[-1].finish_reason == ("eos_token" if ended else "length")
    assert not any(piece.finish_reason for piece in pieces[:-1])
    with torch.inference_mode():
        first = torch.log_softmax(model(**given).logits[0, -1], -1)[pieces[0].token]
    assert pieces[0].logprob == pytest.approx(float(first), abs=1e-4)
    found = writer.run(texts("the quick"), None)["output-0"].tolist()
    assert found[0].startswith("".join(piece.text for piece in pieces))


def test_a_seed_makes_sampling_repeatable(writer: Loaded) -> None:
    how: dict[str, Any] = {"max_tokens": 10, "temperature": 1.5, "top_p": 0.95}
    one, two = (written(writer, "fox", seed=7, **how) for _ in range(2))
    assert one == two
    others = [written(writer, "fox", seed=seed, **how) for seed in range(5)]
    assert any(other != one for other in others)


def test_a_stop_string_ends_the_text_before_it(writer: Loaded) -> None:
    whole = "".join(p.text for p in written(writer, "the", max_tokens=12, temperature=0.0))
    stop = whole[3:5]
    pieces = written(writer, "the", max_tokens=12, temperature=0.0, stop=(stop,))
    assert "".join(piece.text for piece in pieces) == whole[: whole.index(stop)]
    assert pieces[-1].finish_reason == "stop_sequence"


def test_a_prompt_fits_what_the_model_reads(writer: Loaded) -> None:
    assert writer.facts == {"task": "text-generation", "device": "cpu", "max_tokens": 32}
    pieces = written(writer, "x" * 30, max_tokens=10, temperature=0.0)
    assert len(pieces) <= 2
    with pytest.raises(RequestError, match="prompt: expected fewer than 32 tokens") as caught:
        written(writer, "x" * 40)
    assert caught.value.status == 400
    assert written(writer, "", max_tokens=1)  # starts with the token for a start
    with pytest.raises(RequestError, match="temperature: expected 0 to 100, got -1"):
        written(writer, "x", temperature=-1.0)


def test_a_conversation_becomes_a_prompt(writer: Loaded, tmp_path: Path) -> None:
    assert writer.chat_prompt is not None
    prompt = writer.chat_prompt([{"role": "user", "content": "fox?"}])
    assert prompt == "<s>user: fox?\nassistant:"
    assert written(writer, prompt, max_tokens=1)
    assert writer.count_tokens is not None
    assert writer.count_tokens(prompt) == writer.count_tokens(prompt.removeprefix("<s>")) + 1
    with pytest.raises(RequestError, match="messages: ") as caught:
        writer.chat_prompt([{"content": {}}, 3])  # type: ignore[list-item]
    assert caught.value.status == 400
    assert load(made.gpt(tmp_path, template=False)).chat_prompt is None


def test_text_is_rewritten_by_an_encoder_and_a_decoder(tmp_path: Path) -> None:
    path = made.t5(tmp_path)
    loaded = load(path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(path)
    given = tokenizer("the lazy dog", return_tensors="pt")
    expected = model.generate(**given, max_new_tokens=5, do_sample=False)[0][1:].tolist()
    pieces = written(loaded, "the lazy dog", max_tokens=5, temperature=0.0)
    assert [piece.token for piece in pieces] == expected
    assert loaded.facts["task"] == "text2text-generation"


def test_classes_are_kserves_and_more_by_name(tmp_path: Path) -> None:
    names = {0: "bad", 1: "good", 2: "so-so"}
    path = made.bert(tmp_path, "BertForSequenceClassification", id2label=names)
    loaded = load(path)
    assert loaded.facts["labels"] == ["bad", "good", "so-so"]
    assert loaded.is_rowwise
    codec = CodecV1(loaded.signature)
    request = codec.decode(b'{"instances":["the fox","jumps over the lazy dog"]}')
    plain = loaded.run(request.feeds, None)
    assert list(plain) == ["output-0"]
    assert plain["output-0"].dtype == np.int64
    more = loaded.run(request.feeds, ("labels", "scores"))
    assert more["labels"].tolist() == [names[one] for one in plain["output-0"].tolist()]
    chances = load(path, PREDICT_PROBA="true").run(request.feeds, None)["output-0"]
    assert chances.shape == (2, 3)
    assert chances.max(1).tolist() == pytest.approx(more["scores"].tolist())
    alone = loaded.run(texts("the fox"), ("scores",))["scores"]  # padding changes nothing
    assert alone.tolist() == pytest.approx(more["scores"][:1].tolist(), abs=1e-5)
    ids = np.array([[2, 5, 3]])
    assert loaded.run({"input_ids": ids}, None)["output-0"].shape == (1,)


def test_classes_are_explained_by_their_probabilities_word_by_word(tmp_path: Path) -> None:
    names = {0: "bad", 1: "good", 2: "so-so"}
    loaded = load(made.bert(tmp_path, "BertForSequenceClassification", id2label=names))
    text = np.array(["the lazy dog", "the fox"], object)
    chances = load(tmp_path, PREDICT_PROBA="true").run({"input-0": text[:1]}, None)["output-0"]
    first, second = explain_bench.explain(loaded, **{"input-0": text})
    best = int(chances[0].argmax())
    assert (first.output, first.label) == (f"probabilities[{best}]", names[best])
    assert first.prediction == pytest.approx(float(chances.max()), abs=1e-5)
    assert first.names == ("the", "lazy", "dog")
    assert second.names == ("the", "fox")
    assert first.additivity_error < 1e-5
    (kept,) = explain_bench.explain(loaded, Asked(output="output-0"), **{"input-0": text[:1]})
    assert kept.output == f"output-0 = {best}"
    ids = {"input_ids": np.array([[2, 5, 6, 3]]), "attention_mask": np.ones((1, 4), int)}
    (tokens,) = explain_bench.explain(loaded, **ids)
    assert tokens.names == tuple(f"input_ids[{at}]" for at in range(4))
    assert load(tmp_path, PREDICT_PROBA="true").scores is None


def test_a_regression_gives_its_value(tmp_path: Path) -> None:
    path = made.bert(tmp_path, "BertForSequenceClassification", num_labels=1)
    found = load(path).run(texts("the fox"), None)["output-0"]
    assert (found.dtype, found.shape) == (np.float32, (1,))


def test_tokens_are_tagged(tmp_path: Path) -> None:
    path = made.bert(tmp_path, "BertForTokenClassification", id2label={0: "O", 1: "ANIMAL"})
    loaded = load(path)
    assert not loaded.is_rowwise  # the width of a row depends on its neighbours
    every = loaded.run(texts("the fox", "the lazy dog"), ("output-0", "labels", "tokens"))
    assert every["tokens"].tolist()[0] == ["[CLS]", "the", "fox", "[SEP]", "[PAD]"]
    assert every["output-0"][0, -1] == -1
    assert every["labels"][0, -1] == ""
    assert set(every["labels"][1]) <= {"O", "ANIMAL"}


def test_a_missing_word_is_filled(tmp_path: Path) -> None:
    loaded = load(made.bert(tmp_path, "BertForMaskedLM"))
    found = loaded.run(texts("the [MASK] fox", "[MASK] dog [MASK]"), None)["output-0"].tolist()
    assert [len(one.split()) for one in found] == [1, 2]
    with pytest.raises(RequestError, match=r"text: expected \[MASK\] where a word is wanted"):
        loaded.run(texts("no mask"), None)


def test_vectors_are_the_mean_of_the_tokens(tmp_path: Path) -> None:
    path = made.bert(tmp_path)
    loaded = load(path)
    assert loaded.embed is not None
    found = loaded.embed(["the fox", "the quick brown fox"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    model = transformers.AutoModel.from_pretrained(path)
    with torch.inference_mode():
        states = model(**tokenizer("the fox", return_tensors="pt")).last_hidden_state
    assert found[0].tolist() == pytest.approx(states[0].mean(0).tolist(), abs=1e-5)
    assert loaded.run(texts("the fox"), None)["output-0"][0].tolist() == pytest.approx(
        found[0].tolist(), abs=1e-5
    )
    assert loaded.embed(["the " * 100]).shape == (1, 8)  # cut to what the model reads


@pytest.mark.parametrize("pooling", ["cls_token", "mean_tokens", "max_tokens", "lasttoken"])
def test_sentence_transformers_pool_as_they_say(tmp_path: Path, pooling: str) -> None:
    loaded = load(made.sentences(tmp_path, pooling))
    assert loaded.embed is not None
    assert loaded.facts["max_tokens"] == 6
    found = loaded.embed(["the fox", "the quick brown"])
    assert np.linalg.norm(found, axis=1).tolist() == pytest.approx([1.0, 1.0])
    assert loaded.embed(["the fox"])[0].tolist() == pytest.approx(found[0].tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({"a": np.array([1])}, "input 'a': expected datatype BYTES, got INT64"),
        ({"a": np.array([["x", "y"]], object)}, "input 'a': expected shape [-1] (rank 1)"),
        ({"a": np.array([b"\xff"], object)}, "a: expected UTF-8, got bytes"),
        (texts("x") | {"b": np.array(["y"], object)}, "missing input 'input-0'"),
        ({"input_ids": np.ones((1, 2)), "attention_mask": np.ones((1, 2))}, "expected INT64"),
        ({"input_ids": np.ones((1, 2), int), "b": np.ones(1)}, "unknown input 'b'"),
        ({"input_ids": np.full((1, 2), 999)}, "the model: index out of range"),
    ],
)
def test_a_bad_request_is_the_callers_fault(
    tmp_path_factory: pytest.TempPathFactory, feeds: Any, said: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "bert-for-refusals"
    loaded = load(path if path.exists() else made.bert(path))
    with pytest.raises(RequestError) as caught:
        loaded.run(feeds, None)
    assert said in str(caught.value)
    assert caught.value.status == 400


def test_pickled_weights_need_consent(tmp_path: Path) -> None:
    path = made.bert(tmp_path)
    state = transformers.AutoModel.from_pretrained(path).state_dict()
    (path / "model.safetensors").unlink()
    assert "has no weights: there is no model.safetensors" in failure(path)
    torch.save(state, path / "pytorch_model.bin")
    said = failure(path)
    assert "pytorch_model.bin, a pickle, which can run any code" in said
    assert 'relight.dev/trust-pickle: "true"' in said
    assert load(path, "--trust-pickle").embed is not None


def test_code_of_the_authors_needs_consent(tmp_path: Path) -> None:
    path, proof = made.bert(tmp_path / "m"), tmp_path / "proof"
    settings = json.loads((path / "config.json").read_text())
    settings |= {"model_type": "mine", "architectures": ["MineModel"]}
    settings["auto_map"] = {"AutoConfig": "mine.MineConfig", "AutoModel": "mine.MineModel"}
    (path / "config.json").write_text(json.dumps(settings))
    (path / "mine.py").write_text(f"import os\nos.mkdir({str(proof)!r})\n")
    assert "needs code of its author's" in failure(path)
    assert not proof.exists()
    failure(path, "--trust-pickle")
    assert proof.exists()


def test_what_can_not_be_read_is_explained(tmp_path: Path) -> None:
    path = made.bert(tmp_path)
    weights = path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    assert "weights are cut short or damaged" in failure(path)
    weights.write_bytes(whole.replace(b"word_embeddings", b"word_embeddingz"))
    assert "lacks 1 of its weights (embeddings.word_embeddings.weight)" in failure(path)
    weights.write_bytes(whole)
    (path / "modules.json").write_text('["Transformer"]')
    assert "modules.json is not a list of objects with paths" in failure(path)
    (path / "modules.json").unlink()
    (path / "tokenizer.json").write_text("{}")
    assert "cannot be loaded with transformers" in failure(path)


def test_a_folder_without_words_is_refused(tmp_path: Path) -> None:
    path = made.bert(tmp_path / "bert")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (path / name).unlink()
    said = failure(path)
    assert f"{path} has no tokenizer (tokenizer.json" in said
    assert "have it saved there with tokenizer.save_pretrained" in said


def test_nothing_is_fetched_and_nothing_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    adopted: dict[str, str] = {}
    monkeypatch.setattr(config, "adopt", adopted.update)
    with caplog.at_level(logging.WARNING):
        load(made.bert(tmp_path))
    assert adopted["HF_HUB_OFFLINE"] == "1"
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert failure(tmp_path).endswith("pip install 'relight[huggingface]'")
