"""baseline.json: the rows that a model's explanations start from, stored beside it.

For: attributions against what is usual, such as the mean of the training rows, not zeros.
Must not know: files, which model, or what the rows are compared with.

One row or up to 100: a list of values each, in the order of the columns, or an object by name. An
item of several axes, such as an image, is nested as it is; one whose first axis has more than 100
values, and the second no more axes, is said by the name of its input, to be no list of rows.
"""

import json
from typing import Any

from predictor import datatypes
from predictor.errors import LoadError
from predictor.explain_requests import BASELINE_ROWS_MAX


def parse(text: str, *, where: str) -> Any:
    """As it stands; LoadError says what is wrong. Names and widths are checked with a request."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{where} is not JSON: {error}") from None
    if not isinstance(said, list | dict) or not said:
        got = "nothing" if said in ([], {}) else datatypes.word(said)
        raise LoadError(f"{where}: expected a row or a list of rows, got {got}")
    if not isinstance(said, list) or not isinstance(said[0], list | dict):
        return said
    is_item = isinstance(said[0], list) and bool(said[0]) and isinstance(said[0][0], list)
    if len(said) > BASELINE_ROWS_MAX and not is_item:
        raise LoadError(f"{where}: expected at most {BASELINE_ROWS_MAX} rows, got {len(said)}")
    for index, row in enumerate(said):
        if type(row) is not type(said[0]) or len(row) != len(said[0]):
            raise LoadError(f"{where}: row {index} is not like the first: of one kind and length")
    return said
