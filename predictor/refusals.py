"""What libraries say when they fail, in one line, and whose fault it was.

For: the same words for the same failure, whichever library ran the model.
Must not know: any library, HTTP, or which protocol asked.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from predictor.errors import Fault, RequestError

_LOG = logging.getLogger(__name__)
_WORDS_MAX = 300
NAMES_MAX = 10  # of a list of names in a sentence

T = TypeVar("T")


def words(error: object) -> str:
    """What an error says, on one line and not too long; its name where it says nothing."""
    return " ".join(str(error).split())[:_WORDS_MAX] or type(error).__name__


def first_line(error: object) -> str:
    """The first line of what an error says: libraries in C++ add where they are."""
    return words(str(error).strip().partition("\n")[0]) if str(error).strip() else words(error)


def guarded(call: Callable[[], T], *, refusing: tuple[type[Exception], ...] = ()) -> T:
    """What a library gives; `refusing` are its words for input that it can not use.

    Anything else it raises is logged and answered 500.
    """
    try:
        return call()
    except RequestError:
        raise
    except refusing as error:
        _LOG.info("the model refused an input", exc_info=True)
        raise RequestError(Fault.REJECTED, detail=f"the model: {words(error)}") from None
    except Exception as error:  # noqa: BLE001 - anybody's code; logged, and answered 500
        _LOG.exception("the model failed on a request")
        raise RequestError(Fault.MODEL_RAISED, kind=type(error).__name__) from None


def rejected(detail: str) -> RequestError:
    """A 400 in our own words."""
    return RequestError(Fault.REJECTED, detail=detail)
