"""PFA documents: engines, columns, emitted rows, code that must not run, and what is refused."""

import inspect
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import yaml

from api.modelfiles import Kind
from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded
from tests.predictor.opening import failure, opened, outputs, predictions

pytest.importorskip("titus", reason="pip install 'relight[pfa]'")
POINT = {
    "type": "record",
    "name": "Point",
    "fields": [{"name": "x", "type": "double"}, {"name": "n", "type": "int"}],
}
SUM = {"input": POINT, "output": "double", "action": [{"+": ["input.x", "input.n"]}]}
DOUBLE = {"input": "double", "output": "double", "action": [{"*": ["input", 2]}]}
TREE = {
    "input": POINT,
    "output": "string",
    "cells": {
        "tree": {
            "type": {
                "type": "record",
                "name": "TreeNode",
                "fields": [
                    {"name": "field", "type": {"type": "enum", "name": "F", "symbols": ["x", "n"]}},
                    {"name": "operator", "type": "string"},
                    {"name": "value", "type": ["double", "int"]},
                    {"name": "pass", "type": ["string", "TreeNode"]},
                    {"name": "fail", "type": ["string", "TreeNode"]},
                ],
            },
            "init": {
                "field": "x",
                "operator": "<",
                "value": {"double": 2.5},
                "pass": {"string": "small"},
                "fail": {
                    "TreeNode": {
                        "field": "n",
                        "operator": "<",
                        "value": {"int": 3},
                        "pass": {"string": "few"},
                        "fail": {"string": "many"},
                    }
                },
            },
        }
    },
    "action": [{"model.tree.simpleTree": ["input", {"cell": "tree"}]}],
}


def written(path: Path, document: Any) -> Path:
    path.write_bytes(orjson.dumps(document))
    return path


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def opens(document: Any, *arguments: str) -> Loaded:
        return opened(written(tmp_path / "model.pfa", document), Kind.PFA, *arguments)

    return opens


@pytest.fixture
def refused(tmp_path: Path) -> Any:
    return lambda document: failure(written(tmp_path / "model.pfa", document), Kind.PFA)


def test_the_fields_of_a_record_are_columns(load: Any) -> None:
    loaded = load(SUM)
    assert [(one.name, one.datatype, one.shape) for one in loaded.described.inputs] == [
        ("x", "FP64", (-1,)),
        ("n", "INT32", (-1,)),
    ]
    assert predictions(loaded, b'{"instances": [{"x": 1.5, "n": 2}, {"n": 1, "x": 0}]}') == [3.5, 1]
    assert predictions(loaded, b'{"instances": [[1.5, 2], [0, 1]]}') == [3.5, 1]
    tensors = [
        {"name": "x", "shape": [2, 1], "datatype": "FP64", "data": [1.5, 0]},
        {"name": "n", "shape": [2], "datatype": "INT64", "data": [2, 1]},
    ]
    found = outputs(loaded, orjson.dumps({"inputs": tensors}))
    assert found["output-0"]["data"] == [3.5, 1.0]
    assert loaded.facts == {"engine": "titus2", "method": "map"}
    assert loaded.is_rowwise


def test_what_titus_misses_is_lent_to_it_alone(load: Any) -> None:
    load(DOUBLE)
    assert not hasattr(inspect, "getargspec")
    assert "float_" not in vars(np)


def test_a_tree_of_the_library_answers(load: Any) -> None:
    body = b'{"instances": [{"x": 1, "n": 9}, {"x": 3, "n": 1}, {"x": 3, "n": 5}]}'
    assert predictions(load(TREE), body) == ["small", "few", "many"]


@pytest.mark.parametrize(
    ("avro", "given", "expected"),
    [
        ("boolean", np.array([True]), [True]),
        ("long", np.array([2**40]), [2**40]),
        ("long", np.array([2.0]), [2]),
        ("float", np.array([1.5], np.float32), [1.5]),
        ("string", np.array(["é"], object), ["é"]),
        ({"type": "array", "items": "double"}, np.array([[1.0, 2.0]]), [[1.0, 2.0]]),
        (["null", "double"], np.array([1.5]), [1.5]),
        ({"type": "map", "values": "int"}, np.array(['{"a": 1}'], object), ['{"a":1}']),
        (["null", "string"], np.array(['{"string": "a"}'], object), ['"a"']),
    ],
)
def test_every_avro_type_has_its_tensor(load: Any, avro: Any, given: Any, expected: Any) -> None:
    loaded = load({"input": avro, "output": avro, "action": ["input"]})
    found = loaded.run({"anything": given}, None)["output-0"]
    assert found.tolist() == expected
    [spec] = loaded.described.outputs
    assert len(spec.shape) == found.ndim


