"""Transformers of two layers and random weights, made on the spot with a tokenizer of theirs."""

import json
from pathlib import Path
from typing import Any

TEXTS = ["the quick brown fox", "jumps over é 漢字 the lazy dog", "user: assistant:"]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


def byte_tokenizer() -> Any:
    """Byte pairs, as GPT-2 and its kin have."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def word_tokenizer(length: int = 16) -> Any:
    """Whole words between [CLS] and [SEP], as BERT has."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *" ".join(TEXTS).split()]
    ids = {word: index for index, word in enumerate(dict.fromkeys(words))}
    made = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=ends
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=length,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def gpt(path: Path, *, template: bool = True) -> Path:
    """A GPT-2 that reads 32 tokens."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = byte_tokenizer()
    tokenizer.chat_template = TEMPLATE if template else None
    torch.manual_seed(0)
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    size = {"n_positions": 32, "n_embd": 16, "n_layer": 2, "n_head": 2}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **size, **ends))
    with torch.no_grad():  # else it repeats one token for ever
        model.lm_head.weight.mul_(20)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def bert(path: Path, name: str = "BertModel", **options: Any) -> Path:
    """A BERT of any head."""
    import torch
    import transformers

    tokenizer = word_tokenizer()
    torch.manual_seed(0)
    size = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        intermediate_size=8,
        max_position_embeddings=16,
        pad_token_id=0,
        **size,
        **options,
    )
    getattr(transformers, name)(config).eval().save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def t5(path: Path) -> Path:
    """An encoder and a decoder."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    size = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 2, "num_heads": 2}
    ends = {"pad_token_id": 2, "eos_token_id": 1, "decoder_start_token_id": 2}
    model = T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **size, **ends))
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def sentences(path: Path, pooling: str = "mean_tokens", *, normalize: bool = True) -> Path:
    """A sentence-transformers folder around a BERT."""
    bert(path)
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
    ]
    modules.append({"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"})
    if normalize:
        modules.append({"path": "2", "type": "sentence_transformers.models.Normalize"})
    (path / "modules.json").write_text(json.dumps(modules))
    (path / "1_Pooling").mkdir()
    modes = {f"pooling_mode_{name}": name == pooling for name in ("cls_token", "mean_tokens")}
    modes[f"pooling_mode_{pooling}"] = True
    (path / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 8} | modes))
    (path / "sentence_bert_config.json").write_text('{"max_seq_length": 6}')
    return path
