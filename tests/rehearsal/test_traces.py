"""Files as people publish them, and files that are wrong."""

import pytest

from rehearsal.columns import Hints
from rehearsal.traces import Trace, parse


def read(text: str, **hints: str) -> Trace:
    return parse(text.splitlines(keepends=True), name="t.csv", hints=Hints(**hints))


@pytest.mark.parametrize(
    ("text", "arrivals", "durations", "models"),
    [
        ("timestamp_seconds,input_tokens\n0,4808\n0.052,3180\n", [0, 0.052], None, None),
        ("TIMESTAMP,ContextTokens\n2023-11-16 18:17:03.9799600,1\n2023-11-16 18:17:04.0319569,2\n",
         [0, 0.051996], None, None),
        ("time\n2023-11-16T18:17:03Z\n2023-11-16T20:17:04+02:00\n", [0, 1], None, None),
        ("app,func,end_timestamp,duration\na,b,10.5,0.5\na,c,9,2\n",
         [0, 3], [2, 0.5], ["a/c", "a/b"]),
        ("arrival_ms;duration_ms;model\n1700000000123;200;m\n1700000000000;100;n\n",
         [0, 0.123], [0.1, 0.2], ["n", "m"]),
        ("ts\tservice_time\tservice\n5\t1\tx\n7\t2\ty\n", [0, 2], [1, 2], ["x", "y"]),
        ("Start Time | Latency (ms)\n1700000000 | 5\n1700000001 | 6\n",
         [0, 1], [0.005, 0.006], None),
        ("timestamp_ns\n1700000000000000000\n1700000000500000000\n", [0, 0.5], None, None),
        ("t\n1700000000000000\n1700000000500000\n", [0, 0.5], None, None),
        ("\n# made by hand\n0,4808\n\n1.5,10\n", [0, 1.5], None, None),
        ("\ufefftime,duration\n3,1\n4,2\n", [0, 1], [1, 2], None),
        ("ts,duration\n1,0.2\n2,\n3,0.4\n4,9\n", [0, 1, 2, 3], [0.2, 0.4, 0.4, 9], None),
        ("ts,duration\n1,\n2, \n", [0, 1], None, None),
        ('"time","model"\n"3","a,b"\n"4","c"\n', [0, 1], None, ["a,b", "c"]),
        ('{"timestamp": 0, "hash_ids": [1, 2]}\n{"timestamp": 3000, "hash_ids": []}\n',
         [0, 3], None, None),
        ('\n{"time": 1700000000.5, "executing_s": 0.25, "revision": "r"}\n\n'
         '{"time": 1700000002.5, "executing_s": 1, "revision": "q", "cold": true}\n',
         [0, 2], [0.25, 1], ["r", "q"]),
    ],
)  # fmt: skip
def test_a_file_is_read_whatever_its_columns_are_called(
    text: str, arrivals: list[float], durations: list[float] | None, models: list[str] | None
) -> None:
    trace = read(text)
    assert trace.arrivals == pytest.approx(arrivals)
    assert trace.durations == (None if durations is None else pytest.approx(durations))
    assert trace.models == models


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "t.csv: the trace is empty: there is not one request in it"),
        ("\n\n", "t.csv: the trace is empty: there is not one request in it"),
        ("timestamp,duration\n", "t.csv: the trace is empty: there is not one request in it"),
        ("a,b\n1,2\n", "t.csv: no column of 'a', 'b' is known for a time: say which is"),
        ("ts,duration\n1,2\n3,x\n", "t.csv: line 3, column 'duration': 'x' is not a duration"),
        ("ts,duration\n1,2\n3,-1\n", "t.csv: line 3, column 'duration': '-1' is not a duration"),
        ("ts,duration\n1,2\n\n\n3\n", "t.csv: line 5: column 'duration' is missing"),
        ("ts\n1\nnan\n", "t.csv: line 3, column 'ts': 'nan' is not a time"),
        ("\n# x\n1\nsoon\n", "t.csv: line 4, column '1': 'soon' is not a time"),
        ("time\n2023-11-16\n3\n", "t.csv: line 3, column 'time': '3' is not a time"),
        ('[{"time": 1}]\n', "t.csv: line 1: JSON lines have one object a line"),
        (
            '{"time": 1}\n\nxx\n',
            "t.csv: line 3: not JSON: Expecting value: line 1 column 1 (char 0)",
        ),
        ('{"time": 1}\n{"tim": 1}\n', "t.csv: line 2: 'time' is missing"),
        ('{"time": 1}\n{"time": null}\n', "t.csv: line 2, column 'time': '' is not a time"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_column(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^t\.csv") as caught:
        read(text)
    assert str(caught.value) == says


def test_the_caller_may_know_better() -> None:
    text = "time,when,took\n9,1,2000\n8,2,1000\n"
    trace = read(text, time="when", duration="took", model="time", unit="ms")
    assert trace.arrivals == [0, 0.001]
    assert trace.durations == [2000, 1000]
    assert trace.models == ["9", "8"]


def test_what_was_guessed_is_told() -> None:
    trace = read("1700000001000\n1700000000000\n")
    assert trace.notes == (
        "Times are milliseconds since 1970.",
        "No header: the first column is taken for the time of arrival, the rest left out.",
        "Rows were not in order of arrival: they are now.",
    )
    assert trace.began_s == 1_700_000_000


def test_a_count_from_some_start_has_no_date() -> None:
    assert read("time\n5\n6\n").began_s is None


def test_models_are_told_apart() -> None:
    trace = read("time,model\n1,a\n2,b\n3,a\n")
    assert trace.by_model() == {"a": [0, 2], "b": [1]}
    assert read("time\n1\n").by_model() == {"revision": None}
    assert len(trace) == 3


def test_columns_by_number_where_there_are_no_names() -> None:
    text = "1 ,1194892620.5,x\n2,1194892622.5,y\n"
    assert read(text, time="2", model="3").arrivals == [0.0, 2.0]
    assert read(text, model="3").models == ["x", "y"]  # the time is the first, as without a hint
    with pytest.raises(ValueError, match="there is no column '4'"):
        read(text, time="4")


def test_a_durations_unit_is_said_where_its_name_does_not() -> None:
    assert read("t,took\n1,250\n", duration="took", duration_unit="ms").durations == [0.25]
    assert read("t,duration_ms\n1,250\n", duration_unit="us").durations == [0.00025]
