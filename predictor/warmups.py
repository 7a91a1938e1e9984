"""Answer the requests that are stored with a model, before it is ready.

For: a replica whose first client does not pay for first times, and that is ready only if its
model answers.
Must not know: where the requests were stored, sockets, when a replica is ready.
"""

import logging

from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded
from predictor.protocol_v2 import CodecV2

_LOG = logging.getLogger(__name__)


def answer(loaded: Loaded, *, model_name: str) -> int:
    """Run them as if they came by V2; how many were. LoadError names the first that fails."""
    codec = CodecV2(loaded.signature, name=model_name, version="")
    count = 0
    for warmup in loaded.warmups:
        try:
            for _ in range(warmup.count):
                request = codec.decode(warmup.body)
                codec.encode(request, loaded.run(request.feeds, request.outputs))
                count += 1
        except RequestError as error:
            raise LoadError(
                f"{warmup.name}: this warm-up request was not answered: {error}"
            ) from None
    if count:
        _LOG.info("answered %d warm-up requests", count)
    return count
