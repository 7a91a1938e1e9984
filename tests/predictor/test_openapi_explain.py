"""Schemas of explanations."""

from contextlib import nullcontext

import jsonschema
import numpy as np
import orjson
import pytest

from predictor import openapi, routes
from predictor.explain_requests import Asked
from tests.predictor.explain_bench import MATRIX, explain, linear, model


def schemas(**fields: object) -> dict[str, object]:
    loaded = model(linear, **{"signature": MATRIX, "described": MATRIX, **fields})
    table = routes.table("m", "m-1")
    document = openapi.document(table, loaded, model_name="m", revision="m-1")
    found: dict[str, object] = orjson.loads(document)
    return found


def check(document: dict[str, object], name: str, value: object) -> None:
    schema = {**document, "$ref": f"#/components/schemas/{name}"}
    jsonschema.Draft202012Validator(schema).validate(value)


def test_answers_are_what_the_schemas_say() -> None:
    document = schemas()
    row = [[1.0, 2.0, 3.0]]
    found = [each.written() for each in explain(model(linear), x=row)]
    check(document, "ExplainV1Response", {"explanations": found})
    check(document, "ExplainResponse", {"model_name": "m", "explanations": found})
    check(document, "ExplainV1Request", {"instances": row, "parameters": {"seed": 1}})
    items = np.ones((1, 3, 8, 8))
    blocks = explain(model(lambda x: x.sum(axis=(1, 2, 3))), Asked(features=4), x=items)
    words = explain(model(lambda t: np.array([len(one) for one in t])), t=np.array(["a b"], object))
    for each in (*blocks, *words):
        check(document, "ExplainV1Response", {"explanations": [each.written()]})
    parameters = {"features": 4, "grid": {"x": [1, 2, 2]}, "unit": "word", "keep": []}
    check(document, "ExplainV1Request", {"instances": row, "parameters": parameters})
    tools = {"content_type": "np", "headers": {"a": 1}, "seed": 2**63 - 1}
    inputs = [{"name": "x", "datatype": "FP64", "shape": [1, 3], "data": row[0]}]
    check(document, "ExplainRequest", {"inputs": inputs, "parameters": tools})
    for wrong in ({"grid": [0]}, {"unit": "letter"}, {"features": 5000}, {"seed": 2**63}, tools):
        with pytest.raises(jsonschema.ValidationError):
            check(document, "ExplainV1Request", {"instances": row, "parameters": wrong})
    with pytest.raises(jsonschema.ValidationError, match="'sed'"):
        check(document, "ExplainV1Request", {"instances": row, "parameters": {"sed": 1}})


def test_a_model_s_own_words_are_free() -> None:
    document = schemas(explain=lambda inputs: {})
    check(document, "ExplainV1Response", {"explanations": {"why": 1}})
    with pytest.raises(jsonschema.ValidationError, match="'seed' was unexpected"):
        check(document, "ExplainRequest", {"inputs": [], "parameters": {"seed": 1}})
    with pytest.raises(jsonschema.ValidationError, match="'seed' was unexpected"):
        check(document, "ExplainV1Request", {"instances": [[1, 2, 3]], "parameters": {"seed": 1}})


def test_nothing_is_explained_by_nothing() -> None:
    for own, is_taken in ((None, False), (lambda inputs: {}, True)):
        document = schemas(signature=None, described=None, explain=own)
        taken = pytest.raises(jsonschema.ValidationError) if not is_taken else nullcontext()
        with taken:
            check(document, "ExplainRequest", {"inputs": []})
        check(document, "InferRequest", {"inputs": []})
