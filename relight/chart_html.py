"""The chart of a rehearsal as one HTML file: inline SVG, no script, nothing from a network.

For: a picture that opens anywhere, by day and by night, and reads aloud.
Must not know: what was rehearsed, or where the file goes.
"""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from relight import picture, spans
from relight.picture import Lane, Picture

_WIDTH, _LEFT, _RIGHT = 1100.0, 64.0, 24.0
_LOAD_HEIGHT, _STRIP_HEIGHT, _WAITS_HEIGHT = 120.0, 66.0, 190.0
_TOP, _TITLE_HEIGHT, _GAP, _STRIP_GAP = 8.0, 28.0, 30.0, 20.0
_INNER = _WIDTH - _LEFT - _RIGHT
_ASIDE = 3.2  # of the marks of neighbouring lanes
# By day and by night: told apart also by those who see no red or no green (Okabe and Ito).
COLOURS = (
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#ff9248"),
    ("#00876c", "#2fc9a4"),
    ("#a8568c", "#e39cc8"),
    ("#8a6d00", "#f0c83c"),
    ("#5b4fc4", "#a99ffa"),
    ("#6b6b6b", "#b5b5b5"),
)
_MARKS = (  # also told apart by shape
    "m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0z",
    "m-2.8-2.8h5.6v5.6h-5.6z",
    "m0-4l4 4l-4 4l-4-4z",
    "m0-3.6l3.6 6.4h-7.2z",
    "m0 3.6l3.6-6.4h-7.2z",
)
_STYLE = """
:root{color-scheme:light dark;--ink:#1d2433;--soft:#667085;--grid:#e3e6ec;--page:#fff;
--need:#d3d8e2;--load:#98a2b3;%s}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaf0;--soft:#98a2b3;--grid:#2b3242;--page:#12161f;
--need:#3a4356;--load:#5d6880;%s}}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:20px 24px 40px}
h1{font-size:21px;margin:0 0 2px}
p{margin:0 0 12px;color:var(--soft)}
fieldset{border:0;padding:0;margin:0 0 8px;display:flex;flex-wrap:wrap;gap:6px 20px}
label{display:inline-flex;gap:6px;align-items:center;cursor:pointer}
label svg{width:14px;height:14px;overflow:visible}
svg{width:100%%;height:auto;display:block}
svg text{fill:var(--soft);font-size:12px}
svg .head{fill:var(--ink);font-size:14px;font-weight:600}
svg .name{font-size:13px;font-weight:600;paint-order:stroke;stroke:var(--page);stroke-width:4px}
.grid{stroke:var(--grid);fill:none}.need{fill:var(--need)}.load{fill:var(--load)}
.line{fill:none;stroke-width:1.4;stroke-linejoin:round}
.wide{overflow-x:auto;margin-top:18px}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:5px 14px 5px 0;text-align:right;white-space:nowrap}
th,td{border-bottom:1px solid var(--grid)}
th{color:var(--soft);font-weight:600}
th:first-child,td:first-child{text-align:left}
"""


def render(shown: Picture, table: Sequence[Sequence[str]]) -> str:
    """The page. `table` is what stands below the picture: its head, then a row a lane."""
    names = [lane.name for lane in shown.lanes]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(shown.title)}</title><style>{_style(len(names))}</style></head>\n<body><main>"
        f"<h1>{escape(shown.title)}</h1><p>{escape('; '.join(shown.notes))}</p>\n"
        f"{_legend(names)}\n{_svg(shown)}\n{_table(table)}\n</main></body></html>\n"
    )


def _style(count: int) -> str:
    sides = [
        "".join(f"--c{i}:{COLOURS[i % len(COLOURS)][side]};" for i in range(count))
        for side in (0, 1)
    ]
    hidden = "".join(
        f".c{i}{{color:var(--c{i})}}body:has(#show{i}:not(:checked)) g.c{i}{{display:none}}\n"
        for i in range(count)
    )
    return _STYLE % tuple(sides) + hidden


def _legend(names: Sequence[str]) -> str:
    boxes = [
        f'<label><input type="checkbox" id="show{i}" checked>'
        f'<svg viewBox="-7 -7 14 14" class="c{i}" aria-hidden="true">'
        f'<path fill="currentColor" d="M0 0{_MARKS[i % len(_MARKS)]}"/></svg>{escape(name)}</label>'
        for i, name in enumerate(names)
    ]
    return f'<fieldset aria-label="policies shown">{"".join(boxes)}</fieldset>'


def _svg(shown: Picture) -> str:
    parts, y = [], _TOP
    parts.append(_load(shown, y))
    y += _TITLE_HEIGHT + _LOAD_HEIGHT + _GAP
    parts.append(
        _heading("Replicas: ready, starting (lighter), and needed so that nobody waits (grey)", y)
    )
    y += _TITLE_HEIGHT
    for i, lane in enumerate(shown.lanes):
        parts.append(_strip(shown, lane, i, y))
        y += _STRIP_HEIGHT + _STRIP_GAP
    y += _GAP - _STRIP_GAP
    parts.append(_waits(shown, y))
    y += _TITLE_HEIGHT + _WAITS_HEIGHT
    parts.append(_times(shown, y))
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} {y + 30:g}" role="img" aria-labelledby="what told">'
        f'<title id="what">{escape(shown.title)}</title>'
        f'<desc id="told">{escape(tell(shown))}</desc>\n' + "\n".join(parts) + "</svg>"
    )


