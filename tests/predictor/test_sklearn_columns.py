"""What a fitted estimator says of its columns."""

from typing import Any

import numpy as np
import pytest

from predictor import sklearn_columns

_WHY = "pip install 'relight[sklearn]'"
compose = pytest.importorskip("sklearn.compose", reason=_WHY)
ensemble = pytest.importorskip("sklearn.ensemble", reason=_WHY)
impute = pytest.importorskip("sklearn.impute", reason=_WHY)
linear_model = pytest.importorskip("sklearn.linear_model", reason=_WHY)
model_selection = pytest.importorskip("sklearn.model_selection", reason=_WHY)
pipeline = pytest.importorskip("sklearn.pipeline", reason=_WHY)
preprocessing = pytest.importorskip("sklearn.preprocessing", reason=_WHY)
texts = pytest.importorskip("sklearn.feature_extraction.text", reason=_WHY)
pandas = pytest.importorskip("pandas", reason="pip install pandas")

NAMES = ("age", "town", "size", "note")
FRAME = pandas.DataFrame(
    {
        "age": [20.0, 30.0, 60.0, 70.0],
        "town": ["oslo", "oslo", "rome", None],
        "size": [1, 2, 1, 2],
        "note": ["good", "bad", "good", "bad"],
    }
)
NUMBERS = FRAME[["age", "size"]]
ROWS, LABELS = NUMBERS.to_numpy(), [0, 0, 1, 1]


OWN = type("Own", (preprocessing.StandardScaler,), {"__module__": __name__})  # an author's


def _double(rows: Any) -> Any:
    return rows * 2


def columns(*parts: tuple[str, Any, Any]) -> Any:
    return pipeline.make_pipeline(
        compose.ColumnTransformer(list(parts)), linear_model.LogisticRegression()
    )


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        (["age"], True),
        ("age", True),
        (slice("age", "size"), True),
        (compose.make_column_selector(dtype_include=np.number), True),
        (np.array(["age"], object), True),
        ([0], False),
        (slice(0, 1), False),
    ],
)
def test_a_frame_where_columns_are_found_by_name_or_kind(selected: Any, expected: bool) -> None:
    assert (
        sklearn_columns.needs_frame(columns(("n", preprocessing.StandardScaler(), selected)))
        is expected
    )


@pytest.mark.parametrize(
    ("step", "rows", "expected"),
    [
        (OWN(), NUMBERS, True),
        (preprocessing.FunctionTransformer(_double), NUMBERS, True),
        (preprocessing.FunctionTransformer(_double), ROWS, False),
        (preprocessing.FunctionTransformer(np.log1p), NUMBERS, False),
        (preprocessing.StandardScaler(), NUMBERS, False),
    ],
)
def test_a_frame_where_the_authors_code_was_fitted_on_one(
    step: Any, rows: Any, expected: bool
) -> None:
    fitted = pipeline.make_pipeline(step, linear_model.LogisticRegression()).fit(rows, LABELS)
    assert sklearn_columns.needs_frame(fitted) is expected


WORDS = pipeline.make_pipeline(
    impute.SimpleImputer(strategy="most_frequent"), preprocessing.OneHotEncoder()
)


@pytest.mark.parametrize(
    "selected", [["town"], [1], slice("town", "town"), [False, True, False, False]]
)
def test_columns_whose_encoder_learned_words_hold_text(selected: Any) -> None:
    found = columns(
        ("n", preprocessing.StandardScaler(), ["age"]),
        ("w", preprocessing.OneHotEncoder(), selected),
    )
    assert sklearn_columns.text_columns(found.fit(FRAME, LABELS), NAMES) == {"town": "oslo"}


def test_it_is_found_behind_imputers_and_searches_and_not_in_numbers() -> None:
    found = columns(
        ("w", WORDS, ["note"]),
        ("c", preprocessing.OneHotEncoder(), ["size"]),
        ("t", texts.CountVectorizer(), "note"),
    )
    searched = model_selection.GridSearchCV(found, {"logisticregression__C": [1.0]}, cv=2).fit(
        FRAME, [0, 1, 1, 0]
    )
    assert sklearn_columns.text_columns(searched, NAMES) == {"note": ""}
    alone = pipeline.make_pipeline(
        preprocessing.OrdinalEncoder(), linear_model.LogisticRegression()
    ).fit(FRAME[["note"]], LABELS)
    assert sklearn_columns.text_columns(alone, ("note",)) == {"note": "bad"}
    assert (
        sklearn_columns.text_columns(linear_model.LogisticRegression().fit(ROWS, LABELS), ()) == {}
    )


def test_a_vectorizer_in_front_takes_texts() -> None:
    assert sklearn_columns.takes_texts(
        pipeline.make_pipeline(texts.CountVectorizer(), linear_model.LogisticRegression())
    )
    assert not sklearn_columns.takes_texts(linear_model.LogisticRegression())


def test_it_is_found_in_boosted_trees_with_categories() -> None:
    frame = pandas.DataFrame({"age": [1.0, 2.0] * 20, "town": ["oslo", "rome"] * 20})
    boosted = ensemble.HistGradientBoostingClassifier(categorical_features=["town"], max_iter=2)
    boosted.fit(frame, [0, 1] * 20)
    assert sklearn_columns.text_columns(boosted, ("age", "town")) == {"town": "oslo"}
