"""KServe's flags that are refused, each with a reason."""

import pytest

from predictor import config
from predictor.errors import SettingsError
from predictor.kserve_flags import REFUSED, refusal


@pytest.mark.parametrize("flag", REFUSED)
def test_each_is_refused_by_name_with_its_reason(flag: str) -> None:
    for arguments in ([flag, "1"], [f"{flag}=1"]):
        with pytest.raises(SettingsError) as caught:
            config.parse(["--model", "m.onnx", *arguments], {})
        assert str(caught.value) == f"{flag} is KServe's and is not served: {REFUSED[flag]}"


def test_what_is_nobodys_is_not_called_kserves() -> None:
    assert refusal(["--work", "workers", "--model"]) == ""
    with pytest.raises(SettingsError, match="unknown argument '--work'"):
        config.parse(["--model", "m.onnx", "--work"], {})


def test_kserves_spelling_of_what_we_have_is_taken() -> None:
    spelt = ["--model_dir", "/mnt/models", "--model_name=iris", "--http_port", "81"]
    settings = config.parse([*spelt, "--nthread", "2"], {})
    assert (settings.model, settings.model_name) == ("/mnt/models", "iris")
    assert (settings.port, settings.threads) == (81, 2)
