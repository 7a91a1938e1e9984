from typing import Any

import pytest

from api.kinds import DEPLOYMENTS, SERVICES
from cluster.errors import ApiError, BadRequestError, ConflictError, InvalidError
from cluster.options import WriteOptions
from embedded import applying
from embedded.managers import PLATFORM
from embedded.ownership import Ownership
from embedded.registry import Registry

NOW = "2027-01-15T08:00:00Z"
FORM = Ownership(Registry(), clock=lambda: 0.0).form_of(DEPLOYMENTS)
OURS = Ownership(Registry(), clock=lambda: 0.0).form_of(SERVICES)


def named(**body: Any) -> dict[str, Any]:
    metadata = {"name": "d", **body.pop("metadata", {})}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, **body}


def apply(
    live: dict[str, Any], manager: str, *, force: bool = False, part: str = "", **body: Any
) -> dict[str, Any]:
    options = WriteOptions(
        field_manager=manager, applied=named(**body), is_forced=force, subresource=part
    )
    whole, entries = applying.apply(FORM, live, options, now=NOW)
    return with_entries(whole, entries)


def update(
    live: dict[str, Any], manager: str = "", *, part: str = "", given: Any = None, **body: Any
) -> dict[str, Any]:
    """What the server does for a PUT."""
    new = {**live, **body}
    options = WriteOptions(field_manager=manager, subresource=part)
    if applying.is_untracked(live, options, given):
        return new
    return with_entries(new, applying.updated(FORM, live, new, options, given=given, now="later"))


def create(manager: str, *, applies: bool = False, **body: Any) -> dict[str, Any]:
    new = named(**body)
    options = WriteOptions(field_manager=manager, applied=new if applies else None)
    return with_entries(new, applying.created(FORM, new, options, now=NOW))


def with_entries(obj: dict[str, Any], entries: list[dict[str, Any]]) -> dict[str, Any]:
    metadata = {key: each for key, each in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata | ({"managedFields": entries} if entries else {})}


def owners(obj: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{each['manager']}/{each['operation']}": each["fieldsV1"]
        for each in obj["metadata"].get("managedFields", [])
    }


def test_the_maker_owns_what_there_is_the_applier_what_it_says() -> None:
    body = {"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 1}}
    made = create("kubectl-create", **body)
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "kubectl-create",
            "operation": "Update",
            "apiVersion": "apps/v1",
            "time": NOW,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
                "f:spec": {".": {}, "f:replicas": {}},
            },
        }
    ]
    applied = create("kubectl", applies=True, **body)
    assert owners(applied) == {
        "kubectl/Apply": {"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:replicas": {}}}
    }


def test_the_platform_is_not_recorded_until_someone_else_writes() -> None:
    made = create("", spec={"replicas": 1}, metadata={"ownerReferences": [{"uid": "u"}]})
    assert owners(made) == {}
    ours = update(made, spec={"replicas": 2})
    assert owners(ours) == {}
    theirs = update(ours, "kubectl", spec={"replicas": 2, "paused": True})
    found = owners(theirs)
    assert found["kubectl/Update"] == {"f:spec": {"f:paused": {}}}
    assert found[f"{PLATFORM}/Update"]["f:spec"] == {".": {}, "f:replicas": {}}
    # From now on the platform's own writes count as well.
    assert owners(update(theirs, spec={"replicas": 2, "paused": False}))[f"{PLATFORM}/Update"][
        "f:spec"
    ] == {".": {}, "f:replicas": {}, "f:paused": {}}


def test_another_value_is_a_conflict_the_same_value_is_shared() -> None:
    live = create("one", applies=True, spec={"replicas": 1})
    both = apply(live, "two", spec={"replicas": 1})
    assert owners(both) == {
        "one/Apply": {"f:spec": {"f:replicas": {}}},
        "two/Apply": {"f:spec": {"f:replicas": {}}},
    }
    with pytest.raises(ConflictError) as caught:
        apply(both, "two", spec={"replicas": 2})
    assert caught.value.message == (
        'Apply failed with 1 conflict: conflict with "one": .spec.replicas'
    )
    assert caught.value.details == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "one"',
                "field": ".spec.replicas",
            }
        ]
    }
    forced = apply(both, "two", force=True, spec={"replicas": 2})
    assert owners(forced) == {"two/Apply": {"f:spec": {"f:replicas": {}}}}
    assert forced["spec"] == {"replicas": 2}


