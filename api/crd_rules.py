"""What our validation says, said again in CEL, for API servers that do not run it.

For: refusing the commonest mistakes on a cluster even before its admission webhook is up.
Must not know: how a rule is attached to a schema. `tests/conformance` proves that both agree.

CEL is costed by the API server before a definition is accepted, from the greatest sizes its
schema allows: hence the bounds beside the rules, which are far above what anybody writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api import kinds
from api.kinds import Resource

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One CEL rule, or bounds that the rules around it need to be affordable."""

    expression: str = ""
    message: str = ""
    says: str = ""  # CEL that makes the message, where it names values
    bounds: Mapping[str, Any] = field(default_factory=dict)

    def cel(self) -> dict[str, Any]:
        """As it stands in `x-kubernetes-validations`."""
        found = {"rule": self.expression, "message": self.message}
        return {**found, "messageExpression": self.says} if self.says else found


_TEMPLATE: Path = ("spec", "template")
_POD: Path = (*_TEMPLATE, "spec")
_TARGETS: Path = ("spec", "traffic")

_NAME = (
    Rule(
        expression="size(self.metadata.name) <= 63 && "
        "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        message="not a DNS 1035 label: metadata.name",
    ),
)
_OWN_NAME = Rule(
    expression="!has(self.spec.template.metadata) || !has(self.spec.template.metadata.name) || "
    "self.spec.template.metadata.name.startsWith(self.metadata.name + '-')",
    message="the name of a Revision must have its parent's as prefix: spec.template.metadata.name",
    says="'invalid value: \"' + self.spec.template.metadata.name + '\" must have prefix \"' + "
    "self.metadata.name + '-\": spec.template.metadata.name'",
)
_UNCHANGED_NAME = Rule(
    expression="!has(self.metadata) || !has(self.metadata.name) || !has(oldSelf.metadata) || "
    "!has(oldSelf.metadata.name) || self.metadata.name != oldSelf.metadata.name || "
    "self == oldSelf",
    message="Saw the following changes without a name change (-old +new): "
    "spec.template.metadata.name",
)
_SUM = Rule(
    expression="size(self) == 0 || self.map(t, has(t.percent) ? t.percent : 0).sum() == 100",
    # CEL may not name the sum: string(int) has no known length, so it costs too much.
    message="Traffic targets do not sum to 100: spec.traffic",
)
_TAGS = Rule(
    expression="self.all(t, !has(t.tag) || t.tag == '' || "
    "self.exists_one(o, has(o.tag) && o.tag == t.tag))",
    message="Multiple definitions for a tag: spec.traffic",
    bounds={"maxItems": 100},
)
_LATEST = Rule(
    expression="!(has(self.latestRevision) && self.latestRevision && has(self.revisionName) && "
    "self.revisionName != '')",
    message="may not set revisionName when latestRevision is true",
    says="'may not set revisionName \"' + self.revisionName + '\" when latestRevision is true'",
)
_LATEST_FALSE = Rule(
    expression="!(has(self.latestRevision) && !self.latestRevision && "
    "(!has(self.revisionName) || self.revisionName == '') && "
    "(!has(self.configurationName) || self.configurationName == ''))",
    message='may not set revisionName "" when latestRevision is false',
)
_LATEST_FALSE_IN_SERVICE = Rule(
    expression="!(has(self.latestRevision) && !self.latestRevision && "
    "(!has(self.revisionName) || self.revisionName == ''))",
    message='may not set revisionName "" when latestRevision is false',
)
_ONE_NAME = Rule(
    expression="(has(self.configurationName) && self.configurationName != '') != "
    "(has(self.revisionName) && self.revisionName != '')",
    message="expected exactly one, got both or neither: configurationName, revisionName",
)
_TAG = Rule(
    expression="self == '' || self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message="not a DNS 1035 label",
    bounds={"maxLength": 63},
)
_REFERENCE_NAME = Rule(bounds={"maxLength": 253})
_RESERVED = Rule(
    expression="!(self in ['K_SERVICE', 'K_CONFIGURATION', 'K_REVISION'])",
    message="is a reserved environment variable",
    says="'\"' + self + '\" is a reserved environment variable'",
    bounds={"maxLength": 4096},
)
_RESERVED_NAME = Rule(
    expression="self != 'queue-proxy'",
    message='"queue-proxy" is a reserved container name',
    bounds={"maxLength": 63},
)
_RESERVED_PORT = Rule(
    expression="!(self in [8008, 8012, 8013, 8022, 9090, 9091])",
    message="is a reserved port",
)
_ONE_PORT = Rule(
    expression="self.map(c, has(c.ports) ? size(c.ports) : 0).sum() <= 1",
    message="more than one container port is set: spec.template.spec.containers[*].ports",
    bounds={"minItems": 1, "maxItems": 32},
)
_SCALE_KEYS = "'autoscaling.knative.dev/min-scale' in self && 'autoscaling.knative.dev/max-scale'"
_SCALES = Rule(
    expression=f"!({_SCALE_KEYS} in self) || "
    "!self['autoscaling.knative.dev/min-scale'].matches('^[0-9]{1,9}$') || "
    "!self['autoscaling.knative.dev/max-scale'].matches('^[0-9]{1,9}$') || "
    "int(self['autoscaling.knative.dev/max-scale']) == 0 || "
    "int(self['autoscaling.knative.dev/min-scale']) <= "
    "int(self['autoscaling.knative.dev/max-scale'])",
    message="max-scale is less than min-scale",
    says="'max-scale=' + self['autoscaling.knative.dev/max-scale'] + ' is less than min-scale=' "
    "+ self['autoscaling.knative.dev/min-scale']",
    bounds={"maxProperties": 256},
)


