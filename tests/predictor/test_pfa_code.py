"""What titus writes runs; what a document adds to it does not."""

import math
from typing import Any

import pytest

from predictor.errors import LoadError
from predictor.pfa_code import execute

CLASS = """
class PFA_E(PFAEngine):
    def action(self, input, check=True):
        scope.let({'input': input})
        return %s
"""


class Scope:
    def let(self, names: dict[str, Any]) -> None:
        self.names = names

    def get(self, name: str) -> Any:
        return self.names[name]


def ran(expression: str) -> Any:
    sandbox: dict[str, Any] = {"PFAEngine": object, "math": math, "scope": Scope()}
    execute(CLASS % expression, sandbox)
    return sandbox["PFA_E"]().action(4)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("scope.get('input')", 4),
        ("math.sqrt(scope.get('input'))", 2.0),
        ("(lambda state, scope: scope)(1, 2)", 2),
        ("[1, 2][0:1]", [1]),
        ("len({'a': 1}) + float(2)", 3.0),
    ],
)
def test_what_titus_writes_runs(expression: str, expected: object) -> None:
    assert ran(expression) == expected


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("__import__('os')", "uses '__import__'"),
        ("open('/etc/passwd')", "uses 'open'"),
        ("().__class__.__bases__", "uses '.__bases__'"),
        ("scope.get.__globals__", "uses '.__globals__'"),
        ("'{0.__class__}'.format(self)", "uses '.format'"),
        ("math.__loader__", "uses '.__loader__'"),
        ("[x for x in ()]", "uses 'ListComp'"),
        ("f'{1}'", "uses 'JoinedStr'"),
        ("(a := 1)", "uses 'NamedExpr'"),
        ("1\n    def __del__(self): pass", "uses 'def __del__'"),
        ("1\nimport os", "uses 'Import'"),
        ("1\n@math\nclass PFA_E: pass", "uses 'class PFA_E'"),
        ("'", "makes code that Python cannot read"),
    ],
)
def test_what_a_document_adds_does_not(expression: str, said: str) -> None:
    with pytest.raises(LoadError) as caught:
        ran(expression)
    assert said in str(caught.value)
