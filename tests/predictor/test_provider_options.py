"""Options of execution providers: what is taken, and what is refused by name."""

import pytest

from predictor import config
from predictor.errors import SettingsError
from predictor.provider_options import NONE, read
from predictor.providers import CPU, CUDA, TENSORRT


def test_values_become_what_onnxruntime_takes() -> None:
    said = read(
        '{"CUDAExecutionProvider": {"device_id": 1, "gpu_mem_limit": "1024", "use_tf32": false,'
        ' "arena_extend_strategy": "kSameAsRequested", "do_copy_in_default_stream": true},'
        ' "TensorrtExecutionProvider": {"trt_fp16_enable": "True", "trt_engine_cache_path": "/c"},'
        ' "CPUExecutionProvider": {"enable_cpu_mem_arena": 1, "arena_mem_limit": 1}}'
    )
    assert said[CUDA] == {
        "device_id": "1",
        "gpu_mem_limit": "1024",
        "use_tf32": "0",
        "arena_extend_strategy": "kSameAsRequested",
        "do_copy_in_default_stream": "1",
    }
    assert said[TENSORRT] == {"trt_fp16_enable": "1", "trt_engine_cache_path": "/c"}
    assert said[CPU] == {"enable_cpu_mem_arena": "1", "arena_mem_limit": "1"}
    assert read("") is NONE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "--provider-options: not JSON"),
        ("[]", "--provider-options: expected an object such as"),
        ('{"Cuda": {}}', "no options are known of 'Cuda', but of CPUExecutionProvider"),
        ('{"CPUExecutionProvider": 1}', "CPUExecutionProvider: expected an object of options"),
        ('{"CUDAExecutionProvider": {"gpu_mem": 1}}', "unknown option 'gpu_mem'; known are device"),
        (
            '{"CUDAExecutionProvider": {"enable_cuda_graph": 1}}',
            "unknown option 'enable_cuda_graph",
        ),
        ('{"CUDAExecutionProvider": {"device_id": -1}}', "expected a whole number, 0 to 1023, got"),
        ('{"CUDAExecutionProvider": {"device_id": true}}', "a whole number, 0 to 1023, got true"),
        ('{"CUDAExecutionProvider": {"device_id": 1.5}}', "a whole number, 0 to 1023, got 1.5"),
        ('{"CUDAExecutionProvider": {"use_tf32": 2}}', "use_tf32: expected true or false, got 2"),
        (
            '{"CUDAExecutionProvider": {"cudnn_conv_algo_search": "fast"}}',
            'expected one of EXHAUSTIVE, HEURISTIC, DEFAULT, got "fast"',
        ),
        (
            '{"CPUExecutionProvider": {"enable_cpu_mem_arena": 0, "arena_mem_limit": 1}}',
            "CPUExecutionProvider: arena_mem_limit: there is no arena to limit",
        ),
        (
            '{"CPUExecutionProvider": {"arena_extend_strategy": "kSameAsRequested"}}',
            "arena_extend_strategy: give arena_mem_limit as well",
        ),
        (
            '{"TensorrtExecutionProvider": {"trt_engine_cache_path": ""}}',
            'trt_engine_cache_path: expected a text, got ""',
        ),
    ],
)
def test_what_can_not_be_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(text)
    assert said in str(caught.value)


def test_the_flag_is_read_with_the_others() -> None:
    text = '{"CUDAExecutionProvider": {"device_id": 2}}'
    settings = config.parse(["--model", "x.onnx", "--provider-options", text], {})
    assert settings.provider_options == {CUDA: {"device_id": "2"}}
