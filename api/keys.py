"""Every annotation, label, header and variable name, once.

For: spelling a public key in one place; `docs/reference.md` lists each of them, by test.
Must not know: what any key does.
"""

# Groups whose annotations Knative owns.
AUTOSCALING_PREFIX = "autoscaling.knative.dev/"
SERVING_PREFIX = "serving.knative.dev/"

# Labels on children.
SERVICE = "serving.knative.dev/service"
SERVICE_UID = "serving.knative.dev/serviceUID"
CONFIGURATION = "serving.knative.dev/configuration"
CONFIGURATION_UID = "serving.knative.dev/configurationUID"
CONFIGURATION_GENERATION = "serving.knative.dev/configurationGeneration"
REVISION = "serving.knative.dev/revision"
REVISION_UID = "serving.knative.dev/revisionUID"
ROUTE = "serving.knative.dev/route"
ROUTING_STATE = "serving.knative.dev/routingState"  # pending | active | reserve
APP = "app"
DEPLOYMENT_HASH = "serving.knative.dev/deployment-hash"  # of what was wanted when last written
VISIBILITY = "networking.knative.dev/visibility"  # label: cluster-local


# Annotations.
ROUTES = "serving.knative.dev/routes"
ROUTING_STATE_MODIFIED = "serving.knative.dev/routingStateModified"
CREATOR = "serving.knative.dev/creator"
LAST_MODIFIER = "serving.knative.dev/lastModifier"
PROGRESS_DEADLINE = "serving.knative.dev/progress-deadline"
ROLLOUT_DURATION = "serving.knative.dev/rollout-duration"  # on a Service or Route
ROLLOUT = "networking.internal.knative.dev/rollout"  # on a Route: how far a rollout is
NO_GC = "serving.knative.dev/no-gc"  # on a Revision: "true" keeps it
LAST_PINNED = "serving.knative.dev/lastPinned"  # of older Knatives; never passed on
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

# Autoscaling annotations, on a revision template. Knative's camelCase spellings
# (`minScale` for `min-scale`) are read too.
SCALING_CLASS = "autoscaling.knative.dev/class"
SCALING_METRIC = "autoscaling.knative.dev/metric"
SCALING_TARGET = "autoscaling.knative.dev/target"
TARGET_UTILIZATION = "autoscaling.knative.dev/target-utilization-percentage"
TARGET_BURST_CAPACITY = "autoscaling.knative.dev/target-burst-capacity"
MIN_SCALE = "autoscaling.knative.dev/min-scale"
MAX_SCALE = "autoscaling.knative.dev/max-scale"
INITIAL_SCALE = "autoscaling.knative.dev/initial-scale"
ACTIVATION_SCALE = "autoscaling.knative.dev/activation-scale"
SCALE_DOWN_DELAY = "autoscaling.knative.dev/scale-down-delay"
POD_RETENTION = "autoscaling.knative.dev/scale-to-zero-pod-retention-period"
STABLE_WINDOW = "autoscaling.knative.dev/window"
PANIC_WINDOW = "autoscaling.knative.dev/panic-window-percentage"
PANIC_THRESHOLD = "autoscaling.knative.dev/panic-threshold-percentage"
METRIC_AGGREGATION = "autoscaling.knative.dev/metric-aggregation-algorithm"

# Annotations of our own.
MODEL_DIGEST = "relight.dev/model-digest"  # on a Revision and its Pods: "sha256:<64 hex>"
MODEL_NAME = "relight.dev/model-name"  # on a revision template: name in /v1 and /v2 paths
SOURCE_DIGEST = "relight.dev/source-digest"  # on a template: the file `relight deploy` saw
ENDPOINT = "relight.dev/endpoint"  # on a Pod: "unix:/path" or "tcp:127.0.0.1:port"
START_TIMING = "relight.dev/start-timing"  # on a Pod: {"fork_ms":, "load_ms":} or {"resumed_ms":}
FROZEN = "relight.dev/frozen"  # on a Node: what is frozen there, as JSON

# KServe's: on an InferenceService, and on the children made for it.
KSERVE_PREFIX = "serving.kserve.io/"
INFERENCE_SERVICE = "serving.kserve.io/inferenceservice"  # label on children: whose they are
COMPONENT = "component"  # label on children: predictor, transformer or explainer
DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
AUTOSCALER_CLASS = "serving.kserve.io/autoscalerClass"
ENABLE_TAG_ROUTING = "serving.kserve.io/enable-tag-routing"
STOP = "serving.kserve.io/stop"
DISABLE_LOCAL_MODEL = "serving.kserve.io/disable-localmodel"
STORAGE_READONLY = "storage.kserve.io/readonly"
KSERVE_VISIBILITY = "networking.kserve.io/visibility"  # Knative's, under KServe's name
TRUST_PICKLE = "relight.dev/trust-pickle"  # on an InferenceService: consent to load a pickle
HOSTS = "relight.dev/hosts"  # on a template: names that lead to the activator of one machine
LOGGER = "relight.dev/logger"  # on a template: {"url":, "mode":, "metadataHeaders":}
KEEP_ALIVE = "relight.dev/keep-alive"  # on a template: cheap, balanced or fast
TEMPLATE = "relight.dev/template"  # on a template: "true" keeps its model open to fork from

