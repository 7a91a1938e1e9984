"""Every condition of Knative's that can occur here, word for word, and those that can not.

A row is one (kind, type, status, reason, message) of Knative's reconcilers. Each is produced by
the planner that produces it in production.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from api.conditions import Condition
from controller import configuration, domainmapping, revision, route, service
from controller.addresses import Addresses
from controller.pinning import Problem
from controller.workload import make_deployment, make_podautoscaler
from tests.controller.objects import (
    NOW,
    NOW_S,
    SPEC,
    a_configuration,
    a_mapping,
    a_revision,
    a_route,
    a_service,
    condition,
    owned_by,
    ready,
    saying,
)

Status = Any
ADDRESSES = Addresses(domain="localhost", port=8080)


class Row(NamedTuple):
    kind: str
    type: str
    status: str
    reason: str
    message: str
    made: Callable[[], Status]


# -- Service --------------------------------------------------------------------------------------


def of_service(
    *,
    config: Any = None,
    its_route: Any = None,
    named: Any = None,
    revision_name: str = "",
) -> Status:
    raw = a_service()
    if revision_name:
        template = raw["spec"]["template"]
        raw["spec"]["template"] = {**template, "metadata": {"name": revision_name}}
    if callable(config):
        config = config(raw)
    if callable(its_route):
        its_route = its_route(raw)
    seen = service.Observed(
        service=raw, configuration=config, route=its_route, named_revision=named
    )
    return service.plan(seen, now=NOW).status


def followed(*conditions: Condition, **fields: Any) -> Callable[[Any], Any]:
    """The Configuration of the Service, up to date, saying so."""

    def made(raw: Any) -> Any:
        return saying(child(service.make_configuration(raw)), *conditions, **fields)

    return made


def routed(*conditions: Condition, **fields: Any) -> Callable[[Any], Any]:
    def made(raw: Any) -> Any:
        return saying(child(service.make_route(raw)), *conditions, **fields)

    return made


def child(raw: dict[str, Any]) -> dict[str, Any]:
    kind, name = raw["kind"], raw["metadata"]["name"]
    known = {"uid": f"{kind}-{name}", "generation": 1, "resourceVersion": "1"}
    return {**raw, "metadata": {**raw["metadata"], **known}}


READY_CONFIG = followed(ready(), latestReadyRevisionName="mnist-00001")
FAILED = 'Revision "mnist-00001" failed with message: it ended.'

SERVICE = [
    Row(
        *("Service", "ConfigurationsReady", "Unknown", "OutOfDate"),
        "The Configuration is still working to reflect the latest desired specification.",
        of_service,
    ),
    Row(
        *("Service", "ConfigurationsReady", "False", "NotOwned"),
        'There is an existing Configuration "mnist" that we do not own.',
        lambda: of_service(config=a_configuration()),
    ),
    Row(
        *("Service", "ConfigurationsReady", "False", "RevisionFailed", FAILED),
        lambda: of_service(config=followed(ready("False", "RevisionFailed", FAILED))),
    ),
    Row(
        *("Service", "ConfigurationsReady", "Unknown", "", ""),
        lambda: of_service(config=followed(ready("Unknown"))),
    ),
    Row(
        *("Service", "ConfigurationsReady", "True", "", ""), lambda: of_service(config=READY_CONFIG)
    ),
    Row(
        *("Service", "RoutesReady", "Unknown", "OutOfDate"),
        "The Route is still working to reflect the latest desired specification.",
        lambda: of_service(config=READY_CONFIG),
    ),
    Row(
        *("Service", "RoutesReady", "Unknown", "TrafficNotMigrated"),
        "Traffic is not yet migrated to the latest revision.",
        lambda: of_service(config=READY_CONFIG, its_route=routed(ready())),
    ),
    Row(
        *("Service", "RoutesReady", "False", "RevisionNameTaken"),
        'The revision name "mnist-a" is taken by a conflicting Revision, '
        "so traffic will not be migrated",
        lambda: of_service(
            config=READY_CONFIG,
            named=a_revision("mnist-a", of=a_configuration("other")),
            revision_name="mnist-a",
        ),
    ),
    Row(
        *("Service", "RoutesReady", "False", "NotOwned"),
        'There is an existing Route "mnist" that we do not own.',
        lambda: of_service(config=READY_CONFIG, its_route=a_route()),
    ),
    Row(
        *("Service", "RoutesReady", "Unknown", "RolloutInProgress"),
        "A gradual rollout of the latest revision(s) is in progress.",
        lambda: of_service(
            config=READY_CONFIG,
            its_route=routed(
                ready(
                    *("Unknown", "RolloutInProgress"),
                    "A gradual rollout of the latest revision(s) is in progress.",
                )
            ),
        ),
    ),
    Row(
        *("Service", "RoutesReady", "True", "", ""),
        lambda: of_service(
            config=READY_CONFIG,
            its_route=routed(ready(), traffic=[{"revisionName": "mnist-00001", "percent": 100}]),
        ),
    ),
]


# -- Configuration --------------------------------------------------------------------------------


def of_configuration(raw: Any, *revisions: Any, named: Any = None, refused: str = "") -> Status:
    seen = configuration.Observed(configuration=raw, named=named, revisions=revisions)
    if refused:
        seen = configuration.refused(seen, refused)
    return configuration.plan(seen, now=NOW).status


def a_failed_revision() -> Any:
    return saying(a_revision(), ready("False", "ExitCode1", "it ended"))


CONFIGURATION = [
    Row(
        *("Configuration", "Ready", "False", "RevisionFailed", FAILED),
        lambda: of_configuration(a_configuration(), a_failed_revision(), named=a_failed_revision()),
    ),
    Row(
        *("Configuration", "Ready", "False", "RevisionFailed"),
        "Revision creation failed with message: quota.",
        lambda: of_configuration(a_configuration(), refused="quota"),
    ),
    Row(
        *("Configuration", "Ready", "False", "RevisionFailed"),
        "Revision creation failed with message: "
        'revisions.serving.knative.dev "mnist-a" already exists.',
        lambda: of_configuration(
            a_configuration(revision="mnist-a"),
            named=a_revision("mnist-a", of=a_configuration("other")),
        ),
    ),
    Row(
        *("Configuration", "Ready", "False", "RevisionDeleted"),
        'Revision "mnist-00000" was deleted.',
        lambda: of_configuration(
            saying(a_configuration(), latestReadyRevisionName="mnist-00000"),
            a_revision(),
            named=a_revision(),
        ),
    ),
    Row(
        *("Configuration", "Ready", "Unknown", "", ""),
        lambda: of_configuration(a_configuration(), a_revision(), named=a_revision()),
    ),
    Row(
        *("Configuration", "Ready", "True", "", ""),
        lambda: of_configuration(
            a_configuration(),
            saying(a_revision(), ready()),
            named=saying(a_revision(), ready()),
        ),
    ),
]


# -- Revision -------------------------------------------------------------------------------------


def of_revision(
    *,
    told: tuple[Condition, ...] | None = None,
    pod: dict[str, Any] | None = None,
    late: Condition | None = None,
    replicas: int = 1,
    is_theirs: bool = False,
    scaled: dict[str, Any] | None = None,
    **more: Any,
) -> Status:
    """`told`: the PodAutoscaler's conditions; None: there is neither it nor a Deployment."""
    raw = a_revision(**more)
    deployment, autoscaler = None, None
    if told is not None:
        made = child(make_deployment(raw, replicas=replicas))
        deployment = saying(made, *(late,) if late else ())
        autoscaler = saying(
            child(make_podautoscaler(raw, is_broken=False)), *told, **(scaled or {})
        )
        if is_theirs:
            deployment["metadata"]["ownerReferences"] = owned_by(a_service("other"))
    pods = [{"metadata": {"name": "p"}, "status": pod}] if pod else []
    seen = revision.Observed(
        revision=raw, deployment=deployment, podautoscaler=autoscaler, pods=pods
    )
    return revision.plan(seen, now=NOW).status


