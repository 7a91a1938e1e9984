"""Names of columns, as published."""

import pytest

from rehearsal.columns import Hints, delimiter_of, recognise

NO_HINTS = Hints()


@pytest.mark.parametrize(
    ("names", "time", "duration", "models"),
    [
        ("timestamp_seconds,input_tokens,output_tokens", 0, None, ()),
        ("TIMESTAMP,ContextTokens,GeneratedTokens", 0, None, ()),
        ("app,func,end_timestamp,duration", 2, 3, (0, 1)),
        ("HashApp,HashFunction,StartTime,ExecutionTime", 2, 3, (0, 1)),
        ("id,arrived_at,latency_ms,model_name", 1, 2, (3,)),
        ("arrival,service_time,function", 0, 1, (2,)),
        ("request_time,response_time", 0, 1, ()),
        ("start_timestamp,duration,service", 0, 1, (2,)),
        ("ts,app", 0, None, (1,)),
        ("created_at,elapsed", 0, 1, ()),
        ("model,date", 1, None, (0,)),
        ("end_time,start_time,duration", 1, 2, ()),
    ],
)
def test_columns_are_recognised(
    names: str, time: int, duration: int | None, models: tuple[int, ...]
) -> None:
    columns = recognise(names.split(","), NO_HINTS)
    assert (columns.time, columns.duration, columns.models) == (time, duration, models)


def test_the_end_of_a_request_counts_only_where_its_duration_is_known() -> None:
    assert recognise(["end_timestamp", "duration"], NO_HINTS).is_end
    assert not recognise(["end_timestamp"], NO_HINTS).is_end
    assert not recognise(["start", "end", "duration"], NO_HINTS).is_end


def test_units_are_in_names_or_in_hints() -> None:
    columns = recognise(["timestamp_ms", "duration_us"], NO_HINTS)
    assert (columns.time_unit, columns.duration_per_s) == ("ms", 1e6)
    assert recognise(["timestamp_ms"], Hints(unit="ns")).time_unit == "ns"
    assert recognise(["timestamp"], NO_HINTS).time_unit is None
    assert recognise(["timestamp", "hash_ids"], NO_HINTS).time_unit == "ms"


def test_a_hint_must_be_there() -> None:
    with pytest.raises(ValueError, match="there is no column 'when', but 'time', 'model'"):
        recognise(["time", "model"], Hints(time="when"))
    with pytest.raises(ValueError, match="unit 'h': must be one of s, ms, us, ns"):
        Hints(unit="h")


def test_a_file_without_a_time_is_refused_with_what_it_has() -> None:
    with pytest.raises(ValueError, match="no column of 'model', 'x' is known for a time"):
        recognise(["model", "x"], NO_HINTS)


@pytest.mark.parametrize(
    ("head", "delimiter"),
    [("a,b;c,d", ","), ("a;b", ";"), ("a\tb c", "\t"), ("a|b", "|"), ("alone", ",")],
)
def test_what_separates_columns_is_what_is_there_most(head: str, delimiter: str) -> None:
    assert delimiter_of(head) == delimiter