WARM_POOL = "relight.dev/warm-pool"  # on a Namespace: how many warm Pods, or "auto"
POOL = "relight.dev/pool"  # label of a warm Pod: which pool it is of, until it is claimed
CLAIMED = "relight.dev/claimed"  # on a Pod that was warm: when it was claimed
DIRECT = "relight.dev/direct"  # on a PodAutoscaler: "true" where Pods count and limit themselves
PUBLISHED = "relight.dev/published"  # label of core Services: whose address one is
MODEL_OF = "relight.dev/model-of"  # label of a Pod that finds a model: of which Revision
ATTEMPT = "relight.dev/attempt"  # on such a Pod: how often it failed before
WAITS = "relight.dev/waits"  # on a PodAutoscaler: why its deadline stands still
ADDRESS = "relight.dev/address"  # on a Lease: IP:PORT at which its holder is reached
SETTINGS_CHECKSUM = "relight.dev/settings-checksum"  # on our Pods: of the settings they began with
SHIPPED_SETTINGS = "relight.dev/shipped-settings"  # on our ConfigMap: before anybody changed one

EXAMPLE_CHECKSUM = "knative.dev/example-checksum"  # on a ConfigMap: of its `_example`

# Autoscaler classes.
CLASS_KPA = "kpa.autoscaling.knative.dev"
CLASS_HPA = "hpa.autoscaling.knative.dev"
CLASS_RELIGHT = "relight.autoscaling.knative.dev"
CLASS_BESIDE = "autoscaler.relight.dev"  # the same: Knative admits no other in its own domain

CONDITION_WAKES = "WakesFromZero"  # of a PodAutoscaler beside Knative; False: it stays above zero

# Request headers we read.
HEADER_TAG = "knative-serving-tag"
HEADER_TIMEOUT = "relight-timeout"  # seconds this caller will wait, held and executed together
HEADER_REQUEST_ID = "x-request-id"
HEADER_TO_REVISION = "knative-serving-revision"  # with the next: past the Host, from inside only
HEADER_TO_NAMESPACE = "knative-serving-namespace"
HEADER_PROXY = "k-proxy-request"  # "activator": already counted there
HEADER_PROBE = "k-network-probe"
HEADER_HASH = "k-network-hash"
HEADER_EVENT_ID = "ce-id"  # joins the two events of a logged request
HEADER_LOAD_FORMAT = "endpoint-load-metrics-format"  # ORCA: text or json; a replica answers with
HEADER_LOAD = "endpoint-load-metrics"  # its load: "TEXT named_metrics.tokens_in_flight=123"

# Request headers we write, beside those we pass on.
HEADER_DEFAULT_ROUTE = "knative-serving-default-route"  # "true": by the Route's shares
HEADER_ISVC_NAME = "kserve-isvc-name"
HEADER_ISVC_NAMESPACE = "kserve-isvc-namespace"

# Response headers we write.
HEADER_REVISION = "relight-revision"
HEADER_MODEL_DIGEST = "relight-model-digest"
HEADER_SERVER_TIMING = "server-timing"  # queue;dur= fork;dur= load;dur= run;dur= in ms

# Kubernetes' own, on Pods and Deployments.
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"  # written by `kubectl rollout restart`

SERVICE_NAME = "kubernetes.io/service-name"  # label of an EndpointSlice: whose it is
SLICE_MANAGER = "endpointslice.kubernetes.io/managed-by"  # and who writes it

# Environment of a replica, as in Knative's runtime contract.
ENV_PORT = "PORT"
ENV_SERVICE = "K_SERVICE"
ENV_CONFIGURATION = "K_CONFIGURATION"
ENV_REVISION = "K_REVISION"
# On one machine: where other Services are reached, as their names lead nowhere there.
ENV_ACTIVATOR = "RELIGHT_ACTIVATOR"
# Environment of our own predictor.
ENV_MODEL_DIGEST = "RELIGHT_MODEL_DIGEST"
ENV_CONCURRENCY = "RELIGHT_CONTAINER_CONCURRENCY"
ENV_TIMEOUT_S = "RELIGHT_TIMEOUT_S"
ENV_LINGER_S = "RELIGHT_LINGER_S"  # on SIGTERM go on accepting, unready, for so long at most
ENV_HOST = "RELIGHT_HOST"  # the address to listen on, where no flag says
ENV_CACHE = "RELIGHT_CACHE"  # folder of what can be made again: fetched and prepared models
ENV_CLAIM_KEY = "RELIGHT_CLAIM_KEY"  # of a warm Pod: what a claim has to name
ENV_PREDICT_PROBA = "PREDICT_PROBA"

# Environment that KServe sets, and that it reads on containers of the user's own.
ENV_INFERENCE_SERVICE = "INFERENCE_SERVICE_NAME"
ENV_STORAGE_URI = "STORAGE_URI"
ENV_PROTOCOL = "PROTOCOL"

# The image that means "fork our predictor from the zygote".
PREDICTOR_IMAGE = "relight/predictor"
