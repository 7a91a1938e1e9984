"""The threads that libraries may start."""

import sys

import pytest

from predictor import config, library_threads


def test_they_are_told_before_they_are_imported_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, str] = {}
    monkeypatch.setattr(config, "adopt", told.update)
    library_threads.before_import(3)
    assert set(told.values()) == {"3"}
    assert "OMP_NUM_THREADS" in told
    seen: list[int] = []
    control = pytest.importorskip("threadpoolctl")
    monkeypatch.setattr(control, "threadpool_limits", seen.append)
    library_threads.after_import(3)
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    library_threads.after_import(4)  # nothing to tell, and no failure
    assert seen == [3]
