"""What there is to know of a model that is explained."""

from typing import Any

import numpy as np
import pytest

from predictor import explained
from predictor.errors import RequestError
from predictor.explain_requests import Asked
from tests.predictor.explain_bench import MATRIX, linear, model


def test_facts_are_taken_where_they_are_lists() -> None:
    facts: dict[str, Any] = {"feature_names": ["a", 1], "classes": [0, 1]}
    found = explained.of_model(model(linear, facts=facts, described=MATRIX), batch_size_max=8)
    assert (found.names, found.classes, found.output, found.rows_max) == (
        ("a", "1"),
        [0, 1],
        "y",
        8,
    )
    found = explained.of_model(model(linear, facts={"classes": 3}))
    assert (found.names, found.classes, found.output, found.rows_max) == ((), (), "output-0", 256)


def test_scores_are_run_unless_the_output_is_asked_for_by_name() -> None:
    def scores(feeds: Any, wanted: Any) -> Any:
        return feeds

    known = explained.of_model(model(linear, scores=scores, described=MATRIX))
    assert explained.scores_of(known, None, Asked()) is scores
    assert explained.scores_of(known, None, Asked(output="p[1]")) is scores
    assert explained.scores_of(known, None, Asked(output="y")) is None
    assert explained.scores_of(known, None, Asked(output="y[1]")) is None
    assert explained.scores_of(known, ("y",), Asked()) is None


def test_outputs_of_several_runs_are_one() -> None:
    one, two = {"y": np.zeros(2)}, {"y": np.ones(1)}
    assert explained.joined([one]) is one
    assert explained.joined([one, two])["y"].tolist() == [0, 0, 1]
    with pytest.raises(RequestError, match="other names or shapes than those of others"):
        explained.joined([one, {"y": np.ones((1, 3))}])
