"""The house rules that a machine can check: sizes, headers, mirrors, banned words."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = [
    *("relight", "embedded", "activator", "autoscaler", "controller"),
    *("predictor", "cluster", "wire", "api", "telemetry"),
]
LINES_MAX = 400
FUNCTION_LINES_MAX = 60
BANNED_NAMES = {"utils", "common", "helpers", "manager2", "base", "misc"}

# Modules that need no test module of their own: maps of names, and programs' entries that the
# end-to-end tests run.
UNMIRRORED = {
    "api/keys.py": "names only",
    "api/crd_rules.py": "texts only: test_crds.py, and tests/conformance on a real server",
    "api/container_schemas.py": "descriptions only: test_schemas.py and test_coverage.py walk them",
    "api/kinds.py": "names only",
    "api/placement_schemas.py": "descriptions only, walked likewise",
    "api/pod_schemas.py": "descriptions only, walked likewise",
    "activator/sides.py": "ports: test_endpoints.py and test_proxy.py stand on either side",
    "api/volume_schemas.py": "descriptions only, walked likewise",
    "autoscaler/neighbours.py": "ports: beside.py stands on one side, and server.py on the other",
    "autoscaler/reasons.py": "names only",
    "predictor/loaded.py": "one shape",
    "cluster/client.py": "a port: every client is tested against it",
}

# Tests of several modules together.
TABLES = {
    "test_conditions_table.py": "every condition, whichever planner says it",
    "test_exports.py": "objects of a cluster with Knative, whichever parser reads them",
    "test_messages.py": "every message of Knative's, whichever check says it",
    "test_round_trip.py": "objects that go to a cluster with Knative and back",
    "test_twin.py": "class kpa as a whole, against another implementation of it",
    "test_voyages.py": "class relight as a whole, in a closed loop",
}


def modules() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if path.name != "__init__.py"]


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", modules(), ids=ids)
def test_a_module_says_what_it_is_for_and_what_it_must_not_know(path: Path) -> None:
    header = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert "For: " in header, "the header has no 'For:'"
    assert "Must not know: " in header, "the header has no 'Must not know:'"


@pytest.mark.parametrize("path", modules(), ids=ids)
def test_a_module_and_its_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", modules(), ids=ids)
def test_a_module_is_named_for_its_idea(path: Path) -> None:
    assert path.stem not in BANNED_NAMES


@pytest.mark.parametrize("path", modules(), ids=ids)
def test_a_module_has_a_test_of_its_own(path: Path) -> None:
    relative = path.relative_to(ROOT)
    mirror = ROOT / "tests" / relative.parent / f"test_{relative.name.replace('__main__', 'main')}"
    if str(relative) in UNMIRRORED:
        assert not mirror.exists(), "it has a test: take it off the list"
    else:
        assert mirror.exists(), f"{mirror.relative_to(ROOT)} is missing"


def test_no_file_speaks_of_places_users_do_not_have() -> None:
    # Tests and benchmarks may use the founders' shared data, and skip without it.
    found = subprocess.run(
        [
            "git",
            "grep",
            "-nE",
            r"\.\./shared|\.library",
            "--",
            ".",
            ":!tests",
            ":!benchmarks",
            ":!hack/cluster.sh",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


def test_every_test_file_mirrors_a_module() -> None:
    strays = [
        str(path.relative_to(ROOT))
        for folder in FOLDERS
        for path in (ROOT / "tests" / folder).glob("test_*.py")
        if path.name not in TABLES
        and not (ROOT / folder / path.name.removeprefix("test_")).exists()
        and not (
            ROOT / folder / f"__{path.name.removeprefix('test_').removesuffix('.py')}__.py"
        ).exists()
    ]
    assert strays == []
