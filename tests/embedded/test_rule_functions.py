from typing import Any

import pytest

from embedded.rule_functions import FUNCTIONS


@pytest.mark.parametrize(
    ("name", "arguments", "wanted"),
    [
        ("isSorted", ([1, 2, 2],), True),
        ("isSorted", ([2, 1],), False),
        ("sum", ([1, 2],), 3),
        ("min", ([3, 1],), 1),
        ("max", (3, 1), 3),
        ("indexOf", (["a", "b"], "b"), 1),
        ("indexOf", ("abc", "c"), 2),
        ("lastIndexOf", ([1, 2, 1], 1), 2),
        ("lastIndexOf", ("aba", "a"), 2),
        ("indexOf", ([1], 2), -1),
        ("find", ("abc 123", "[0-9]+"), "123"),
        ("find", ("abc", "[0-9]+"), ""),
        ("findAll", ("1 2 3", "[0-9]"), ["1", "2", "3"]),
        ("findAll", ("1 2 3", "[0-9]", 2), ["1", "2"]),
        ("split", ("a,b,c", ","), ["a", "b", "c"]),
        ("split", ("a,b,c", ",", 2), ["a", "b,c"]),
        ("split", ("a,b", ",", 0), []),
        ("join", (["a", "b"], "-"), "a-b"),
        ("replace", ("aa", "a", "b", 1), "ba"),
        ("lowerAscii", ("AB",), "ab"),
        ("substring", ("abc", 1), "bc"),
        ("charAt", ("abc", 1), "b"),
        ("isURL", ("https://a",), True),
        ("isURL", ("a b",), False),
        ("isIP", ("192.0.2.1",), True),
        ("isCIDR", ("192.0.2.0/33",), False),
        ("quantity", ("1Ki",), 1024.0),
        ("isQuantity", ("1x",), False),
        ("compareTo", (1.0, 2.0), -1),
        ("sign", (3.0,), 1),
    ],
)
def test_functions_answer_as_in_kubernetes(
    name: str, arguments: tuple[Any, ...], wanted: Any
) -> None:
    assert FUNCTIONS[name](*arguments) == wanted


@pytest.mark.parametrize(("name", "arguments"), [("quantity", ("x",)), ("substring", ("a", 2))])
def test_what_has_no_answer_is_an_error(name: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"quantities|range"):
        FUNCTIONS[name](*arguments)
