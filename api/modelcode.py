"""Which files a model in Python is made of: its own, and the neighbours it imports.

For: pinning such a model with the code beside it.
Must not know: how files are read, or what the code does when it runs.

What an import statement names and lies beside the file is pinned, at any depth. What is imported
by other means, installed packages and files that the code opens are not.
"""

import ast
from collections.abc import Iterator

from api.modeldigests import Pin, Readable, pinned
from api.modelfiles import ModelFileError
from api.modellayouts import Entries, join, visible

_FILES_MAX = 1000


def pin_code(files: Readable, name: str) -> Pin:
    """A Python file and its neighbours, pinned."""
    names: set[str] = set()
    left = [name]
    while left:
        file = left.pop()
        if file in names:
            continue
        names.add(file)
        if len(names) > _FILES_MAX:
            raise ModelFileError(f"imports more than {_FILES_MAX} files beside it")
        for module in _imports(files, file):
            left += _beside(files, module)
    return pinned(files, names, root="", load=name, known={})


def _imports(files: Readable, name: str) -> Iterator[str]:
    """The first part of each module's name that a file imports."""
    try:
        tree = ast.parse(files.text(name))
    except (SyntaxError, ValueError, RecursionError):  # ModelFileError too: said when it is loaded
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def _beside(files: Readable, module: str) -> list[str]:
    """The files of a module that lies beside the model: one, or all of a package's."""
    top = visible(files.entries(""))
    if f"{module}.py" in top.files:
        return [f"{module}.py"]
    return list(_package(files, module)) if module in top.folders else []


def _package(files: Readable, top: str) -> Iterator[str]:
    left: list[tuple[str, Entries]] = [(top, visible(files.entries(top)))]
    while left:
        folder, entries = left.pop()
        yield from (join(folder, name) for name in entries.files if name.endswith(".py"))
        if folder.count("/") < 8:
            paths = [join(folder, name) for name in entries.folders]
            left += [(path, visible(files.entries(path))) for path in paths]
