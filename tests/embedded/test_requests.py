import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.kinds import DEPLOYMENTS, NAMESPACES, PODS, SERVICES, Resource
from cluster.errors import (
    ApiError,
    BadRequestError,
    InvalidError,
    NotFoundError,
    UnsupportedMediaTypeError,
)
from cluster.options import DeleteOptions, ListOptions, Selection, WatchOptions, WriteOptions
from embedded import requests
from embedded.registry import Registry
from embedded.requests import Target, decoded, target_of

REGISTRY = Registry()


@pytest.mark.parametrize(
    ("path", "resource", "namespace", "name", "part"),
    [
        ("/api/v1/pods", PODS, None, "", ""),
        ("/api/v1/namespaces/n/pods", PODS, "n", "", ""),
        ("/api/v1/namespaces/n/pods/p", PODS, "n", "p", ""),
        ("/api/v1/namespaces/n/pods/p/log", PODS, "n", "p", "log"),
        ("/api/v1/namespaces", NAMESPACES, None, "", ""),
        ("/api/v1/namespaces/n", NAMESPACES, None, "n", ""),
        ("/api/v1/namespaces/n/status", NAMESPACES, None, "n", "status"),
        ("/apis/apps/v1/namespaces/n/deployments/d/scale", DEPLOYMENTS, "n", "d", "scale"),
        ("/apis/serving.knative.dev/v1/services", SERVICES, None, "", ""),
        ("/api/v1/namespaces/n/pods/", PODS, "n", "", ""),
    ],
)
def test_a_path_names_a_target(
    path: str, resource: Resource, namespace: str | None, name: str, part: str
) -> None:
    wanted = Target(resource=resource, namespace=namespace, name=name, subresource=part)
    assert target_of(path, REGISTRY) == wanted


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/metrics",
        "/api/v1/endpoints",
        "/api/v2/pods",
        "/apis/apps/v1",
        "/apis/apps/v1beta1/deployments",
        "/api/v1/pods/p",
        "/api/v1/namespaces/n/pods/p/log/more",
        "/api/v1/namespaces/n/namespaces",
        "/api/v1/namespaces/n/namespaces/m",
        "/apis/apps/v1/namespaces/n",
    ],
)
def test_other_paths_are_not_found(path: str) -> None:
    with pytest.raises(NotFoundError):
        target_of(path, REGISTRY)


@given(
    st.lists(st.sampled_from(["api", "apis", "v1", "namespaces", "n", "pods", "status", "apps"]))
)
def test_any_path_is_a_target_or_not_found(steps: list[str]) -> None:
    with contextlib.suppress(NotFoundError):
        target_of("/" + "/".join(steps), REGISTRY)


def test_queries_are_read() -> None:
    target = Target(resource=PODS, namespace="n")
    query = {"labelSelector": "a=b", "fieldSelector": "status.phase=Running"}
    assert requests.selection_of(target, query) == Selection(
        namespace="n", labels="a=b", fields="status.phase=Running"
    )
    named = Target(resource=PODS, namespace="n", name="p")
    assert requests.selection_of(named, {}).fields == "metadata.name=p"
    assert requests.selection_of(named, query).fields == "status.phase=Running,metadata.name=p"
    query = {"limit": "5", "continue": "t", "resourceVersion": "7", "resourceVersionMatch": "Exact"}
    assert requests.list_options(query) == ListOptions(
        limit=5, continue_token="t", resource_version="7", resource_version_match="Exact"
    )
    assert requests.list_options({}) == ListOptions()
    query = {"fieldManager": "x" * 128, "dryRun": "All", "force": "true"}
    found = requests.write_options(query, user="ann", subresource="status", is_apply=True)
    assert found == WriteOptions(
        user="ann", field_manager="x" * 128, subresource="status", is_dry_run=True, is_forced=True
    )
    named = requests.write_options({}, user="ann", agent="curl/8.1 (x)")
    assert named.field_manager == "curl"
    assert requests.watch_timeout_s({"timeoutSeconds": "7"}) == 7
    assert requests.watch_timeout_s({}) is None


@pytest.mark.parametrize(
    ("text", "wanted"), [("true", True), ("1", True), ("false", False), ("0", False), ("", False)]
)
def test_truth_is_read(text: str, wanted: bool) -> None:
    assert requests.is_watch({"watch": text}) is wanted


def test_initial_events_want_their_match() -> None:
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    query |= {"allowWatchBookmarks": "true", "resourceVersion": "7"}
    assert requests.watch_options(query) == WatchOptions(
        resource_version="7", has_bookmarks=True, send_initial_events=True
    )
    with pytest.raises(BadRequestError, match="sendInitialEvents is forbidden unless"):
        requests.watch_options({"sendInitialEvents": "true"})
    with pytest.raises(BadRequestError, match="forbidden for watch"):
        requests.watch_options({"resourceVersionMatch": "NotOlderThan"})