def of_model(model: Any) -> Status:
    container = {"name": "user-container", "image": "relight/predictor", "args": ["--model", "m"]}
    raw = a_revision(spec={**SPEC, "containers": [container]})
    seen = revision.Observed(
        revision=raw, deployment=None, podautoscaler=None, pods=(), model=model
    )
    return revision.plan(seen, now=NOW).status


def containers(state: Any, **more: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "user-container", "state": state, **more}]}


INITIALIZED = Condition(type="ScaleTargetInitialized", status="True")
ACTIVE = Condition(type="Active", status="True")
QUEUED = Condition(
    type="Active",
    status="Unknown",
    reason="Queued",
    message="Requests to the target are being buffered as resources are provisioned.",
)
NO_TRAFFIC = Condition(
    type="Active",
    status="False",
    reason="NoTraffic",
    message="The target is not receiving traffic.",
)
TIMED_OUT = Condition(
    type="Active",
    status="False",
    reason="TimedOut",
    message="The target could not be activated.",
)
LATE = Condition(
    type="Progressing",
    status="False",
    reason="ProgressDeadlineExceeded",
    message='ReplicaSet "x" has timed out progressing.',
)
QUOTA = Condition(
    type="ReplicaFailure", status="True", reason="FailedCreate", message="exceeded quota: q"
)
NO_ROOM = {
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient cpu.",
        }
    ]
}