def _of_pod(path: Path) -> dict[Path, tuple[Rule, ...]]:
    containers = (*path, "containers")
    return {
        containers: (_ONE_PORT,),
        (*containers, "[]", "name"): (_RESERVED_NAME,),
        (*containers, "[]", "env"): (Rule(bounds={"maxItems": 1000}),),
        (*containers, "[]", "env", "[]", "name"): (_RESERVED,),
        (*containers, "[]", "ports"): (Rule(bounds={"maxItems": 8}),),
        (*containers, "[]", "ports", "[]", "containerPort"): (_RESERVED_PORT,),
    }


_OF_TEMPLATE: Mapping[Path, tuple[Rule, ...]] = {
    _TEMPLATE: (_UNCHANGED_NAME,),
    (*_TEMPLATE, "metadata", "name"): (Rule(bounds={"maxLength": 63}),),
    (*_TEMPLATE, "metadata", "annotations"): (_SCALES,),
    (*_TEMPLATE, "metadata", "annotations", "{}"): (Rule(bounds={"maxLength": 262144}),),
    **_of_pod(_POD),
}
_OF_TARGETS: Mapping[Path, tuple[Rule, ...]] = {
    _TARGETS: (_SUM, _TAGS),
    (*_TARGETS, "[]", "tag"): (_TAG,),
    (*_TARGETS, "[]", "revisionName"): (_REFERENCE_NAME,),
}

RULES: Mapping[Resource, Mapping[Path, tuple[Rule, ...]]] = {
    kinds.SERVICES: {
        (): (*_NAME, _OWN_NAME),
        **_OF_TEMPLATE,
        **_OF_TARGETS,
        (*_TARGETS, "[]"): (_LATEST, _LATEST_FALSE_IN_SERVICE),
    },
    kinds.CONFIGURATIONS: {(): (*_NAME, _OWN_NAME), **_OF_TEMPLATE},
    kinds.REVISIONS: {
        (): _NAME,
        ("spec",): (
            Rule(
                expression="self == oldSelf", message="Immutable fields changed (-old +new): spec"
            ),
        ),
        **_of_pod(("spec",)),
    },
    kinds.ROUTES: {
        (): _NAME,
        **_OF_TARGETS,
        (*_TARGETS, "[]"): (_LATEST, _LATEST_FALSE, _ONE_NAME),
        (*_TARGETS, "[]", "configurationName"): (_REFERENCE_NAME,),
    },
}