@pytest.mark.parametrize(
    ("query", "body", "wanted"),
    [
        ({}, None, DeleteOptions()),
        (
            {"gracePeriodSeconds": "3", "propagationPolicy": "Orphan", "dryRun": "All"},
            None,
            DeleteOptions(grace_period_s=3, propagation="Orphan", is_dry_run=True),
        ),
        (
            {"gracePeriodSeconds": "3"},
            {
                "kind": "DeleteOptions",
                "gracePeriodSeconds": 0,
                "propagationPolicy": "Foreground",
                "preconditions": {"uid": "u", "resourceVersion": "7"},
                "dryRun": ["All"],
            },
            DeleteOptions(
                grace_period_s=0,
                propagation="Foreground",
                uid="u",
                resource_version="7",
                is_dry_run=True,
            ),
        ),
        ({}, {"orphanDependents": True}, DeleteOptions(propagation="Orphan")),
        ({"orphanDependents": "true"}, None, DeleteOptions(propagation="Orphan")),
        ({}, {"orphanDependents": False}, DeleteOptions()),
    ],
)
def test_how_to_delete_is_read(query: dict[str, str], body: Any, wanted: DeleteOptions) -> None:
    assert requests.delete_options(query, body) == wanted


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: requests.list_options({"limit": "-1"}), "limit: must be a whole number"),
        (lambda: requests.watch_timeout_s({"timeoutSeconds": "1" * 20}), "timeoutSeconds"),
        (
            lambda: requests.write_options({"fieldManager": "x" * 129}, user=""),
            "fieldManager: Too long: may not be more than 128 bytes",
        ),
        (
            lambda: requests.write_options({"fieldManager": "a\n"}, user=""),
            "should only contain printable characters",
        ),
        (
            lambda: requests.write_options({"force": "true"}, user=""),
            "force: Forbidden: may not be specified for non-apply patch",
        ),
        (lambda: requests.write_options({"dryRun": "Some"}, user=""), "dryRun: Unsupported value"),
        (lambda: requests.delete_options({}, []), "must be a DeleteOptions object"),
        (lambda: requests.delete_options({}, {"kind": "Pod"}), "must be DeleteOptions, not Pod"),
        (lambda: requests.delete_options({}, {"preconditions": 1}), "preconditions: must be"),
        (lambda: requests.delete_options({}, {"preconditions": {"uid": 1}}), r"preconditions\.uid"),
        (lambda: requests.delete_options({}, {"gracePeriodSeconds": "3"}), "must be an integer"),
        (lambda: requests.delete_options({}, {"dryRun": "All"}), "dryRun: Unsupported"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, words: str) -> None:
    with pytest.raises((BadRequestError, InvalidError), match=words):
        call()


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/json-patch+json", "json"),
        ("application/merge-patch+json", "merge"),
        ("application/strategic-merge-patch+json", "strategic"),
        ("application/apply-patch+yaml", "apply"),
    ],
)
def test_a_patch_is_of_the_type_it_says(content_type: str, kind: str) -> None:
    assert requests.patch_kind(content_type) == kind
    assert decoded(b'{"a": 1}', content_type) == {"a": 1}


def test_a_patch_of_another_type_is_refused() -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="'application/json' is not known"):
        requests.patch_kind("application/json")


@pytest.mark.parametrize(
    ("body", "content_type", "wanted"),
    [
        (b'{"a": 1}', "", {"a": 1}),
        (b'{"a": 1}', "application/json", {"a": 1}),
        (b'{"a": 1}', "application/yaml", {"a": 1}),
        (b"a: 1\nb: [x, 'y']", "application/yaml", {"a": 1, "b": ["x", "y"]}),
        (b"a: 2027-01-15", "application/yaml", {"a": "2027-01-15"}),
        (b"", "application/yaml", None),
    ],
)
def test_bodies_are_read(body: bytes, content_type: str, wanted: Any) -> None:
    assert decoded(body, content_type) == wanted


LAUGHS = b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]"


@pytest.mark.parametrize(
    ("body", "content_type", "error", "words"),
    [
        (b"{", "application/json", BadRequestError, "not JSON"),
        (b"", "application/json", BadRequestError, "not JSON"),
        (b"a: 1", "application/json", BadRequestError, "not JSON"),
        (b"\xff", "application/json", BadRequestError, "not JSON"),
        (b"[" * 5000, "application/json", BadRequestError, "not JSON"),
        (b"a: [", "application/yaml", BadRequestError, "not YAML"),
        (b"a: 1\n---\nb: 2", "application/yaml", BadRequestError, "not YAML"),
        (b"!!python/object:os.system {}", "application/yaml", BadRequestError, "not YAML"),
        (b"? [1]\n: 2", "application/yaml", BadRequestError, "not YAML"),
        (b"[" * 5000, "application/yaml", BadRequestError, "not YAML"),
        (LAUGHS, "application/yaml", BadRequestError, "aliases are not read"),
        (
            b"a=1",
            "application/x-www-form-urlencoded",
            UnsupportedMediaTypeError,
            "is not read here",
        ),
        (b"x", "text/plain", UnsupportedMediaTypeError, "send application/json"),
        (b"x", "application/vnd.kubernetes.protobuf", UnsupportedMediaTypeError, "must begin with"),
    ],
    ids=lambda each: str(each)[:20],
)
def test_bodies_that_cannot_be_read_are_refused(
    body: bytes, content_type: str, error: type[ApiError], words: str
) -> None:
    with pytest.raises(error, match=words):
        decoded(body, content_type)
