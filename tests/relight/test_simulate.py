import csv
import io
import random
from pathlib import Path

import orjson
import pytest

from relight.__main__ import build_parser, execute

POLICIES = ("--policy", "relight", "--policy", "oracle")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Two bursts and a long pause."""
    rng = random.Random(1)
    times = sorted(
        [rng.uniform(0, 20) for _ in range(150)] + [rng.uniform(200, 230) for _ in range(80)]
    )
    path = tmp_path / "small.csv"
    path.write_text("timestamp\n" + "".join(f"{at:.3f}\n" for at in times))
    return path


async def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = await execute(build_parser().parse_args(["simulate", *words]))
    out, err = capsys.readouterr()
    return code, out, err


async def test_a_table_and_what_was_assumed(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = await typed(capsys, str(trace), "--concurrency", "1")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("small: 230 requests in ")
    assert lines[1] == ("service time 200 ms (assumed); cold start 500 ms (assumed); concurrency 1")
    names = [line.split()[0] for line in lines if line][-5:]
    assert names == ["kpa", "relight", "keep-alive=600s", "always-on", "oracle"]


async def test_the_oracle_lets_nobody_wait_and_costs_least(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = await typed(capsys, str(trace), "-o", "json", "--price", "2")
    told = orjson.loads(out)
    found = {each["policy"]: each for each in told["policies"]}
    assert told["requests"] == 230
    assert found["oracle"]["waits"] == found["always-on"]["waits"] == 0
    assert min(found, key=lambda name: found[name]["replica_s"]) == "oracle"
    for each in found.values():
        assert each["cost_usd"] == pytest.approx(each["replica_s"] * 2 / 3600, abs=1e-6)


async def test_csv(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = await typed(capsys, str(trace), *POLICIES, "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["policy"] for row in rows] == ["relight", "oracle"]


async def test_a_slice_and_a_faster_trace(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = await typed(capsys, str(trace), *POLICIES, "--slice", "100s..")
    assert out.startswith("small: 80 requests in 2")
    _, out, _ = await typed(capsys, str(trace), *POLICIES, "--compress", "10", "-o", "json")
    assert orjson.loads(out)["span_s"] < 24
    _, out, _ = await typed(capsys, str(trace), *POLICIES, "--rescale", "3", "-o", "json")
    assert "3 times as many requests" in orjson.loads(out)["assumed"]
    assert {row["requests"] for row in orjson.loads(out)["policies"]} == {690}


async def test_models_are_revisions_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two.csv"
    path.write_text("timestamp,duration,model\n0,0.1,a\n0,0.1,b\n1,0.1,a\n")
    _, out, _ = await typed(capsys, str(path), "--policy", "always-on", "-o", "json")
    told = orjson.loads(out)
    assert "3 requests of 2 models in 1 s" in told["trace"]
    assert told["policies"][0]["starts"] == 2
    assert told["assumed"][0] == "service time 100 ms (of the trace)"


async def test_a_chart_is_drawn(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.html"
    code, _, err = await typed(capsys, str(trace), *POLICIES, "--chart", str(path))
    assert (code, err) == (0, f"chart in {path}\n")
    page = path.read_text()
    assert "<td>oracle</td>" in page
    assert "230 requests" in page


async def test_columns_of_no_usual_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("7;0;500;a\n8;60000;1500;b\n")
    words = ("--time-column", "2", "--time-unit", "ms", "--duration-column", "3")
    more = ("--duration-unit", "ms", "--model-column", "4")
    code, out, _ = await typed(capsys, str(path), *POLICIES, *words, *more)
    assert code == 0
    assert out.startswith("odd: 2 requests of 2 models in 60 s\nservice time median 1 s, 500 ms to")
    assert "No header: columns go by their numbers." in out


async def test_two_runs_are_the_same(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = await typed(capsys, str(trace), *POLICIES, "-o", "json", "--seed", "5")
    assert first == await typed(capsys, str(trace), *POLICIES, "-o", "json", "--seed", "5")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--slice", "2h.."), "--slice: nothing arrived from 7200 s on"),
        (("--compress", "1e-300"), "{trace}: it lasts over ten years: name the unit"),
        (("--time-column", "cow"), "{trace}: there is no column 'cow', but 'timestamp'"),
        (
            ("--policy", "kpa,window=1s"),
            "--policy: policy 'kpa,window=1s': 'window=1s': expected 6s",
        ),
        (("--policy", "cows"), "--policy: "),
        (("--service-time", "x"), "--service-time x: "),
    ],
)
async def test_what_cannot_be_simulated_is_2_and_one_sentence(
    trace: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    code, out, err = await typed(capsys, str(trace), *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"relight: {told.format(trace=trace)}")
    assert err.count("\n") == 1


async def test_no_trace_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = await typed(capsys, str(tmp_path / "none.csv"))
    assert code == 2
    assert "none.csv: No such file" in err


async def test_measuring_needs_a_platform(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--from", "iris", "--data-dir", str(tmp_path))
    code, _, err = await typed(capsys, str(trace), *words)
    assert code == 3
    assert "no platform is running" in err
