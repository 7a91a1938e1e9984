import orjson
import pytest

from api.kinds import EVENTS, PODS
from embedded.history import Change, CompactedError, History, selectable


def change(version: int, name: str = "p", *, resource: object = PODS) -> Change:
    obj = {"metadata": {"name": name, "resourceVersion": str(version)}}
    return Change(version=version, type="ADDED", resource=resource, object=obj, old=None)  # type: ignore[arg-type] # a Resource


def filled(*changes: Change, events_max: int = 100, bytes_max: int = 10_000) -> History:
    history = History(start=10, events_max=events_max, bytes_max=bytes_max)
    for each in changes:
        history.append(each, orjson.dumps(each.object))
    return history


def test_it_replays_what_came_after_in_order() -> None:
    history = filled(change(11), change(12), change(13))
    assert [each.version for each in history.since(PODS, 11)] == [12, 13]
    assert [each.version for each in history.since(PODS, 10)] == [11, 12, 13]
    assert history.since(PODS, 13) == []


def test_it_replays_one_kind() -> None:
    history = filled(change(11), change(12, resource=EVENTS))
    assert [each.version for each in history.since(EVENTS, 10)] == [12]


def test_what_is_before_its_start_is_compacted() -> None:
    with pytest.raises(CompactedError):
        filled(change(11)).since(PODS, 9)


def test_it_forgets_the_oldest_beyond_a_count() -> None:
    history = filled(*(change(11 + at) for at in range(5)), events_max=3)
    assert history.floor == 12
    assert [each.version for each in history.since(PODS, 12)] == [13, 14, 15]
    with pytest.raises(CompactedError):
        history.since(PODS, 11)


def test_it_forgets_the_oldest_beyond_a_size() -> None:
    large = [change(11 + at, "x" * 400) for at in range(5)]
    history = filled(*large, bytes_max=1000)
    assert [each.version for each in history.since(PODS, history.floor)] == [14, 15]


def test_one_change_beyond_the_size_is_not_remembered() -> None:
    history = filled(change(11, "x" * 2000), bytes_max=1000)
    assert history.floor == 11
    assert history.since(PODS, 11) == []


def test_of_the_state_before_it_keeps_what_selectors_look_at() -> None:
    obj = {
        "metadata": {
            "name": "p",
            "namespace": "n",
            "labels": {"a": "b"},
            "annotations": {"x": "y"},
        },
        "spec": {"nodeName": "here", "containers": []},
        "status": {"phase": "Running", "conditions": []},
        "involvedObject": {"name": "q"},
    }
    assert selectable(obj) == {
        "metadata": {"name": "p", "namespace": "n", "labels": {"a": "b"}},
        "spec": {"nodeName": "here"},
        "status": {"phase": "Running"},
        "involvedObject": {"name": "q"},
    }
