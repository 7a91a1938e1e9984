"""The webhook beside one machine's API server: the same objects, refusals and advice."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from api import kinds
from api.autoscaler_config import Defaults
from api.kinds import Resource
from api.warnings import warnings
from cluster.client import Client
from cluster.errors import ApiError
from controller import webhook_reviews
from controller.webhook import ADMITTED, MESSAGE_CHARS_MAX, Webhook
from controller.webhook_reviews import ALLOWED, Verdict
from tests.api.inferences import isvc, predictor
from tests.api.test_inference import CASES
from tests.api.test_messages import ALL, BASES, RESOURCES, Changes, changed
from tests.cluster.serving import Served
from tests.controller.reviews import DEFAULTING, VALIDATION, asked, read, review

Raw = dict[str, Any]
ROOT = Path(__file__).parent.parent.parent
MAX_SCALE = "autoscaling.knative.dev/max-scale"
OURS = {(each.api_version, each.kind): each for each in ADMITTED}


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


def webhook(**defaults: Any) -> Webhook:
    return Webhook(config_namespace="relight-system", defaults=lambda: Defaults(**defaults))


def typed(resource: Resource, raw: Raw) -> Raw:
    """As it comes from a server: with its kind."""
    return {"apiVersion": resource.api_version, "kind": resource.kind, **copy.deepcopy(raw)}


async def on_one_machine(client: Client, resource: Resource, raw: Raw) -> tuple[str, int, Raw]:
    """What one machine's API server says, and with which code; or what it stores."""
    try:
        return "", 200, await client.create(resource, raw)
    except ApiError as error:
        return error.message, error.status, {}


def said(obj: Raw) -> Raw:
    """What of an object is not the server's own."""
    metadata = obj["metadata"]
    kept = {name: metadata.get(name) for name in ("name", "labels", "annotations")}
    return {**{name: each for name, each in obj.items() if name != "status"}, "metadata": kept}


@pytest.mark.parametrize(
    ("kind", "changes", "text"),
    ALL,
    ids=[text.splitlines()[0][:90] for _, _, text in ALL],
)
async def test_every_message_of_knatives(
    kind: str, changes: Changes, text: str, served: Served
) -> None:
    resource = RESOURCES[kind]
    raw = typed(resource, changed(BASES[kind], changes))
    found, verdict, _ = asked(webhook(), resource, raw)
    name = 'admission webhook "validation.webhook.serving.knative.dev"'
    assert found == f"{name} denied the request: validation failed: {text}"
    if "generateName" not in raw["metadata"]:  # one machine asks after it made the name
        message, code, _ = await on_one_machine(served.direct, resource, raw)
        assert (found, verdict.code) == (message, code)


@pytest.mark.parametrize(("raw", "text"), [each[1:] for each in CASES], ids=[c[0] for c in CASES])
async def test_every_message_of_kserves(raw: Raw, text: str, served: Served) -> None:
    name = 'admission webhook "inferenceservice.kserve-webhook-server.validator"'
    found, verdict, _ = asked(webhook(), kinds.INFERENCESERVICES, raw)
    assert found == f"{name} denied the request: {text}"
    assert (verdict.code, verdict.reason) == (403, "Forbidden")


@pytest.mark.parametrize(
    "resource", [kinds.SERVINGRUNTIMES, kinds.CLUSTERSERVINGRUNTIMES], ids=lambda each: each.kind
)
async def test_runtimes_are_refused_as_on_one_machine(resource: Resource, served: Served) -> None:
    metadata = {"name": "mine", **({"namespace": "default"} if resource.is_namespaced else {})}
    raw = typed(resource, {"metadata": metadata, "spec": {"containers": [{"name": "x"}], "no": 1}})
    message, code, _ = await on_one_machine(served.direct, resource, raw)
    found, verdict, _ = asked(webhook(), resource, raw)
    assert found == message != ""
    assert verdict.code == code == 403


def written() -> list[Raw]:
    """Every object of ours that stands in a manifest or an example."""
    found = []
    for folder in ("examples", "manifests/400-runtimes"):
        for path in sorted((ROOT / folder).rglob("*.yaml")):
            found += [each for each in yaml.safe_load_all(path.read_text()) if each]
    return [each for each in found if (each.get("apiVersion"), each.get("kind")) in OURS]


