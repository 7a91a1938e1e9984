"""The document of many models: valid, and true to what is said of one. See also test_packed.py."""

from typing import Any

import pytest

from predictor import openapi_many, routes


@pytest.mark.parametrize("revision", ["", "fleet-00001"])
@pytest.mark.parametrize("names", [[], ["a", "b"]])
def test_it_is_an_openapi_document(names: list[str], revision: str) -> None:
    found = openapi_many.document(names, revision=revision)
    pytest.importorskip("openapi_spec_validator").validate(found)


def test_it_has_the_paths_of_a_model_with_a_name_to_fill_in() -> None:
    found: dict[str, Any] = openapi_many.document(["a", "b"], revision="fleet-00001")["paths"]
    table = routes.table("{model}", "fleet-00001")
    assert set(found) == {path.decode() for path in table}
    infer = found["/v2/models/{model}/versions/fleet-00001/infer"]
    (name,) = infer["parameters"]
    assert name["schema"] == {"type": "string", "enum": ["a", "b"]}
    assert "parameters" not in found["/v2"]
    assert "post" in found["/v2/repository/models/{model}/unload"]


def test_a_model_may_explain_itself_in_its_own_words() -> None:
    schemas = openapi_many.document([], revision="")["components"]["schemas"]
    assert schemas["ExplainV1Response"]["properties"]["explanations"] == {}
    assert "samples" in schemas["ExplainV1Request"]["properties"]["parameters"]["properties"]
