"""Fields of Kubernetes' API that are refused by name, and the reason for which they are.

For: telling "Knative never takes this" from "this version does not serve it yet" and both
from a slip of the pen, which is in none of these sets.
Must not know: how a field is read, or what it would do.
"""

# Knative takes these, some of them behind a feature flag; this version does not serve them.
UNSUPPORTED_POD = frozenset(
    {
        "affinity",
        "automountServiceAccountToken",
        "dnsConfig",
        "dnsPolicy",
        "hostAliases",
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "idleTimeoutSeconds",
        "imagePullSecrets",
        "initContainers",
        "loadBalancingPolicy",
        "nodeSelector",
        "priorityClassName",
        "responseStartTimeoutSeconds",
        "runtimeClassName",
        "schedulerName",
        "securityContext",
        "serviceAccountName",
        "shareProcessNamespace",
        "tolerations",
        "topologySpreadConstraints",
        "volumes",
    }
)
UNSUPPORTED_CONTAINER = frozenset(
    {
        "envFrom",
        "imagePullPolicy",
        "livenessProbe",
        "readinessProbe",
        "securityContext",
        "startupProbe",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "volumeMounts",
        "workingDir",
    }
)
UNSUPPORTED_ENV = frozenset(
    {
        "valueFrom",
    }
)

# Kubernetes knows these; Knative never takes them.
DISALLOWED_POD = frozenset(
    {
        "activeDeadlineSeconds",
        "ephemeralContainers",
        "hostUsers",
        "hostname",
        "hostnameOverride",
        "nodeName",
        "os",
        "overhead",
        "preemptionPolicy",
        "priority",
        "readinessGates",
        "resourceClaims",
        "resources",
        "restartPolicy",
        "schedulingGates",
        "serviceAccount",
        "setHostnameAsFQDN",
        "subdomain",
        "terminationGracePeriodSeconds",
    }
)
DISALLOWED_CONTAINER = frozenset(
    {
        "lifecycle",
        "resizePolicy",
        "restartPolicy",
        "restartPolicyRules",
        "stdin",
        "stdinOnce",
        "tty",
        "volumeDevices",
    }
)
DISALLOWED_PORT = frozenset(
    {
        "hostIP",
        "hostPort",
    }
)
DISALLOWED_RESOURCES = frozenset(
    {
        "claims",
    }
)

# Metadata that objects have and templates of objects have not.
DISALLOWED_TEMPLATE_METADATA = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "managedFields",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
