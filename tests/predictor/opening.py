"""Opening a model file in a test as a predictor would, whatever recognises its kind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.modelfiles import Kind
from predictor import config, formats, loader
from predictor.errors import LoadError
from predictor.loaded import Loaded
from predictor.protocol_v1 import CodecV1
from predictor.protocol_v2 import CodecV2

KSERVE = Path(__file__).parents[2].parent / "shared/data/kserve"


def opened(
    path: Path, kind: Kind, *arguments: str, environment: Mapping[str, str] | None = None
) -> Loaded:
    settings = config.parse(["--model", str(path), *arguments], environment or {})
    return formats.opener(kind)(path, kind, settings)


def recognised(path: Path) -> Loaded:
    """The same through the loader, which finds the kind by itself."""
    return loader.load(config.parse(["--model", str(path)], {}))


def failure(path: Path, kind: Kind, *arguments: str) -> str:
    """The one line that a person reads when the file can not be served."""
    with pytest.raises(LoadError) as caught:
        opened(path, kind, *arguments)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def kserve(name: str) -> Path:
    path = KSERVE / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def predictions(loaded: Loaded, body: bytes) -> Any:
    """The answer of a V1 request."""
    codec = CodecV1(loaded.signature)
    request = codec.decode(body)
    outputs = loaded.run(request.feeds, request.outputs)
    return orjson.loads(codec.encode(request, outputs).body)["predictions"]


def outputs(loaded: Loaded, body: bytes) -> dict[str, dict[str, object]]:
    """The outputs of a V2 request, by name."""
    codec = CodecV2(loaded.signature, name="m", version="")
    request = codec.decode(body)
    answer = codec.encode(request, loaded.run(request.feeds, request.outputs)).body
    return {output["name"]: output for output in orjson.loads(answer)["outputs"]}