@pytest.mark.parametrize(
    "raw", written(), ids=lambda raw: f"{raw['kind']} {raw['metadata']['name']}"
)
async def test_what_is_stored_is_what_one_machine_stores(raw: Raw, served: Served) -> None:
    resource = OURS[raw["apiVersion"], raw["kind"]]
    raw = copy.deepcopy(raw)
    if resource.is_namespaced:
        raw["metadata"]["namespace"] = "default"
    message, _, stored = await on_one_machine(served.direct, resource, raw)
    found, verdict, made = asked(webhook(), resource, raw)
    assert found == message == ""
    assert said(made) == said(stored)
    assert verdict.warnings == warnings(resource, stored, None)


_NUMBERS = st.none() | st.integers(-1, 700)
_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "spec/template/spec/timeoutSeconds": _NUMBERS,
        "spec/template/spec/containerConcurrency": _NUMBERS,
        "spec/template/spec/responseStartTimeoutSeconds": _NUMBERS,
        "spec/template/spec/containers/0/name": st.sampled_from(["", "a", "queue-proxy"]),
        "spec/template/spec/containers/0/readinessProbe": st.sampled_from(
            [{}, {"httpGet": {"path": "/"}}, {"periodSeconds": 3}, None]
        ),
        "spec/traffic": st.sampled_from(
            [
                [],
                None,
                [{"percent": 100}],
                [{"percent": 60}, {"revisionName": "iris-1", "percent": 40}],
            ]
        ),
        "metadata/annotations": st.dictionaries(
            st.sampled_from(["a", "a/b", "serving.knative.dev/creator"]), st.just("x")
        ),
        "metadata/labels": st.none() | st.just({"a": "b"}),
        "spec/template/metadata/annotations": st.dictionaries(
            st.sampled_from([MAX_SCALE, "a~b"]),
            st.sampled_from(["3", "x"]),
        ),
    },
)


@settings(max_examples=60, deadline=None)
@given(_CHANGES, _CHANGES, st.sampled_from(["ann", "bob", ""]))
async def test_the_patch_makes_what_one_machine_stores(
    first: Changes, then: Changes, user: str
) -> None:
    served, resource = Served(), kinds.SERVICES
    try:
        raw = typed(resource, changed(BASES["Service"], first))
        message, _, stored = await on_one_machine(served.direct, resource, raw)
        found, _, made = asked(webhook(), resource, raw)
        assert found == message
        if message:
            return
        assert said(made) == said(stored)
        new = typed(resource, changed(BASES["Service"], then))
        version = {"resourceVersion": stored["metadata"]["resourceVersion"]}
        new["metadata"] = {**new["metadata"], **version}
        found, _, made = asked(webhook(), resource, new, stored)
        message, after = "", made
        try:
            after = await served.direct.replace(resource, new)
        except ApiError as error:
            message = error.message
        assert (found, said(made)) == (message, said(after))
    finally:
        served.close()


def created(resource: Resource, raw: Raw) -> Raw:
    found, _, made = asked(webhook(), resource, raw, user="ann")
    assert found == ""
    return made


def service(**changes: Any) -> Raw:
    return typed(kinds.SERVICES, changed(BASES["Service"], changes))


def test_who_did_it_is_who_asked() -> None:
    made = created(kinds.SERVICES, service())
    by = "serving.knative.dev"
    assert made["metadata"]["annotations"] == {f"{by}/creator": "ann", f"{by}/lastModifier": "ann"}
    new = changed(made, {"spec/template/spec/timeoutSeconds": 9})
    _, _, made = asked(webhook(), kinds.SERVICES, new, made, user="bob")
    assert made["metadata"]["annotations"] == {f"{by}/creator": "ann", f"{by}/lastModifier": "bob"}


def test_a_namespace_that_the_server_fills_in_later_counts_already() -> None:
    raw = typed(kinds.DOMAINMAPPINGS, BASES["DomainMapping"])
    del raw["metadata"]["namespace"]
    question = review(kinds.DOMAINMAPPINGS, raw, namespace="shop")
    patch = webhook().default(read(question)).patch
    assert {"op": "add", "path": "/spec/ref/namespace", "value": "shop"} in patch
    assert not any(each["path"].startswith("/metadata/namespace") for each in patch)


