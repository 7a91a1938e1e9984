"""One explanation, as it is written."""

from typing import Any

import numpy as np
import orjson
import pytest

from predictor.explanation import Explanation, Form


def made(**fields: Any) -> Explanation:
    defaults: dict[str, Any] = {
        "row": 0,
        "method": "exact_shapley",
        "forms": (Form(input="x", names=("a", "b")),),
        "output": "y",
        "label": None,
        "prediction": 6.0,
        "base": 1.0,
        "values": np.array([2.0, 3.0]),
        "baseline": "zeros",
    }
    return Explanation(**{**defaults, **fields})


def test_what_is_known_is_written() -> None:
    assert made().written() == {
        "row": 0,
        "method": "exact_shapley",
        "output": "y",
        "scale": "output",
        "prediction": 6,
        "base_value": 1,
        "attributions": {"a": 2, "b": 3},
        "additivity_error": 0,
        "is_additive": True,
        "baseline": "zeros",
    }
    found = made(label="yes", samples=8, seed=0, standard_error=0.5, note="why").written()
    assert orjson.loads(orjson.dumps(found)) == found
    named = {name: found[name] for name in ("class", "samples", "seed", "standard_error", "note")}
    assert named == {"class": "yes", "samples": 8, "seed": 0, "standard_error": 0.5, "note": "why"}
    assert "standard_error" not in made(standard_error=float("inf")).written()


@pytest.mark.parametrize(
    ("prediction", "scale", "is_additive"),
    [(6.0, 1.0, True), (6.0005, 1.0, True), (6.01, 1.0, False), (6.01, 1e6, False)],
)
def test_the_sum_is_checked_to_scale(prediction: float, scale: float, is_additive: bool) -> None:
    values = np.array([2.0, 3.0]) * scale
    found = made(prediction=prediction * scale, base=scale, values=values)
    assert found.is_additive == is_additive
    written = found.written()
    assert written["additivity_error"] == pytest.approx(abs(prediction - 6) * scale)
    assert ("do not add up" in written.get("note", "")) is not is_additive
    noted = made(prediction=7.0, note="first").written()["note"]
    assert noted.startswith("first; the attributions do not add up")
