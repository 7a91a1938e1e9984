"""The table that `make conformance` prints."""

import pytest

from tests.conformance.table import Table, cell_of


@pytest.mark.parametrize(
    ("nodeid", "cell"),
    [
        ("tests/conformance/test_lists.py::test_a_b[call]", ("lists: a b", "call")),
        ("tests/conformance/test_lists.py::test_a[http-in and not in]", None),
        ("tests/conformance/test_x_y.py::test_a[kubernetes-b-c]", ("x y: a (b-c)", "kubernetes")),
        ("tests/conformance/test_kubectl.py::test_a[kubectl-of-python]", ("kubectl: a", "http")),
        (
            "tests/conformance/test_kubectl.py::test_a[kubectl-of-system-b]",
            ("kubectl: a (b)", "http"),
        ),
        ("tests/conformance/test_table.py::test_a[b]", ("table: a (b)", "")),
    ],
    ids=["plain", "words", "dashes", "kubectl", "kubectl with a case", "of no server"],
)
def test_a_test_is_a_cell(nodeid: str, cell: tuple[str, str] | None) -> None:
    assert cell_of(nodeid) == (cell or ("lists: a (in and not in)", "http"))


def test_cases_that_share_a_cell_show_the_worst() -> None:
    table = Table()
    for program in ("python", "system"):
        outcome = "failed" if program == "system" else "passed"
        table.add(f"tests/conformance/test_kubectl.py::test_a[kubectl-of-{program}]", outcome, "")
    table.add("tests/conformance/test_x.py::test_a[call]", "skipped", "Skipped: lacks: http, apps")
    lines = table.lines()
    assert "kubectl: a" in lines[2]
    assert lines[2].rstrip().endswith("NO")
    assert "ours, over HTTP: 0 of 1, 1 FAILED" in lines
    assert "ours, by call: not asked; 1 need what it lacks" in lines
    assert [line.split(":")[0] for line in lines[-2:]] == ["lacks apps", "lacks http"]
