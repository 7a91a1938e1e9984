from api import openapi


def test_each_form() -> None:
    assert openapi.record(
        "R.",
        {
            "t": openapi.text("T."),
            "i": openapi.integer("I.", minimum=0),
            "b": openapi.boolean("B."),
            "a": openapi.array("A.", openapi.STRING),
            "m": openapi.mapping("M.", openapi.QUANTITY),
            "c": openapi.text("C.", enum=("x", "y")),
            "q": openapi.quantity("Q."),
            "p": openapi.port("P."),
        },
        required=("t",),
    ) == {
        "type": "object",
        "description": "R.",
        "required": ["t"],
        "properties": {
            "t": {"type": "string", "description": "T."},
            "i": {"type": "integer", "format": "int64", "description": "I.", "minimum": 0},
            "b": {"type": "boolean", "description": "B."},
            "a": {"type": "array", "description": "A.", "items": {"type": "string"}},
            "m": {
                "type": "object",
                "description": "M.",
                "additionalProperties": openapi.QUANTITY,
            },
            "c": {"type": "string", "description": "C.", "enum": ["x", "y"]},
            "q": {**openapi.QUANTITY, "description": "Q."},
            "p": {
                "description": "P.",
                "anyOf": [{"type": "integer"}, {"type": "string"}],
                "x-kubernetes-int-or-string": True,
            },
        },
    }


def test_nothing_is_required_unless_said() -> None:
    assert "required" not in openapi.record("R.", {})


def test_lists_and_maps_are_one_value_unless_they_say_otherwise() -> None:
    assert openapi.keyed("K.", openapi.STRING, by=("name",)) == {
        **openapi.array("K.", openapi.STRING),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    assert openapi.whole({"type": "object"})["x-kubernetes-map-type"] == "atomic"
