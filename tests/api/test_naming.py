import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import naming

names = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
suffixes = st.from_regex(r"-[a-z0-9]{1,80}", fullmatch=True)


@pytest.mark.parametrize(
    ("parent", "suffix", "expected"),
    [
        ("foo", "-bar", "foo-bar"),
        ("f" * 58, "-0001", "f" * 58 + "-0001"),
        # Knative's own answers (kmeta/names_test.go).
        (
            "f" * 63,
            "-deployment",
            "ffffffffffffffffffff105d7597f637e83cc711605ac3ea4957-deployment",
        ),
        # A suffix with no room for a head: the whole is hashed.
        (
            "foo",
            "-" + "x" * 70,
            "foo" + hashlib.md5(b"foo-" + b"x" * 70).hexdigest() + "-" + "x" * 27,
        ),
    ],
)
def test_child_name(parent: str, suffix: str, expected: str) -> None:
    assert naming.child_name(parent, suffix) == expected


@given(names, suffixes)
def test_a_child_name_is_a_label_and_always_the_same(parent: str, suffix: str) -> None:
    name = naming.child_name(parent, suffix)
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= 63
    assert name == naming.child_name(parent, suffix)


@given(names, names)
def test_long_parents_have_different_children(one: str, other: str) -> None:
    same = naming.child_name(one, "-deployment") == naming.child_name(other, "-deployment")
    assert same == (one == other)


def test_names_of_a_service() -> None:
    assert naming.revision_name("iris", 1) == "iris-00001"
    assert naming.revision_name("iris", 123456) == "iris-123456"
    assert naming.deployment_name("iris-00001") == "iris-00001-deployment"
    assert naming.pod_name("iris-00001-deployment", "x7k2p") == "iris-00001-deployment-x7k2p"


@given(names, st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True))
def test_a_pod_name_is_a_label_that_ends_in_its_suffix(deployment: str, suffix: str) -> None:
    name = naming.pod_name(deployment, suffix)
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= 63
    assert name.endswith(f"-{suffix}")


def test_hosts() -> None:
    assert naming.host("iris", "default", "localhost") == "iris.default.localhost"
    assert naming.tag_host("v2", "iris", "default", "x.org") == "v2-iris.default.x.org"
    assert naming.cluster_local_host("iris", "ns") == "iris.ns.svc.cluster.local"


@pytest.mark.parametrize(
    ("port", "expected"), [(None, "http://h"), (80, "http://h"), (8080, "http://h:8080")]
)
def test_url(port: int | None, expected: str) -> None:
    assert naming.url("h", port) == expected