def test_nan_is_null_where_the_type_has_null(load: Any) -> None:
    loaded = load({"input": ["null", "double"], "output": ["null", "double"], "action": ["input"]})
    assert np.isnan(loaded.run({"x": np.array([np.nan])}, None)["output-0"][0])


def test_a_record_gives_an_output_a_field(load: Any) -> None:
    out = {"type": "record", "name": "Out", "fields": [{"name": "sum", "type": "double"}]}
    out["fields"] += [{"name": "word", "type": "string"}]  # type: ignore[operator]
    new = {"new": {"sum": "input.x", "word": ["yes"]}, "type": "Out"}
    document = {"input": POINT, "output": out, "action": [new]}
    document["action"] = [{"new": {"sum": "input.x", "word": {"string": "yes"}}, "type": "Out"}]
    loaded = load(document)
    body = b'{"instances": [{"x": 1.5, "n": 2}]}'
    assert predictions(loaded, body) == [{"sum": 1.5, "word": "yes"}]
    assert loaded.run({"i": np.zeros((0, 2))}, ("sum",))["sum"].shape == (0,)


def test_what_is_emitted_says_from_which_row(load: Any) -> None:
    often = {
        "input": "int",
        "output": "double",
        "method": "emit",
        "action": [
            {"for": {"i": 0}, "while": {"<": ["i", "input"]}, "step": {"i": {"+": ["i", 1]}},
             "do": {"emit": {"*": ["i", 1.5]}}}
        ],
    }  # fmt: skip
    loaded = load(often)
    found = loaded.run({"n": np.array([2, 0, 1])}, None)
    assert found["output-0"].tolist() == [0.0, 1.5, 0.0]
    assert found["row"].tolist() == [0, 0, 2]
    assert not loaded.is_rowwise
    assert [one.name for one in loaded.described.outputs] == ["output-0", "row"]


def test_begin_runs_once_and_changing_cells_are_told(load: Any) -> None:
    counting = {
        "input": "int",
        "output": "int",
        "cells": {"n": {"type": "int", "init": 5}},
        "begin": [{"cell": "n", "to": 10}],
        "action": [{"cell": "n", "to": {"params": [{"old": "int"}], "ret": "int",
                                        "do": {"+": ["old", "input"]}}}, {"cell": "n"}],
    }  # fmt: skip
    loaded = load(counting)
    assert loaded.facts["state"] == "of this replica"
    assert loaded.run({"x": np.array([1, 2])}, None)["output-0"].tolist() == [11, 13]


def test_functions_of_the_documents_own(load: Any) -> None:
    twice = {"params": [{"x": "double"}], "ret": "double", "do": [{"*": ["x", 2]}]}
    document = {**DOUBLE, "fcns": {"twice": twice}, "action": [{"u.twice": ["input"]}]}
    assert load(document).run({"x": np.array([4.0])}, None)["output-0"].tolist() == [8.0]


def test_yaml_is_read_as_json_is(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(yaml.safe_dump(TREE))
    body = b'{"instances": [{"x": 3, "n": 5}]}'
    assert predictions(opened(path, Kind.PFA), body) == ["many"]
    path.write_text("a: &a [1, 1]\nb: [*a, *a]\n")
    assert "it has an alias" in failure(path, Kind.PFA)
    path.write_text(f"!!python/object/apply:os.mkdir ['{tmp_path}/proof']")
    assert "is not valid YAML" in failure(path, Kind.PFA)
    assert not (tmp_path / "proof").exists()


def smuggling(proof: Path) -> dict[str, Any]:
    """A document whose comment ends the quote that titus puts around it, and goes on as Python."""
    code = f"' + str(__import__('os').mkdir('{proof}')) + '"
    record = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "double"}]}
    record["fields"][0]["doc"] = code  # type: ignore[index]
    asked = {"ifnotnull": {"x": "input"}, "then": "x.a", "else": 1.0}
    return {"input": ["null", record], "output": "double", "action": [asked]}


def test_code_in_a_document_does_not_run(refused: Any, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    said = refused(smuggling(proof))
    assert "holds code of its own" in said
    assert "it was not run" in said
    assert not proof.exists()


def test_without_our_check_that_code_would_run(tmp_path: Path, load: Any) -> None:
    """The document works: the test above can fail."""
    load(DOUBLE)
    genpy: Any = sys.modules["titus.genpy"]
    ours, genpy.exec = genpy.exec, exec
    try:
        [engine] = genpy.PFAEngine.fromJson(smuggling(tmp_path / "proof"))
        engine.action({"R": {"a": 1.0}})
    finally:
        genpy.exec = ours
    assert (tmp_path / "proof").exists()


@pytest.mark.parametrize("source", ["json", "avro"])
@pytest.mark.parametrize("part", ["cells", "pools"])
def test_nothing_is_read_but_the_document(refused: Any, source: str, part: str) -> None:
    cell = {"type": "double", "init": "file:///etc/hostname", "source": source}
    said = refused({**DOUBLE, part: {"c": cell}})
    assert f"reads the {part[:-1]} 'c' from elsewhere (source: {source})" in said


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([1], "is not valid YAML"),
        ({"input": "double"}, "is no PFA document"),
        (
            {**DOUBLE, "method": "fold", "zero": 0, "merge": [1.0], "action": [1.0]},
            "is of the method fold",
        ),
        ({**DOUBLE, "action": [{"no.such": ["input"]}]}, "unknown function"),
        ({**DOUBLE, "output": "string"}, "is no PFA document that runs here: PFASemantic"),
        ({**DOUBLE, "more": 1}, "PFASyntaxException"),
        ({**DOUBLE, "begin": [{"error": "no"}]}, "PFAUserException"),
    ],
)
def test_what_can_not_be_served_is_said(refused: Any, document: Any, said: str) -> None:
    if document == [1]:
        said = "is no PFA document"
    assert said in refused(document)


