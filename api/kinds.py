"""The kinds of object Relight reads and writes, and how each is addressed.

For: naming a kind once, as a value that clients, servers and reconcilers share.
Must not know: how an API server is reached or what it stores.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind at one version: what stands in `apiVersion`, `kind` and the URL."""

    group: str  # "" is Kubernetes' core group
    version: str
    plural: str
    kind: str
    singular: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    is_namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The text of the `apiVersion` field."""
        return f"{self.group}/{self.version}" if self.group else self.version


_KNATIVE = ("all", "knative", "serving")

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", "namespace", ("ns",), (), False)
PODS = Resource("", "v1", "pods", "Pod", "pod", ("po",), ("all",))
EVENTS = Resource("", "v1", "events", "Event", "event", ("ev",))
DEPLOYMENTS = Resource(
    "apps", "v1", "deployments", "Deployment", "deployment", ("deploy",), ("all",)
)
SERVICES = Resource(
    "serving.knative.dev", "v1", "services", "Service", "service", ("kservice", "ksvc"), _KNATIVE
)
CONFIGURATIONS = Resource(
    "serving.knative.dev",
    "v1",
    "configurations",
    "Configuration",
    "configuration",
    ("config", "cfg"),
    _KNATIVE,
)
REVISIONS = Resource(
    "serving.knative.dev", "v1", "revisions", "Revision", "revision", ("rev",), _KNATIVE
)
ROUTES = Resource("serving.knative.dev", "v1", "routes", "Route", "route", ("rt",), _KNATIVE)
PODAUTOSCALERS = Resource(
    "autoscaling.internal.knative.dev",
    "v1alpha1",
    "podautoscalers",
    "PodAutoscaler",
    "podautoscaler",
    ("kpa", "pa"),
    ("knative-internal", "autoscaling"),
)
DOMAINMAPPINGS = Resource(
    "serving.knative.dev",
    "v1beta1",
    "domainmappings",
    "DomainMapping",
    "domainmapping",
    ("dm",),
    _KNATIVE,
)
INFERENCESERVICES = Resource(
    "serving.kserve.io",
    "v1beta1",
    "inferenceservices",
    "InferenceService",
    "inferenceservice",
    ("isvc",),
)
SERVINGRUNTIMES = Resource(
    "serving.kserve.io", "v1alpha1", "servingruntimes", "ServingRuntime", "servingruntime"
)
CLUSTERSERVINGRUNTIMES = Resource(
    "serving.kserve.io",
    "v1alpha1",
    "clusterservingruntimes",
    "ClusterServingRuntime",
    "clusterservingruntime",
    (),
    (),
    False,
)
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap", "configmap", ("cm",))
SECRETS = Resource("", "v1", "secrets", "Secret", "secret")
SERVICEACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount", "serviceaccount", ("sa",))
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease", "lease")
NODES = Resource("", "v1", "nodes", "Node", "node", ("no",), (), False)
# Kubernetes' own Services, which one machine has none of; SERVICES are Knative's.
CORE_SERVICES = Resource("", "v1", "services", "Service", "service", ("svc",), ("all",))
CUSTOMRESOURCEDEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    "customresourcedefinition",
    ("crd", "crds"),
    ("api-extensions",),
    False,
)

# Of clusters only: Kubernetes' own, and what stands beside it there.
REPLICASETS = Resource("apps", "v1", "replicasets", "ReplicaSet", "replicaset", ("rs",), ("all",))
ENDPOINTSLICES = Resource(
    "discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "endpointslice"
)
ENDPOINTSLICES_V1BETA1 = Resource(
    "discovery.k8s.io", "v1beta1", "endpointslices", "EndpointSlice", "endpointslice"
)
SERVERLESSSERVICES = Resource(
    "networking.internal.knative.dev",
    "v1alpha1",
    "serverlessservices",
    "ServerlessService",
    "serverlessservice",
    ("sks",),
    ("knative-internal", "networking"),
)
HTTPROUTES = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", "httproute")
VALIDATINGWEBHOOKCONFIGURATIONS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfiguration",
    (),
    ("api-extensions",),
    False,
)
MUTATINGWEBHOOKCONFIGURATIONS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfiguration",
    (),
    ("api-extensions",),
    False,
)

# What is served already. A kind is added here by the change that serves it.
ALL = (
    NAMESPACES,
    PODS,
    EVENTS,
    CONFIGMAPS,
    SECRETS,
    SERVICEACCOUNTS,
    NODES,
    CORE_SERVICES,
    DEPLOYMENTS,
    LEASES,
    CUSTOMRESOURCEDEFINITIONS,
    SERVICES,
    CONFIGURATIONS,
    REVISIONS,
    ROUTES,
    DOMAINMAPPINGS,
    PODAUTOSCALERS,
    INFERENCESERVICES,
    SERVINGRUNTIMES,
    CLUSTERSERVINGRUNTIMES,
)
