from api import refusals
from api.openapi import record
from api.pod_schemas import LIMITS, POD_SPEC
from api.shapes import Shape, compiled


def test_a_field_is_served_or_refused_but_not_both() -> None:
    def check(shape: Shape) -> int:
        assert not shape.fields.keys() & shape.refused.keys()
        inner = [*shape.fields.values(), *([shape.items] if shape.items else [])]
        return bool(shape.refused) + sum(map(check, inner))

    shape = compiled(record("R.", {**POD_SPEC, **LIMITS}), refusals.REVISION_SPEC)
    assert check(shape) == len(refusals.REVISION_SPEC), "a path of the table leads nowhere"


def test_every_refusal_gives_a_reason() -> None:
    for fields in refusals.REVISION_SPEC.values():
        for name, given in fields.items():
            assert given[0].why or given[0].details, name