def test_a_file_that_is_cut_or_too_deep_is_said(tmp_path: Path) -> None:
    path = tmp_path / "m.pfa"
    for text, said in (
        ('{"input": "double", ', "is not valid JSON"),
        ('{"input": ' + "[" * 5000, "is not valid JSON"),
        ("[" * 5000, "is not valid YAML"),
        ("input: [", "is not valid YAML"),
    ):
        path.write_text(text)
        assert said in failure(path, Kind.PFA)
    assert "cannot read" in failure(tmp_path / "nothing", Kind.PFA)


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({"x": np.ones(1)}, "missing input 'n': the model takes x, n, got x"),
        ({"x": np.ones(1), "y": np.ones(1)}, "unknown input 'y': the model takes x, n"),
        ({"x": np.ones(1), "n": np.ones(2)}, "'rows' is 1 in 'x'"),
        ({"x": np.ones((1, 2)), "n": np.ones(1)}, "input 'x': expected shape"),
        ({"i": np.ones((1, 3))}, r"input 'i': expected shape \[-1, 2\]"),
        ({"x": np.ones(1), "n": np.array([0.5])}, "input 'n': expected whole numbers for INT32"),
        ({"x": np.array(["a"], object), "n": np.ones(1)}, "input 'x': expected numbers"),
    ],
)
def test_bad_input_is_refused_by_name(load: Any, feeds: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        load(SUM).run(feeds, None)
    assert caught.value.status == 400


def test_json_that_is_none_is_refused(load: Any) -> None:
    of_map = {"type": "map", "values": "int"}
    loaded = load({"input": of_map, "output": of_map, "action": ["input"]})
    for text, said in (("{", "expected JSON text"), ('{"a": "x"}', "the model: expecting")):
        with pytest.raises(RequestError, match=said) as caught:
            loaded.run({"x": np.array([text], object)}, None)
        assert caught.value.status == 400


def test_what_the_document_refuses_is_the_callers_and_time_is_limited(load: Any) -> None:
    never = {"if": {"<": ["input", 0]}, "then": {"error": "below zero"}, "else": "input"}
    loaded = load({**DOUBLE, "action": [never]})
    with pytest.raises(RequestError, match=r"the model: .*below zero") as caught:
        loaded.run({"x": np.array([-1.0])}, None)
    assert caught.value.status == 400
    endless = {"while": True, "do": ["input"]}
    loaded = load({**DOUBLE, "action": [endless, "input"], "options": {"timeout": 30}})
    with pytest.raises(RequestError, match="PFATimeoutException") as caught:
        loaded.run({"x": np.array([1.0])}, None)
    assert caught.value.status == 500


def test_an_end_is_told_and_its_log_goes_to_ours(
    load: Any, caplog: pytest.LogCaptureFixture
) -> None:
    talking = {**DOUBLE, "action": [{"log": ["input"]}, "input"], "end": [{"log": [{"+": [1, 1]}]}]}
    with caplog.at_level(logging.INFO):
        load(talking).run({"x": np.array([1.5])}, None)
    assert "has an `end`, which a server never reaches" in caplog.text
    assert "the document says: 1.5" in caplog.text


def test_lists_of_different_lengths_are_no_tensor(load: Any) -> None:
    of_list = {"type": "array", "items": "int"}
    split = {"a.subseq": ["input", 0, {"attr": "input", "path": [0]}]}
    loaded = load({"input": of_list, "output": of_list, "action": [split]})
    assert loaded.run({"x": np.array([[1, 2, 3]])}, None)["output-0"].tolist() == [[1]]
    with pytest.raises(RequestError, match="lists of different lengths"):
        loaded.run({"x": np.array([[1, 2], [2, 1]])}, None)


def test_a_missing_library_says_which_extra(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "titus.genpy", None)
    with pytest.raises(LoadError, match=r"pip install 'relight\[pfa\]'"):
        load(DOUBLE)
