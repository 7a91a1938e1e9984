"""PMML documents, read once and safely."""

import pytest

from predictor.errors import LoadError
from predictor.pmml_files import read
from tests.predictor.pmml_documents import LAUGHS, LOGISTIC, OUTSIDE, TREE, forest


def test_what_the_document_says() -> None:
    found = read(TREE.encode())
    assert (found.version, found.model, found.function) == ("4.4", "TreeModel", "classification")
    assert (found.target, found.inputs, found.outputs) == ("y", ["a", "b"], [])
    assert found.fields["y"].datatype == "string"
    assert read(forest("average", "regression").encode()).methods == {"average"}
    output = '<Output><OutputField name="p" feature="probability" value="yes"/></Output>'
    [one] = read(
        LOGISTIC.replace("<RegressionTable", output + "<RegressionTable", 1).encode()
    ).outputs
    assert (one.name, one.feature, one.value) == ("p", "probability", "yes")


@pytest.mark.parametrize("text", [LAUGHS, OUTSIDE, "<!DOCTYPE PMML SYSTEM 'http://x/'><PMML/>"])
def test_entities_are_refused_before_they_are_read(text: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(LoadError, match="declares a document type"):
            read(text.encode(encoding))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<PMML", "is not well-formed XML"),
        (TREE[: len(TREE) // 2], "is not well-formed XML"),
        ("", "is not well-formed XML"),
        ("<a/>", "is XML, but no PMML: it starts with <a>"),
        ("<PMML version='4.4'><Header/></PMML>", "without a model"),
        ("<PMML version='4.4'><TreeModel/><TreeModel/></PMML>", "holds two models"),
        ("<PMML version='4.4'>" + "<TreeModel>" * 600, "nested deeper than 512"),
        ("<?xml version='1.0' encoding='utf-7'?><PMML/>", "is not well-formed XML"),
    ],
)
def test_what_is_none_is_said(text: str, said: str) -> None:
    with pytest.raises(LoadError, match=said):
        read(text.encode())


def test_a_document_that_is_too_large_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictor.pmml_files.BYTES_MAX", 100)
    with pytest.raises(LoadError, match="is larger than"):
        read(TREE.encode())


def test_the_middle_of_a_field_is_that_of_its_first_closed_interval() -> None:
    dictionary = (
        '<DataField name="a"><Interval leftMargin="1"/><Interval leftMargin="1" rightMargin="4"/>'
        '<Interval leftMargin="8" rightMargin="9"/></DataField>'
        '<DataField name="b"><Interval leftMargin="x" rightMargin="4"/></DataField>'
        '<DataField name="c"/>'
    )
    text = f"<PMML version='4.2'><DataDictionary>{dictionary}</DataDictionary><TreeModel/></PMML>"
    found = read(text.encode()).fields
    assert {name: one.middle for name, one in found.items()} == {"a": 2.5, "b": None, "c": None}
