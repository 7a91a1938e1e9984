"""Every refusal of a predictor and its HTTP answer, in one table.

For: naming what went wrong once, so that every caller reads the same words and status.
Must not know: sockets, routes, or how a fault was noticed.
"""

import enum

import orjson


class Fault(enum.Enum):
    """What went wrong: the HTTP status, and the sentence with its blanks."""

    # The caller's: the body.
    NOT_JSON = (400, "the body is not JSON: {detail}")
    NOT_OBJECT = (400, "the body must be a JSON object, not {got}")
    UNKNOWN_FIELD = (400, "unknown field '{field}'")
    BAD_FIELD = (400, "{field}: expected {expected}, got {got}")
    BINARY = (400, "{field}: the binary tensor extension is not served; send and ask for JSON")
    # The caller's: the tensors.
    UNKNOWN_INPUT = (400, "unknown input '{name}': the model takes {expected}")
    MISSING_INPUT = (400, "missing input '{name}': the model takes {expected}, got {got}")
    REPEATED_INPUT = (400, "input '{name}' is given twice")
    UNKNOWN_OUTPUT = (400, "unknown output '{name}': the model gives {expected}")
    UNKNOWN_DATATYPE = (400, "input '{name}': unknown datatype '{got}', expected one of {expected}")
    WRONG_DATATYPE = (400, "input '{name}': expected datatype {expected}, got {got}")
    WRONG_RANK = (
        400,
        "input '{name}': expected shape {expected} (rank {rank}), got {got} (rank {got_rank})",
    )
    WRONG_SIZE = (
        400,
        "input '{name}': expected shape {expected}, got {got}: dimension {axis} must be {size}",
    )
    UNEQUAL_SIZES = (
        400,
        "input '{name}': dimension {axis} is {got}, but '{dimension}' is {expected} in '{other}'",
    )
    RAGGED = (400, "input '{name}': ragged data: lists at depth {depth} differ in length or kind")
    TOO_DEEP = (400, "input '{name}': data is nested deeper than {limit} lists")
    WRONG_COUNT = (400, "input '{name}': shape {shape} needs {expected} values, got {got}")
    WRONG_NESTING = (400, "input '{name}': data is nested as {got}, but shape says {expected}")
    WRONG_VALUES = (400, "input '{name}': expected {expected} for {datatype}, got {got}")
    OUT_OF_RANGE = (400, "input '{name}': expected {datatype}, {low} to {high}, got a value beyond")
    NOT_WHOLE = (400, "input '{name}': expected whole numbers for {datatype}, got {got}")
    NO_ROWS = (
        400,
        "V1 answers in rows, but outputs {names} differ in their first dimension; use /v2",
    )
    REJECTED = (400, "{detail}")  # the model's own code said why
    # The caller's: the request.
    NO_PATH = (404, "nothing is served at {path}")
    NO_MODEL = (404, "Model with name {name} does not exist.")
    NO_VERSION = (
        404,
        "Model {name} has no version '{got}' here; this replica serves '{expected}'.",
    )
    WRONG_METHOD = (405, "{path} takes {expected}, not {got}")
    TOO_LARGE = (413, "the body is larger than {limit_bytes} bytes")
    ENCODED = (415, "content-encoding '{got}' is not served; send the body as it is")
    # Ours, and the world's.
    MODEL_RAISED = (
        500,
        "the model failed on this request ({kind}); the log of the replica says why",
    )
    BAD_OUTPUT = (500, "the model gave an answer that cannot be sent: {detail}")
    BUG = (500, "the predictor failed on this request; the log of the replica says why")
    NOT_READY = (503, "Model with name {name} is not ready.")
    QUEUE_FULL = (503, "pending request queue full")  # Knative's breaker says the same
    TIMED_OUT = (504, "no answer within the revision's timeout of {timeout_s} s")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[0]

    def text(self, **blanks: object) -> str:
        """The sentence with its blanks filled in."""
        return self.value[1].format(**blanks)


class RequestError(Exception):
    """A request that is answered with a fault; `body` is what the client reads."""

    def __init__(self, fault: Fault, **blanks: object) -> None:
        super().__init__(fault.text(**blanks))
        self.fault = fault

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.fault.status

    @property
    def body(self) -> bytes:
        """The JSON answer."""
        return orjson.dumps({"error": str(self)})


class LoadError(Exception):
    """A model that cannot be served; the message is one sentence naming the file."""


class SettingsError(Exception):
    """A flag or variable that cannot be used; the message names it."""
