"""Fields of KServe's kinds that are refused by name, and the reason for each.

For: one table behind the parser, the documentation and the walk over all fields.
Must not know: how a field is read, or what it would do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from api import fields

_HPA = "only an HPA or KEDA reads it, and Knative mode, the one that is served, has neither"
_ONE_MODEL = "one model from one storageUri is what this version reads"
_MODELMESH = "only ModelMesh reads it, which this version does not serve"
_MULTI_NODE = "a model on several nodes is not served by this version"
BATCHES = "only relight/predictor puts requests together, and only for a model of its own"
_BLOB = "only KServe's agent writes to an object store; events go to the url"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a field is refused, and KServe's own words for it where it has some."""

    why: str
    message: str = ""


Table = Mapping[str, Refused]

SPEC: Table = {
    "canary": Refused(
        "use canaryTrafficPercent", "canary is only supported in Standard deployment mode"
    ),
}
COMPONENT: Table = {
    "autoScaling": Refused(_HPA),
    "deploymentStrategy": Refused(
        "a new Revision is started beside the old one",
        "customizing deploymentStrategy is only supported for raw deployment mode",
    ),
    "scaleMetricType": Refused(_HPA),
    "storageUris": Refused(_ONE_MODEL),
}
PREDICTOR: Table = {
    **COMPONENT,
    "name": Refused("it names variants in Standard mode; here a canary is a Revision"),
    "storageContainerName": Refused(
        "no storage container runs here: our predictor's models are fetched"
    ),
    "workerSpec": Refused(_MULTI_NODE),
}
TRANSFORMER: Table = {**COMPONENT, "batcher": Refused(BATCHES)}
EXPLAINER: Table = {
    **COMPONENT,
    "batcher": Refused(BATCHES),
    "art": Refused("its server is not part of this version; give containers of your own"),
}
MODEL: Table = {
    "confidential": Refused("models are not decrypted by this version"),
    "name": Refused("KServe sets it", "the 'name' field is not allowed in standard predictor"),
    "storage": Refused(
        "no storage-config Secret is read: give a storageUri, and credentials in env of the model"
    ),
}
LOGGER: Table = {
    "batchInterval": Refused(_BLOB),
    "batchSize": Refused(_BLOB),
    "marshallerUrl": Refused(_BLOB),
    "metadataAnnotations": Refused("metadataHeaders is served"),
    "storage": Refused(_BLOB),
}
BATCHER: Table = {
    "timeout": Refused("the component's own timeout bounds a request, batched or not"),
}
RUNTIME: Table = {
    "builtInAdapter": Refused(_MODELMESH),
    "grpcDataEndpoint": Refused(_MODELMESH),
    "grpcEndpoint": Refused(_MODELMESH),
    "hostIPC": Refused("KServe takes it and does nothing with it"),
    "httpDataEndpoint": Refused(_MODELMESH),
    "multiModel": Refused(_MODELMESH),
    "replicas": Refused(_MODELMESH),
    "resourceClaims": Refused("Knative takes no resource claims"),
    "storageHelper": Refused(_MODELMESH),
    "workerSpec": Refused(_MULTI_NODE),
}

# By where they stand: {name} is a component.
BY_PATH: Mapping[str, Table] = {
    "spec": SPEC,
    "spec.predictor": PREDICTOR,
    "spec.transformer": TRANSFORMER,
    "spec.explainer": EXPLAINER,
    "spec.predictor.model": MODEL,
    "spec.predictor.logger": LOGGER,
    "spec.predictor.batcher": BATCHER,
    "spec.transformer.logger": LOGGER,
    "spec.explainer.logger": LOGGER,
}

# What Go leaves out when it writes; an empty object turns something on, so it is said.
_EMPTY: tuple[object, ...] = ([], "", False)


def refuse(source: fields.Fields, raw: object, table: Table) -> None:
    """Note each field of the table that says something, and ask for all of them."""
    given = raw if isinstance(raw, Mapping) else {}
    for name, refused in table.items():
        source.skip(name)
        if given.get(name) is None or given[name] in _EMPTY:
            continue
        if refused.message:
            source.faults.add(refused.message, source.at(name))
        else:
            source.faults.disallowed(source.at(name), details=refused.why)
