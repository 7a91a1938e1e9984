import builtins
import sys
from typing import Any

import pytest

from relight import chart_png
from relight.errors import UsageError
from tests.relight.test_chart_html import shown

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("names", [(), ("kpa",), ("kpa", "relight", "oracle")])
def test_it_is_a_png(names: tuple[str, ...]) -> None:
    pytest.importorskip("matplotlib")
    drawn = chart_png.render(shown(*names))
    assert drawn.startswith(PNG)
    assert len(drawn) > 5_000


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"--chart: .*pip install 'relight\[charts\]'"):
        chart_png.render(shown("kpa"))


def test_who_draws_no_png_does_not_wait_for_matplotlib() -> None:
    import subprocess

    program = "import sys, relight.__main__; print('matplotlib' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
