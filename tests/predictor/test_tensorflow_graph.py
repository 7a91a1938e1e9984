"""Which operators serving runs, on graphs made of plain objects as protobuf's are."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest

from predictor.tensorflow_graph import touching


def attribute(*functions: str, stream: bytes = b"") -> Any:
    named = [SimpleNamespace(name=name) for name in functions]
    first = named[0] if named else SimpleNamespace(name="")
    return SimpleNamespace(func=first, list=SimpleNamespace(func=named[1:]), s=stream)


def node(name: str, op: str, *inputs: str, **attributes: Any) -> Any:
    known = defaultdict(attribute, attributes)
    return SimpleNamespace(name=name, op=op, input=list(inputs), attr=known)


def names(*tensors: str) -> Any:
    return SimpleNamespace(outputs={name: SimpleNamespace(name=name) for name in tensors})


def graph(*nodes: Any, restore: str = "", init: str = "", **functions: list[Any]) -> Any:
    library = [
        SimpleNamespace(signature=SimpleNamespace(name=name), node_def=inner)
        for name, inner in functions.items()
    ]
    return SimpleNamespace(
        graph_def=SimpleNamespace(node=nodes, library=SimpleNamespace(function=library)),
        signature_def={"__saved_model_init_op": names(init)} if init else {},
        collection_def={},
        saver_def=SimpleNamespace(restore_op_name=restore),
    )


WRITE = node("w", "WriteFile", "x")


@pytest.mark.parametrize(
    ("found", "of"),
    [
        ([], graph(node("y", "MatMul", "x:0"), node("s", "SaveV2"), WRITE)),
        (["WriteFile"], graph(node("y", "Add", "x", "^w"), WRITE)),
        (["WriteFile"], graph(node("y", "Add"), WRITE, restore="w")),
        (["WriteFile"], graph(node("y", "Add"), WRITE, init="w:0")),
        (["SaveV2"], graph(node("y", "Call", f=attribute("f")), f=[node("a", "SaveV2")])),
        (["PyFunc"], graph(node("y", "If", f=attribute("g", "f")), f=[node("a", "PyFunc")])),
        (["ReadFile"], graph(node("y", "f"), f=[node("a", "g")], g=[node("b", "ReadFile")])),
        (["TFRecordDataset"], graph(node("y", "Get", "d"), node("d", "TFRecordDataset"))),
        ([], graph(node("y", "PrintV2", output_stream=attribute(stream=b"stderr")))),
        (["PrintV2"], graph(node("y", "PrintV2", output_stream=attribute(stream=b"file:///x")))),
        ([], graph(node("y", "f", "y"), f=[node("y", "f")])),  # calls itself
    ],
)
def test_only_what_serving_runs_is_looked_at(found: list[str], of: Any) -> None:
    assert touching(of, names("y:0")) == found


def test_the_initialisation_of_tensorflow_1_counts() -> None:
    of = graph(node("y", "Add"), WRITE)
    of.collection_def["legacy_init_op"] = SimpleNamespace(node_list=SimpleNamespace(value=["w"]))
    assert touching(of, names("y:0")) == ["WriteFile"]
