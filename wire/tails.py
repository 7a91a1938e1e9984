"""How a head ends that is another one each time: with a length, an id, a time.

For: knowing a head again though its last two lines differ, as between our own processes.
Must not know: connections, parsers, whose heads they are.

Only what no parser could read in two ways is taken: lower-case names, digits, visible characters.
Whatever else there is, is for the parser.
"""

import re

# The activator's requests. Lengths and ids beyond these sizes are nobody's.
REQUEST = re.compile(rb"content-length: ([0-9]{1,15})\r\nx-request-id: ([!-~]{1,128})\r\n\r\n")
# The predictor's answers, one line of which is passed on.
ANSWER = re.compile(
    rb"(server-timing: [!-~](?:[ -~]{0,510}[!-~])?\r\n)content-length: ([0-9]{1,15})\r\n\r\n"
)

_LENGTH, _TIMING = b"\r\ncontent-length: ", b"\r\nserver-timing: "


def of_request(head: bytes) -> int:
    """Where the tail of a request's head begins; 0 without one."""
    return _start(REQUEST, head, head.rfind(_LENGTH) + 2)


def of_answer(head: bytes) -> int:
    """Where the tail of an answer's head begins; 0 without one."""
    return _start(ANSWER, head, head.rfind(_TIMING) + 2)


def _start(tail: re.Pattern[bytes], head: bytes, start: int) -> int:
    return start if start > 1 and tail.fullmatch(head, start) else 0
