"""The chart of a rehearsal as a PNG file, by matplotlib where it is installed.

For: a picture for a page, a paper or a message; the same as the HTML one, without switches.
Must not know: what was rehearsed, or where the file goes.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from relight import picture, spans
from relight.chart_html import COLOURS
from relight.errors import UsageError
from relight.picture import Lane, Picture

if TYPE_CHECKING:  # matplotlib takes half a second to import: only who draws pays
    from matplotlib.axes import Axes

_INCHES_WIDE, _DOTS = 12.0, 130
_INK, _SOFT, _GRID, _NEED, _LOAD = "#1d2433", "#667085", "#e3e6ec", "#d3d8e2", "#98a2b3"
_MARKS = ("o", "s", "D", "^", "v")
_ASIDE = 0.0035  # of the span: marks of neighbouring lanes, so that equal waits stay visible
_LOAD_HEIGHT, _STRIP_HEIGHT, _WAITS_HEIGHT = 1.5, 0.85, 2.3
_NEEDS = "a PNG is drawn by matplotlib: pip install 'relight[charts]', or name the chart .html"


def render(shown: Picture) -> bytes:
    """The file's bytes. Without matplotlib a UsageError says what to install."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(f"--chart: {_NEEDS}") from error
    heights = [_LOAD_HEIGHT, *[_STRIP_HEIGHT] * len(shown.lanes), _WAITS_HEIGHT]
    figure = Figure(figsize=(_INCHES_WIDE, sum(heights) + 1.6), dpi=_DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        f"{shown.title}\n", x=0.012, ha="left", color=_INK, fontsize=15, fontweight="bold"
    )
    figure.text(0.012, 0.972, "; ".join(shown.notes), color=_SOFT, fontsize=9, va="top")
    axes: list[Axes] = list(
        figure.subplots(len(heights), sharex=True, gridspec_kw={"height_ratios": heights})
    )
    for each in axes:
        _plain(each)
    _load(axes[0], shown)
    for i, lane in enumerate(shown.lanes):
        _strip(axes[i + 1], shown, lane, i)
    _waits(axes[-1], shown)
    _times(axes[-1], shown)
    written = BytesIO()
    figure.savefig(written, format="png")
    return written.getvalue()


def _plain(axes: "Axes") -> None:
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_SOFT, labelsize=8.5, length=0)
    axes.margins(x=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _head(axes: "Axes", text: str) -> None:
    axes.set_title(text, loc="left", fontsize=10, fontweight="bold", color=_INK, pad=8)


def _edges(shown: Picture) -> list[float]:
    return [i * shown.bin_s for i in range(len(shown.rates) + 1)]


def _ticks(axes: "Axes", ticks: Sequence[float]) -> None:
    axes.set_ylim(0, ticks[-1])
    axes.set_yticks(list(ticks), labels=[f"{tick:g}" for tick in ticks])


def _load(axes: "Axes", shown: Picture) -> None:
    _head(axes, "Load: requests a second (area), and requests at once if nobody waits (line)")
    _ticks(axes, picture.number_ticks(max(*shown.rates, *shown.needed, 1), at_most=4))
    axes.stairs(shown.rates, _edges(shown), fill=True, color=_LOAD)
    axes.stairs(shown.needed, _edges(shown), color=_INK, linewidth=0.9, baseline=None)


def _strip(axes: "Axes", shown: Picture, lane: Lane, i: int) -> None:
    edges, colour = _edges(shown), COLOURS[i % len(COLOURS)][0]
    if i == 0:
        _head(axes, "Replicas: ready, starting (lighter), needed so that nobody waits (grey)")
    _ticks(axes, picture.number_ticks(shown.replicas_max, at_most=3))
    axes.stairs(shown.needed_replicas, edges, fill=True, color=_NEED)
    axes.stairs(lane.whole, edges, fill=True, color=colour, alpha=0.35, linewidth=0)
    axes.stairs(lane.ready, edges, fill=True, color=colour, alpha=0.2, linewidth=0)
    axes.stairs(lane.ready, edges, color=colour, linewidth=1.1, baseline=None)
    axes.text(
        0.006,
        0.97,
        lane.name,
        transform=axes.transAxes,
        color=colour,
        fontsize=9.5,
        fontweight="bold",
        va="top",
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5},
    )


def _waits(axes: "Axes", shown: Picture) -> None:
    _head(axes, f"Waits: the longest of each {spans.human(shown.bin_s)}, where a request waited")
    ticks = picture.wait_ticks(shown.wait_max_s)
    axes.set_yscale("log")
    axes.set_ylim(ticks[0][0], ticks[-1][0])
    axes.set_yticks([at for at, _ in ticks], labels=[label for _, label in ticks])
    axes.minorticks_off()
    for i, lane in enumerate(shown.lanes):
        aside_s = _ASIDE * shown.span_s * (i - (len(shown.lanes) - 1) / 2)
        axes.plot(
            [at + aside_s for at, _ in lane.waits],
            [wait for _, wait in lane.waits],
            linestyle="none",
            marker=_MARKS[i % len(_MARKS)],
            markersize=4,
            markeredgewidth=0,
            alpha=0.75,
            color=COLOURS[i % len(COLOURS)][0],
            label=lane.name,
        )
    if shown.lanes:
        axes.legend(
            loc="lower center",
            bbox_to_anchor=(0.5, -0.34),
            ncols=min(8, len(shown.lanes)),
            frameon=False,
            fontsize=9,
            labelcolor=_INK,
        )


def _times(axes: "Axes", shown: Picture) -> None:
    ticks = picture.time_ticks(shown.span_s)
    axes.set_xlim(0, shown.span_s)
    axes.set_xticks([at for at, _ in ticks], labels=[label for _, label in ticks])
