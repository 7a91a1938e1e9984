import pytest

from relight import ended
from relight.errors import FailedError


def row(**changed):  # type: ignore[no-untyped-def] # as the activator tells of one
    whole = {
        "serial": 7,
        "id": "a",
        "namespace": "default",
        "service": "iris",
        "revision": "iris-00001",
        "time": 1_700_000_000.25,
        "held_s": 0.5,
        "executing_s": 0.2,
        "first_byte_s": 0.7,
        "status": 200,
        "ending": "answered",
        "replica": "iris-00001-abc",
        "cold": True,
        "gathered_s": 0.002,
        "bytes_in": 1,
        "bytes_out": 2,
    }
    return {**whole, **changed}


def test_a_row_is_read() -> None:
    found = ended.parse(row())
    assert (found.serial, found.service, found.revision) == (7, "iris", "iris-00001")
    assert (found.time_s, found.held_s, found.executing_s) == (1_700_000_000.25, 0.5, 0.2)
    assert (found.is_cold, found.gathered_s, found.replica) == (True, 0.002, "iris-00001-abc")


@pytest.mark.parametrize(
    ("changed", "is_served"),
    [
        ({}, True),
        ({"status": 404}, False),
        ({"grpc_status": "UNAVAILABLE"}, False),
        ({"executing_s": None, "replica": None, "status": 504}, False),
    ],
)
def test_served_is_what_a_replica_answered_well(
    changed: dict[str, object], is_served: bool
) -> None:
    assert ended.parse(row(**changed)).is_served is is_served


@pytest.mark.parametrize("changed", [{"held_s": None}, {"serial": "x"}, {"time": []}])
def test_another_language_is_told(changed: dict[str, object]) -> None:
    with pytest.raises(FailedError, match="in no known way"):
        ended.parse(row(**changed))


def test_the_real_ledger_speaks_this_language() -> None:
    from activator.ledger import Ending, Marks, Note, Origin, Wake
    from activator.ledger import row as told

    wake = Wake(10.0)
    wake.poked(10.002, 1)
    note = Note(
        serial=1,
        request_id=b"x",
        origin=Origin("default", "iris", "iris-00001"),
        arrived_s=10.0,
        slot_s=None,
        forwarded_s=10.5,
        first_byte_s=10.6,
        ended_s=10.7,
        status=200,
        ending=Ending.ANSWERED,
        why="",
        replica=Marks("iris-00001-abc", 10.4, 10.5),
        is_held=True,
        wake=wake,
        bytes_in=0,
        bytes_out=0,
    )
    found = ended.parse(told(note, epoch_s=1000.0))
    assert found.is_served
    assert found.grpc_status == ""
    failed = ended.parse(told(note._replace(why="INTERNAL"), epoch_s=1000.0))
    assert (failed.status, failed.grpc_status) == (200, "INTERNAL")
    assert (found.held_s, found.executing_s) == (0.5, pytest.approx(0.2))
    assert (found.time_s, found.gathered_s) == (1010.0, pytest.approx(0.002))