def test_a_name_that_the_server_makes_later_is_no_fault() -> None:
    raw = service()
    raw["metadata"] = {"generateName": "iris-", "namespace": "default"}
    assert webhook().default(read(review(kinds.SERVICES, raw))).message == ""


def test_a_revision_never_changes() -> None:
    old = created(kinds.REVISIONS, typed(kinds.REVISIONS, BASES["Revision"]))
    new = changed(old, {"spec/containers/0/image": "a/c"})
    found, _, _ = asked(webhook(), kinds.REVISIONS, new, old)
    assert found == (
        'admission webhook "validation.webhook.serving.knative.dev" denied the request: '
        "validation failed: Immutable fields changed (-old +new): spec\n"
        'spec.containers[0].image:\n\t-: "a/b"\n\t+: "a/c"'
    )


def test_settings_of_now_are_asked_and_let_be_what_they_found() -> None:
    scaled = service(**{"spec/template/metadata/annotations": {MAX_SCALE: "5"}})
    found, _, _ = asked(webhook(max_scale_limit=3), kinds.SERVICES, scaled)
    assert "expected 1 <= 5 <= 3" in found
    old = created(kinds.SERVICES, scaled)
    new = changed(old, {"metadata/labels": {"a": "b"}})
    assert asked(webhook(max_scale_limit=3), kinds.SERVICES, new, old)[0] == ""


def test_what_one_machine_can_not_do_is_admitted() -> None:
    able = service(
        **{
            "spec/template/spec/containers/0/image": "registry.example.com/any:1",
            "spec/template/spec/nodeSelector": {"gpu": "h100"},
            "spec/template/spec/runtimeClassName": "gvisor",
            "spec/template/metadata/annotations": {
                "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev"
            },
        }
    )
    assert asked(webhook(), kinds.SERVICES, able)[0] == ""


def test_what_is_older_than_a_rule_can_be_labelled_and_let_go() -> None:
    old = created(kinds.SERVICES, service())
    old = changed(old, {"spec/template/spec/nodeName": "here", "metadata/finalizers": ["a.b/c"]})
    for changes in ({"metadata/labels": {"a": "b"}}, {"metadata/finalizers": []}):
        assert asked(webhook(), kinds.SERVICES, changed(old, changes), old)[0] == ""
    worse = changed(old, {"spec/template/spec/timeoutSeconds": 9})
    assert "spec.template.spec.nodeName" in asked(webhook(), kinds.SERVICES, worse, old)[0]


def test_what_is_going_is_let_go_whatever_it_says() -> None:
    going = {"metadata": {"name": "x", "deletionTimestamp": "2027-01-01T00:00:00Z"}, "spec": [7]}
    old = typed(kinds.SERVICES, {**going, "status": {"a": 1}})
    new = typed(kinds.SERVICES, going)
    assert asked(webhook(), kinds.SERVICES, new, old)[1:] == (ALLOWED, new)
    changed_too = {**new, "spec": {"template": 1}}
    assert asked(webhook(), kinds.SERVICES, changed_too, old)[0] != ""


@pytest.mark.parametrize(
    "fields",
    [
        {"subResource": "status"},
        {"subResource": "scale"},
        {"operation": "DELETE", "object": None, "oldObject": {"metadata": {"name": "x"}}},
        {"operation": "CONNECT"},
        {"resource": {"group": "", "version": "v1", "resource": "pods"}},
        {"resource": {"group": "serving.knative.dev", "version": "v9", "resource": "services"}},
    ],
)
def test_what_is_none_of_its_business_passes_untouched(fields: Raw) -> None:
    wrong = {"metadata": {"name": "X Y"}, "spec": {"nonsense": True}}
    raw = review(kinds.SERVICES, wrong)
    question = read({**raw, "request": {**raw["request"], **fields}})
    assert webhook().default(question) == webhook().validate(question) == ALLOWED


CONFIG = "relight-system"


