"""Triton's config.pbtxt."""

import pytest

from predictor import triton_settings
from predictor.errors import LoadError
from predictor.model import TensorSpec
from predictor.model_settings import ModelSettings

FILES = {"labels.txt": b"cat\ndog\n", "bad.txt": b"\xff"}


def parse(text: str) -> ModelSettings:
    return triton_settings.parse(text, where="f", read=FILES.__getitem__)


def test_what_is_read() -> None:
    found = parse("""
        name: "iris"
        platform: "onnxruntime_onnx"
        max_batch_size: 8
        input [ { name: "a" data_type: TYPE_FP32 format: FORMAT_NONE dims: [ 4 ] } ]
        output [ { name: "y" data_type: TYPE_STRING dims: [ ] label_filename: "labels.txt" } ]
        dynamic_batching { preferred_batch_size: [4, 8] max_queue_delay_microseconds: 500 }
        instance_group [ { kind: KIND_GPU count: 2 gpus: [ 0 ] } ]
        model_warmup [ { name: "w" inputs { key: "a" value { data_type: TYPE_FP32 dims: 4
                         zero_data: true } } } ]
        version_policy { latest { num_versions: 1 } }
        optimization { graph { level: 1 } }
    """)
    assert found.name == "iris"
    assert found.signature is not None
    assert found.signature.inputs == [TensorSpec(name="a", datatype="FP32", shape=(-1, 4))]
    assert found.signature.outputs == [TensorSpec(name="y", datatype="BYTES", shape=(-1,))]
    assert found.batching is not None
    assert (found.batching.size_max, found.batching.delay_s) == (8, 0.0005)
    assert found.labels == {"y": ("cat", "dog")}
    assert found.providers == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert [each.name for each in found.warmups] == ["w"]
    assert found.without_effect == (
        "f: optimization",
        "f: instance_group: count",
        "f: instance_group: gpus",
        "f: dynamic_batching: preferred_batch_size",
    )


def test_without_a_batch_the_dimensions_are_all_there_are() -> None:
    found = parse('input { name: "a" data_type: TYPE_INT64 dims: [ 1, -1 ] }')
    assert found.signature is not None
    assert found.signature.inputs == [TensorSpec(name="a", datatype="INT64", shape=(1, -1))]
    assert found.batching is None
    assert parse("max_batch_size: 4").batching is None  # Triton joins only where it is told to
    assert parse("") == ModelSettings()
    assert parse("instance_group { kind: KIND_CPU }").providers == ("CPUExecutionProvider",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: ", "f: line 1"),
        ("sequence_batching { }", "f: sequence_batching can not be honoured: no sequences"),
        ("ensemble_scheduling { }", "no ensembles are served"),
        ("model_transaction_policy { decoupled: true }", "each request has one answer"),
        ("whatever: 1", "f: whatever can not be honoured: Relight does not know it"),
        ("max_batch_size: -1", "f: max_batch_size: expected a whole number, got -1"),
        ("input: 1", "f: input: expected a message"),
        ("input { dims: 1 }", "f: input: a tensor has no name"),
        ('input { name: "a" data_type: FLOAT dims: 1 }', "f: input 'a': data_type: 'FLOAT'"),
        ('input { name: "a" data_type: TYPE_FP32 dims: "x" }', "f: input 'a': dims"),
        (
            'input { name: "a" data_type: TYPE_FP32 dims: 1 reshape { shape: [] } }',
            "f: input 'a': reshape can not be honoured: write the model's own dims",
        ),
        (
            'input { name: "a" data_type: TYPE_FP32 dims: 1 optional: true }',
            "f: input 'a': optional can not be honoured",
        ),
        ("dynamic_batching { }", "f: dynamic_batching needs a max_batch_size over 0"),
        (
            "max_batch_size: 2 dynamic_batching { priority_levels: 2 }",
            "f: dynamic_batching: priority_levels can not be honoured: requests are served in",
        ),
        (
            "max_batch_size: 2 dynamic_batching { max_queue_delay_microseconds: 99000000 }",
            "at most a minute",
        ),
        ("instance_group { kind: KIND_TPU }", "instance_group.kind: KIND_TPU is none of"),
        ("instance_group { passive: true }", "f: instance_group: passive can not be honoured"),
        (
            'output { name: "y" data_type: TYPE_FP32 dims: 1 label_filename: "bad.txt" }',
            "label_filename bad.txt is not UTF-8 text",
        ),
    ],
)
def test_what_can_not_be_honoured_is_named(text: str, words: str) -> None:
    with pytest.raises(LoadError) as caught:
        parse(text)
    assert words in str(caught.value)
