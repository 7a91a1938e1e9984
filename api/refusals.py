"""Fields and annotations that are refused by name, and the reason for which they are.

For: telling "Knative never takes this" from a slip of the pen, which stands in no table here.
Must not know: how a field is read, or what it would do.
"""

from collections.abc import Iterable, Mapping

from api.shapes import Refusal, Refusals

_NEVER = (Refusal(why="Knative never takes it"),)
_OFF = (Refusal(why="behind a feature flag that Knative ships turned off"),)
_ZERO_OFF = (
    Refusal(why="behind a feature flag that Knative ships turned off", is_false_absent=True),
)
_ZERO_NEVER = (Refusal(why="Knative never takes it", is_false_absent=True),)
_NOT_IN_INIT = (
    Refusal(
        message="field not allowed in an init container",
        why="an init container runs to its end: there is nothing to probe",
    ),
)

Group = Mapping[str, tuple[Refusal, ...]]


def _group(names: Iterable[str], refusal: tuple[Refusal, ...] = _NEVER) -> Group:
    return dict.fromkeys(names, refusal)


POD: Group = {
    **_group(
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
            "schedulingGroup",
            "serviceAccount",
            "subdomain",
            "terminationGracePeriodSeconds",
            "workloadRef",
        }
    ),
    "setHostnameAsFQDN": _ZERO_NEVER,
    **_group({"hostIPC", "hostNetwork", "hostPID"}, _ZERO_OFF),
    "loadBalancingPolicy": (Refusal(details="Relight's activator has one policy: least loaded"),),
}
_CONTAINER: Group = {
    **_group({"lifecycle", "resizePolicy", "restartPolicy", "restartPolicyRules", "volumeDevices"}),
    **_group({"stdin", "stdinOnce", "tty"}, _ZERO_NEVER),
}
_MOUNT: Group = {
    "mountPropagation": (
        Refusal(why="behind a feature flag that Knative ships turned off"),
        Refusal(
            message="Volume Mount Propagation support is disabled, but found volume mount {name} "
            "with mount propagation"
        ),
    ),
    **_group({"recursiveReadOnly", "subPathExpr"}),
}
_SECURITY: Group = _group({"appArmorProfile", "procMount", "seLinuxOptions", "windowsOptions"})


def _source(kind: str) -> tuple[Refusal, ...]:
    return (
        *_OFF,
        Refusal(message=f"{kind} volume support is disabled, but found {kind} volume {{name}}"),
    )


_VOLUME: Group = {
    **_group(
        {
            "awsElasticBlockStore",
            "azureDisk",
            "azureFile",
            "cephfs",
            "cinder",
            "downwardAPI",
            "fc",
            "flexVolume",
            "flocker",
            "gcePersistentDisk",
            "gitRepo",
            "glusterfs",
            "iscsi",
            "nfs",
            "photonPersistentDisk",
            "portworxVolume",
            "quobyte",
            "rbd",
            "scaleIO",
            "storageos",
            "vsphereVolume",
        }
    ),
    "csi": _source("CSI"),
    "ephemeral": _source("Ephemeral"),
    "image": _source("Image"),
}


def _of_container(path: str) -> Refusals:
    return {
        path: _CONTAINER,
        f"{path}.env[].valueFrom": _group({"fileKeyRef"}),
        f"{path}.ports[]": {"hostIP": _NEVER, "hostPort": _ZERO_NEVER},
        f"{path}.resources": _group({"claims"}),
        f"{path}.securityContext": _SECURITY,
        f"{path}.securityContext.capabilities": _group({"add"}, _OFF),
        f"{path}.volumeMounts[]": _MOUNT,
    }


# By the path of an object in a Revision's spec: what Kubernetes has there and is not served.
REVISION_SPEC: Refusals = {
    "": POD,
    **_of_container("containers[]"),
    "containers[].readinessProbe": {
        "terminationGracePeriodSeconds": (Refusal(details="must not be set for readinessProbes"),)
    },
    **_of_container("initContainers[]"),
    "initContainers[]": {
        **_CONTAINER,
        **_group({"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"}, _NOT_IN_INIT),
    },
    "securityContext": {
        **_SECURITY,
        **_group({"fsGroupChangePolicy", "seLinuxChangePolicy", "supplementalGroupsPolicy"}),
        "sysctls": _NEVER,
    },
    "volumes[]": _VOLUME,
    "volumes[].projected.sources[]": _group({"clusterTrustBundle", "podCertificate"}),
}
# Knative refuses these texts without a word of help, and clients compare the answer.
TERSE = frozenset(
    {
        "containers[].terminationMessagePolicy",
        "initContainers[].terminationMessagePolicy",
        "volumes[].emptyDir.medium",
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
