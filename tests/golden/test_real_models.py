"""Six real models and real inputs: files, speech, a chord, sentences, print, an insult.

RELIGHT_MODELS names the folder they are in, with page.png of scikit-image and the two recordings
of Debian's alsa-utils; `hack/real_models.sh FOLDER` fills it.
"""

import json
import os
import sys
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.golden.asking import WAYS, Served, served

FOLDER = Path(os.environ.get("RELIGHT_MODELS", "/nowhere"))
pytestmark = pytest.mark.skipif(
    "RELIGHT_MODELS" not in os.environ, reason="hack/real_models.sh FOLDER; RELIGHT_MODELS=FOLDER"
)

PAD = 256  # magika's token for no byte
LINE = slice(47, 65)  # the rows of page.png's first line of text
# BERT's tokens of the sentences: "A man is eating food.", "A man is eating a piece of bread.",
# "The server scales to zero.", "There is no traffic, so nothing runs.".
SENTENCES = [
    [101, 1037, 2158, 2003, 5983, 2833, 1012, 102],
    [101, 1037, 2158, 2003, 5983, 1037, 3538, 1997, 7852, 1012, 102],
    [101, 1996, 8241, 9539, 2000, 5717, 1012, 102],
    [101, 2045, 2003, 2053, 4026, 1010, 2061, 2498, 3216, 1012, 102],
]


def file(name: str) -> Path:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