def settings_map(name: str = "config-autoscaler", namespace: str = CONFIG, **data: str) -> Raw:
    metadata = {"name": name, "namespace": namespace}
    return {"metadata": metadata, "data": {k.replace("_", "-"): v for k, v in data.items()}}


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (settings_map(stable_window="30s"), None, ""),
        (
            settings_map(stable_window="1s"),
            None,
            "validation failed: stable-window = 1s, must be in [6s; 1h0m0s] range",
        ),
        (
            settings_map(stable_window="1s"),
            settings_map(stable_window="30s"),
            "validation failed: stable-window = 1s, must be in [6s; 1h0m0s] range",
        ),
        (settings_map(stable_window="1s"), settings_map(stable_window="1s"), ""),
        (settings_map(stable_window="1s", namespace="knative-serving"), None, ""),
        (settings_map("mine", no_such_key="1"), None, ""),
        (
            settings_map("config-gc", no_such_key="1"),
            None,
            'validation failed: "no-such-key" is not served: not a key that Relight knows',
        ),
        (
            settings_map(pod_autoscaler_class="hpa.autoscaling.knative.dev"),
            None,
            "",  # a cluster has what it takes
        ),
    ],
)
def test_settings_are_refused_as_knative_does(new: Raw, old: Raw | None, expected: str) -> None:
    question = read(review(kinds.CONFIGMAPS, new, old))
    assert webhook().validate(question).message == expected
    assert webhook().default(question) == ALLOWED


def test_an_example_that_was_edited_is_refused() -> None:
    edited = settings_map(_example="mine")
    edited["metadata"]["annotations"] = {"knative.dev/example-checksum": "deadbeef"}
    found = webhook().validate(read(review(kinds.CONFIGMAPS, edited)))
    assert found.message.startswith("validation failed: ")


def test_advice_is_given_where_it_is_stored() -> None:
    raw = service()
    assert webhook().default(read(review(kinds.SERVICES, raw))).warnings == ()
    _, last, made = asked(webhook(), kinds.SERVICES, raw)
    assert last.warnings == warnings(kinds.SERVICES, made, None) != ()


def test_a_refusal_is_no_longer_than_somebody_reads() -> None:
    spec = {"predictor": {**predictor(), **{f"no{n}": 1 for n in range(20_000)}}}
    found = webhook().default(read(review(kinds.INFERENCESERVICES, isvc(spec))))
    assert MESSAGE_CHARS_MAX < len(found.message) < MESSAGE_CHARS_MAX + 100
    assert found.message.endswith(" characters more")


@pytest.mark.parametrize("depth", [200, 900])
def test_what_is_nested_beyond_reason_is_refused(depth: int) -> None:
    raw = service(**{"spec/traffic": "HERE"})
    body = orjson.dumps(review(kinds.SERVICES, raw))
    question = webhook_reviews.read(body.replace(b'"HERE"', b"[" * depth + b"]" * depth))
    for decide in (webhook().default, webhook().validate):
        found = orjson.loads(webhook_reviews.answer(question, decide(question)))["response"]
        assert not found["allowed"]


def test_an_answer_that_can_not_be_written_is_a_refusal() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    question = read(review(kinds.SERVICES, service()))
    verdict = Verdict(patch=[{"op": "add", "path": "/spec/x", "value": deep}])
    found = orjson.loads(webhook_reviews.answer(question, verdict))["response"]
    assert (found["allowed"], found["status"]["code"]) == (False, 400)
    assert "patch" not in found


@pytest.mark.parametrize("configuration", [DEFAULTING, VALIDATION], ids=["default", "validate"])
def test_the_shipped_configurations_ask_about_every_kind_once_and_of_nothing_else(
    configuration: Raw,
) -> None:
    rules = [
        (group, version, plural)
        for each in configuration["webhooks"]
        for rule in each["rules"]
        for group in rule["apiGroups"]
        for version in rule["apiVersions"]
        for plural in rule["resources"]
    ]
    wanted = [(each.group, each.version, each.plural) for each in ADMITTED]
    if configuration is VALIDATION:
        wanted.append(("", "v1", "configmaps"))
    assert sorted(rules) == sorted(wanted)
    for each in configuration["webhooks"]:
        assert each["sideEffects"] == "None"
        assert all(rule["operations"] == ["CREATE", "UPDATE"] for rule in each["rules"])
        is_of_settings = each["name"].startswith("config.")
        # Existing objects may be wrong no sooner than settings may stay broken.
        assert each["failurePolicy"] == ("Ignore" if is_of_settings else "Fail")
