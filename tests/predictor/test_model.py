"""What a user's Model does before the user wrote anything."""

import numpy as np
import pytest

from predictor.model import Model


def test_a_model_loads_nothing_declares_nothing_and_must_predict() -> None:
    model = Model()
    model.load()
    assert model.signature() is None
    with pytest.raises(NotImplementedError):
        model.predict({"x": np.zeros(1)})
