from pathlib import Path

import pytest

from rehearsal import policies, running
from rehearsal.terms import Terms
from rehearsal.traces import Trace
from relight import charting
from relight.errors import FailedError

TRACE = Trace(arrivals=[0.0, 0.01, 0.02, 0.03, 0.04, 30.0])
TERMS = Terms(concurrency=1)


def picture():  # type: ignore[no-untyped-def] # a Picture of two policies
    results = [
        running.rehearse(TRACE, policies.parse(name), TERMS) for name in ("relight", "oracle")
    ]
    return charting.picture_of(results, title="t", notes=("n",), capacity=1)


def test_the_picture_has_what_the_rehearsals_had() -> None:
    made = picture()
    assert [lane.name for lane in made.lanes] == ["relight", "oracle"]
    assert max(made.needed) == 5
    relight, oracle = made.lanes
    assert max(relight.ready) > 1
    assert relight.waits
    assert not oracle.waits
    assert made.span_s >= TRACE.arrivals[-1]


def test_the_name_of_the_file_says_how_it_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    charting.write(tmp_path / "a.html", picture(), [["POLICY"], ["relight"]])
    charting.write(tmp_path / "a.PNG", picture(), [])
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match=r"--chart .*Is a directory"):
        charting.write(tmp_path, picture(), [])
