"""Server-side apply over any sequence of writes, against a slow twin of the rules."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from api.kinds import CONFIGMAPS, SERVICES
from cluster.errors import ConflictError
from cluster.options import WriteOptions
from embedded.apiserver import ApiServer
from embedded.ownership import Ownership
from embedded.registry import Registry
from embedded.store import IN_MEMORY, Store

MANAGERS = st.sampled_from(["one", "two", "three"])
LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3)
APPLIES = st.tuples(st.sampled_from(["apply", "force"]), MANAGERS, LABELS)
UPDATES = st.tuples(st.just("update"), MANAGERS, LABELS)


def body(labels: dict[str, str]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "c"} | ({"labels": labels} if labels else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


class Real:
    def __init__(self) -> None:
        self.store = Store(IN_MEMORY)
        self.server = ApiServer(self.store, clock=lambda: 1.8e9, rng=random.Random(1))

    def write(self, verb: str, manager: str, labels: dict[str, str]) -> bool:
        """Whether it was done; False for a conflict."""
        place = (None, "c")
        if verb == "update":
            gone: dict[str, Any] = dict.fromkeys(self.labels())
            patch = {"metadata": {"labels": gone | labels}}
            named = WriteOptions(field_manager=manager)
            self.server.patch(CONFIGMAPS, place, patch, "merge", named)
            return True
        options = WriteOptions(field_manager=manager, is_forced=verb == "force")
        try:
            self.server.patch(CONFIGMAPS, place, body(labels), "apply", options)
        except ConflictError:
            return False
        return True

    def found(self) -> dict[str, Any]:
        return self.store.get(CONFIGMAPS, "default", "c") or {"metadata": {}}

    def labels(self) -> dict[str, str]:
        return dict(self.found()["metadata"].get("labels") or {})

    def owners(self) -> dict[tuple[str, str], set[str]]:
        owned = {}
        for entry in self.found()["metadata"].get("managedFields", ()):
            fields = entry["fieldsV1"].get("f:metadata", {}).get("f:labels", {})
            names = {step[2:] for step in fields if step != "."}
            if names:
                owned[entry["manager"], entry["operation"]] = names
        return owned


class Twin:
    """The rules of ownership for labels, one at a time."""

    def __init__(self) -> None:
        self.labels: dict[str, str] = {}
        self.owned: dict[tuple[str, str], set[str]] = {}

    def write(self, verb: str, manager: str, labels: dict[str, str]) -> bool:
        if verb == "update":
            self._change(labels, (manager, "Update"))
            return True
        me = (manager, "Apply")
        last = self.owned.get(me, set())
        kept = set(labels).union(*(own for who, own in self.owned.items() if who != me))
        new = {k: v for k, v in (self.labels | labels).items() if k not in last or k in kept}
        changed = {key for key in new if new[key] != self.labels.get(key)}
        others = [own for who, own in self.owned.items() if who != me]
        if verb == "apply" and any(own & changed for own in others):
            return False
        self._change(new, None)
        self.owned[me] = set(labels)
        self.owned = {who: own for who, own in self.owned.items() if own}
        return True

    def _change(self, new: dict[str, str], by: tuple[str, str] | None) -> None:
        names = set(new) | set(self.labels)
        differing = {key for key in names if new.get(key) != self.labels.get(key)}
        self.owned = {who: own - differing for who, own in self.owned.items()}
        if by is not None:
            self.owned.setdefault(by, set()).update(differing & set(new))
        self.owned = {who: own for who, own in self.owned.items() if own}
        self.labels = dict(new)


@settings(max_examples=60, deadline=None)
@given(st.lists(APPLIES | UPDATES, min_size=1, max_size=10))
def test_ownership_follows_the_rules(steps: list[tuple[str, str, dict[str, str]]]) -> None:
    real, twin = Real(), Twin()
    real.server.create(
        CONFIGMAPS, None, body({}) | {"data": {"k": "v"}}, WriteOptions(field_manager="base")
    )
    for verb, manager, labels in steps:
        assert real.write(verb, manager, labels) == twin.write(verb, manager, labels)
        assert real.labels() == twin.labels
        assert real.owners() == twin.owned
        if verb == "force":
            assert real.labels().items() >= labels.items()
            before = real.found()
            assert real.write(verb, manager, labels), "applying again is a conflict"
            assert real.found() == before, "applying again changed something"
    real.store.close()


@settings(max_examples=30, deadline=None)
@given(LABELS, LABELS)
def test_disjoint_appliers_commute(one: dict[str, str], two: dict[str, str]) -> None:
    one = {f"x{key}": value for key, value in one.items()}
    seen = []
    for first, second in ((("one", one), ("two", two)), (("two", two), ("one", one))):
        real = Real()
        assert real.write("apply", *first)
        assert real.write("apply", *second)
        seen.append((real.labels(), real.owners()))
        real.store.close()
    assert seen[0] == seen[1]


def test_a_form_is_found_once() -> None:
    ownership = Ownership(Registry(), clock=lambda: 0.0)
    form = ownership.form_of(SERVICES)
    assert ownership.form_of(SERVICES) is form
    assert form.has_status
