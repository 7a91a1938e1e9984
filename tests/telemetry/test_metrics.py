from telemetry.metrics import Buckets, Exposition, Family, counter, gauge, table


def text_of(*families: Family) -> list[str]:
    exposition = Exposition(lambda: families)
    lines = exposition.text(exposition.collect()).decode().splitlines()
    return [line for line in lines if not line.startswith(("#", "process_"))]


def test_numbers_are_told_as_prometheus_reads_them() -> None:
    assert text_of(counter("x", "Xs.", 3), gauge("y", "Ys.", True)) == [
        "relight_x_total 3.0",
        "relight_y 1.0",
    ]


def test_a_table_is_one_metric_a_column() -> None:
    rows = [(("n", "a"), (1, 2)), (("n", 'b"'), (3, 4))]
    columns = (("p", "Ps."), ("q", "Qs."))
    assert text_of(*table("gauge", columns, ("namespace", "revision"), rows)) == [
        'relight_p{namespace="n",revision="a"} 1.0',
        'relight_p{namespace="n",revision="b\\""} 3.0',
        'relight_q{namespace="n",revision="a"} 2.0',
        'relight_q{namespace="n",revision="b\\""} 4.0',
    ]


def test_buckets_are_cumulative() -> None:
    buckets = Buckets(bounds=(0.1, 1.0), counts=(2, 3, 4), total=7.5)
    family = Family(
        name="s", kind="histogram", help="S.", labels=("r",), samples=[(("a",), buckets)]
    )
    assert text_of(family) == [
        'relight_s_bucket{le="0.1",r="a"} 2.0',
        'relight_s_bucket{le="1",r="a"} 5.0',
        'relight_s_bucket{le="+Inf",r="a"} 9.0',
        'relight_s_count{r="a"} 9.0',
        'relight_s_sum{r="a"} 7.5',
    ]


def test_the_process_tells_of_itself() -> None:
    exposition = Exposition()
    exposition.add(lambda: [gauge("more", "More.", 1)])
    text = exposition.text(exposition.collect()).decode()
    assert "process_resident_memory_bytes" in text
    assert "# HELP relight_more More." in text
    assert "# TYPE relight_more gauge" in text
