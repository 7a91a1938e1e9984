from itertools import pairwise

import pytest

from embedded.duplicates import duplicates

# Nine aliases of nine aliases, eight times over.
LAUGHS = "\n".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]" for before, name in pairwise("abcdefghi")
).encode()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"a": 1, "b": {"a": 1}}', []),
        (b'{"spec": {"x": 1, "x": 2, "x": 3}}', ['duplicate field "spec.x"']),
        (
            b'{"a": [{"b": 1, "b": {"c": 1, "c": 2}}], "a": 1}',
            ['duplicate field "a[0].b"', 'duplicate field "a[0].b.c"', 'duplicate field "a"'],
        ),
        (
            b"spec:\n  x: 1\n  y: [{z: 1, z: 2}]\n  x: 2\n",
            [
                'yaml: unmarshal errors:\n  line 3: key "z" already set in map\n'
                '  line 4: key "x" already set in map'
            ],
        ),
        (b"a: 1\nb: 2\n", []),
        (b"{", []),
        (b"", []),
        (b"[" * 100_000, []),
        (b"a: &a [x, x, {b: 1, b: 2}]\n" + LAUGHS, []),
    ],
)
def test_what_is_said_twice_is_named(body: bytes, found: list[str]) -> None:
    assert duplicates(body) == found
