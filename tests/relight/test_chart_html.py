import re
from xml.etree import ElementTree

import pytest

from relight import chart_html
from relight.picture import Picture, Run, draw

TABLE = [["POLICY", "WAITED"], ["kpa", "1"], ["a<b", "2"]]


def shown(*names: str) -> Picture:
    runs = [
        Run(
            name=name,
            ready=[(0.5, 2), (31.0, 0)],
            starting=[(0.0, 2), (0.5, 0)],
            waits=[(0.0, 0.5)],
        )
        for name in names
    ]
    return draw(
        title="trace & more",
        notes=("service time 200 ms", "concurrency 4"),
        requests=[(0.0, 0.2), (0.1, 0.2)],
        capacity=4,
        span_s=36.0,
        runs=runs,
    )


def svg_of(page: str) -> ElementTree.Element:
    found = re.search(r'<svg viewBox="0 0 .*</svg>', page, re.DOTALL)
    assert found
    last = found[0].rpartition("<div")[0] or found[0]
    return ElementTree.fromstring(last.strip())


def test_the_page_needs_nothing_from_a_network() -> None:
    page = chart_html.render(shown("kpa", "relight"), TABLE)
    assert page.startswith("<!doctype html>")
    assert not re.search(r"https?:|<script|<link|<img|url\(|@import", page)


def test_the_picture_says_what_it_shows() -> None:
    svg = svg_of(chart_html.render(shown("kpa"), TABLE))
    assert svg.get("role") == "img"
    ids = {child.get("id"): child for child in svg if child.get("id")}
    assert (svg.get("aria-labelledby") or "").split() == list(ids)
    assert ids["what"].text == "trace & more"
    assert "2 requests arrive" in (ids["told"].text or "")
    assert "kpa: at most 2 replicas ready, longest wait 500 ms." in (ids["told"].text or "")


def test_every_policy_has_a_switch_a_strip_and_marks() -> None:
    page = chart_html.render(shown("kpa", "a<b"), TABLE)
    assert page.count('type="checkbox"') == 2
    for i in range(2):
        assert f'id="show{i}"' in page
        assert f"g.c{i}{{display:none}}" in page
        assert page.count(f'<g class="c{i}">') == 2
    assert "a<b" not in page
    assert "a&lt;b" in page


def test_it_is_drawn_by_day_and_by_night() -> None:
    page = chart_html.render(shown("kpa"), TABLE)
    assert "prefers-color-scheme:dark" in page
    day, night = chart_html.COLOURS[0]
    assert f"--c0:{day};" in page
    assert f"--c0:{night};" in page


def test_the_table_stands_below() -> None:
    page = chart_html.render(shown("kpa"), TABLE)
    assert '<th scope="col">WAITED</th>' in page
    assert "<td>a&lt;b</td><td>2</td>" in page
    assert "<table" not in chart_html.render(shown("kpa"), [])


def test_lines_stay_inside_the_picture() -> None:
    svg = svg_of(chart_html.render(shown("kpa"), TABLE))
    _, _, width, height = map(float, (svg.get("viewBox") or "").split())
    for path in svg.iter("path"):
        for command, numbers in re.findall(r"([MHV])([-\d. ]+)", path.get("d") or ""):
            parts = [float(part) for part in numbers.split()]
            assert 0 <= parts[0] <= (height if command == "V" else width)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_any_number_of_policies(count: int) -> None:
    page = chart_html.render(shown(*(f"p{i}" for i in range(count))), TABLE)
    assert page.count('type="checkbox"') == count