REVISION = [
    Row(*("Revision", "ResourcesAvailable", "Unknown", "Deploying", ""), of_revision),
    Row(*("Revision", "ContainerHealthy", "Unknown", "Deploying", ""), of_revision),
    Row(*("Revision", "Active", "Unknown", "Deploying", ""), of_revision),
    Row(
        *("Revision", "ContainerHealthy", "Unknown", "ResolvingDigests", ""),
        lambda: of_model(None),
    ),
    Row(
        *("Revision", "ResourcesAvailable", "Unknown", "ResolvingDigests", ""),
        lambda: of_model(None),
    ),
    Row(
        *("Revision", "ContainerHealthy", "False", "ContainerMissing"),
        'Unable to fetch image "a/b": set command',
        lambda: of_revision(
            told=(),
            pod=containers(
                {"waiting": {"reason": "ErrImageNeverPull", "message": "set command"}},
                image="a/b",
            ),
        ),
    ),
    Row(
        *("Revision", "ContainerHealthy", "False", "ExitCode5"),
        "Container failed with: no such model",
        lambda: of_revision(
            told=(),
            pod=containers(
                {"waiting": {"reason": "CrashLoopBackOff"}},
                lastState={"terminated": {"exitCode": 5, "message": "no such model"}},
            ),
        ),
    ),
    Row(
        *("Revision", "ContainerHealthy", "False", "ExitCode0"),
        "Container failed with: container exited with no error",
        lambda: of_revision(told=(), pod=containers({"terminated": {"exitCode": 0}})),
    ),
    Row(
        *("Revision", "ResourcesAvailable", "False", "NotOwned"),
        'There is an existing Deployment "mnist-00001-deployment" that we do not own.',
        lambda: of_revision(told=(), is_theirs=True),
    ),
    Row(
        *("Revision", "ResourcesAvailable", "False", "ProgressDeadlineExceeded"),
        "Initial scale was never achieved",
        lambda: of_revision(told=(TIMED_OUT,), replicas=0),
    ),
    Row(
        *("Revision", "ResourcesAvailable", "False", "ProgressDeadlineExceeded"),
        'ReplicaSet "x" has timed out progressing.',
        lambda: of_revision(told=(), late=LATE),
    ),
    Row(
        *("Revision", "ResourcesAvailable", "False", "Unschedulable"),
        "0/1 nodes are available: 1 Insufficient cpu.",
        lambda: of_revision(told=(), pod=NO_ROOM),
    ),
    Row(
        *("Revision", "ResourcesAvailable", "False", "ImagePullBackOff", "not found"),
        lambda: of_revision(
            told=(),
            late=LATE,
            pod=containers({"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}),
        ),
    ),
    Row(
        *("Revision", "ResourcesAvailable", "False", "FailedCreate", "exceeded quota: q"),
        lambda: of_revision(told=(), late=QUOTA),
    ),
    Row(
        *("Revision", "ResourcesAvailable", "True", "", ""),
        lambda: of_revision(told=(ACTIVE, INITIALIZED)),
    ),
    Row(
        *("Revision", "ContainerHealthy", "True", "", ""),
        lambda: of_revision(told=(ACTIVE, INITIALIZED)),
    ),
    Row(
        *("Revision", "Active", "True", "", ""),
        lambda: of_revision(told=(ACTIVE, INITIALIZED)),
    ),
    *(
        Row(
            *("Revision", "Active", said.status, said.reason, said.message),
            lambda said=said: of_revision(told=(said, INITIALIZED), replicas=0),  # type: ignore[misc] # a lambda with a default
        )
        for said in (QUEUED, NO_TRAFFIC, TIMED_OUT)
    ),
    # Of our own: what Knative says of an image that is missing, said of a model.
    Row(
        *("Revision", "ContainerHealthy", "False", "ModelMissing"),
        "model /m.onnx does not exist",
        lambda: of_model(Problem(reason="ModelMissing", message="model /m.onnx does not exist")),
    ),
    Row(
        *("Revision", "ContainerHealthy", "False", "ExitCode2"),
        'Init container "fetch" failed with: no route',
        lambda: of_revision(
            told=(),
            pod={
                "initContainerStatuses": [
                    {
                        "name": "fetch",
                        "state": {"terminated": {"exitCode": 2, "message": "no route"}},
                    }
                ]
            },
        ),
    ),
]


# -- Route ----------------------------------------------------------------------------------------

LATEST = {"configurationName": "mnist", "latestRevision": True, "percent": 100}
PINNED = {"revisionName": "mnist-00001", "latestRevision": False, "percent": 100}
OF_ONE = {"serving.knative.dev/service": "one"}
OF_TWO = {"serving.knative.dev/service": "two"}


def of_route(raw: Any, *others: Any, **seen: Any) -> Status:
    def those(kind: str) -> dict[str, Any]:
        return {each["metadata"]["name"]: each for each in others if each["kind"] == kind}

    observed = route.Observed(
        route=raw, configurations=those("Configuration"), revisions=those("Revision"), **seen
    )
    step = route.plan(observed, ADDRESSES, now_s=NOW_S)
    for write in step.updates:  # the state of a rollout is written first
        observed = route.Observed(
            route=write.object,
            configurations=those("Configuration"),
            revisions=those("Revision"),
            **seen,
        )
        step = route.plan(observed, ADDRESSES, now_s=NOW_S)
    return step.status


def good() -> tuple[Any, Any]:
    return (
        saying(a_configuration(), ready(), latestReadyRevisionName="mnist-00001"),
        saying(a_revision(), ready()),
    )


def a_new_revision_while(**metadata: Any) -> Status:
    before = [{"revisionName": "mnist-00000", "percent": 100, "latestRevision": True}]
    raw = saying(a_route(LATEST, **metadata), traffic=before)
    return of_route(raw, *good(), saying(a_revision("mnist-00000", generation=0), ready()))


SERVED = {"type": "AllTrafficAssigned", "status": "True"}
ROUTE = [
    Row(
        *("Route", "AllTrafficAssigned", "Unknown", "RevisionMissing"),
        'Configuration "mnist" is waiting for a Revision to become ready.',
        lambda: of_route(a_route(LATEST), a_configuration()),
    ),
    Row(
        *("Route", "AllTrafficAssigned", "Unknown", "RevisionMissing"),
        'Revision "mnist-00001" is not yet ready.',
        lambda: of_route(a_route(PINNED), a_revision()),
    ),
    Row(
        *("Route", "AllTrafficAssigned", "False", "RevisionMissing"),
        'Configuration "mnist" does not have any ready Revision.',
        lambda: of_route(a_route(LATEST), saying(a_configuration(), ready("False"))),
    ),
    Row(
        *("Route", "AllTrafficAssigned", "False", "RevisionMissing"),
        'Revision "mnist-00001" failed to become ready.',
        lambda: of_route(a_route(PINNED), a_failed_revision()),
    ),
    Row(
        *("Route", "AllTrafficAssigned", "False", "RevisionMissing"),
        'Revision "mnist-00001" referenced in traffic not found.',
        lambda: of_route(a_route(PINNED)),
    ),
    Row(
        *("Route", "AllTrafficAssigned", "False", "ConfigurationMissing"),
        'Configuration "mnist" referenced in traffic not found.',
        lambda: of_route(a_route(LATEST)),
    ),
    Row(
        *("Route", "AllTrafficAssigned", "False", "RevisionNotOwned"),
        'Revision "mnist-00001" belongs to Service "two", not Service "one".',
        lambda: of_route(
            a_route(PINNED, labels=OF_ONE), saying(a_revision(labels=OF_TWO), ready())
        ),
    ),
    Row(
        *("Route", "AllTrafficAssigned", "False", "RevisionNotOwned"),
        'Revision "mnist-00001" does not belong to Service "one".',
        lambda: of_route(a_route(PINNED, labels=OF_ONE), saying(a_revision(), ready())),
    ),
    Row(
        *("Route", "AllTrafficAssigned", "False", "ErrorConfig"),
        f'domain name error: invalid domain name "{"t" * 60}-mnist.default.localhost": '
        f'url: Invalid value: "{"t" * 60}-mnist": must be no more than 63 characters',
        lambda: of_route(a_route({**LATEST, "tag": "t" * 60}), *good()),
    ),
    Row(
        *("Route", "AllTrafficAssigned", "True", "", ""),
        lambda: of_route(a_route(LATEST), *good()),
    ),
    Row(
        *("Route", "IngressReady", "Unknown", "IngressNotConfigured"),
        "Ingress has not yet been reconciled.",
        lambda: of_route(a_route(LATEST), a_configuration()),
    ),
    Row(
        *("Route", "IngressReady", "Unknown", "RolloutInProgress"),
        "A gradual rollout of the latest revision(s) is in progress.",
        lambda: a_new_revision_while(annotations={"serving.knative.dev/rollout-duration": "60s"}),
    ),
    Row(
        *("Route", "IngressReady", "False", "NotOwned"),
        'There is an existing placeholder Service "a-mnist" that we do not own.',
        lambda: of_route(a_route({**LATEST, "tag": "a"}), *good(), lost_names=["a-mnist"]),
    ),
    Row(*("Route", "IngressReady", "True", "", ""), lambda: a_new_revision_while()),
    Row(
        *("Route", "CertificateProvisioned", "True", "TLSNotEnabled"),
        "external-domain-tls is not enabled",
        lambda: of_route(a_route(LATEST), *good()),
    ),
]


# -- DomainMapping --------------------------------------------------------------------------------


def of_mapping(to: Any = None, *rivals: Any, **metadata: Any) -> Status:
    seen = domainmapping.Observed(mapping=a_mapping(**metadata), rivals=rivals, target=to)
    return domainmapping.plan(seen, now=NOW).status


def served(url: str = "http://mnist.default.svc.cluster.local") -> Any:
    traffic = [{"revisionName": "mnist-00001", "percent": 100}]
    return saying(a_service(), ready(), address={"url": url}, traffic=traffic)


MAPPING = [
    Row(*("DomainMapping", "DomainClaimed", "True", "", ""), lambda: of_mapping(served())),
    Row(
        *("DomainMapping", "DomainClaimed", "False", "DomainAlreadyClaimed"),
        "The domain name is already in use by another DomainMapping",
        lambda: of_mapping(
            served(),
            a_mapping(namespace="other", creationTimestamp="1"),
            creationTimestamp="2",
        ),
    ),
    Row(*("DomainMapping", "ReferenceResolved", "True", "", ""), lambda: of_mapping(served())),
    Row(
        *("DomainMapping", "ReferenceResolved", "False", "ResolveFailed"),
        'failed to get object default/mnist: services.serving.knative.dev "mnist" not found',
        of_mapping,
    ),
    Row(
        *("DomainMapping", "ReferenceResolved", "False", "ResolveFailed"),
        'resolved URI "http://a.b" must be of the form {name}.{namespace}.svc.cluster.local',
        lambda: of_mapping(served("http://a.b")),
    ),
    Row(
        *("DomainMapping", "IngressReady", "Unknown", "IngressNotConfigured"),
        "Ingress has not yet been reconciled.",
        of_mapping,
    ),
    Row(*("DomainMapping", "IngressReady", "True", "", ""), lambda: of_mapping(served())),
    Row(
        *("DomainMapping", "CertificateProvisioned", "True", "TLSNotEnabled"),
        "external-domain-tls is not enabled",
        of_mapping,
    ),
]

ROWS = [*SERVICE, *CONFIGURATION, *REVISION, *ROUTE, *MAPPING]

# (kind, type, reason) → why it can not occur.
_NO_TLS = "Relight provisions no certificates"
_NO_PLACEHOLDER = "there are no placeholder Services and so no Endpoints of theirs"
NEVER = {
    ("Route", "AllTrafficAssigned", "Unknown"): "every error about traffic has a row of its own",
    ("Route", "CertificateProvisioned", "HTTPDowngrade"): _NO_TLS,
    ("Route", "CertificateProvisioned", "CertificateProvisionFailed"): _NO_TLS,
    ("Route", "CertificateProvisioned", "CertificateNotReady"): _NO_TLS,
    ("Route", "CertificateProvisioned", "CertificateNotOwned"): _NO_TLS,
    ("Route", "IngressReady", "NotOwned: placeholder Endpoint"): _NO_PLACEHOLDER,
    ("Route", "CertificateProvisioned", "TLSNotEnabled for cluster-local"): (
        "Knative says so only where TLS is on for other Routes"
    ),
    ("DomainMapping", "CertificateProvisioned", "CertificateExternallyProvided"): (
        "spec.tls is refused on one machine"
    ),
    ("DomainMapping", "CertificateProvisioned", "HTTPDowngrade"): _NO_TLS,
    ("DomainMapping", "DomainClaimed", "DomainClaimFailed"): "no ClusterDomainClaim is created",
}


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{row.kind} {row.type}={row.status} {row.reason}".strip()
)
def test_a_condition_is_knatives(row: Row) -> None:
    expected = {
        "type": row.type,
        "status": row.status,
        **({"severity": "Info"} if row.type == "Active" else {}),
        **({"reason": row.reason} if row.reason else {}),
        **({"message": row.message} if row.message else {}),
    }
    assert condition(row.made(), row.type) == expected


def test_no_row_stands_twice_nor_among_those_that_never_occur() -> None:
    said = [(row.kind, row.type, row.status, row.reason, row.message) for row in ROWS]
    assert len(set(said)) == len(said)
    assert not {(row.kind, row.type, row.reason) for row in ROWS} & set(NEVER)
