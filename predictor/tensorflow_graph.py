"""Which operators of a SavedModel run when it is loaded and asked, and which of them touch files.

For: consent before a graph that could read, write or call anything but numbers.
Must not know: TensorFlow's library, settings, or how a model is run; the graph is given, parsed.

Every SavedModel has operators that save its variables, which serving never runs: only what a
signature's outputs, the initialisation and the restoring of variables lead to is looked at.
"""

import re
from collections.abc import Iterator
from typing import Any

_TOUCHES = re.compile(
    r"(WriteFile|ReadFile|MatchingFiles|Save\w*|MergeV2Checkpoints|ImmutableConst|EagerPyFunc"
    r"|PyFunc\w*|Debug\w+|Rpc\w*|\w*Reader(V2)?|\w*Dataset\w*|\w*Summary\w*)"
)
_TO_FILE = b"file://"  # PrintV2's output_stream
_INIT_OP = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")


def touching(graph: Any, signature: Any) -> list[str]:
    """The operators that touch files or call Python, by name, of what serving runs."""
    found = set()
    for node in _run(graph, list(_roots(graph, signature))):
        stream = node.attr["output_stream"].s if node.op == "PrintV2" else b""
        if _TOUCHES.fullmatch(node.op) or stream.startswith(_TO_FILE):
            found.add(node.op)
    return sorted(found)


def _roots(graph: Any, signature: Any) -> Iterator[str]:
    for info in signature.outputs.values():
        yield info.name
    if _INIT_OP in graph.signature_def:
        for info in graph.signature_def[_INIT_OP].outputs.values():
            yield info.name
    for name in _INIT_COLLECTIONS:
        if name in graph.collection_def:
            yield from graph.collection_def[name].node_list.value
    if graph.saver_def.restore_op_name:
        yield graph.saver_def.restore_op_name


def _run(graph: Any, names: list[str]) -> Iterator[Any]:
    """The nodes that lead to some, and every node of every function that those call."""
    nodes = {node.name: node for node in graph.graph_def.node}
    defined = getattr(graph.graph_def, "library").function  # noqa: B009 - see tests/test_tidy.py
    functions = {one.signature.name: one for one in defined}
    seen: set[str] = set()
    called: list[str] = []
    while names:
        name = names.pop().lstrip("^").partition(":")[0]
        if name in nodes and name not in seen:
            seen.add(name)
            names += nodes[name].input
            called += _calls(nodes[name])
            yield nodes[name]
    done: set[str] = set()
    while called:
        name = called.pop()
        if name in functions and name not in done:
            done.add(name)
            for node in functions[name].node_def:
                called += _calls(node)
                yield node


def _calls(node: Any) -> list[str]:
    """The functions a node names: in its attributes, or as what it is."""
    found = [node.op]
    for value in node.attr.values():
        found.append(value.func.name)
        found += [one.name for one in value.list.func]
    return found