def test_several_conflicts_are_told_by_owner() -> None:
    live = create("kubectl-create", spec={"replicas": 1, "paused": True})
    live = apply(live, "one", spec={"minReadySeconds": 3})
    with pytest.raises(ConflictError) as caught:
        apply(live, "two", spec={"replicas": 2, "paused": False, "minReadySeconds": 4})
    assert caught.value.message == (
        "Apply failed with 3 conflicts: "
        'conflicts with "kubectl-create" using apps/v1:\n- .spec.paused\n- .spec.replicas\n'
        'conflicts with "one":\n- .spec.minReadySeconds'
    )


def test_what_is_applied_no_longer_goes_unless_someone_owns_it() -> None:
    live = create("one", applies=True, metadata={"labels": {"a": "1", "b": "1"}}, spec={"x": 1})
    live = apply(live, "two", metadata={"labels": {"b": "1"}})
    less = apply(live, "one", spec={"x": 1})
    assert less["metadata"]["labels"] == {"b": "1"}
    assert owners(less)["one/Apply"] == {"f:spec": {"f:x": {}}}
    gone = apply(less, "two")
    assert "labels" not in gone["metadata"]
    assert owners(gone) == {"one/Apply": {"f:spec": {"f:x": {}}}}


def test_items_of_keyed_lists_are_owned_one_by_one() -> None:
    def pods(*containers: dict[str, Any]) -> dict[str, Any]:
        return {"template": {"spec": {"containers": list(containers)}}}

    live = create("one", applies=True, spec=pods({"name": "a", "image": "i"}))
    live = apply(live, "two", spec=pods({"name": "b", "image": "i"}))
    assert [c["name"] for c in live["spec"]["template"]["spec"]["containers"]] == ["a", "b"]
    own = owners(live)["two/Apply"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert own == {'k:{"name":"b"}': {".": {}, "f:name": {}, "f:image": {}}}
    with pytest.raises(ConflictError, match=r"containers\[name=\"a\"\]\.image"):
        apply(live, "two", spec=pods({"name": "a", "image": "other"}))
    live = apply(live, "one", spec=pods())
    assert [c["name"] for c in live["spec"]["template"]["spec"]["containers"]] == ["b"]


def test_an_update_takes_what_it_changes() -> None:
    live = create("one", applies=True, spec={"replicas": 1, "paused": True})
    live = update(live, "scaler", spec={"replicas": 5, "paused": True}, part="scale")
    assert owners(live) == {
        "one/Apply": {"f:spec": {"f:paused": {}}},
        "scaler/Update": {"f:spec": {"f:replicas": {}}},
    }
    assert live["metadata"]["managedFields"][1]["subresource"] == "scale"
    with pytest.raises(
        ConflictError, match=r'"scaler" with subresource "scale" using apps/v1: \.spec\.replicas'
    ):
        apply(live, "one", spec={"replicas": 1, "paused": True})


def test_a_status_is_the_platforms_until_someone_else_writes_it() -> None:
    live = create("one", applies=True, spec={"replicas": 1})
    live = update(live, part="status", status={"replicas": 1, "readyReplicas": 0})
    assert owners(live) == {"one/Apply": {"f:spec": {"f:replicas": {}}}}
    shown = applying.shown(FORM, live)
    assert owners(shown)[f"{PLATFORM}/Update"] == {
        "f:status": {".": {}, "f:replicas": {}, "f:readyReplicas": {}}
    }
    with pytest.raises(ConflictError, match='"relight" with subresource "status"'):
        apply(live, "hand", part="status", status={"replicas": 2})
    forced = apply(live, "hand", part="status", force=True, status={"replicas": 2})
    assert forced["status"] == {"replicas": 2, "readyReplicas": 0}
    assert owners(forced)["hand/Apply"] == {"f:status": {"f:replicas": {}}}
    # The platform's next write takes it back.
    back = update(forced, part="status", status={"replicas": 1, "readyReplicas": 0})
    assert "hand/Apply" not in owners(back)
    # What is shown may be written back, and is not kept.
    entries = shown["metadata"]["managedFields"]
    assert owners(update(live, "editor", given=entries)) == owners(live)


def test_a_main_apply_says_nothing_of_status_and_a_status_apply_nothing_else() -> None:
    live = create("one", applies=True, spec={"replicas": 1})
    assert "status" not in apply(live, "one", spec={"replicas": 1}, status={"replicas": 9})
    other = apply(live, "two", part="status", spec={"replicas": 7}, status={"replicas": 7})
    assert (other["spec"], other["status"]) == ({"replicas": 1}, {"replicas": 7})


def test_owners_can_be_forgotten_and_moved() -> None:
    live = create("kubectl-client-side-apply", spec={"replicas": 1})
    assert owners(update(live, "kubectl-patch", given=[{}])) == {}
    assert owners(update(live, "kubectl-patch", given=[])) == {}
    (entry,) = live["metadata"]["managedFields"]
    moved = update(live, "kubectl", given=[{**entry, "manager": "kubectl", "operation": "Apply"}])
    assert list(owners(moved)) == ["kubectl/Apply"]
    less = apply(moved, "kubectl", spec={})
    assert less["spec"] == {}
    assert owners(update(live, "x", given="nonsense")) == owners(live)
    fresh = apply(named(spec={"replicas": 3}), "kubectl", spec={"paused": True})
    assert list(owners(fresh)) == ["kubectl/Apply", "before-first-apply/Update"]


def test_nothing_new_changes_nothing() -> None:
    live = create("one", applies=True, spec={"replicas": 1})
    options = WriteOptions(field_manager="one", applied=named(spec={"replicas": 1}))
    assert with_entries(*applying.apply(FORM, live, options, now="later")) == live
    assert update(live, "two") == live


def test_more_than_ten_updaters_become_one() -> None:
    live = create("first", spec={"n0": 0})
    for at in range(1, 15):
        live = update(live, f"m{at:02}", spec={**live["spec"], f"n{at}": at})
    found = owners(live)
    assert len(found) == 10
    assert {"f:n0", "f:n1", "f:n5"} <= found["ancient-changes/Update"]["f:spec"].keys()


@pytest.mark.parametrize(
    ("options", "applied", "error", "words"),
    [
        ({}, {}, InvalidError, "fieldManager: Required value"),
        ({"field_manager": "x"}, [], BadRequestError, "not an object but list"),
        (
            {"field_manager": "x"},
            {"metadata": {"managedFields": [{}]}},
            BadRequestError,
            "metadata.managedFields must be nil",
        ),
    ],
)
def test_an_apply_must_be_one(
    options: dict[str, Any], applied: Any, error: type[ApiError], words: str
) -> None:
    with pytest.raises(error, match=words):
        applying.checked(WriteOptions(**options), applied)


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        ([{"image": "i"}], r'containers: element 0: .* omits key field "name"'),
        ([{"name": "a"}, {"name": "a"}], r"duplicate entries for key"),
    ],
)
def test_a_list_must_have_its_keys(containers: list[Any], words: str) -> None:
    options = WriteOptions(
        field_manager="x",
        applied=named(spec={"template": {"spec": {"containers": containers}}}),
    )
    with pytest.raises(BadRequestError, match=words):
        applying.apply(FORM, named(), options, now=NOW)


def test_traffic_and_containers_are_one_value_and_volumes_are_items() -> None:
    config = {
        "apiVersion": SERVICES.api_version,
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {
            "traffic": [{"percent": 100}],
            "template": {"spec": {"containers": [{"name": "c"}], "volumes": [{"name": "A"}]}},
        },
    }
    options = WriteOptions(field_manager="x", applied=config)
    (entry,) = applying.created(OURS, config, options, now=NOW)
    spec = entry["fieldsV1"]["f:spec"]
    assert spec["f:traffic"] == {}
    pod = spec["f:template"]["f:spec"]
    assert pod["f:containers"] == {}
    assert pod["f:volumes"] == {'k:{"name":"A"}': {".": {}, "f:name": {}}}
