"""What our validation says of KServe's kinds, DomainMapping and PodAutoscaler, said again in CEL.

For: their definitions, beside `crd_rules`, which has Knative's kinds with a template.
Must not know: how a rule is attached to a schema. `tests/conformance` proves that both agree.
"""

from collections.abc import Mapping

from api import kinds
from api.component_pods import CONTAINER
from api.crd_rules import Path, Rule
from api.inference_components import ONE_OF, Kind
from api.inference_names import FRAMEWORKS, RUNTIME_PROTOCOLS
from api.kinds import Resource
from api.naming import CLUSTER_DOMAIN

_NAME = (
    Rule(
        expression="size(self.metadata.name) <= 51 && "
        "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        message="a InferenceService name must consist of lower case alphanumeric characters or "
        "'-', and must start with alphabetical character",
    ),
)
_REPLICAS = (
    Rule(
        expression="!has(self.minReplicas) || self.minReplicas >= 0",
        message="'MinReplicas' cannot be less than 0",
    ),
    Rule(
        expression="!has(self.maxReplicas) || self.maxReplicas >= 0",
        message="'MaxReplicas' cannot be less than 0",
    ),
    Rule(
        expression="!has(self.minReplicas) || !has(self.maxReplicas) || self.maxReplicas <= 0 || "
        "self.minReplicas <= self.maxReplicas",
        message="'MinReplicas' cannot be greater than MaxReplicas",
    ),
    Rule(
        expression="!has(self.containerConcurrency) || self.containerConcurrency >= 0",
        message="parallelism cannot be less than 0",
    ),
    Rule(
        expression="!has(self.scaleMetric) || self.scaleMetric != 'rps' || "
        "!has(self.scaleTarget) || self.scaleTarget >= 1",
        message="the target for rps should be greater than 1",
    ),
)
_HAS_CONTAINERS = "(has(self.containers) && size(self.containers) > 0)"
_FORMS = ", ".join(f"has(self.{name})" for name in (*FRAMEWORKS, "model"))
_OWN = f"self.containers.exists(c, has(c.name) && c.name == '{CONTAINER}')"
_ONE_FORM = Rule(
    expression=f"[{_FORMS}, has(self.containers) && {_OWN}].filter(f, f).size() <= 1 && "
    f"([{_FORMS}].exists(f, f) || {_HAS_CONTAINERS})",
    message=ONE_OF["predictor"],
)
_FEW = Rule(bounds={"maxItems": 32})
_SHORT = Rule(bounds={"maxLength": 253})


def _component(kind: Kind) -> dict[Path, tuple[Rule, ...]]:
    path: Path = ("spec", kind)
    whole = Rule(expression=_HAS_CONTAINERS, message=ONE_OF[kind])
    return {
        path: (*_REPLICAS, _ONE_FORM if kind == "predictor" else whole),
        (*path, "containers"): (_FEW,),
        (*path, "containers", "[]", "name"): (_SHORT,),
    }


_FORMATS: Path = ("spec", "supportedModelFormats")
_AUTO = "has({0}.autoSelect) && {0}.autoSelect && has({0}.priority)"
_RUNTIME: Mapping[Path, tuple[Rule, ...]] = {
    ("spec",): (
        Rule(
            expression="(has(self.disabled) && self.disabled) || "
            "!has(self.supportedModelFormats) || "
            f"self.supportedModelFormats.all(a, !({_AUTO.format('a')}) || "
            f"self.supportedModelFormats.all(b, !({_AUTO.format('b')}) || "
            "a.name != b.name || a.priority == b.priority))",
            message="different priorities assigned for the model format under the runtime",
        ),
    ),
    _FORMATS: (Rule(bounds={"maxItems": 64}),),
    (*_FORMATS, "[]", "name"): (_SHORT,),
    ("spec", "protocolVersions"): (Rule(bounds={"maxItems": 16}),),
    ("spec", "protocolVersions", "[]"): (
        Rule(
            expression=f"self in [{', '.join(repr(each) for each in RUNTIME_PROTOCOLS)}]",
            message=f"invalid protocol. Must be one of [{', '.join(RUNTIME_PROTOCOLS)}]",
            says="'invalid protocol ' + self + "
            f"'. Must be one of [{', '.join(RUNTIME_PROTOCOLS)}]'",
            bounds={"maxLength": 63},
        ),
    ),
}

RULES: Mapping[Resource, Mapping[Path, tuple[Rule, ...]]] = {
    kinds.INFERENCESERVICES: {
        (): _NAME,
        **_component("predictor"),
        **_component("transformer"),
        **_component("explainer"),
    },
    kinds.SERVINGRUNTIMES: _RUNTIME,
    kinds.CLUSTERSERVINGRUNTIMES: _RUNTIME,
    kinds.DOMAINMAPPINGS: {
        (): (
            Rule(
                expression=f"!self.metadata.name.endsWith('.{CLUSTER_DOMAIN}')",
                message=f'must not be a subdomain of cluster local domain "{CLUSTER_DOMAIN}": '
                "metadata.name",
                says=f"'invalid name \"' + self.metadata.name + '\": must not be a subdomain of "
                f'cluster local domain "{CLUSTER_DOMAIN}": metadata.name\'',
            ),
            Rule(
                expression="!has(self.metadata.generateName)",
                message="must not set the field(s): metadata.generateName",
            ),
        ),
    },
    kinds.PODAUTOSCALERS: {
        ("spec", "scaleTargetRef", "kind"): (
            Rule(
                expression="self == 'Deployment'",
                message="invalid value: only Deployment can be scaled: spec.scaleTargetRef.kind",
                bounds={"maxLength": 63},
            ),
        ),
    },
}
