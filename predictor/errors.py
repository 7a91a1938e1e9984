"""Every refusal of a predictor and its HTTP answer, in one table.

For: naming what went wrong once, so that every caller reads the same words and status.
Must not know: sockets, routes, or how a fault was noticed.
"""

import enum
from typing import Final

import orjson

BLANK_CHARACTERS_MAX: Final = 1000


class Fault(enum.Enum):
    """What went wrong: the HTTP status, and the sentence with its blanks."""

    # The caller's: the body.
    NOT_JSON = (400, "the body is not JSON: {detail}")
    NOT_MESSAGE = (400, "the message is not a {name}: {detail}")
    BAD_FRAME = (400, "the body is not gRPC: {detail}")
    NOT_OBJECT = (400, "the body must be a JSON object, not {got}")
    NOT_INFLATED = (400, "the body is not {coding}: {detail}")
    UNKNOWN_FIELD = (400, "unknown field '{field}'")
    NOT_HONOURED = (400, "{field}: this model can not honour it; leave it out")
    BAD_FIELD = (400, "{field}: expected {expected}, got {got}")
    NOT_SERVED = (400, "{field}: {what} is not served")
    NOT_EXPLAINED = (400, "this can not be explained: {why}")
    # The caller's: the tensors.
    UNKNOWN_INPUT = (400, "unknown input '{name}': the model takes {expected}")
    MISSING_INPUT = (400, "missing input '{name}': the model takes {expected}, got {got}")
    REPEATED_INPUT = (400, "input '{name}' is given twice")
    REPEATED_OUTPUT = (400, "output '{name}' is asked for twice")
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
    WRONG_BYTES = (
        400,
        "input '{name}': {datatype} of shape {shape} needs {expected} raw bytes, got {got}",
    )
    CUT_BYTES = (400, "input '{name}': the BYTES element at byte {at} is longer than what follows")
    RAW_COUNT = (
        400,
        "raw_input_contents: {got} entries for {expected} inputs; all inputs are raw, or none is",
    )
    MIXED = (400, "input '{name}' has typed contents beside raw_input_contents")
    RAW_ONLY = (400, "input '{name}': {datatype} has no typed contents; send raw_input_contents")
    WRONG_CONTENTS = (400, "input '{name}': {datatype} travels in {expected}, not in {got}")
    NOT_WHOLE = (400, "input '{name}': expected whole numbers for {datatype}, got {got}")
    NOT_IN_JSON = (400, "input '{name}': BF16 travels as binary data only, not in JSON")
    OUTPUT_NOT_IN_JSON = (
        400,
        "output '{name}' is {what}, which JSON can not carry: ask for it in V2 with binary_data",
    )
    NOT_TEXT = (400, "input '{name}': expected text in UTF-8, got bytes that are not")
    BINARY_BEYOND = (
        400,
        "input '{name}': binary_data_size {size} at byte {start} goes beyond the body's {end}",
    )
    BINARY_LEFT = (400, "{left} bytes of binary data are left over after the last input")
    NO_ROWS = (
        400,
        "V1 answers in rows, but outputs {names} differ in their first dimension: ask in columns, "
        '{{"inputs": {{...}}}}, or use /v2',
    )
    NO_INPUT_ROWS = (
        400,
        "instances: input '{name}' is one value (shape []), of which there are no rows: ask in "
        'columns, {{"inputs": {{"{name}": ...}}}}, or use /v2',
    )
    REJECTED = (400, "{detail}")  # the model's own code said why
    # The caller's: the request.
    NO_PATH = (404, "nothing is served at {path}")
    NOT_HERE = (404, "nothing is served at {path}: {why}")
    NO_SERVICE = (404, "there is no service '{name}' here")
    NO_MODEL = (404, "Model with name {name} does not exist.")
    NO_VERSION = (
        404,
        "Model {name} has no version '{got}' here; this replica serves '{expected}'.",
    )
    WRONG_METHOD = (405, "{path} takes {expected}, not {got}")
    TOO_LARGE = (413, "the body is larger than {limit_bytes} bytes")
    ENCODED = (415, "content-encoding '{got}' is not served: expected one of {expected}")
    NOT_GRPC = (
        415,
        "{path} is a gRPC method: call it over HTTP/2, with content-type application/grpc",
    )
    NO_METHOD = (501, "there is no method {path} here")
    UNSERVED = (501, "{what} is not served: {why}")
    # Ours, and the world's.
    MODEL_RAISED = (
        500,
        "the model failed on this request ({kind}); the log of the replica says why",
    )
    MIXTURE_FAILED = (
        500,
        "the model failed on rows in which an instance's values and the baseline's are mixed, "
        "as explaining it needs: {detail}",
    )
    BAD_OUTPUT = (500, "the model gave an answer that cannot be sent: {detail}")
    BUG = (500, "the predictor failed on this request; the log of the replica says why")
    NOT_LOADED = (503, "the model cannot be opened: {detail}")
    NOT_READY = (503, "Model with name {name} is not ready.")
    QUEUE_FULL = (503, "pending request queue full")  # Knative's breaker says the same
    TIMED_OUT = (504, "no answer within the revision's timeout of {timeout_s} s")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[0]

    def text(self, **blanks: object) -> str:
        """The sentence with its blanks filled in, each cut where nobody would read on."""
        return self.value[1].format(**{name: _cut(blank) for name, blank in blanks.items()})


def _cut(blank: object) -> str:
    """A name of megabytes is a client's: it is not to come back with every refusal."""
    text = str(blank)
    if len(text) <= BLANK_CHARACTERS_MAX:
        return text
    return text[: BLANK_CHARACTERS_MAX - 1] + "…"


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
