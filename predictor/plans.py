"""What a request head asks of a model, kept with the head: a client that repeats it is known.

For: finding route, codec and wishes once a head instead of once a request.
Must not know: bodies, how a codec works, when a plan is used.
"""

from typing import NamedTuple

from predictor.protocol import Codec


class Plan(NamedTuple):
    """How requests of one head are taken. A tuple, because many a head comes but once."""

    # Whose it is: of a repository's models, another may get the head next. A mark of the server's
    # and not the server: a connection keeps its last head, and would keep a closed model with it.
    mark: object
    codec: Codec
    is_direct: bool  # one run of the model's own, and a body as it is: nothing to wait for
    is_proxied: bool