async def told(model: Served, inputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs, which are the same in each way to ask."""
    first, *others = [await model.ask(way, inputs) for way in WAYS]
    for other in others:
        assert list(other) == list(first)
        for name, array in first.items():
            np.testing.assert_allclose(other[name], array, rtol=1e-5, atol=1e-6)
    return first


# -- magika: what kind of file ---------------------------------------------------------------


def features(data: bytes) -> list[int]:
    """The first and the last 1,024 bytes without the space around them, padded."""
    start = list(data[:4096].lstrip()[:1024])
    end = list(data[-4096:].rstrip()[-1024:])
    return start + [PAD] * (1024 - len(start)) + [PAD] * (1024 - len(end)) + end


async def test_magika_knows_files(short_path: Path, tmp_path: Path) -> None:
    labels = json.loads(file("magika_config/config.min.json").read_bytes())
    archive = tmp_path / "some.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(__file__, "test.py")
    files = {
        "python": Path(__file__),
        "png": file("page.png"),
        "wav": file("Front_Center.wav"),
        "elf": Path(sys.executable).resolve(),
        "zip": archive,
    }
    rows = np.array([features(path.read_bytes()) for path in files.values()], np.int32)
    async with served(file("magika/model.onnx"), short_path) as model:
        (scores,) = (await told(model, {"bytes": rows})).values()
    best = scores.argmax(axis=1)
    assert [labels["target_labels_space"][at] for at in best] == list(files)
    assert scores.max(axis=1).min() > 0.8


# -- silero: where somebody speaks ------------------------------------------------------------


def frames(path: Path) -> Any:
    """512 samples at 16 kHz, each after the last 64 of those before."""
    with wave.open(str(path)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (48000, 1, 2)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768
    third = samples[: len(samples) // 3 * 3].reshape(-1, 3).mean(axis=1)
    whole = third[: len(third) // 512 * 512].reshape(-1, 512)
    before = np.vstack([np.zeros((1, 64)), whole[:-1, -64:]])
    return np.hstack([before, whole]).astype(np.float32)


async def test_silero_hears_speech_and_not_noise(short_path: Path) -> None:
    state = np.zeros((1, 1, 128), np.float32)
    heard = {}
    async with served(file("silero_vad_v6/silero_vad_v6.onnx"), short_path) as model:
        for name in ("Front_Center", "Noise"):
            spoken = {"input": frames(file(f"{name}.wav")), "h": state, "c": state}
            heard[name] = (await told(model, spoken))["speech_probs"]
    counts = {name: (int((each > 0.5).sum()), len(each)) for name, each in heard.items()}
    assert heard["Front_Center"].max() > 0.98
    assert counts["Front_Center"] == (pytest.approx(28, abs=2), 44)
    assert counts["Noise"] == (0, 43)


# -- basic pitch: which notes -----------------------------------------------------------------


async def test_basic_pitch_hears_a_chord(short_path: Path) -> None:
    time_s = np.arange(43844) / 22050
    chord = sum(np.sin(2 * np.pi * hertz * time_s) for hertz in (261.63, 440.0))
    sound = (0.4 * chord).astype(np.float32).reshape(1, -1, 1)
    async with served(file("basic_pitch/nmp.onnx"), short_path) as model:
        found = await told(model, {"serving_default_input_2:0": sound})
    strength = found["StatefulPartitionedCall:1"][0].mean(axis=0)
    assert {int(at) + 21 for at in strength.argsort()[-2:]} == {60, 69}


# -- MiniLM: which sentences mean alike -------------------------------------------------------


async def test_minilm_knows_what_is_alike(short_path: Path) -> None:
    longest = max(map(len, SENTENCES))
    ids = np.array([each + [0] * (longest - len(each)) for each in SENTENCES], np.int64)
    mask = (ids > 0).astype(np.int64)
    asked = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    async with served(file("minilm_int8/model.onnx"), short_path) as model:
        hidden = (await told(model, asked))["last_hidden_state"]
    weight = mask[:, :, None]
    means = (hidden * weight).sum(axis=1) / weight.sum(axis=1)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    alike = means @ means.T
    assert alike[0, 1] == pytest.approx(0.75, abs=0.05)
    assert alike[0, 2:].max() < 0.1
    assert 0.1 < alike[2, 3] < alike[0, 1]


# -- PaddleOCR: which way up, and what is written ---------------------------------------------


def normal(image: Any, *, height: int, width: int) -> Any:
    """From a picture to N, 3, H, W of -1 to 1; what is left over at the right is 0."""
    fitting = min(width, round(image.width * height / image.height))
    pixels = np.asarray(image.convert("RGB").resize((fitting, height)), np.float32) / 127.5 - 1
    found = np.zeros((1, 3, height, width), np.float32)
    found[0, :, :, :fitting] = pixels.transpose(2, 0, 1)
    return found


def line() -> Any:
    images = pytest.importorskip("PIL.Image")
    with images.open(file("page.png")) as page:
        return page.crop((0, LINE.start, page.width, LINE.stop)).convert("L")


async def test_ppocr_knows_which_way_is_up(short_path: Path) -> None:
    path = file("ppocr_cls/ch_ppocr_mobile_v2.0_cls_infer.onnx")
    part = line().crop((0, 0, 96, LINE.stop - LINE.start))
    shown = [normal(each, height=48, width=192) for each in (part, part.rotate(180))]
    async with served(path, short_path) as model:
        (scores,) = (await told(model, {"x": np.concatenate(shown)})).values()
    assert scores.argmax(axis=1).tolist() == [0, 1]


async def test_ppocr_reads_a_line(short_path: Path) -> None:
    path = file("ppocr_rec/ch_PP-OCRv4_rec_infer.onnx")
    kept = {one.key: one.value for one in onnx.load_model(path).metadata_props}
    letters = ["", *kept["character"].split("\n"), " "]
    image = line()
    width = round(image.width * 48 / image.height)
    async with served(path, short_path) as model:
        (scores,) = (await told(model, {"x": normal(image, height=48, width=width)})).values()
    best = scores[0].argmax(axis=1).tolist()
    read = [letters[at] for at, before in zip(best, [0, *best], strict=False) if at != before]
    assert "".join(read) == "Let us first determine markers of the coins and the"


# -- profanity: a pickle, by consent ----------------------------------------------------------


@pytest.mark.filterwarnings("ignore::UserWarning")  # of a pickle by another version
async def test_profanity_is_told_from_politeness(short_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    pytest.importorskip("sklearn")
    vectorizer = joblib.load(file("profanity_vectorizer/vectorizer.joblib"))
    texts = ["Thank you very much, have a nice day.", "You are a stupid fucking idiot."]
    rows = vectorizer.transform(texts).toarray()
    asks = {"PREDICT_PROBA": "true"}
    path = file("profanity_model/model.joblib")
    async with served(path, short_path, "--trust-pickle", environment=asks) as model:
        (chances,) = (await told(model, {"input-0": rows})).values()
    polite, insult = chances[:, 1]
    assert polite < 0.05
    assert insult > 0.95
