"""Results of rehearsals → a chart in a file.

For: `relight simulate --chart FILE.html|FILE.png`.
Must not know: how a chart is drawn, or how results came about.
"""

from collections.abc import Sequence
from pathlib import Path

from rehearsal.running import Result
from relight import chart_html, chart_png, picture
from relight.errors import FailedError
from relight.picture import Picture, Run


def write(path: Path, shown: Picture, table: Sequence[Sequence[str]]) -> None:
    """Draw into a file, which is made or replaced. `table` stands below an HTML chart."""
    if path.suffix.lower() == ".png":
        content = chart_png.render(shown)
    else:
        content = chart_html.render(shown, table).encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise FailedError(f"--chart {path}: {error.strerror}") from error


def picture_of(
    results: Sequence[Result], *, title: str, notes: Sequence[str], capacity: int
) -> Picture:
    """The picture of several policies over the same requests."""
    runs, requests, span_s = [], None, 0.0
    for result in results:
        told = result.timeline()
        requests = requests or told.requests
        span_s = max(span_s, told.span_s)
        runs.append(
            Run(
                name=result.policy.name,
                ready=told.ready,
                starting=told.starting,
                waits=told.waits,
            )
        )
    return picture.draw(
        title=title,
        notes=notes,
        requests=requests or (),
        capacity=capacity,
        span_s=span_s,
        runs=runs,
    )
