"""What `kubectl get -o yaml` prints on a cluster with Knative is taken as it is."""

import contextlib
import copy
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from api import kinds
from api.admission import admit
from api.errors import InvalidObjectError
from tests.api.everything import OBJECTS

EXPORTED = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  annotations:
    client.knative.dev/nothing: is read here
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"serving.knative.dev/v1","kind":"Service"}
    serving.knative.dev/creator: kubernetes-admin
    serving.knative.dev/lastModifier: kubernetes-admin
    serving.knative.dev/rollout-duration: 380s
  creationTimestamp: "2026-05-01T08:00:00Z"
  generation: 3
  labels: {team: vision, networking.knative.dev/visibility: cluster-local}
  managedFields:
  - {apiVersion: serving.knative.dev/v1, fieldsType: FieldsV1, fieldsV1: {f:spec: {}},
     manager: kubectl, operation: Update, time: "2026-05-01T08:00:00Z"}
  name: hello
  namespace: default
  resourceVersion: "4711"
  uid: 0f7e3f4c-7b1c-4a5e-9d0a-3b1c5a6d7e8f
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/minScale: "1"
        autoscaling.knative.dev/max-scale: "5"
        client.knative.dev/updateTimestamp: "2026-05-01T08:00:00Z"
        client.knative.dev/user-image: example.com/hello
        features.knative.dev/http-full-duplex: Enabled
      creationTimestamp: null
      labels: {app: hello}
    spec:
      containerConcurrency: 0
      containers:
      - env:
        - {name: TARGET, value: World}
        - {name: POD, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.name}}}
        image: example.com/hello@sha256:{digest}
        imagePullPolicy: Always
        livenessProbe:
          failureThreshold: 3
          httpGet: {path: /healthz, port: 0, scheme: HTTP}
          periodSeconds: 10
          successThreshold: 1
          timeoutSeconds: 1
        name: user-container
        ports:
        - {containerPort: 8080, name: http1, protocol: TCP}
        readinessProbe:
          successThreshold: 1
          tcpSocket: {port: 0}
        resources: {}
        securityContext:
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
          runAsNonRoot: true
          seccompProfile: {type: RuntimeDefault}
        volumeMounts:
        - {mountPath: /config, name: config, readOnly: true}
      enableServiceLinks: false
      serviceAccountName: hello
      timeoutSeconds: 300
      volumes:
      - configMap: {defaultMode: 420, name: hello}
        name: config
  traffic:
  - {latestRevision: true, percent: 100}
  - {latestRevision: false, percent: 0, revisionName: hello-00001, tag: old}
status:
  conditions:
  - {lastTransitionTime: "2026-05-01T08:00:00Z", status: "True", type: Ready}
  latestCreatedRevisionName: hello-00003
---
apiVersion: serving.knative.dev/v1
kind: Configuration
metadata:
  annotations:
    serving.knative.dev/creator: kubernetes-admin
    serving.knative.dev/lastModifier: kubernetes-admin
    serving.knative.dev/rollout-duration: 380s
    serving.knative.dev/routes: hello
  generation: 3
  labels: {serving.knative.dev/service: hello, serving.knative.dev/serviceUID: u}
  name: hello
  namespace: default
  ownerReferences:
  - {apiVersion: serving.knative.dev/v1, blockOwnerDeletion: true, controller: true,
     kind: Service, name: hello, uid: u}
spec:
  template:
    metadata: {creationTimestamp: null}
    spec: {containers: [{image: example.com/hello, resources: {}}]}
---
apiVersion: serving.knative.dev/v1
kind: Revision
metadata:
  annotations:
    autoscaling.knative.dev/minScale: "1"
    client.knative.dev/user-image: example.com/hello
    serving.knative.dev/creator: kubernetes-admin
    serving.knative.dev/routes: hello
    serving.knative.dev/routingStateModified: "2026-05-01T08:00:00Z"
    serving.knative.dev/no-gc: "true"
  labels:
    serving.knative.dev/configuration: hello
    serving.knative.dev/configurationGeneration: "3"
    serving.knative.dev/configurationUID: c
    serving.knative.dev/routingState: active
    serving.knative.dev/service: hello
    serving.knative.dev/serviceUID: u
  name: hello-00003
  namespace: default
  ownerReferences:
  - {apiVersion: serving.knative.dev/v1, blockOwnerDeletion: true, controller: true,
     kind: Configuration, name: hello, uid: c}
spec:
  containerConcurrency: 0
  containers:
  - image: example.com/hello
    name: user-container
    readinessProbe: {successThreshold: 1, tcpSocket: {port: 0}}
    resources: {}
  enableServiceLinks: false
  timeoutSeconds: 300
---
apiVersion: serving.knative.dev/v1
kind: Route
metadata:
  annotations:
    serving.knative.dev/creator: kubernetes-admin
    serving.knative.dev/lastModifier: kubernetes-admin
  finalizers: [routes.serving.knative.dev]
  labels: {serving.knative.dev/service: hello}
  name: hello
  namespace: default
  ownerReferences:
  - {apiVersion: serving.knative.dev/v1, blockOwnerDeletion: true, controller: true,
     kind: Service, name: hello, uid: u}
spec:
  traffic:
  - {configurationName: hello, latestRevision: true, percent: 100}
---
apiVersion: serving.knative.dev/v1beta1
kind: DomainMapping
metadata:
  annotations:
    serving.knative.dev/creator: kubernetes-admin
    serving.knative.dev/lastModifier: kubernetes-admin
  finalizers: [domainmappings.serving.knative.dev]
  name: hello.example.com
  namespace: default
spec:
  ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: hello, namespace: default}
""".replace("{digest}", "0" * 64)

RESOURCES = {each.kind: each for each in kinds.ALL if each.group == "serving.knative.dev"}
DOCUMENTS = list(yaml.safe_load_all(EXPORTED))


@pytest.mark.parametrize("raw", DOCUMENTS, ids=lambda raw: raw["kind"])
def test_an_export_is_taken_as_it_is(raw: dict[str, Any]) -> None:
    stored = admit(RESOURCES[raw["kind"]], raw, None, user="")
    assert stored["metadata"] == raw["metadata"]
    if raw["kind"] != "Configuration":  # whose containers were left without their defaults
        assert stored["spec"] == raw["spec"]


def places(raw: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside a JSON value."""
    inner = (
        raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    )
    found = [path] if path else []
    for key, value in inner:
        found += places(value, (*path, key))
    return found


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5)
            | st.sampled_from(["name", "image", "ports", "port", "tcpSocket", "secret", "items"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(OBJECTS)), st.data())
def test_any_value_anywhere_is_admitted_or_refused(kind: str, data: st.DataObject) -> None:
    raw = copy.deepcopy(OBJECTS[kind])
    path = data.draw(st.sampled_from(places(raw)))
    inner: Any = raw
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = data.draw(json_values)
    resource = next(each for each in kinds.ALL if each.kind == kind and "knative" in each.group)
    with contextlib.suppress(InvalidObjectError):
        found = admit(resource, raw, None, user="me")
        assert admit(resource, found, found, user="me") == found
