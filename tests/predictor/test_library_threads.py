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


def test_what_was_looked_for_before_a_fork_is_not_looked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control = pytest.importorskip("threadpoolctl")
    monkeypatch.setattr(library_threads, "_KNOWN", library_threads._Known())
    found: list[int] = []

    class Controller:
        def limit(self, *, limits: int) -> None:
            found.append(limits)

    monkeypatch.setattr(control, "ThreadpoolController", Controller)
    monkeypatch.setattr(control, "threadpool_limits", None)
    library_threads.remember()
    library_threads.after_import(2)
    assert found == [2]


def test_there_may_be_nothing_to_look_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_threads, "_KNOWN", library_threads._Known())
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    library_threads.remember()
    library_threads.after_import(2)
    assert library_threads._KNOWN.controller is None
