from typing import Any

import pytest

from embedded.security import CAPABILITIES, Credentials, Owner, credentials, refused

ROOT = Owner()
USER = Owner(uid=1000, gid=1000, groups=(1000, 44))


def of(own: dict[str, Any], owner: Owner = ROOT, **pod: Any) -> Credentials:
    spec = {"securityContext": pod}
    return credentials(spec, {"securityContext": own}, owner, group_of=lambda uid: uid + 1)


def paths(own: dict[str, Any], owner: Owner = ROOT) -> list[str]:
    return [path for path, _ in refused({}, {"securityContext": own}, "sc", owner)]


def test_nothing_asked_is_nothing_changed() -> None:
    assert of({}).is_plain
    assert of({"runAsUser": 1000}, USER).is_plain, "it is that user already"


def test_a_container_is_who_it_or_its_pod_says() -> None:
    assert of({}, runAsUser=5, runAsGroup=6, supplementalGroups=[7], fsGroup=8) == Credentials(
        uid=5, gid=6, groups=(7, 8)
    )
    assert of({"runAsUser": 9}, runAsUser=5) == Credentials(uid=9, gid=10, groups=())


def test_rights_are_taken_away() -> None:
    found = of(
        {
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
        }
    )
    kept = [name for at, name in enumerate(CAPABILITIES) if at not in found.dropped]
    assert kept == ["NET_BIND_SERVICE"]
    assert found.no_new_privileges
    assert found.is_root_read_only
    assert of({"capabilities": {"drop": ["CAP_CHOWN"]}}).dropped == (0,)


@pytest.mark.parametrize(
    ("own", "as_root", "as_user"),
    [
        ({"runAsUser": 5}, [], ["sc.runAsUser"]),
        ({"runAsUser": 1000, "runAsGroup": 1000}, [], []),
        ({"runAsGroup": 5}, [], ["sc.runAsGroup"]),
        ({"fsGroup": 44}, [], []),
        ({"fsGroup": 45}, [], ["sc.fsGroup"]),
        ({"supplementalGroups": [44, 45]}, [], ["sc.supplementalGroups"]),
        ({"runAsNonRoot": True}, ["sc.runAsNonRoot"], []),
        ({"runAsNonRoot": True, "runAsUser": 1000}, [], []),
        (
            {"runAsNonRoot": True, "runAsUser": 0},
            ["sc.runAsNonRoot"],
            ["sc.runAsUser", "sc.runAsNonRoot"],
        ),
        ({"privileged": True}, [], ["sc.privileged"]),
        ({"capabilities": {"add": ["SYS_ADMIN"]}}, [], ["sc.capabilities.add"]),
        (
            {"capabilities": {"drop": ["NOSUCH"]}},
            ["sc.capabilities.drop"],
            ["sc.capabilities.drop"],
        ),
        (
            {"seccompProfile": {"type": "RuntimeDefault"}},
            ["sc.seccompProfile"],
            ["sc.seccompProfile"],
        ),
        ({"seccompProfile": {"type": "Unconfined"}}, [], []),
        ({"procMount": "Unmasked"}, ["sc.procMount"], ["sc.procMount"]),
        ({"seLinuxOptions": {"level": "x"}}, ["sc.seLinuxOptions"], ["sc.seLinuxOptions"]),
    ],
)
def test_what_can_not_be_given_is_named(
    own: dict[str, Any], as_root: list[str], as_user: list[str]
) -> None:
    assert paths(own) == as_root
    assert paths(own, USER) == as_user


def test_a_pods_context_is_looked_at_too() -> None:
    spec = {"securityContext": {"sysctls": [{"name": "a", "value": "1"}], "runAsNonRoot": True}}
    found = [path for path, _ in refused(spec, None, "securityContext", ROOT)]
    assert found == ["securityContext.sysctls", "securityContext.runAsNonRoot"]
