"""Rows as a model takes them: as many as come, one, so many exactly, or none at all.

For: steps of an explanation, which are rows, for models of other shapes.
Must not know: what the rows are, how they are explained, HTTP.

What the first axis is nobody says. Any size, or 1, are rows. Another size that is the first of an
output too is a batch of that size, which is filled up with its last row. Where inputs have fixed
sizes that no output has, a request is one item: an image [3, 224, 224] with its scores [1000].
"""

from typing import NamedTuple

import numpy as np

from predictor.errors import Fault, RequestError
from predictor.explained import Outputs, Steps
from predictor.explanation import Explanation
from predictor.model import Signature
from predictor.protocol import InferRequest


class Rows(NamedTuple):
    """What a run has."""

    most: int
    is_exact: bool = False  # never fewer
    is_item: bool = False  # no rows: one item without an axis of them


def of(signature: Signature | None, rows_max: int) -> Rows:
    """By what the model declares; RequestError where one input has rows and another none."""
    inputs = signature.inputs if signature else ()
    firsts = {spec.shape[0] if spec.shape else 0 for spec in inputs}
    if firsts <= {-1, 1}:
        return Rows(1 if 1 in firsts else rows_max)
    if -1 in firsts:
        spec = next(spec for spec in inputs if not spec.shape or spec.shape[0] not in (-1, 1))
        why = (
            f"input '{spec.name}' has shape {list(spec.shape)}: it does not take single rows, as "
            "another input does"
        )
        raise RequestError(Fault.NOT_EXPLAINED, why=why)
    outputs = {spec.shape[0] for spec in signature.outputs if spec.shape} if signature else set()
    if len(firsts) == 1 and firsts <= outputs:
        return Rows(firsts.pop(), is_exact=True)
    return Rows(1, is_item=True)


def fitted(steps: Steps, rows: Rows) -> Steps:
    """The same steps, in the shape in which the model takes them."""
    if not rows.is_exact and not rows.is_item:
        return (yield from steps)
    try:
        part = next(steps)
        while True:
            try:
                outputs = yield _sent(part, rows)
            except RequestError as error:
                part = steps.throw(error)
            else:
                part = steps.send(_received(part, outputs, rows))
    except StopIteration as over:
        found: list[Explanation] = over.value
        return found


def _sent(part: InferRequest, rows: Rows) -> InferRequest:
    if rows.is_item:
        feeds = {name: np.asarray(array[0]) for name, array in part.feeds.items()}
    else:
        feeds = {
            name: np.concatenate([array, np.repeat(array[-1:], rows.most - len(array), axis=0)])
            for name, array in part.feeds.items()
        }
    return part._replace(feeds=feeds)


def _received(part: InferRequest, outputs: Outputs, rows: Rows) -> Outputs:
    if rows.is_item:
        return {name: np.asarray(array)[None] for name, array in outputs.items()}
    count = len(next(iter(part.feeds.values())))
    return {
        name: array[:count] if array.shape[:1] == (rows.most,) else array
        for name, array in outputs.items()
    }
