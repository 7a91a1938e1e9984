"""The Python that titus makes of a PFA document, checked before it runs.

For: a document that brings code of its own is refused, not executed.
Must not know: PFA, titus, models.

titus writes a class as text and executes it. It pastes some texts of the document in between
quotes without escaping them: a comment in a type can end the quote and call what it likes. What
titus itself writes needs few names, few attributes and no built-ins that reach anything; whatever
else is in the text came with the document.
"""

import ast
import builtins
from collections.abc import Collection
from typing import Any

from predictor.errors import LoadError

_BUILT_IN = ("__build_class__", "Exception", "KeyError", "float", "len", "set")
_LOCALS = frozenset(("self", "state", "scope", "input", "last", "cell", "pool", "p", "check"))
_ARGUMENTS = frozenset(
    [
        "cells",
        "pools",
        "config",
        "options",
        "log",
        "emit",
        "zero",
        "instance",
        "rand",
        "name",
        "item",
        "tallyOne",
        "tallyTwo",
        "__name__",
    ]
)
_ATTRIBUTES = frozenset(
    [
        "actionsStarted",
        "actionsFinished",
        "cells",
        "pools",
        "config",
        "inputType",
        "outputType",
        "options",
        "log",
        "emit",
        "instance",
        "rand",
        "callGraph",
        "tally",
        "f",
        "parser",
        "input",
        "output",
        "values",
        "maybeSaveBackup",
        "maybeRestoreBackup",
        "let",
        "get",
        "set",
        "update",
        "value",
        "name",
        "version",
        "metadata",
        "pooldel",
        "engine",
    ]
)
_MATHEMATICS = "math"
_NODES: tuple[type[ast.AST], ...] = (
    *(ast.Module, ast.ClassDef, ast.FunctionDef, ast.Lambda, ast.arguments, ast.arg),
    *(ast.Assign, ast.AugAssign, ast.Expr, ast.Return, ast.Pass, ast.Delete, ast.Raise),
    *(ast.If, ast.For, ast.Try, ast.ExceptHandler, ast.Call, ast.Attribute, ast.Name),
    *(ast.Constant, ast.Dict, ast.List, ast.Set, ast.Tuple, ast.Subscript, ast.Slice),
    *(ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.IfExp),
    *(ast.boolop, ast.operator, ast.unaryop, ast.cmpop, ast.expr_context),
)
_METHODS = frozenset(("__init__", "initialize", "begin", "action", "merge", "end", "pooldel"))


def execute(code: str, sandbox: dict[str, Any]) -> None:
    """Run it with the names of `sandbox` and few others; LoadError where it is not titus's own."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise LoadError(f"makes code that Python cannot read: {error}") from None
    _check(tree, {*sandbox, *_LOCALS, *_ARGUMENTS, *_BUILT_IN})
    sandbox["__builtins__"] = {name: getattr(builtins, name) for name in _BUILT_IN}
    sandbox["__name__"] = "relight_pfa"
    exec(compile(tree, "<PFA>", "exec"), sandbox)  # noqa: S102 - what was checked above


def _check(tree: ast.AST, names: Collection[str]) -> None:
    for node in ast.walk(tree):
        problem = ""
        if not isinstance(node, _NODES):
            problem = type(node).__name__
        elif isinstance(node, ast.Name):
            problem = "" if node.id in names else node.id
        elif isinstance(node, ast.Attribute):
            problem = "" if _is_known(node) else f".{node.attr}"
        elif isinstance(node, ast.FunctionDef):
            is_plain = node.name in _METHODS and not node.decorator_list
            problem = "" if is_plain else f"def {node.name}"
        elif isinstance(node, ast.ClassDef):
            is_plain = not node.decorator_list and not node.keywords
            problem = "" if is_plain else f"class {node.name}"
        if problem:
            raise LoadError(
                f"holds code of its own, not only PFA: what titus makes of it uses '{problem}'; "
                "it was not run"
            )


def _is_known(node: ast.Attribute) -> bool:
    if isinstance(node.value, ast.Name) and node.value.id == _MATHEMATICS:
        return not node.attr.startswith("_")
    return node.attr in _ATTRIBUTES
