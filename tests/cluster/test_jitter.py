import asyncio

import pytest

from cluster import jitter


async def test_a_moment_is_a_number_between(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    drawn = []
    for moment_s in (1.0, 1.000001, 2.0, 1.0):
        with monkeypatch.context() as patch:
            patch.setattr(loop, "time", lambda now_s=moment_s: now_s)
            drawn.append(jitter.spread(0.5, 1.5))
    assert drawn[0] == drawn[3]
    assert len(set(drawn)) == 3
    assert all(0.5 <= each <= 1.5 for each in drawn)
