"""Children are written one by one; a refusal of one is noted and stops no other."""

from collections.abc import Callable
from typing import Any

import pytest

from api.kinds import SERVICES
from cluster.errors import (
    ApiError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    UnavailableError,
)
from controller.inference_writing import carry_out_each, without_writes
from controller.plan import Note, Plan, Write
from controller.reconciler import RefusedError, StaleError, Writer
from tests.controller.objects import a_service


class Client:
    def __init__(self, fate: Callable[[str], ApiError | None]) -> None:
        self.fate = fate
        self.written: list[str] = []

    async def create(self, resource: Any, obj: Any) -> Any:
        return self._write(obj)

    async def replace(self, resource: Any, obj: Any, *, subresource: str = "") -> Any:
        return self._write(obj)

    def _write(self, obj: Any) -> Any:
        error = self.fate(obj["metadata"]["name"])
        if error is not None:
            raise error
        self.written.append(obj["metadata"]["name"])
        return obj


class Events:
    def normal(self, *_: Any) -> None: ...

    def warning(self, *_: Any) -> None: ...


def write(name: str) -> Write:
    return Write(resource=SERVICES, object=a_service(name))


PLAN = Plan(
    creates=(write("a"), write("b")),
    updates=(write("c"),),
    status={"x": 1},
    notes=(Note(type="Normal", reason="r", message="m"),),
)


async def carried_out(fate: Callable[[str], ApiError | None]) -> tuple[list[str], dict[str, str]]:
    client = Client(fate)
    writer = Writer(client, Events())  # type: ignore[arg-type] # it only writes
    refused = await carry_out_each(writer, a_service("iris"), PLAN)
    return client.written, refused


async def test_all_are_written() -> None:
    assert await carried_out(lambda name: None) == (["a", "b", "c"], {})


@pytest.mark.parametrize("error", [BadRequestError, ForbiddenError, InvalidError])
@pytest.mark.parametrize("name", ["a", "c"])
async def test_a_refusal_is_noted(error: type[ApiError], name: str) -> None:
    written, refused = await carried_out(lambda each: error("no") if each == name else None)
    assert written == [each for each in ("a", "b", "c") if each != name]
    assert refused == {name: "no"}


@pytest.mark.parametrize("error", [ConflictError, UnavailableError])
async def test_what_may_pass_is_raised(error: type[ApiError]) -> None:
    with pytest.raises((StaleError, RefusedError, ApiError)):
        await carried_out(lambda each: error("later") if each == "c" else None)


def test_what_is_left() -> None:
    left = without_writes(PLAN)
    assert (left.creates, left.updates) == ((), ())
    assert (left.status, left.notes) == (PLAN.status, PLAN.notes)
