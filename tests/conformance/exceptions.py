"""Each way in which a server under test may differ from the others, by a name and a sentence.

For: the skipped cells of the table, and `docs/compatibility.md`, which lists them all.
"""

# What a server may be without. Behaviours that need it are marked `needs(name)`.
LACKS: dict[str, str] = {
    "admission": (
        "Validation by our own code before anything is stored. On a cluster the rules of the "
        "definitions say the commonest parts of it, in CEL."
    ),
    "aggregated-discovery": (
        "One document for all groups (Kubernetes 1.26 and later); by call there is no discovery."
    ),
    "apps": "Deployments and who turns them into Pods: the CRD-only server has neither.",
    "cel": "Rules in CEL inside definitions: Kubernetes has them since 1.25.",
    "core": (
        "Kubernetes' own kinds, namespaces among them: the CRD-only server has none, and takes "
        "any name of a namespace."
    ),
    "field-validation": (
        "`fieldValidation=Strict` of a request: Kubernetes has it since 1.25; by call there are "
        "no requests."
    ),
    "http": "Paths, tables and documents are HTTP's: by call there are none.",
    "openapi-v3": (
        "OpenAPI v3 documents: Kubernetes has them since 1.24; by call there are no documents."
    ),
    "owners-of-parts": (
        "Owners of a status told apart in managedFields: Kubernetes does so since 1.22."
    ),
    "recent": (
        "Complaints, and schemas that are known as soon as the kind is, as of Kubernetes 1.25."
    ),
    "watch-list": (
        "A watch in the place of a list (`sendInitialEvents`): on by default since 1.34."
    ),
}

# Where our server is other than Kubernetes on purpose. Tests that look the other way there say
# `# exception: name`.
DIFFERS: dict[str, str] = {
    "apply-knows-defaults": (
        "Two managers that apply the same containers share them, though the server fills in "
        "defaults there: beside Knative's webhook the second would conflict."
    ),
    "codes-of-refusals": (
        "Some refusals are 400 here and 422 there, or the other way; reason and text agree as "
        "far as the behaviours say. A resourceVersion that is none is 400; 1.36 says 500."
    ),
    "exact-versions": (
        "`resourceVersionMatch=Exact` is served for the present; an earlier version is 410 "
        "`Expired`, as for a Kubernetes that has compacted it. Lists go on by `continue`."
    ),
    "lists-of-inference-services": (
        "`volumes` and `imagePullSecrets` of an InferenceService have their names as keys, as in "
        "Knative's kinds; in KServe's definitions they are one value."
    ),
    "rules-of-our-kinds": (
        "Our own kinds are validated by code: the CEL of their definitions, if these are applied "
        "here, is not evaluated."
    ),
}

EXCEPTIONS: dict[str, str] = {**LACKS, **DIFFERS}