def tell(shown: Picture) -> str:
    """What the picture shows, in sentences."""
    total = sum(shown.rates) * shown.bin_s
    first = (
        f"In {spans.human(shown.span_s)} {total:.0f} requests arrive, "
        f"at most {max(shown.rates):.3g} a second and {max(shown.needed):.0f} at once."
    )
    rest = [
        f"{lane.name}: at most {max(lane.ready):.0f} replicas ready, longest wait "
        f"{spans.human(max((wait for _, wait in lane.waits), default=0))}."
        for lane in shown.lanes
    ]
    return " ".join([first, *rest])


def _load(shown: Picture, y: float) -> str:
    top = picture.number_ticks(max(*shown.rates, *shown.needed, 1), at_most=4)
    base, height = y + _TITLE_HEIGHT + _LOAD_HEIGHT, _LOAD_HEIGHT
    needed = _steps(shown.needed, top[-1], base, height)
    return (
        _heading("Load: requests a second (area), and requests at once if nobody waits (line)", y)
        + _scale(top, base, height)
        + f'<path class="load" d="{_area(shown.rates, top[-1], base, height)}"/>'
        + f'<path class="line" stroke="var(--ink)" d="{needed}"/>'
    )


def _strip(shown: Picture, lane: Lane, i: int, y: float) -> str:
    ticks = picture.number_ticks(shown.replicas_max, at_most=3)
    base, top = y + _STRIP_HEIGHT, ticks[-1]
    ready = _steps(lane.ready, top, base, _STRIP_HEIGHT)
    areas = [
        f'<path {look} d="{_area(values, top, base, _STRIP_HEIGHT)}"/>'
        for look, values in (
            ('class="need"', shown.needed_replicas),
            ('fill="currentColor" opacity=".35"', lane.whole),
            ('fill="currentColor" opacity=".2"', lane.ready),
        )
    ]
    return (
        f'<g class="c{i}">{_scale(ticks, base, _STRIP_HEIGHT)}{"".join(areas)}'
        f'<path class="line" stroke="currentColor" d="{ready}"/>'
        f'<text class="name" style="fill:currentColor" x="{_LEFT + 6:g}" y="{y + 4:g}">'
        f"{escape(lane.name)}</text></g>"
    )


def _waits(shown: Picture, y: float) -> str:
    ticks = picture.wait_ticks(shown.wait_max_s)
    base = y + _TITLE_HEIGHT + _WAITS_HEIGHT
    part_s = [_WAITS_HEIGHT * i / (len(ticks) - 1) for i in range(len(ticks))]
    lines = [
        f'<path class="grid" d="M{_LEFT:g} {base - up:.1f}H{_WIDTH - _RIGHT:g}"/>'
        f'<text x="{_LEFT - 8:g}" y="{base - up + 4:.1f}" text-anchor="end">{label}</text>'
        for up, (_, label) in zip(part_s, ticks, strict=True)
    ]
    marks = [_marks(shown, lane, i, base) for i, lane in enumerate(shown.lanes)]
    heading = f"Waits: the longest of each {spans.human(shown.bin_s)}, where a request waited"
    return _heading(heading, y) + "".join(lines + marks)


def _marks(shown: Picture, lane: Lane, i: int, base: float) -> str:
    top_s = picture.wait_ticks(shown.wait_max_s)[-1][0]
    aside = _ASIDE * (i - (len(shown.lanes) - 1) / 2)  # equal waits stay visible
    places = [
        (_x(at, shown) + aside, base - _WAITS_HEIGHT * picture.height_of(wait, top_s=top_s))
        for at, wait in lane.waits
    ]
    shape = _MARKS[i % len(_MARKS)]
    path = "".join(f"M{x:.1f} {y:.1f}{shape}" for x, y in places)
    return f'<g class="c{i}"><path fill="currentColor" fill-opacity=".75" d="{path}"/></g>'


def _times(shown: Picture, y: float) -> str:
    found = []
    for at, label in picture.time_ticks(shown.span_s):
        x = _x(at, shown)
        found.append(f'<path class="grid" d="M{x:.1f} {y:g}v5"/>')
        found.append(f'<text x="{x:.1f}" y="{y + 19:g}" text-anchor="middle">{label}</text>')
    return "".join(found)


def _heading(text: str, y: float) -> str:
    return f'<text class="head" x="{_LEFT:g}" y="{y + 12:g}">{escape(text)}</text>'


def _scale(ticks: Sequence[float], base: float, height: float) -> str:
    found = []
    for tick in ticks:
        y = base - height * tick / ticks[-1]
        found.append(f'<path class="grid" d="M{_LEFT:g} {y:.1f}H{_WIDTH - _RIGHT:g}"/>')
        found.append(f'<text x="{_LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    return "".join(found)


def _x(at_s: float, shown: Picture) -> float:
    return _LEFT + _INNER * at_s / shown.span_s


def _steps(values: Sequence[float], top: float, base: float, height: float) -> str:
    """A line that holds each value for its bin; equal neighbours are one stroke."""
    width = _INNER / len(values)
    path = [f"M{_LEFT:.1f} {base - height * values[0] / top:.1f}"]
    for i, (old, new) in enumerate(pairwise(values), start=1):
        if old != new:
            path.append(f"H{_LEFT + i * width:.1f}V{base - height * new / top:.1f}")
    return "".join(path) + f"H{_WIDTH - _RIGHT:.1f}"


def _area(values: Sequence[float], top: float, base: float, height: float) -> str:
    """The same down to the base."""
    return f"{_steps(values, top, base, height)}V{base:.1f}H{_LEFT:.1f}Z"


def _table(lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return ""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in lines[0])
    rows = [
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>"
        for line in lines[1:]
    ]
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
