from typing import Any

import pytest

from embedded import acceptance
from embedded.acceptance import Acceptance
from embedded.capabilities import Machine

PLAIN: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}]}
MOUNTING = {"containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}


def test_says_what_is_refused_and_by_which_path() -> None:
    machine = Machine(no_mounts="no mounts here")
    asked = Acceptance(lambda: machine)
    for _ in range(2):
        assert not asked.refused(PLAIN)
        assert [each.paths for each in asked.refused(MOUNTING)] == [
            ("spec.containers[0].volumeMounts",)
        ]


def test_one_template_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []

    def refusals(spec: Any, *, path: str, machine: Machine) -> list[Any]:
        looked.append(spec)
        return []

    monkeypatch.setattr(acceptance, "refusals", refusals)
    machine = Machine()
    asked = Acceptance(lambda: machine)
    for _ in range(3):
        asked.refused({**PLAIN})
    asked.refused(MOUNTING)
    assert looked == [PLAIN, MOUNTING]


def test_is_asked_anew_when_the_machine_can_do_less() -> None:
    machines = [Machine(), Machine(no_mounts="no mounts here")]
    asked = Acceptance(lambda: machines[0])
    assert not asked.refused(MOUNTING)
    del machines[0]
    assert asked.refused(MOUNTING)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptance, "_KNOWN_MAX", 2)
    machine = Machine()
    asked = Acceptance(lambda: machine)
    for name in "abcdef":
        assert not asked.refused({"containers": [{"name": name}]})
        assert len(asked._known) <= 2
