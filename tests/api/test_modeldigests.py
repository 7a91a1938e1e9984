"""What belongs to a model, and the digest that stands for it."""

import hashlib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.modeldigests import Fingerprint, Pin, digest, fingerprint, pair, pin
from api.modelfiles import ModelFileError
from tests.api.test_modellayouts import HF, ONNX, Memory


class Read(Memory):
    """One whose files can be read through."""

    def fingerprint(self, name: str) -> Fingerprint:
        return fingerprint([self.files[name]])


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def manifest(files: Mapping[str, bytes]) -> str:
    lines = "".join(f"{sha(files[name])}  {name}\n" for name in sorted(files))
    return f"sha256:{sha(lines.encode())}"


def external(*locations: str) -> bytes:
    entries = (b"\n\x08location\x12" + bytes([len(each)]) + each.encode() for each in locations)
    return ONNX + b"".join(entries)


def test_a_file_is_known_by_its_own_sum() -> None:
    expected = Pin(root="", names=("m.onnx",), load="m.onnx", digest=f"sha256:{sha(ONNX)}")
    files = Read({"m.onnx": ONNX, "README.md": b"x"})
    assert pin(files, "m.onnx") == expected
    assert pin(files, "") == expected
    version = pin(Read({"iris/2/m.onnx": ONNX, "iris/1/m.onnx": b""}), "")
    assert version == Pin(root="iris", names=("2/m.onnx",), load="2/m.onnx", digest=expected.digest)


def test_a_model_and_the_code_around_it_have_one() -> None:
    model, code = sha(b"model"), sha(b"code")
    expected = f"sha256:{sha(f'{model}  model{chr(10)}{code}  transformer{chr(10)}'.encode())}"
    assert pair(f"sha256:{model}", f"sha256:{code}") == expected
    assert pair(f"sha256:{code}", f"sha256:{model}") != expected


def test_a_named_file_may_hold_anything() -> None:
    assert pin(Read({"m": b"whatever"}), "m").digest == f"sha256:{sha(b'whatever')}"


@pytest.mark.parametrize(
    ("files", "others"),
    [
        ({"1/m.onnx": ONNX, "config.pbtxt": b'name: "x"'}, {"2.txt": b"", "0/m.onnx": ONNX}),
        ({"m.onnx": ONNX, "signature.json": b"{}", "warmup/1.json": b"{}"}, {"data.csv": b""}),
        ({"1/m.onnx": ONNX, "1/signature.json": b"{}", "warmup.json": b"[]"}, {}),
        ({"m.onnx": ONNX, "baseline.json": b"[1]"}, {"background.json": b""}),
        (
            {
                "1/m.onnx": ONNX,
                "config.pbtxt": b'output { label_filename: ["a/names", "../x"] }',
                "a/names": b"a\nb",
            },
            {"labels.txt": b"", "a/x": b""},
        ),
        ({"saved_model.pb": b"x", "variables/v.index": b"i"}, {".DS_Store": b""}),
        ({"1/saved_model.pb": b"x", "1/variables/v": b"i", "config.pbtxt": b""}, {"0/x": b""}),
        ({"MLmodel": b"", "model.pkl": b"x", "a/b/c": b"y"}, {"__pycache__/z": b""}),
        ({"config.json": HF, "model.safetensors": b"w", "tokenizer.json": b"{}"}, {}),
        ({"m.onnx": external("w.bin", "sub/v.bin"), "w.bin": b"w", "sub/v.bin": b"v"}, {"x": b""}),
    ],
)
def test_what_belongs_to_a_model_is_pinned_with_it(
    files: dict[str, bytes], others: dict[str, bytes]
) -> None:
    found = pin(Read({**files, **others}), "")
    assert found == Pin(root="", names=tuple(sorted(files)), load="", digest=manifest(files))
    in_a_folder = pin(Read({f"top/{name}": content for name, content in files.items()}), "")
    assert (in_a_folder.root or "top", in_a_folder.names) == ("top", found.names) or (
        in_a_folder.digest != found.digest
    )
    for name in files:
        changed = {**files, name: files[name] + b" "}
        assert pin(Read(changed), "").digest != found.digest, name


def test_weights_beside_a_named_file() -> None:
    files = {"m.onnx": external("./w.bin", "gone.bin"), "w.bin": b"w"}
    found = pin(Read({**files, "config.pbtxt": b""}), "m.onnx")
    assert found == Pin(root="", names=("m.onnx", "w.bin"), load="m.onnx", digest=manifest(files))


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "a/../../w"])
def test_weights_outside_the_folder_are_refused(location: str) -> None:
    with pytest.raises(ModelFileError, match="whose weights are outside its folder"):
        pin(Read({"m.onnx": external(location)}), "m.onnx")


def test_what_belongs_to_a_model_may_not_lead_out() -> None:
    for files, stray in (
        ({"m.onnx": external("w.bin")}, "w.bin"),
        ({"m.onnx": ONNX}, "signature.json"),
        ({"MLmodel": b""}, "model.pkl"),
    ):
        with pytest.raises(ModelFileError, match="a link that leads out"):
            pin(Read(files, [stray]), "")


def test_it_is_the_sum_of_what_sha256sum_prints() -> None:
    sums = {"b": "2" * 64, "a": "1" * 64}
    text = f"{'1' * 64}  a\n{'2' * 64}  b\n"
    assert digest(sums, is_file=False) == f"sha256:{sha(text.encode())}"


@given(st.integers(1, 40), st.binary(max_size=30), st.text("abc/.", min_size=1, max_size=30))
def test_a_file_of_weights_is_found_wherever_the_bytes_are_cut(
    size: int, noise: bytes, location: str
) -> None:
    content = noise + external(location) + noise
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    found = fingerprint(chunks)
    assert found.sha256 == sha(content)
    assert location in found.locations
    assert found == fingerprint([content])
