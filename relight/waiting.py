"""Wait until something is true of some objects, or follow them for ever.

For: every verb that waits: an answer is asked for after each change, no polling.
Must not know: what is waited for, or who is told about it.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

from relight.watching import Change, View

T = TypeVar("T")


async def follow(views: Sequence[View], told: Callable[[View, list[Change]], None]) -> None:
    """Tell of every change of every view, until cancelled or until one of them fails."""

    async def feed(view: View) -> None:
        async with aclosing(view.changes()) as changes:
            async for change in changes:
                told(view, change)

    async with asyncio.TaskGroup() as group:
        for view in views:
            group.create_task(feed(view))


async def until(
    views: Sequence[View],
    answer: Callable[[], T | None],
    *,
    timeout_s: float,
    repaint_s: float | None = None,
) -> T | None:
    """Ask for an answer after every change, once all views are listed; None when time is up.

    With `repaint_s` it is also asked that often, for a terminal whose clock must go on.
    """
    changed = asyncio.Event()
    try:
        async with asyncio.timeout(timeout_s), asyncio.TaskGroup() as group:
            feeding = group.create_task(follow(views, lambda _view, _changes: changed.set()))
            while True:
                await _either(changed, repaint_s)
                changed.clear()
                found = answer() if all(view.is_listed for view in views) else None
                if found is not None:
                    feeding.cancel()
                    return found
    except TimeoutError:
        return None


async def _either(changed: asyncio.Event, repaint_s: float | None) -> None:
    try:
        async with asyncio.timeout(repaint_s):
            await changed.wait()
    except TimeoutError:
        return
