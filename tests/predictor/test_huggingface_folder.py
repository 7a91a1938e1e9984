"""What a Hugging Face folder is for, by its JSON files alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from predictor.errors import LoadError
from predictor.huggingface_folder import Task, look


def folder(path: Path, *, weights: str = "model.safetensors", **settings: Any) -> Path:
    (path / "config.json").write_text(json.dumps(settings))
    if weights:
        (path / weights).touch()
    return path


def failure(path: Path, *, is_trusted: bool = False) -> str:
    with pytest.raises(LoadError) as caught:
        look(path, is_trusted=is_trusted)
    return str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("DistilBertForSequenceClassification", Task.CLASSIFY),
        ("BertForTokenClassification", Task.TAG),
        ("RobertaForMaskedLM", Task.FILL),
        ("LlamaForCausalLM", Task.WRITE),
        ("GPT2LMHeadModel", Task.WRITE),
        ("BertModel", Task.EMBED),
    ],
)
def test_the_architecture_names_the_task(tmp_path: Path, architecture: str, task: Task) -> None:
    found = look(folder(tmp_path, architectures=[architecture]), is_trusted=False)
    assert (found.task, found.is_safetensors) == (task, True)


def test_what_is_not_served_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path, architectures=["T5ForConditionalGeneration"], is_encoder_decoder=True)
    assert look(path, is_trusted=False).task is Task.REWRITE
    folder(tmp_path, architectures=["LlavaForConditionalGeneration"])
    assert "is a LlavaForConditionalGeneration, which is not served" in failure(tmp_path)
    folder(tmp_path, architectures=["BertForQuestionAnswering"])
    assert "these tasks are: text-classification" in failure(tmp_path)
    folder(tmp_path)
    assert "names no architectures" in failure(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    assert "is not a JSON object" in failure(tmp_path)
    (tmp_path / "config.json").write_text("{")
    assert "config.json is not JSON" in failure(tmp_path)
    (tmp_path / "config.json").unlink()
    assert "there is no" in failure(tmp_path)


def test_weights_and_consent(tmp_path: Path) -> None:
    path = folder(tmp_path, weights="", architectures=["BertModel"], auto_map={"AutoModel": "a.B"})
    assert "has no weights" in failure(path)
    (path / "pytorch_model.bin").touch()
    assert "--trust-pickle" in failure(path)
    found = look(path, is_trusted=True)
    assert not found.is_safetensors


def test_sentence_transformers(tmp_path: Path) -> None:
    path = folder(tmp_path, architectures=["BertForMaskedLM"])
    modules = [{"type": "a.Transformer", "path": ""}, {"type": "a.Pooling", "path": "1"}]
    (path / "modules.json").write_text(json.dumps(modules))
    (path / "1").mkdir()
    (path / "1/config.json").write_text('{"pooling_mode_cls_token": true}')
    found = look(path, is_trusted=False)
    assert (found.task, found.pooling, found.is_normalized) == (Task.EMBED, "cls_token", False)
    (path / "1/config.json").write_text(
        '{"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true}'
    )
    assert "pools by cls_token, max_tokens; served: one of" in failure(path)
    for module, said in (
        ({"type": "a.Dense", "path": "2"}, "has a Dense, which is not served"),
        ({"type": "a.Pooling", "path": "../x"}, "leads out of the folder"),
    ):
        (path / "modules.json").write_text(json.dumps([module]))
        assert said in failure(path)


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("config.json", "[]", "config.json is not a JSON object"),
        ("config.json", DEEP, "config.json is not JSON"),
        ("modules.json", "5", "modules.json is not a list of objects"),
        ("modules.json", "[5]", "modules.json is not a list of objects"),
        ("modules.json", '[{"path": "a\\u0000b"}]', "modules.json is not a list of objects"),
        ("sentence_bert_config.json", "[1]", "is not a JSON object"),
        ("sentence_bert_config.json", '{"max_seq_length": "x"}', "max_seq_length: expected"),
        ("1_Pooling/config.json", "[1]", "is not a JSON object"),
    ],
)
def test_settings_that_are_none_are_explained(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    folder(tmp_path, architectures=["BertModel"])
    parts = ("Transformer", ""), ("Pooling", "1_Pooling")
    modules = [{"type": f"sentence_transformers.models.{kind}", "path": at} for kind, at in parts]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling/config.json").write_text('{"pooling_mode_mean_tokens": true}')
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 64}')
    assert look(tmp_path, is_trusted=False).tokens_max == 64
    (tmp_path / name).write_text(text)
    assert words in failure(tmp_path)
